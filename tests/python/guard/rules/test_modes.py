"""Hard, soft and shadow limits, warnings, and the events that tell of them."""

from __future__ import annotations

import gc

import pytest
from guard_support import budget, figures, listen, names, new_guard, refused, spend

from outlay import PolicyError, governed


def mode(word, **more):
    """Return a policy of one budget of 10 tokens in a mode."""
    return budget(limit={"tokens": 10}, mode=word, **more)


def test_a_soft_limit_lets_pass_counts_and_tells(clock):
    """As "exceeded", with what was asked."""
    guard = new_guard(clock, mode("soft"))
    events = listen(guard)
    spend(guard, 10)
    assert names(events, "exceeded") == []
    spend(guard, 5)
    assert figures(guard, "b") == (15, 0)
    assert names(events, "exceeded") == ["b"]
    assert [e["amounts"] for e in events if e["event"] == "exceeded"] == [{"tokens": 5}]


def test_each_of_the_guards_of_one_call_tells_and_learns(clock):
    """However many stand in one list."""
    guards = [new_guard(clock, mode("soft")) for _ in range(3)]
    told = [listen(guard) for guard in guards]

    @governed(guards, estimate=15)
    def call():
        return None

    call()
    assert [names(events, "exceeded") for events in told] == [["b"]] * 3
    for guard in guards:
        guard.update(budget(limit={"tokens": 45}))
    assert [guard.advice()["calls_left_estimate"] for guard in guards] == [2] * 3


def test_a_shadow_limit_lets_pass_and_tells_what_it_would_have_denied(clock):
    """Each time."""
    guard = new_guard(clock, mode("shadow"))
    events = listen(guard)
    for _ in range(3):
        spend(guard, 11)
    assert names(events, "denied") == ["b"] * 3
    assert names(events, "exceeded") == []
    assert figures(guard, "b") == (33, 0)


@pytest.mark.parametrize("word", ["hard", "enforce"])
def test_a_hard_limit_refuses_and_tells(clock, word):
    """Nothing is counted."""
    guard = new_guard(clock, mode(word))
    events = listen(guard)
    refused(guard.reserve, 11)
    assert names(events, "denied") == ["b"]
    assert figures(guard, "b") == (0, 0)


def test_check_takes_every_limit_for_hard_and_changes_nothing(clock):
    """No events, no counts."""
    for word in ("soft", "shadow", "hard"):
        guard = new_guard(clock, mode(word))
        guard.check(10)
        refused(guard.check, 11)
        assert figures(guard, "b") == (0, 0)


def test_the_mode_of_the_defaults_is_that_of_rules_without_one(clock):
    """One of their own comes first."""
    policy = mode("hard")
    policy["defaults"] = {"mode": "shadow"}
    policy["budget"].append({"name": "d", "limit": {"tokens": 5}})
    guard = new_guard(clock, policy)
    assert refused(guard.reserve, 11).scope == {"budget": "b"}
    spend(guard, 10)


def test_warnings_come_once_per_mark_and_window(clock):
    """At the share that was reached, in the next window again."""
    guard = new_guard(clock, mode("hard", warn_at=[0.5, 0.8], window="fixed:1h"))
    events = listen(guard)
    told = []
    for _ in range(9):
        spend(guard, 1)
        told.append(len(names(events, "warned")))
    assert told == [0, 0, 0, 0, 1, 1, 1, 2, 2]
    clock.advance(3600)
    spend(guard, 9)
    assert len(names(events, "warned")) == 4


def test_the_life_of_a_lease_is_told(clock):
    """Reserved, committed, released, expired."""
    guard = new_guard(clock, mode("hard"))
    events = listen(guard)
    guard.reserve(4).commit(3)
    guard.reserve(4).release()
    held = guard.reserve(4, ttl=1)
    clock.advance(1)
    figures(guard, "b")
    told = [(e["event"], e["amounts"]["tokens"]) for e in events if e["event"] != "decision"]
    assert told == [
        ("reserved", 4),
        ("committed", 3),
        ("reserved", 4),
        ("released", 4),
        ("reserved", 4),
        ("expired", 4),
    ]
    assert events[-1]["lease"] == held.id


