"""Costs by hand: tiers, sound, units, fees, multipliers, and which of two costs is booked."""

import logging
from decimal import ROUND_CEILING, Decimal

import pytest

from outlay import (
    Guard,
    PolicyError,
    PriceTable,
    SharedPool,
    Usage,
    UsageEstimate,
    governed,
)

PRICE = {"input": "2.50", "output": "10", "cache_read": "0.25"}
USAGE = {"input_tokens": 1_000, "output_tokens": 100}
PLAIN = 1_000 * 5 // 2 + 100 * 10
LIMIT = {"name": "b", "limit": {"usd": "100"}}


def cost(price, model="m", **fields):
    return PriceTable({model: price}).cost(model, Usage(**fields))


def micros(dollars):
    return int((dollars * 1_000_000).to_integral_value(rounding=ROUND_CEILING))


def test_units_and_requests_are_fees_beside_the_tokens():
    price = {**PRICE, "request": "0.005", "units": {"web_search": "0.01", "page": "0.0000001"}}
    assert cost(price, **USAGE) == PLAIN + 5_000
    assert cost(price, **USAGE, units={"web_search": 3}) == PLAIN + 5_000 + 30_000
    assert cost(price, **USAGE, units={"page": 11}) == PLAIN + 5_000 + 2, "1.1 micro-USD, rounded up once"


def test_multipliers_multiply_each_other_and_the_tokens_alone():
    price = {
        **PRICE,
        "request": "0.005",
        "multipliers": {"batch": "0.5", "us": "1.1", "fast": {"output": "6"}},
    }
    tokens = Decimal("2.50") * 1_000 + Decimal(10) * 100
    for ways, times in [
        ((), Decimal(1)),
        (("batch",), Decimal("0.5")),
        (("us", "batch"), Decimal("0.55")),
        (("default", "batch", "batch"), Decimal("0.5")),
    ]:
        assert cost(price, **USAGE, billed_as=ways) == micros((tokens * times) / 1_000_000) + 5_000, ways
    assert cost(price, **USAGE, billed_as=("fast",)) == 2_500 + 6_000 + 5_000


def test_each_kind_has_its_own_tiers():
    tiers = [
        {"above_input_tokens": 1_000, "output": "20"},
        {"above_input_tokens": 2_000, "input": "5", "cache_read": "1"},
    ]
    price = {**PRICE, "tiers": tiers}
    assert cost(price, input_tokens=1_000, output_tokens=10) == 2_500 + 100
    assert cost(price, input_tokens=1_200, output_tokens=10, cache_read_tokens=200) == 2_500 + 50 + 200
    assert cost(price, input_tokens=2_200, output_tokens=10, cache_read_tokens=200) == 10_000 + 200 + 200


def test_sound_costs_its_own_price_or_the_highest_of_its_side():
    sound = {"input_tokens": 100, "output_tokens": 10, "audio_input_tokens": 60, "audio_output_tokens": 10}
    assert cost(PRICE, **sound) == 100 * 5 // 2 + 10 * 10
    assert cost({**PRICE, "cache_write": "4", "reasoning": "12"}, **sound) == 100 + 60 * 4 + 10 * 12
    own = {**PRICE, "audio_input": "40", "audio_output": "80", "audio_cache_read": "2.5"}
    assert cost(own, **sound) == 100 + 60 * 40 + 10 * 80
    # 70 of 100 were read from a cache: at least 30 of the sound.
    assert cost(own, input_tokens=100, audio_input_tokens=60, cache_read_tokens=70) == 10 + 1_200 + 75


@pytest.mark.parametrize("way", ["priority", "us", "x" * 64])
def test_a_multiplier_above_one_never_makes_a_call_cheaper(way):
    for thousandths in (1_000, 1_001, 1_999, 1_000_000):
        price = {**PRICE, "multipliers": {way: f"{thousandths // 1_000}.{thousandths % 1_000:03}"}}
        for tokens in (0, 1, 3, 10**6, 2**63, 2**64 - 1):
            plain, billed = (cost(price, total_tokens=tokens, billed_as=ways) for ways in ((), (way,)))
            exact = micros(Decimal(tokens) * 10 * thousandths / Decimal(1_000) / Decimal(1_000_000))
            assert plain <= billed
            assert billed == min(exact, 2**64 - 1) or tokens >= 2**63


