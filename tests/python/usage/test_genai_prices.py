"""Prices out of genai-prices: what our row costs is what `genai_prices.calc_price` says, for real models."""

from __future__ import annotations

import socket
import subprocess
import sys
from decimal import ROUND_CEILING, Decimal

import pytest

pytest.importorskip("genai_prices")

from genai_prices import Usage as GenaiUsage
from genai_prices import calc_price
from genai_prices.data_snapshot import get_snapshot

from outlay import PolicyError, PriceTable, Usage
from outlay.prices import from_genai_prices

PROVIDERS = ("anthropic", "google", "openai", "x-ai", "mistral", "groq", "deepseek", "cohere", "aws", "azure")
MODELS = [
    (provider.id, model.id)
    for provider in get_snapshot().providers
    if provider.id in PROVIDERS
    for model in provider.models
]
USAGES = [
    {"input_tokens": 1_000, "output_tokens": 100},
    {"input_tokens": 150_001, "output_tokens": 7_919, "cache_read_tokens": 120_000},
    {"input_tokens": 200_000, "output_tokens": 0},
    {"input_tokens": 200_001, "output_tokens": 1},
    {
        "input_tokens": 1_200_000,
        "output_tokens": 64_000,
        "cache_read_tokens": 3,
        "cache_write_tokens": 900_000,
    },
]


def row_of(provider, model):
    """Return the price of a model, None where it is not priced by tokens."""
    try:
        return from_genai_prices(model, provider)
    except LookupError:
        return None


def flat(row, input_tokens):
    """Return the prices of a call with so much input, without tiers and reasoning."""
    chosen = row
    for tier in row.get("tiers", []):
        if input_tokens > tier["above_input_tokens"]:
            chosen = tier
    kinds = ("input", "output", "cache_read", "cache_write")
    return {kind: chosen[kind] for kind in kinds if kind in chosen}


def understood(row):
    """Whether the table takes the row as it is, with its tiers and the price of reasoning."""
    try:
        PriceTable({"m": row})
    except PolicyError:
        return False
    return True


def theirs(provider, model, usage):
    """Return what genai-prices says in micro-USD, rounded up; None where it does not price the output."""
    price = calc_price(GenaiUsage(**usage), model, provider_id=provider)
    if price.model_price.output_mtok is None and usage["output_tokens"]:
        return None
    return int((price.total_price * 1_000_000).to_integral_value(rounding=ROUND_CEILING))


def is_exact(row):
    """Whether no price can have been rounded up."""
    prices = [price for each in [row, *row.get("tiers", [])] for price in each.values()]
    return not any(isinstance(price, str) and len(price.partition(".")[2]) == 6 for price in prices)


PRICED = [(provider, model) for provider, model in MODELS if row_of(provider, model) is not None]
HOURLY = {"deepseek"}


def test_there_are_hundreds_of_models():
    assert len(PRICED) > 300


@pytest.mark.parametrize("provider", sorted({provider for provider, _ in PRICED} - HOURLY))
def test_our_cost_is_theirs(provider):
    compared = 0
    for model in (model for whose, model in PRICED if whose == provider):
        row = from_genai_prices(model, provider)
        for usage in USAGES:
            prices = row if understood(row) else flat(row, usage["input_tokens"])
            ours = PriceTable({"m": prices}).cost("m", Usage(**usage))
            expected = theirs(provider, model, usage)
            if expected is not None:
                assert ours == expected or (not is_exact(row) and ours == expected + 1), (model, usage)
                compared += 1
    assert compared


def test_a_price_by_the_hour_is_the_dearest_of_the_day():
    row = from_genai_prices("deepseek-chat", "deepseek")
    assert (Decimal(row["input"]), Decimal(row["output"])) == (Decimal("0.27"), Decimal("1.1"))


def test_every_row_of_every_provider_is_a_price_table():
    rows = 0
    for provider in get_snapshot().providers:
        for model in provider.models:
            row = row_of(provider.id, model.id)
            if row is not None:
                for tokens in (1, 10**9):
                    PriceTable({"m": flat(row, tokens)})
                rows += 1
    assert rows > 1_500


def test_a_long_input_has_a_tier_for_the_whole_call():
    assert from_genai_prices("gemini-2.5-pro", "google")["tiers"] == [
        {"above_input_tokens": 200_000, "input": "2.5", "output": "15", "cache_read": "0.25"}
    ]


def test_embeddings_cost_their_input():
    row = from_genai_prices("text-embedding-3-small", "openai")
    assert row == {"input": "0.02", "output": "0.02"}


@pytest.mark.parametrize(
    ("model", "provider", "says"),
    [
        ("no-such-model", None, "no price"),
        ("no-such-model", "openai", "no price"),
        ("gpt-4o", "no-such-provider", "no price"),
        ("sonar", "perplexity", "fee"),
        ("whisper-large-v3", "groq", "not priced by tokens"),
        ("", None, "no price"),
    ],
)
def test_what_has_no_price_fails_closed(model, provider, says):
    with pytest.raises(LookupError, match=says):
        from_genai_prices(model, provider)


@pytest.mark.parametrize("provider", ["google_genai", "google_vertexai", "amazon_bedrock", "azure", "xai"])
def test_the_frameworks_names_of_providers_are_known(provider):
    known = {"amazon_bedrock": "amazon.nova-lite-v1:0", "azure": "gpt-4o", "xai": "grok-4"}
    assert row_of(provider, known.get(provider, "gemini-2.5-flash")) is not None


def test_a_model_is_looked_up_once_and_nothing_is_fetched(monkeypatch):
    def refuse(*args, **keywords):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    first = from_genai_prices("gpt-4.1-mini", "openai")
    monkeypatch.setattr("outlay._prices.genai.get_snapshot", refuse)
    first["input"] = "0"
    assert from_genai_prices("gpt-4.1-mini", "openai")["input"] == "0.4"


def test_outlay_alone_does_not_import_it():
    code = "import sys, outlay; assert 'genai_prices' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_package_names_the_extra():
    code = (
        "import sys; sys.modules['genai_prices'] = None\n"
        "try:\n    import outlay.prices\n"
        "except ImportError as error:\n    assert 'pip install outlay[prices]' in str(error), error\n"
        "else:\n    raise SystemExit('imported')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
