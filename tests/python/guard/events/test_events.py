"""What an event says: whom it is about, when it was, which limit, and how full it is."""

from __future__ import annotations

import datetime
import gc

import pytest
from guard_support import budget, listen, new_guard, refused, spend, usage

from outlay import Usage

DAY = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
ORG = {"budget": [{"name": "org", "scope": {"org": "*"}, "limit": {"tokens": 100}, "warn_at": [0.5, 0.8]}]}


def of_kind(events, *kinds):
    """Return the events of these kinds."""
    return [event for event in events if event["event"] in kinds]


def test_each_fraction_that_is_passed_warns_once_and_says_whom_it_is_about(clock):
    """Two fractions in one step were one warning without labels, time or limit."""
    clock.set_time(DAY)
    guard = new_guard(clock, ORG)
    events = listen(guard)
    lease = guard.reserve(90, org="acme", model="m")
    lease.commit()
    warned = of_kind(events, "warned")
    assert [event["fraction"] for event in warned] == [0.5, 0.8]
    for event in warned:
        del event["fraction"]
        assert event == {
            "event": "warned",
            "time": DAY.timestamp(),
            "rule": "org",
            "kind": "budget",
            "labels": {"org": "acme", "model": "m"},
            "values": {"org": "acme"},
            "model": "m",
            "unit": "tokens",
            "limit": 100,
            "used": 90,
            "reserved": 0,
            "limits": {"tokens": {"limit": 100, "used": 90, "reserved": 0}},
            "reason": None,
            "allowed": None,
            "waited": None,
            "lease": lease.id,
            "name": "org",
            "amounts": {"tokens": 90},
        }


def test_fractions_come_in_their_order_whatever_the_policy_says_first(clock):
    guard = new_guard(clock, budget(limit={"tokens": 100}, warn_at=[0.9, 0.25, 0.5]))
    events = listen(guard)
    spend(guard, 60)
    spend(guard, 40)
    assert [event["fraction"] for event in of_kind(events, "warned")] == [0.25, 0.5, 0.9]
    assert [event["used"] for event in of_kind(events, "warned")] == [60, 60, 100]


@pytest.mark.parametrize(
    ("open_before", "asked", "reason", "used", "reserved"),
    [(0, 101, "too_large", 0, 0), (60, 50, "held", 0, 60), (None, 50, "spent", 60, 0)],
)
def test_a_refusal_says_its_reason_and_the_figures_of_its_limit(
    clock, open_before, asked, reason, used, reserved
):
    guard = new_guard(clock, ORG)
    events = listen(guard)
    held = guard.reserve(60 if open_before is None else open_before, org="acme")
    if open_before is None:
        held.commit()
    denied = refused(guard.reserve, asked, org="acme", user="ann")
    assert denied.payload["details"].get("reason") == ("held" if reason == "held" else None)
    (event,) = of_kind(events, "denied")
    assert (event["reason"], event["limit"], event["used"], event["reserved"]) == (
        reason,
        100,
        used,
        reserved,
    )
    assert event["labels"] == {"org": "acme", "user": "ann"}
    assert (event["values"], event["rule"], event["amounts"]) == ({"org": "acme"}, "org", {"tokens": asked})


def test_figures_are_those_after_the_event_and_of_every_unit(clock):
    """`unit` is the unit that is closest to its limit; `limits` has them all."""
    guard = new_guard(clock, budget(limit={"tokens": 1_000, "calls": 4, "usd": "1"}))
    events = listen(guard)
    guard.reserve(usage(100, 900_000)).commit(usage(50, 250_000))
    reserved, committed = of_kind(events, "reserved", "committed")
    assert (reserved["unit"], reserved["limit"], reserved["used"], reserved["reserved"]) == (
        "cost_micros_usd",
        1_000_000,
        0,
        900_000,
    )
    assert committed["limits"] == {
        "tokens": {"limit": 1_000, "used": 50, "reserved": 0},
        "calls": {"limit": 4, "used": 1, "reserved": 0},
        "cost_micros_usd": {"limit": 1_000_000, "used": 250_000, "reserved": 0},
    }
    assert committed["unit"] in ("calls", "cost_micros_usd")
    assert committed["amounts"] == {"tokens": 50, "calls": 1, "cost_micros_usd": 250_000}