SEARCH = {"web_search": 1_000}
# Multipliers in percent, and USD for 1,000 searches, from the pages that docs/policy.md names.
MAKERS = [
    ("claude-x", "anthropic", {"batch": 50, "us": 110, "fast": 200, "priority": 100}, 10),
    ("claude-opus-4-6", "anthropic", {"fast": 600}, 10),
    ("anthropic/claude-opus-4-7-20260416", "anthropic", {"fast": 600}, 10),
    ("claude-opus-4-8", None, {"fast": 200}, 10),
    ("gpt-x", "openai", {"batch": 50, "flex": 50, "priority": 200, "fast": 200}, 10),
    ("gpt-5.5-2026-04-24", "openai", {"priority": 250, "fast": 250}, 10),
    ("o3", None, {"priority": 200}, 10),
    ("ft:gpt-4.1-mini:me", "openai", {"priority": 200}, 25),
    ("my-deployment", "azure", {"batch": 50, "priority": 250}, 0),
    ("models/gemini-2.5-flash", "google", {"batch": 50, "flex": 50, "priority": 200}, 35),
    ("gemini-3-pro", "vertex_ai", {"batch": 50, "flex": 50, "priority": 200}, 14),
    ("claude-x@20260101", "google_vertexai", {"batch": 50, "priority": 100}, 10),
    ("gpt-oss", "groq", {"batch": 100}, 0),
]


@pytest.mark.parametrize(("model", "provider", "ways", "searches"), MAKERS, ids=[one[0] for one in MAKERS])
def test_a_maker_says_what_the_price_does_not(model, provider, ways, searches):
    table = PriceTable({model: PRICE})
    for way, percent in ways.items():
        billed = table.cost(model, Usage(**USAGE, billed_as=(way,)), provider=provider)
        assert billed == PLAIN * percent // 100, way
    searched = table.cost(model, Usage(**USAGE, units=SEARCH), provider=provider)
    assert searched == PLAIN + searches * 1_000_000


@pytest.mark.parametrize(
    ("model", "provider", "expected"),
    [
        ("claude-x", "anthropic", 125 + 100),
        ("gpt-5", "openai", 125 + 100),
        ("gpt-4o", "openai", 125 + 200),
        ("o4-mini", "openai", 125 + 200),
        ("gemini-3-pro", "google", 125 + 200),
        ("my-deployment", "azure", 125 + 200),
    ],
)
def test_a_batch_halves_what_a_cache_has_where_its_maker_does(model, provider, expected):
    """100 tokens at 2.50, and 800 from a cache at 0.25: half of both, or of the first alone."""
    cached = Usage(input_tokens=900, cache_read_tokens=800, billed_as=("batch",))
    assert PriceTable({model: PRICE}).cost(model, cached, provider=provider) == expected


def test_a_search_of_files_costs_what_its_seller_asks():
    table = PriceTable({"gpt-x": PRICE})
    searched = Usage(**USAGE, units={"file_search": 1_000})
    assert table.cost("gpt-x", searched, provider="openai") == PLAIN + 2_500_000
    assert table.cost("gpt-x", searched, provider="azure") == PLAIN + 3_300_000


def test_what_nobody_can_price_is_named_once(caplog):
    caplog.set_level(logging.WARNING, logger="outlay")
    named = {**USAGE, "units": {"moon_walk": 2}, "billed_as": ("by_night", "standard", "global")}
    for _ in range(3):
        assert cost(PRICE, "named-once", **named) == PLAIN
    guard = Guard({"budget": [LIMIT], "prices": {"named-in-a-guard": PRICE}})
    for _ in range(3):
        guard.reserve(UsageEstimate(**USAGE), model="named-in-a-guard").commit(Usage(**named))
    said = [record.getMessage() for record in caplog.records]
    for model in ("named-once", "named-in-a-guard"):
        assert len([one for one in said if model in one and "moon_walk" in one]) == 1
        assert len([one for one in said if model in one and "by_night" in one]) == 1
    assert len(said) == 4
    for _ in range(3):
        cost(PRICE, "named-once", **USAGE, audio_input_tokens=1)
    assert [
        one for one in caplog.messages[4:] if "audio_input" in one and "price of text" in one
    ] == caplog.messages[4:]
    assert len(caplog.messages) == 5


