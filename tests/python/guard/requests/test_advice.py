"""The advice for a model: when to finish, what is left, and what comes back by itself."""

from __future__ import annotations

import pytest
from guard_support import refused

from outlay import BudgetExceeded, Guard, Usage, UsageEstimate, WaitTimeout
from outlay._core import reserve_together


def landing_guard():
    return Guard({"budget": [{"name": "run", "limit": {"tokens": 1000}, "landing": {"tokens": 200}}]})


def test_u01_it_is_time_to_land_once_the_next_usual_call_does_not_fit():
    guard = landing_guard()
    assert not guard.advice()["landing"]
    guard.reserve(700).commit()
    assert isinstance(refused(guard.reserve, 150), BudgetExceeded)
    advice = guard.advice()
    assert (advice["remaining"], advice["calls_left_estimate"], advice["landing"]) == (
        {"tokens": 100},
        0,
        True,
    )
    with guard.landing():
        guard.reserve(300).commit()
    assert not guard.advice()["landing"], "nothing is kept back any more"


def test_u01_a_given_estimate_stands_in_for_the_usual_call():
    guard = landing_guard()
    assert [guard.advice(estimate=tokens)["landing"] for tokens in (800, 801)] == [False, True]
    guard.reserve(700).commit()
    assert not guard.advice(estimate=UsageEstimate(total_tokens=100))["landing"]
    assert guard.advice(estimate=50)["calls_left_estimate"] == 2


@pytest.mark.parametrize(
    "rate",
    [
        {"limiter": [{"name": "l", "tokens_per_minute": 10_000}]},
        {"budget": [{"name": "l", "limit": {"tokens": 10_000}, "window": "rolling:1m"}]},
    ],
    ids=["limiter", "rolling"],
)
def test_u02_a_rate_is_no_budget(rate):
    money = {"name": "b", "limit": {"usd": "20"}}
    policy = {"prices": {"m": {"input": "1", "output": "1"}}, **rate}
    policy["budget"] = [money, *rate.get("budget", [])]
    guard = Guard(policy)
    guard.reserve(9_000, model="m").commit(Usage(input_tokens=9_000))
    assert guard.advice(model="m") == {
        "remaining": {"cost_micros_usd": 19_991_000},
        "usd": "19.991",
        "rates": {"l": {"tokens": 1_000}},
        "calls_left_estimate": 2_221,
        "landing": False,
    }


def test_u02_tool_calls_and_steps_are_told():
    guard = Guard({"budget": [{"name": "b", "limit": {"tool_calls": 5}}]})
    guard.reserve(tool="x").commit()
    advice = guard.advice(tool="x")
    assert (advice["remaining"], advice["calls_left_estimate"]) == ({"tool_calls": 4}, 4)
    guard = Guard({"workflow": [{"name": "w", "limit": {"steps": 3}}]})
    with guard.run(workflow="w"):
        guard.charge_step()
        assert guard.advice()["remaining"] == {"steps": 2}


WAITS = {
    "budget": [{"name": "b", "limit": {"tokens": 1000}}],
    "pool": [{"name": "p", "max_concurrent": 1, "on_limit": {"wait": "1ms"}}],
}


def ask_blocking(guard):
    guard.reserve_blocking(1, timeout=0)


def ask_together(guard):
    reserve_together([guard], UsageEstimate(total_tokens=1), timeout=0)


@pytest.mark.parametrize("ask", [ask_blocking, ask_together])
def test_c05_waits_that_are_refused_teach_nothing(ask):
    guard = Guard(WAITS)
    guard.reserve(100).commit()
    assert guard.advice()["calls_left_estimate"] == 9
    held = guard.reserve(1)
    for _ in range(50):
        with pytest.raises(WaitTimeout):
            ask(guard)
    held.release()
    assert guard.advice()["calls_left_estimate"] == 18
    ask(guard)
    assert guard.advice()["calls_left_estimate"] == 26, "one that passes counts, once: 899 // 34"


@pytest.mark.parametrize("ask", [ask_blocking, ask_together])
def test_c05_a_soft_limit_tells_of_a_wait_only_once_it_has_passed(ask):
    soft = {"name": "soft", "limit": {"tokens": 100}, "mode": "soft"}
    guard = Guard({**WAITS, "budget": [soft]})
    guard.reserve(100).commit()
    seen = []
    guard.events(lambda event: seen.append((event["event"], event["name"])))
    held = guard.reserve()
    with pytest.raises(WaitTimeout):
        ask(guard)
    assert ("exceeded", "soft") not in seen
    held.release()
    ask(guard)
    assert seen.count(("exceeded", "soft")) == 1


@pytest.mark.parametrize(("budget", "limiter"), [(50, 100), (100, 50)])
def test_of_two_rates_of_one_name_the_lower_is_told(budget, limiter):
    """A budget over a rolling window may have the name of a limiter."""
    rolling = {"name": "x", "limit": {"tokens": budget}, "window": "rolling:60s"}
    policy = {"budget": [rolling], "limiter": [{"name": "x", "tokens_per_minute": limiter}]}
    assert Guard(policy).advice()["rates"] == {"x": {"tokens": 50}}
