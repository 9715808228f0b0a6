"""Parts of a guard's budgets for sub-agents: set aside at once, given back at the end, never lost."""

from __future__ import annotations

import gc
import weakref

import pytest
from guard_support import budget, estimate, figures, new_guard, refused, spend, usage

from outlay import BudgetExceeded, Guard, LeaseExpired, LeaseFinalized, PolicyError, UsageEstimate
from outlay._core import record_together

#: A policy that lets calls pass whose cost nobody knows.
ZERO = {"on_unknown_price": "zero"}


def thousand(clock, **more):
    """Return a guard of 1,000 tokens."""
    return new_guard(clock, budget(limit={"tokens": 1000}, **more))


def test_a_part_is_held_and_what_is_left_comes_back(clock):
    """What was used stays used."""
    guard = thousand(clock)
    with guard.allot(tokens=600) as part:
        assert figures(guard, "b") == (0, 600)
        refused(guard.reserve, 401)
        spend(part, 250)
        assert part.remaining() == {"tokens": 350, "cost_micros_usd": None, "calls": None}
        denied = refused(part.reserve, 351)
        assert isinstance(denied, BudgetExceeded)
        assert denied.scope == {"allotment": "allotment"}
        assert figures(guard, "b") == (0, 600)
    assert part.closed
    assert figures(guard, "b") == (250, 0)


def test_parts_together_are_never_more_than_the_parent(clock):
    """A refusal sets nothing aside."""
    guard = thousand(clock)
    parts = [guard.allot(tokens=400), guard.allot(tokens=600)]
    refused(guard.allot, tokens=1)
    parts[0].close()
    assert figures(guard, "b") == (0, 600)
    parts.append(guard.allot(tokens=400))
    refused(guard.allot, tokens=1)


def test_all_units_of_a_part_are_settled(clock):
    """Tokens, money and calls."""
    guard = new_guard(clock, budget(limit={"tokens": 100, "usd": "0.0001", "calls": 10}))
    with guard.allot(tokens=50, cost_micros_usd=60, calls=4) as part:
        assert figures(guard, "b", "calls") == (0, 4)
        for _ in range(3):
            spend(part, estimate(10, 11))
        part.reserve(estimate(1, 1)).release()
    assert [figures(guard, "b", unit) for unit in ("tokens", "cost_micros_usd", "calls")] == [
        (30, 0),
        (33, 0),
        (3, 0),
    ]


def test_units_that_are_not_set_aside_are_asked_of_the_parent(clock):
    """Each call, as it comes."""
    guard = new_guard(clock, budget(limit={"tokens": 100, "calls": 3}))
    part = guard.allot(tokens=50)
    spend(part, 1)
    assert figures(guard, "b", "calls") == (1, 0)
    spend(guard, 1)
    spend(part, 1)
    assert "b" in refused(part.reserve, 1).message
    part.close()
    assert figures(guard, "b") == (3, 0)


def test_rules_that_the_part_does_not_match_still_hold_for_its_requests(clock):
    """Limiters, slots and budgets of other labels."""
    policy = {
        "budget": [
            {"name": "b", "limit": {"tokens": 1000}},
            {"name": "m", "scope": {"model": "*"}, "limit": {"tokens": 30}},
        ],
        "limiter": [{"name": "l", "tokens_per_minute": 50}],
        "pool": [{"name": "p", "max_concurrent": 1}],
    }
    guard = new_guard(clock, policy)
    part = guard.allot(tokens=500, agent="child")
    assert refused(part.reserve, 31, model="x").scope == {"budget": "m", "model": "x"}
    held = part.reserve(30, model="x")
    assert refused(part.reserve, 1, model="y").scope == {"pool": "p"}
    held.commit(30)
    assert refused(part.reserve, 25, model="y").scope == {"limiter": "l"}
    spend(part, 20, model="y")
    part.close()
    assert figures(guard, "b") == (50, 0)


def test_the_labels_of_a_part_are_those_of_its_requests(clock):
    """Their own come first."""
    guard = new_guard(clock, budget(scope={"agent": "*"}, limit={"tokens": 100}))
    part = guard.allot(tokens=10, agent="child", team="t")
    spend(part, 5)
    assert figures(guard, "b", agent="child") == (0, 10)
    spend(part, 5, agent="other")
    assert figures(guard, "b", agent="other") == (5, 0)
    part.close()
    assert figures(guard, "b", agent="child") == (10, 0)