SOURCES = pytest.mark.parametrize(
    ("source", "reported", "booked"),
    [
        (None, PLAIN - 1, PLAIN),
        ("larger", PLAIN + 1, PLAIN + 1),
        ("provider", PLAIN - 1, PLAIN - 1),
        ("provider", 0, PLAIN),
        ("computed", PLAIN + 1, PLAIN),
    ],
)


def guard_of(source):
    defaults = {} if source is None else {"defaults": {"cost_source": source}}
    return Guard({"budget": [LIMIT], "prices": {"m": PRICE}, **defaults})


def spent(guard):
    (counter,) = guard.snapshot()
    return counter["limits"]["cost_micros_usd"]["used"]


@SOURCES
def test_a_guard_books_the_cost_that_its_policy_names(source, reported, booked):
    guard = guard_of(source)
    lease = guard.reserve(UsageEstimate(**USAGE), model="m")
    lease.commit(Usage(**USAGE, cost_micros_usd=reported))
    assert spent(guard) == booked


@SOURCES
def test_a_part_and_a_governed_call_book_it_too(source, reported, booked):
    guard = guard_of(source)
    with guard.allot(tokens=10_000, cost_micros_usd=10**6) as part:
        part.reserve(UsageEstimate(**USAGE), model="m").commit(Usage(**USAGE, cost_micros_usd=reported))
    assert spent(guard) == booked
    guard = guard_of(source)
    answer = {"model": "m", "usage": Usage(**USAGE, cost_micros_usd=reported)}
    governed(guard, model="m", prices={"m": PRICE})(lambda: answer)()
    assert spent(guard) == booked


def test_without_a_guard_the_larger_cost_is_booked():
    for reported in (PLAIN - 1, PLAIN + 1):
        usage = Usage(**USAGE, cost_micros_usd=reported)
        assert Usage.from_response(usage, model="m", prices={"m": PRICE}).cost_micros_usd == max(
            reported, PLAIN
        )
        pool = SharedPool(capacity_cost_micros_usd=10**9)
        governed(pool, estimate=UsageEstimate(**USAGE), model="m", prices={"m": PRICE})(
            lambda said=usage: said
        )()
        assert pool.committed().cost_micros_usd == max(reported, PLAIN)


def test_a_reported_cost_comes_before_a_fallback_price():
    fallback = {"on_unknown_price": "fallback", "fallback_price": {"input": "1000", "output": "1000"}}
    guard = Guard({"budget": [LIMIT], "defaults": fallback})
    guard.reserve(UsageEstimate(**USAGE), model="m").commit(Usage(**USAGE, cost_micros_usd=7))
    assert spent(guard) == 7


def test_a_tool_has_a_price_for_each_call():
    guard = Guard({"budget": [LIMIT], "prices": {"tool:search": {"request": "0.005"}}})
    guard.reserve(tool="search").commit()
    guard.reserve(tool="search").commit(Usage())
    guard.reserve(tool="other").commit()
    assert spent(guard) == 10_000
    with pytest.raises(PolicyError, match="request"):
        Guard({"prices": {"tool:search": {"input": "1", "output": "1"}}})


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ({**PRICE, "units": {"Web": "1"}}, "a name is 1 to 64 lowercase"),
        ({**PRICE, "units": {"web": "-1"}}, "plain decimal text"),
        ({**PRICE, "units": ["web"]}, "prices"),
        ({**PRICE, "multipliers": {"batch": "half"}}, "plain decimal text"),
        ({**PRICE, "multipliers": {"batch": {"tokens": "1"}}}, 'unknown key "tokens"'),
        ({**PRICE, "request": "1.0000000000001"}, "at most 12 decimals"),
        ({**PRICE, "tiers": [{"above_input_tokens": 5}]}, "a tier without a price"),
        ({**PRICE, "sound": "1"}, "audio_input, audio_output"),
    ],
)
def test_a_bad_price_says_what_is_allowed(price, said):
    with pytest.raises(PolicyError, match=said):
        PriceTable({"m": price})
    with pytest.raises(PolicyError):
        Guard({"prices": {"m": price}})