def test_events_over_several_rules_come_in_the_order_of_the_policy(clock):
    """Not in the order in which their accounts happen to lie in memory."""
    names = [f"r{number}" for number in range(8)]
    rules = [{"name": name, "scope": {name: "*"}, "limit": {"tokens": 10}, "warn_at": 0.5} for name in names]
    guard = new_guard(clock, {"budget": rules})
    labels = dict.fromkeys(reversed(names), "1")
    events = listen(guard)
    lease = guard.reserve(6, **labels)
    lease.commit()
    guard.reserve(3, ttl=1, **labels).release()
    for kind in ("reserved", "committed", "warned", "released"):
        told = [event["rule"] for event in of_kind(events, kind)]
        assert told == names * (2 if kind == "reserved" else 1), kind


def test_an_expiry_and_a_late_commit_keep_the_labels_and_their_own_time(clock):
    clock.set_time(DAY)
    guard = new_guard(clock, ORG)
    events = listen(guard)
    lease = guard.reserve(40, org="acme", user="ann", ttl=10)
    clock.advance(25)
    lease.commit(Usage(input_tokens=45))
    expired, committed = of_kind(events, "expired", "committed")
    start = DAY.timestamp()
    assert (expired["time"], committed["time"]) == (start + 10, start + 25)
    assert (expired["used"], committed["used"]) == (40, 45)
    for event in (expired, committed):
        assert event["labels"] == {"org": "acme", "user": "ann"}
        assert event["lease"] == lease.id


def test_a_lease_that_was_reserved_before_anybody_listened_ends_without_labels(clock):
    """Nothing is kept of a request while nobody listens; requests from then on have their labels."""
    guard = new_guard(clock, ORG)
    before = guard.reserve(10, org="acme")
    events = listen(guard)
    before.commit()
    spend(guard, 10, org="acme")
    assert [event["labels"] for event in of_kind(events, "committed")] == [{}, {"org": "acme"}]
    assert [event["values"] for event in of_kind(events, "committed")] == [{"org": "acme"}] * 2


def test_two_rules_with_one_name_have_events_of_their_own(clock):
    """A limiter with two periods has two rules: one event for each."""
    rule = {"name": "tpm", "tokens_per_minute": 100, "tokens_per_hour": 150}
    guard = new_guard(clock, {"limiter": [rule]})
    events = listen(guard)
    spend(guard, 90)
    assert sorted(event["limit"] for event in of_kind(events, "committed")) == [100, 150]
    clock.advance(61)
    refused(guard.reserve, 90)
    (event,) = of_kind(events, "denied")
    assert (event["limit"], event["used"]) == (150, 90)


@pytest.mark.parametrize(("mode", "kind"), [("soft", "exceeded"), ("shadow", "denied")])
def test_a_soft_limit_says_what_a_hard_one_would_have(clock, mode, kind):
    guard = new_guard(clock, budget(limit={"tokens": 10}, mode=mode))
    events = listen(guard)
    spend(guard, 8)
    guard.reserve(5, user="ann")
    guard.reserve(11, user="ann")
    first, second = of_kind(events, kind)
    assert (first["limit"], first["used"], first["reserved"], first["reason"]) == (10, 8, 5, "spent")
    assert (second["reserved"], second["reason"]) == (11, "too_large")
    assert first["labels"] == {"user": "ann"}
    gc.collect()


def test_a_step_and_its_refusal_say_their_workflow_and_step(clock):
    policy = {"workflow": [{"name": "w", "limit": {"steps": 1}, "step": {"plan": {"tokens": 5}}}]}
    guard = new_guard(clock, policy)
    events = listen(guard)
    labels = {"workflow": "w", "step": "plan", "run": "r", "step_id": "1"}
    guard.charge_step(**labels)
    refused(guard.charge_step, **labels)
    refused(guard.reserve, 6, **labels)
    charged, no_step, denied = of_kind(events, "charged", "denied")
    for event in (charged, no_step):
        assert (event["rule"], event["kind"], event["labels"]) == ("w", "workflow", labels)
        assert (event["unit"], event["limit"], event["used"]) == ("steps", 1, 1)
    assert (denied["rule"], denied["kind"], denied["unit"]) == ("w.step.plan", "step", "tokens")
    assert denied["values"] == {"run": "r", "step_id": "1"}


def test_what_an_allotment_spends_says_its_labels(clock):
    guard = new_guard(clock, budget(limit={"tokens": 100}))
    events = listen(guard)
    part = guard.allot(tokens=40, agent="sub")
    part.reserve(30, user="ann").commit()
    refused(part.reserve, 30, user="ann")
    (committed,) = of_kind(events, "committed")
    assert (committed["rule"], committed["kind"]) == ("allotment", "allotment")
    assert committed["labels"] == {"user": "ann", "agent": "sub"}
    assert (committed["limit"], committed["used"]) == (40, 30)
    (denied,) = of_kind(events, "denied")
    assert (denied["rule"], denied["values"], denied["used"]) == ("allotment", {"agent": "sub"}, 30)
