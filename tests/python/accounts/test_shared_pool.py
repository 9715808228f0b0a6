"""SharedPool: tokens and money that many share, given out by leases above a stop threshold."""

from __future__ import annotations

import gc

import pytest
from face_support import MAX

from outlay import (
    AgentTokenBudget,
    BudgetExceeded,
    LeaseFinalized,
    PolicyError,
    Remaining,
    RequestBudget,
    RequestBudgetExceeded,
    SharedPool,
    ThresholdExceeded,
    UnknownLease,
    Usage,
    UsageEstimate,
)


def spend(tokens=0, cost=0):
    """Return an estimate of tokens and micro-USD."""
    return UsageEstimate(total_tokens=tokens, cost_micros_usd=cost)


def test_a_pool_is_never_filled_up_again(clock):
    """Committed, reserved, remaining: the sum is the capacity, at any time."""
    pool = SharedPool(capacity_tokens=100, capacity_cost_micros_usd=1000, clock=clock)
    first = pool.reserve(spend(30, 400))
    second = pool.reserve(spend(30, 400))
    assert pool.reserved() == Usage(total_tokens=60, cost_micros_usd=800)
    assert pool.remaining() == Remaining(40, 200, False)
    first.commit(Usage(input_tokens=10, output_tokens=5, cost_micros_usd=100))
    second.release()
    assert pool.committed() == Usage(input_tokens=10, output_tokens=5, cost_micros_usd=100)
    assert pool.remaining() == Remaining(85, 900, False)
    clock.advance(10**9)
    assert pool.remaining() == Remaining(85, 900, False)


def test_what_does_not_fit_above_the_stop_threshold_is_refused_whole():
    """Tokens or cost: nothing of the other is held either."""
    pool = SharedPool(capacity_tokens=100, capacity_cost_micros_usd=100, stop_threshold_tokens=20)
    for estimate in (spend(81), spend(1, 101), spend(MAX, MAX)):
        with pytest.raises(ThresholdExceeded) as refused:
            pool.reserve(estimate)
        assert isinstance(refused.value, BudgetExceeded)
        assert pool.remaining() == Remaining(100, 100, False)
    lease = pool.reserve(spend(80, 100))
    assert pool.remaining() == Remaining(20, 0, True)
    with pytest.raises(ThresholdExceeded) as refused:
        pool.reserve(1)
    assert (refused.value.remaining, refused.value.total, refused.value.reserved) == (0, 100, 80)
    lease.release()


def test_a_threshold_may_equal_the_capacity_and_not_pass_it():
    """Nothing is given out then; more, or a threshold without a limit, makes no sense."""
    pool = SharedPool(capacity_tokens=10, stop_threshold_tokens=10)
    pool.reserve(0)
    with pytest.raises(ThresholdExceeded):
        pool.reserve(1)
    assert pool.remaining().below_threshold
    for keywords in (
        {"capacity_tokens": 10, "stop_threshold_tokens": 11},
        {"stop_threshold_tokens": 1},
        {"capacity_tokens": 10, "stop_threshold_cost_micros_usd": 1},
    ):
        with pytest.raises(PolicyError, match="stop_threshold"):
            SharedPool(**keywords)


def test_an_unlimited_pool_counts_and_never_refuses():
    """At the top of 64 bits as well."""
    pool = SharedPool()
    leases = [pool.reserve(spend(MAX, MAX)) for _ in range(3)]
    for lease in leases:
        lease.commit(Usage(total_tokens=MAX, cost_micros_usd=MAX))
    assert pool.remaining() == Remaining(None, None, False)
    assert pool.committed().total_tokens == MAX
    assert pool.reserved().total_tokens == 0


def test_money_and_tokens_are_limited_each_by_itself():
    """None is no limit for that one alone."""
    pool = SharedPool(capacity_cost_micros_usd=5)
    pool.reserve(spend(MAX, 5)).commit()
    with pytest.raises(ThresholdExceeded) as refused:
        pool.reserve(spend(0, 1))
    assert refused.value.kind == "cost"
    assert pool.remaining() == Remaining(None, 0, True)


def test_the_requests_own_cap_is_checked_first_and_admits_equality():
    """RequestBudgetExceeded: no lease, nothing held."""
    pool = SharedPool(capacity_tokens=10)
    cap = RequestBudget(tokens=5, cost_micros_usd=7)
    for estimate, kind in ((spend(6), "token"), (spend(5, 8), "cost"), (spend(11), "token")):
        with pytest.raises(RequestBudgetExceeded) as refused:
            pool.reserve(estimate, cap)
        assert refused.value.kind == kind
    assert pool.open_leases() == []
    lease = pool.reserve(spend(5, 7), request_budget=cap)
    assert lease.request_budget == cap
    assert pool.reserve(5, None).request_budget == RequestBudget.unlimited()