def test_leases_that_are_open_when_a_part_is_closed_reach_the_parent(clock):
    """The last of them gives back what is left."""
    guard = thousand(clock)
    part = guard.allot(tokens=500)
    leases = [part.reserve(100), part.reserve(100), part.reserve(100)]
    part.close()
    for call in (part.reserve, part.allot, part.remaining):
        with pytest.raises((LeaseFinalized, PolicyError)):
            call()
    assert figures(guard, "b") == (0, 500)
    leases.pop().commit(150)
    leases.pop().release()
    assert figures(guard, "b") == (0, 500)
    leases.pop().commit(20)
    assert figures(guard, "b") == (170, 0)


def test_leases_that_are_dropped_or_run_out_are_charged_at_their_estimate(clock):
    """In the part, and so in its parent."""
    guard = thousand(clock)
    part = guard.allot(tokens=500)
    part.reserve(10)
    late = part.reserve(20, ttl=1)
    part.close()
    clock.advance(2)
    late.commit(25)
    assert figures(guard, "b") == (35, 0)


def test_what_is_above_the_part_is_booked_and_stops_the_part(clock):
    """And reaches the parent at its end."""
    guard = thousand(clock)
    part = guard.allot(tokens=100)
    part.reserve(100).commit(1300)
    refused(part.reserve, 1)
    part.close()
    assert figures(guard, "b") == (1300, 0)
    refused(guard.reserve, 1)


def test_what_is_above_the_part_is_missing_at_the_parent_at_once(clock):
    """Else its siblings are given what is spent already."""
    guard = thousand(clock)
    part = guard.allot(tokens=500)
    part.reserve(500).commit(700)
    refused(guard.reserve, 400)


def test_a_part_whose_time_is_over_takes_no_more_requests(clock):
    """What its leases then commit is booked all the same."""
    guard = thousand(clock)
    part = guard.allot(tokens=500, ttl=5)
    held, other = part.reserve(100), part.allot(tokens=50)
    clock.advance(6)
    for call in (part.reserve, lambda: part.allot(tokens=1), other.reserve):
        with pytest.raises(LeaseExpired):
            call()
    assert figures(guard, "b") == (0, 500), "held until its last lease has ended"
    held.commit(700)
    other.close()
    part.close()
    assert figures(guard, "b") == (700, 0)


def test_a_part_that_ran_out_is_returned_where_the_policy_says_so(clock):
    """But for what was used of it, and not before its last lease has ended."""
    policy = budget(limit={"tokens": 1000})
    policy["defaults"] = {"on_missing_usage": "release"}
    guard = new_guard(clock, policy)
    part = guard.allot(tokens=500, ttl=5)
    held = part.reserve(100)
    clock.advance(6)
    assert figures(guard, "b") == (0, 500)
    held.commit(120)
    assert figures(guard, "b") == (120, 0)
    part.close()
    assert figures(guard, "b") == (120, 0)


@pytest.mark.parametrize("inner_of", [{"tokens": 20}, {"calls": 2}, {"cost_micros_usd": 5}])
def test_c02_what_was_used_above_an_outer_part_is_told_whatever_the_inner_one_sets_aside(inner_of):
    """The guard has 10 left, not 80."""
    guard = Guard({"budget": [{"name": "job", "limit": {"tokens": 100}}], "defaults": ZERO})
    outer = guard.allot(tokens=20)
    inner = outer.allot(**inner_of)
    inner.reserve(10).commit(90)
    assert refused(guard.reserve, 80).remaining == 10
    inner.close()
    outer.close()
    assert figures(guard, "job") == (90, 0)


@pytest.mark.parametrize("mode", ["charge_estimate", "release"])
def test_c03_a_part_does_not_run_out_while_a_lease_of_it_is_open(clock, mode):
    """What is open is held somewhere, and booked once."""
    policy = budget(limit={"tokens": 100})
    policy["defaults"] = {"on_missing_usage": mode}
    guard = new_guard(clock, policy)
    part = guard.allot(tokens=60, ttl=10)
    lease = part.reserve(60, ttl=3600)
    clock.advance(11)
    refused(guard.reserve, 100)
    lease.commit(60)
    assert figures(guard, "b") == (60, 0)
    part.close()
    assert figures(guard, "b") == (60, 0)