def test_a_step_is_told_as_charged(clock):
    """With its workflow."""
    guard = new_guard(clock, {"workflow": [{"name": "w", "limit": {"steps": 1}}]})
    events = listen(guard)
    guard.charge_step(workflow="w")
    refused(guard.charge_step, workflow="w")
    told = [(e["event"], e["name"]) for e in events if e["event"] != "decision"]
    assert told == [("charged", "w"), ("denied", "w")]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_callback_that_raises_harms_no_request_and_no_other_callback(clock):
    """Its error is told as unraisable."""
    guard = new_guard(clock, mode("hard"))

    def bad(_event):
        raise ValueError("of the callback")

    guard.events(bad)
    events = listen(guard)
    with guard.reserve(4) as lease:
        lease.commit(4)
    refused(guard.reserve, 11)
    told = [event["event"] for event in events]
    assert told == ["reserved", "decision", "committed", "denied", "decision"]
    assert figures(guard, "b") == (4, 0)
    gc.collect()


def test_a_callback_may_use_the_guard(clock):
    """No lock is held while it runs."""
    guard = new_guard(clock, mode("hard"))
    seen = []

    def look(event):
        seen.append((event["event"], figures(guard, "b"), guard.advice()["remaining"]["tokens"]))
        if event["event"] == "reserved" and event["amounts"] == {"tokens": 4}:
            guard.reserve(1).commit(1)
            guard.update(mode("hard"))

    guard.events(look)
    guard.reserve(4).commit(4)
    assert seen[0] == ("reserved", (0, 4), 6)
    assert figures(guard, "b") == (5, 0)


@pytest.mark.parametrize("bad", [None, 5, "x"])
def test_a_callback_must_be_callable(clock, bad):
    """Refused by name."""
    with pytest.raises(PolicyError, match="callback"):
        new_guard(clock, {}).events(bad)


def test_a_request_that_is_refused_exceeds_nothing(clock):
    """The soft limit is not told as exceeded: nothing was let pass."""
    policy = mode("soft")
    policy["budget"].append({"name": "h", "limit": {"tokens": 20}})
    guard = new_guard(clock, policy)
    events = listen(guard)
    refused(guard.reserve, 30)
    assert names(events, "exceeded") == []


def test_soft_limits_are_told_to_wraps_too(clock):
    """A wrap reserves of several budgets in one step."""
    from outlay import UsageEstimate
    from outlay._core import reserve_together

    guard = new_guard(clock, mode("soft"))
    events = listen(guard)
    reserve_together([guard], UsageEstimate(total_tokens=30), labels={}).commit()
    assert names(events, "exceeded") == ["b"]


def test_the_event_of_a_refusal_names_the_rule_that_the_refusal_names(clock):
    """The first in the order of the policy."""
    rules = [{"name": f"b{n}", "scope": {f"l{n}": "1"}, "limit": {"calls": 1}} for n in range(8)]
    for first in range(8):
        guard = new_guard(clock, {"budget": rules})
        for number in [*range(first, 8), *range(first)]:
            spend(guard, **{f"l{number}": "1"})
        events = listen(guard)
        denied = refused(guard.reserve, **{f"l{number}": "1" for number in range(8)})
        assert names(events, "denied") == [denied.scope["budget"]]


def test_a_limit_that_is_raised_warns_again_at_its_new_mark(clock):
    """Which was not reached before."""
    guard = new_guard(clock, mode("hard", warn_at=0.8))
    events = listen(guard)
    spend(guard, 8)
    guard.update(budget(limit={"tokens": 100}, warn_at=0.8))
    spend(guard, 72)
    assert len(names(events, "warned")) == 2


def test_a_warning_names_the_rule_whose_mark_was_reached(clock):
    """Not another one about the same requests."""
    rules = [{"name": "b0", "limit": {"calls": 9}}, {"name": "b1", "limit": {"tokens": 10}, "warn_at": 0.5}]
    guard = new_guard(clock, {"budget": rules})
    events = listen(guard)
    spend(guard, 6)
    assert names(events, "warned") == ["b1"]