def test_a_report_above_the_cap_is_booked_and_then_refused():
    """PEERS: commit above the cap raises and forgets the spend."""
    pool = SharedPool(capacity_tokens=1000)
    lease = pool.reserve(100, RequestBudget.from_tokens(100))
    with pytest.raises(RequestBudgetExceeded) as refused:
        pool.record_used(lease, Usage(total_tokens=10_000))
    assert (refused.value.requested, refused.value.limit) == (10_000, 100)
    assert lease.state == "committed"
    assert pool.committed() == Usage(total_tokens=10_000)
    assert pool.remaining() == Remaining(0, None, True)
    with pytest.raises(ThresholdExceeded):
        pool.reserve(0)


def test_a_usage_report_above_the_reservation_is_neither_refused_nor_lost():
    """PEERS: the overrun is booked, the balance goes below zero inside, nothing more is admitted."""
    pool = SharedPool(capacity_tokens=100)
    small, large = pool.reserve(10), pool.reserve(50)
    pool.record_used(large, Usage(total_tokens=500))
    assert pool.committed().total_tokens == 500
    with pytest.raises(ThresholdExceeded):
        pool.reserve(1)
    pool.record_used(small, Usage(total_tokens=10))
    assert pool.committed().total_tokens == 510


def test_a_hold_is_released_by_what_was_held_not_by_what_was_used():
    """PEERS: ten calls at $0.01 with holds of $0.10 leave $0.90 stuck."""
    pool = SharedPool(capacity_cost_micros_usd=1_000_000)
    for _ in range(10):
        pool.reserve(spend(0, 100_000)).commit(Usage(cost_micros_usd=10_000))
    assert pool.remaining().cost_micros_usd == 900_000
    for _ in range(10):
        pool.reserve(spend(0, 100_000)).release()
    assert pool.remaining().cost_micros_usd == 900_000


def test_children_that_share_a_pool_do_not_oversell_it():
    """PEERS: ten children capped at what the parent had left spent ten times as much."""
    pool = SharedPool(capacity_cost_micros_usd=1_000_000)
    leases, refused = [], 0
    for _ in range(10):
        try:
            leases.append(pool.reserve(spend(0, 300_000)))
        except ThresholdExceeded:
            refused += 1
    assert (len(leases), refused) == (3, 7)


def test_refusals_leave_no_hold():
    """PEERS: five refusals leave the child with nothing."""
    pool = SharedPool(capacity_tokens=100, capacity_cost_micros_usd=5)
    for _ in range(5):
        with pytest.raises(ThresholdExceeded):
            pool.reserve(spend(20, 6))
    assert pool.remaining() == Remaining(100, 5, False)
    pool.reserve(spend(100, 5)).commit()


def test_a_lease_of_another_pool_is_unknown_and_stays_open():
    """Also a lease of another kind of account."""
    pool, other = SharedPool(capacity_tokens=10), SharedPool(capacity_tokens=10)
    foreign = other.reserve(4)
    of_agent = AgentTokenBudget("a", 10, 60).reserve("query", 1)
    for lease in (foreign, of_agent):
        with pytest.raises(UnknownLease):
            pool.record_used(lease, Usage(total_tokens=1))
        assert lease.state == "open"
    assert (pool.committed(), other.committed()) == (Usage.zero(), Usage.zero())
    other.record_used(foreign, Usage(total_tokens=4))


def test_record_used_ends_the_lease_once():
    """The same report twice is a no-op, another one a clear error."""
    pool = SharedPool(capacity_tokens=100)
    lease = pool.reserve(10)
    for _ in range(3):
        pool.record_used(lease, Usage(total_tokens=7))
    assert pool.committed().total_tokens == 7
    for ending in (lambda: pool.record_used(lease, Usage(total_tokens=8)), lease.release, lease.commit):
        with pytest.raises(LeaseFinalized):
            ending()
    assert pool.committed().total_tokens == 7


def test_a_report_of_tokens_alone_keeps_the_estimated_cost():
    """Law 5: what we do not know, we count; never a silent $0."""
    pool = SharedPool(capacity_cost_micros_usd=1000)
    pool.reserve(spend(10, 400)).commit(10)
    assert pool.committed().cost_micros_usd == 400
    pool.record_used(pool.reserve(spend(10, 400)), 10)
    assert pool.committed().cost_micros_usd == 800


def test_open_leases_are_handles_of_the_same_leases():
    """The oldest first; ending one of them ends the lease."""
    pool = SharedPool(capacity_tokens=100)
    leases = [pool.reserve(number) for number in (5, 1, 3)]
    leases[0].release()
    leases.append(pool.reserve(7))
    seen = pool.open_leases()
    assert seen == leases[1:]
    assert [lease.reserved.total_tokens for lease in seen] == [1, 3, 7]
    assert len({lease.id for lease in leases}) == 4
    seen[0].commit(2)
    assert leases[1].state == "committed"
    del leases[2]
    gc.collect()
    assert pool.reserved().total_tokens == 10
    del seen
    gc.collect()
    assert [lease.reserved.total_tokens for lease in pool.open_leases()] == [7]
    assert pool.committed().total_tokens == 2 + 3


def test_the_repr_says_what_is_left():
    """For whoever debugs."""
    assert repr(SharedPool(capacity_tokens=5)) == "<SharedPool with tokens=5, cost_micros_usd=None left>"