def test_what_a_part_used_is_not_hidden_when_it_runs_out(clock):
    """What is not settled goes back, what was used does not."""
    policy = budget(limit={"tokens": 100})
    policy["defaults"] = {"on_missing_usage": "release"}
    guard = new_guard(clock, policy)
    part = guard.allot(tokens=60, ttl=10)
    part.reserve(50).commit(50)
    clock.advance(10)
    assert refused(guard.reserve, 51).remaining == 50


def test_what_is_recorded_in_a_part_without_a_lease_is_told_above_it(clock):
    """As what its leases use."""
    guard = thousand(clock)
    part = guard.allot(tokens=100)
    record_together([part], UsageEstimate(input_tokens=700))
    assert figures(guard, "b") == (600, 100)


@pytest.mark.parametrize("end", ["close", "release", "block"])
def test_a_commit_after_an_expiry_reaches_the_parent_of_a_closed_part(clock, end):
    """A lease that ran out takes one later commit, whatever was tried before."""
    guard = thousand(clock)
    part = guard.allot(tokens=500)
    lease = part.reserve(100, ttl=1)
    part.close()
    clock.advance(2)
    if end == "close":
        lease.close()
    elif end == "release":
        with pytest.raises(LeaseExpired):
            lease.release()
    else:
        with lease:
            pass
    lease.commit(300)
    assert figures(guard, "b") == (300, 0)


def test_parts_of_parts_settle_upwards(clock):
    """In whatever order they end."""
    guard = thousand(clock)
    child = guard.allot(tokens=500)
    grandchild = child.allot(tokens=300)
    assert child.remaining()["tokens"] == 200
    refused(child.reserve, 201)
    lease = grandchild.reserve(300)
    child.close()
    grandchild.close()
    assert figures(guard, "b") == (0, 500)
    lease.commit(310)
    assert figures(guard, "b") == (310, 0)


def test_a_part_ends_in_the_window_in_which_it_was_set_aside(clock):
    """Nothing is given back to the next; only what is above it is booked there."""
    guard = thousand(clock, window="fixed:1h")
    part = guard.allot(tokens=500)
    clock.advance(3600)
    with pytest.raises(LeaseExpired):
        part.reserve(100)
    part.close()
    assert figures(guard, "b") == (0, 0)
    over = guard.allot(tokens=100)
    lease = over.reserve(100)
    clock.advance(3600)
    lease.commit(130)
    over.close()
    assert figures(guard, "b") == (30, 0)


def test_a_guard_and_its_parts_are_garbage_like_anything_else(clock):
    """With open leases and open parts, in a cycle too; the lease still ends."""
    guard = thousand(clock)
    part = guard.allot(tokens=500)
    lease = part.reserve(100)
    gone = weakref.ref(guard), weakref.ref(part)
    cycle = [guard, part]
    cycle.append(cycle)
    del guard, part, cycle
    gc.collect()
    assert gone[0]() is None
    assert gone[1]() is None
    lease.commit(50)
    assert lease.state == "committed"


def test_a_part_that_is_dropped_is_closed(clock):
    """Without a word."""
    guard = thousand(clock)
    part = guard.allot(tokens=500)
    spend(part, 7)
    del part
    gc.collect()
    assert figures(guard, "b") == (7, 0)


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"tokens": -1},
        {"calls": 1.5},
        {"cost_micros_usd": "1"},
        {"tokens": 2**64},
        {"tokens": 1, "ttl": 0},
    ],
)
def test_a_part_of_nothing_is_refused(clock, bad):
    """By name; nothing is set aside."""
    guard = thousand(clock)
    with pytest.raises(ValueError):
        guard.allot(**bad)
    assert guard.snapshot() == [] or figures(guard, "b") == (0, 0)


def test_a_block_that_fails_closes_the_part(clock):
    """What was used is booked, the error goes on."""
    guard = thousand(clock)
    with pytest.raises(KeyError), guard.allot(tokens=500) as part:
        spend(part, usage(9))
        raise KeyError
    part.close()
    assert figures(guard, "b") == (9, 0)
