"""Prices out of genai-prices: what our row costs is what `genai_prices.calc_price` says, for real models."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal

import pytest

pytest.importorskip("genai_prices")

from genai_prices import Usage as GenaiUsage
from genai_prices import calc_price
from genai_prices.data_snapshot import get_snapshot

from outlay import PriceTable, Usage
from outlay.prices import from_genai_prices

NOW = datetime.now(tz=UTC)
PROVIDERS = get_snapshot().providers
MODELS = [(provider.id, model) for provider in PROVIDERS for model in provider.models]
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
    {"input_tokens": 300_000, "output_tokens": 9, "audio_input_tokens": 299_000, "audio_output_tokens": 9},
    {"input_tokens": 10, "output_tokens": 9, "units": {"web_search": 3, "file_search": 2}},
]
THEIR_NAMES = {"audio_input_tokens": "input_audio_tokens", "audio_output_tokens": "output_audio_tokens"}
THEIR_UNITS = {"web_search": "web_searches", "file_search": "storage_searches"}
# What a usage of ours has one count for, and a price of theirs several.
SPLIT = ("image", "video", "text", "citation")


def row_of(provider, model):
    """Return the price of a model, None where it is not priced by tokens."""
    try:
        return from_genai_prices(model, provider)
    except LookupError:
        return None


def theirs(provider, model, usage, context=None):
    """Return what genai-prices says in micro-USD, rounded up."""
    counts = {THEIR_NAMES.get(name, name): count for name, count in usage.items() if name != "units"}
    counts |= {THEIR_UNITS[name]: count for name, count in usage.get("units", {}).items()}
    price = calc_price(GenaiUsage(**counts), model.id, provider_id=provider, price_context=context)
    return int((price.total_price * 1_000_000).to_integral_value(rounding=ROUND_CEILING))


def ours(row, usage, ways=()):
    return PriceTable({"m": row}).cost("m", Usage(**usage, billed_as=ways))


def prices_of(model):
    return [each.prices for each in model.prices] if isinstance(model.prices, list) else [model.prices]


def is_equal_to_theirs(model, usage):
    """Whether no dearest price had to be chosen: theirs has a price for just what the usage counts."""
    names = {name for price in prices_of(model) for name, cost in vars(price).items() if cost is not None}
    hourly = isinstance(model.prices, list) and any(
        "Time" in type(one.constraint).__name__ for one in model.prices
    )
    if hourly or any(word in name for name in names for word in SPLIT):
        return False
    if usage.get("audio_input_tokens") and not {"input_audio_mtok", "output_audio_mtok"} <= names:
        return False
    return "output_mtok" in names or not usage["output_tokens"]


PRICED = [
    (provider, model, row) for provider, model in MODELS if (row := row_of(provider, model.id)) is not None
]


def test_there_are_models_of_all_kinds():
    assert len(PRICED) > 1_900
    for key in ("tiers", "units", "multipliers", "request", "audio_input", "audio_cache_read", "reasoning"):
        assert any(key in row for _, _, row in PRICED), key


@pytest.mark.parametrize("usage", USAGES, ids=lambda usage: "-".join(usage))
def test_our_cost_is_theirs_or_the_dearest(usage):
    equal = 0
    for provider, model, row in PRICED:
        cost, expected = ours(row, usage), theirs(provider, model, usage)
        assert cost >= expected, (provider, model.id)
        if is_equal_to_theirs(model, usage):
            # A price of theirs may have more decimals than ours, which are rounded up.
            assert cost - expected <= 1, (provider, model.id)
            equal += 1
    assert equal >= 5


def test_our_cost_of_a_tier_is_theirs():
    compared = 0
    for provider, model, row in PRICED:
        for variant in model.price_variants or ():
            (way,) = variant.when.values()
            if way in ("default", "web") or (variant.constraint and not variant.constraint.active(NOW)):
                continue
            for usage in USAGES:
                cost = ours(row, usage, (way.replace("/", ":"),))
                expected = theirs(provider, model, usage, variant.when)
                assert cost >= expected, (provider, model.id, way)
                if is_equal_to_theirs(model, usage) and way != "fast" and "tiers" not in row:
                    assert cost - expected <= 1, (provider, model.id, way, usage)
                    compared += 1
    assert compared > 300


def test_each_model_is_priced_or_refused_with_a_reason():
    reasons = set()
    for provider, model in MODELS:
        try:
            PriceTable({"m": from_genai_prices(model.id, provider)})
        except LookupError as refused:
            tokens = any(price.input_mtok is not None for price in prices_of(model))
            reasons.add((tokens, "not priced by tokens" in str(refused), "no price for" in str(refused)))
    # Some names of theirs are not found by themselves.
    assert reasons <= {(False, True, False), (True, False, True), (False, False, True)}
    assert (False, True, False) in reasons


@pytest.mark.parametrize(
    ("tier", "expected"), [("default", 17_500), ("priority", 35_000), ("flex", 8_750), ("batch", 8_750)]
)
def test_a_service_tier_is_in_the_price(tier, expected):
    table = PriceTable({"gpt-5.4": from_genai_prices("gpt-5.4", "openai")})
    usage = Usage(input_tokens=1_000, output_tokens=1_000, billed_as=(tier,))
    assert table.cost("gpt-5.4", usage) == expected


def test_sound_is_not_priced_as_text():
    table = PriceTable({"m": from_genai_prices("gemini-2.5-flash", "google")})
    usage = Usage(input_tokens=10_000, output_tokens=10, audio_input_tokens=10_000)
    assert table.cost("m", usage) == 10_025


def test_a_fee_for_each_request_is_in_the_price():
    # Perplexity, "Pricing": from 5 USD for 1,000 requests of sonar on top of its tokens.
    row = from_genai_prices("sonar", "perplexity")
    tokens = 1_000 * Decimal(row["input"]) + 100 * Decimal(row["output"])
    assert ours(row, USAGES[0]) == tokens + 1_000_000 * Decimal(row["request"])
    assert Decimal(row["request"]) >= Decimal("0.005")


def test_a_price_by_the_hour_is_the_dearest_of_the_day():
    row = from_genai_prices("deepseek-chat", "deepseek")
    assert (Decimal(row["input"]), Decimal(row["output"])) == (Decimal("0.27"), Decimal("1.1"))


def test_a_long_input_has_a_tier_for_the_whole_call():
    assert from_genai_prices("gemini-2.5-pro", "google")["tiers"] == [
        {
            "above_input_tokens": 200_000,
            "input": "2.5",
            "output": "15",
            "cache_read": "0.25",
            "audio_input": "2.5",
        }
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
