"""The prices of calls: the policy's, tiers, unknown models; exact to the micro-dollar."""

from __future__ import annotations

from fractions import Fraction

import pytest
from guard_support import budget, estimate, figures, new_guard, refused, spend
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay import Guard, ManualClock, PolicyError, Usage

PRICES = {
    "own:m": {
        "input": "3.00",
        "output": "12.00",
        "cache_read": "0.30",
        "cache_write": "3.75",
        "reasoning": "15",
    },
    "n": {"input": "1", "output": "2", "tiers": [{"above_input_tokens": 1000, "input": "2", "output": "4"}]},
}


def priced(clock, unknown=None, **limit):
    """Return a guard with prices and a limit of money."""
    policy = {**budget(limit=limit or {"usd": "1"}), "prices": PRICES}
    if unknown:
        policy["defaults"] = unknown
    return new_guard(clock, policy)


def cost(tokens, rates):
    """Return the cost of counts at prices in USD per million, rounded up once."""
    exact = sum((count * Fraction(rate) for count, rate in zip(tokens, rates, strict=True)), Fraction(0))
    return -(-exact.numerator // exact.denominator)


counts = st.integers(0, 3_000)


@given(counts, counts, counts, counts, counts)
@settings(max_examples=150, deadline=None)
def test_costs_are_exact_at_reserve_and_at_commit(plain, read, write, out, reasoning):
    """Whatever the kinds of tokens; rounded up once per call."""
    guard = priced(ManualClock())
    fields = {
        "input_tokens": plain + read + write,
        "output_tokens": out + reasoning,
        "cache_read_tokens": read,
        "cache_write_tokens": write,
        "reasoning_tokens": reasoning,
    }
    expected = cost((plain, read, write, out, reasoning), ("3", "0.30", "3.75", "12", "15"))
    lease = guard.reserve(Usage(**fields), model="m", provider="own")
    assert figures(guard, "b", "cost_micros_usd") == (0, expected)
    assert lease.reserved.cost_micros_usd == expected
    lease.commit(Usage(**fields))
    assert figures(guard, "b", "cost_micros_usd") == (expected, 0)


@pytest.mark.parametrize(("tokens", "rate"), [(1000, 1), (1001, 2), (3000, 2)])
def test_long_prompts_cost_the_rates_of_their_tier(clock, tokens, rate):
    """All of the call, output included."""
    guard = priced(clock)
    spend(guard, Usage(input_tokens=tokens, output_tokens=10), model="n")
    assert figures(guard, "b", "cost_micros_usd") == (tokens * rate + 10 * 2 * rate, 0)


def test_the_larger_of_a_reported_cost_and_the_price_is_booked(clock):
    """Where the response says what it cost."""
    guard = priced(clock)
    lease = guard.reserve(estimate(100, 7), model="n")
    assert figures(guard, "b", "cost_micros_usd") == (0, 7)
    lease.commit(Usage(input_tokens=100, cost_micros_usd=900))
    assert figures(guard, "b", "cost_micros_usd") == (900, 0)
    spend(guard, Usage(input_tokens=100, cost_micros_usd=9), model="n")
    assert figures(guard, "b", "cost_micros_usd") == (1_000, 0)
    spend(guard, 50, model="n")
    assert figures(guard, "b", "cost_micros_usd") == (1_000 + 50 * 2, 0), "of a total alone: the dearer price"


def test_the_price_of_the_provider_comes_before_that_of_the_model(clock):
    """A model may also carry its provider in its name."""
    policy = {**budget(limit={"usd": "1"}), "prices": {
        "m": {"input": "1", "output": "1"},
        "p:m": {"input": "5", "output": "5"},
    }}  # fmt: skip
    guard = new_guard(clock, policy)
    for labels, micros in (
        ({"model": "m"}, 1),
        ({"model": "m", "provider": "p"}, 5),
        ({"model": "p:m"}, 5),
        ({"model": "m", "provider": "q"}, 1),
        ({"model": "q:m"}, 1),
    ):
        assert guard.reserve(1, **labels).reserved.cost_micros_usd == micros, labels


@pytest.mark.parametrize("labels", [{}, {"model": "nobody-knows-it"}, {"model": "x", "provider": "own"}])
def test_a_model_without_a_price_is_a_fault_where_money_is_limited(clock, labels):
    """A PolicyError, not a refusal; nothing is counted."""
    guard = priced(clock)
    for face in (guard.reserve, guard.check, guard.reserve_blocking):
        with pytest.raises(PolicyError, match=r"price|cost is limited"):
            face(10, **labels)
    assert figures(guard, "b", "cost_micros_usd") == (0, 0)
    spend(guard, estimate(10, 3), **labels)
    assert figures(guard, "b", "cost_micros_usd") == (3, 0)


def test_a_model_without_a_price_is_welcome_where_no_money_is_limited(clock):
    """Only tokens are counted."""
    guard = priced(clock, tokens=100)
    spend(guard, 10, model="nobody-knows-it")


def test_zero_and_fallback_are_said_in_the_policy(clock):
    """At reserve and at commit."""
    zero = priced(clock, {"on_unknown_price": "zero"})
    spend(zero, 10, model="nobody-knows-it")
    assert figures(zero, "b", "cost_micros_usd") == (0, 0)
    fallback = priced(
        clock, {"on_unknown_price": "fallback", "fallback_price": {"input": "10", "output": "20"}}
    )
    lease = fallback.reserve(Usage(input_tokens=10), model="nobody-knows-it")
    assert lease.reserved.cost_micros_usd == 100
    lease.commit(Usage(input_tokens=10, output_tokens=1))
    assert figures(fallback, "b", "cost_micros_usd") == (120, 0)


def test_tools_need_no_price(clock):
    """They cost what their usage says."""
    guard = priced(clock)
    spend(guard, tool="x")
    spend(guard, estimate(0, 5), tool="x")
    assert figures(guard, "b", "cost_micros_usd") == (5, 0)


def test_limits_of_money_are_exact(clock):
    """Equality passes, one micro-dollar more does not."""
    guard = priced(clock, usd="0.000100")
    spend(guard, Usage(input_tokens=33), model="m", provider="own")
    spend(guard, Usage(cache_read_tokens=3, input_tokens=3), model="m", provider="own")
    assert figures(guard, "b", "cost_micros_usd") == (100, 0)
    refused(guard.reserve, Usage(cache_read_tokens=1, input_tokens=1), model="m", provider="own")


def test_prices_may_be_changed_while_it_runs(clock):
    """Leases that are open keep the price at which they were reserved."""
    policy = {**budget(limit={"usd": "1"}), "prices": {"m": {"input": "1", "output": "1"}}}
    guard = new_guard(clock, policy)
    held = guard.reserve(10, model="m")
    guard.update({**policy, "prices": {"m": {"input": "2", "output": "2"}}})
    spend(guard, 10, model="m")
    held.commit(10)
    assert figures(guard, "b", "cost_micros_usd") == (30, 0)


def test_an_allotment_of_money_needs_prices_too(clock):
    """It limits money, whatever the policy does."""
    part = Guard({}, clock=clock).allot(cost_micros_usd=10)
    with pytest.raises(PolicyError):
        part.reserve(10**6, model="nobody-knows-it")


@pytest.mark.parametrize("mode", ["soft", "shadow"])
def test_limits_that_never_deny_need_no_price(clock, mode):
    """A shadow of a limit breaks no request."""
    guard = new_guard(clock, budget(limit={"usd": "1"}, mode=mode))
    spend(guard, 10, model="nobody-knows-it")
