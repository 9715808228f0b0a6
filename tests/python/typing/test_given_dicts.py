"""The dicts that outlay gives have exactly the keys and the types that `outlay.types` says."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from outlay import Guard, LimitExceeded, ManualClock, UsageEstimate
from outlay.types import Advice, Event, LLMMessage, RuleReport

PRICES = {"gpt-x": {"input": "2.50", "output": "10.00"}}
POLICY = {
    "budget": [
        {
            "name": "user",
            "scope": {"user": "*"},
            "limit": {"tokens": 1_000, "usd": "1"},
            "warn_at": [0.1, 0.5],
        },
        {"name": "soft", "limit": {"calls": 1}, "mode": "soft"},
    ],
    "workflow": [{"name": "w", "limit": {"steps": 1}}],
    "limiter": [{"name": "rpm", "requests_per_minute": 100}],
    "prices": PRICES,
}


#: What happens between a guard and its store: the tests of stores check these.
OF_STORES = {"short", "drawn", "store_down", "store_back", "forgot"}


def check(value: Any, kind: Any, where: str) -> None:
    """Check a value against a type, deeply."""
    origin = get_origin(kind)
    if is_typeddict(kind):
        hints = get_type_hints(kind)
        assert isinstance(value, dict), where
        assert kind.__required_keys__ <= value.keys() <= hints.keys(), (where, value.keys() ^ hints.keys())
        for key, each in value.items():
            check(each, hints[key], f"{where}.{key}")
    elif origin in (Union, types.UnionType):
        assert any(_fits(value, each, where) for each in get_args(kind)), (where, value)
    elif origin is Literal:
        assert value in get_args(kind), (where, value)
    elif origin is dict:
        of_key, of_value = get_args(kind)
        for key, each in value.items():
            check(key, of_key, where)
            check(each, of_value, f"{where}[{key}]")
    elif kind is float:
        assert type(value) in (int, float), (where, value)
    else:
        assert type(value) is (type(None) if kind is None else kind), (where, value)


def _fits(value: Any, kind: Any, where: str) -> bool:
    try:
        check(value, kind, where)
    except (AssertionError, AttributeError):
        return False
    return True


@pytest.fixture
def used() -> tuple[Guard, list[Any]]:
    """Return a guard in which everything has happened that sends an event, and the events."""
    clock = ManualClock()
    guard, events = Guard(POLICY, clock=clock), []
    guard.events(events.append)
    labels = {"user": "ann", "model": "gpt-x"}
    for _ in range(2):
        guard.reserve(UsageEstimate(input_tokens=300), **labels).commit()
    guard.reserve(1, **labels).release()
    late = guard.reserve(1, ttl=1, **labels)
    clock.advance(2)
    late.commit(2)
    for _ in range(2):
        try:
            guard.charge_step(workflow="w", run="r", **labels)
        except LimitExceeded:
            break
    with pytest.raises(LimitExceeded):
        guard.reserve(5_000, **labels)
    guard.reserve(1, agent="a").release()
    return guard, events


def test_every_event_has_the_keys_and_types_of_event(used):
    """All kinds of events were seen but one: a request that no rule is about, in a guard of its own."""
    _, events = used
    stray = Guard({"budget": [{"name": "b", "scope": {"user": "*"}, "limit": {"tokens": 1}}]})
    stray.events(events.append)
    stray.reserve(1).commit()
    kinds = get_args(get_type_hints(Event)["event"])
    assert {event["event"] for event in events} == set(kinds) - OF_STORES
    for event in events:
        assert event.keys() == get_type_hints(Event).keys()
        check(event, Event, event["event"])


def test_reports_advice_and_payloads_are_as_typed(used):
    guard, _ = used
    reports = [*guard.explain(user="ann", model="gpt-x"), *guard.snapshot()]
    assert len(reports) > 4
    for report in reports:
        assert report.keys() == get_type_hints(RuleReport).keys()
        check(report, RuleReport, report["name"])
    for labels in ({}, {"user": "ann", "model": "gpt-x"}):
        check(guard.advice(**labels), Advice, "advice")
    assert "usd" in guard.advice(user="ann", model="gpt-x")
    for ask in (
        lambda: guard.reserve(5_000, user="ann", model="gpt-x"),
        lambda: guard.charge_step(workflow="w", run="r"),
    ):
        with pytest.raises(LimitExceeded) as caught:
            ask()
        check(caught.value.payload, LLMMessage, "payload")


def test_the_check_itself_finds_a_wrong_dict():
    with pytest.raises(AssertionError):
        check({"remaining": {}, "rates": {}, "landing": True}, Advice, "a key is missing")
    with pytest.raises(AssertionError):
        check(
            {"remaining": {}, "rates": {}, "calls_left_estimate": "1", "landing": True},
            Advice,
            "a wrong type",
        )


def test_counters_come_in_the_order_of_the_policy_and_then_of_their_values():
    rules = [{"name": name, "scope": {"user": "*"}, "limit": {"tokens": 9}} for name in ("z", "a")]
    guard = Guard({"budget": rules})
    for user in ("c", "a", "b"):
        guard.reserve(1, user=user).commit()
    told = [(one["name"], one["values"]["user"]) for one in guard.snapshot()]
    assert told == [(name, user) for name in ("z", "a") for user in ("a", "b", "c")]
