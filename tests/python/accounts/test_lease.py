"""BudgetLease: it ends exactly once; blocks, errors, cancellation, dropping, running out."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools

import pytest
from face_support import budget_limit

from outlay import (
    AgentTokenBudget,
    BudgetManager,
    LeaseExpired,
    LeaseFinalized,
    SharedPool,
    Usage,
    UsageEstimate,
)


def pool_of(clock, **keywords):
    """Return a pool of 100 tokens."""
    return SharedPool(capacity_tokens=100, clock=clock, **keywords)


def books(pool):
    """Return what is committed and reserved, in tokens."""
    return pool.committed().total_tokens, pool.reserved().total_tokens


ENDINGS = {
    "commit": lambda lease: lease.commit(),
    "commit 10": lambda lease: lease.commit(10),
    "commit 3": lambda lease: lease.commit(3),
    "commit usage": lambda lease: lease.commit(Usage(total_tokens=10)),
    "release": lambda lease: lease.release(),
}
SAME = {"commit": 1, "commit 10": 1, "commit usage": 1, "commit 3": 2, "release": 3}


@pytest.mark.parametrize(("first", "second"), [*itertools.product(ENDINGS, ENDINGS)])
def test_the_same_end_twice_is_a_no_op_and_another_a_clear_error(first, second, clock):
    """Law 3; the books hold the first. close() and leaving the block never raise."""
    pool = pool_of(clock)
    lease = pool.reserve(10)
    ENDINGS[first](lease)
    after = books(pool)
    if SAME[first] == SAME[second]:
        ENDINGS[second](lease)
    else:
        with pytest.raises(LeaseFinalized):
            ENDINGS[second](lease)
    lease.close()
    with lease:
        pass
    with pytest.raises(LeaseFinalized):
        lease.extend(5)
    clock.advance(10**6)
    assert lease.state == ("released" if first == "release" else "committed")
    assert books(pool) == after
    assert lease.expires_in() == 0.0


@pytest.mark.parametrize("unsettled", ["charge", "release"])
@pytest.mark.parametrize("on_error", ["charge", "release"])
@pytest.mark.parametrize(
    ("leave", "decides"),
    [
        (None, "unsettled"),
        (ValueError, "on_error"),
        (ExceptionGroup("e", [ValueError()]), "on_error"),
        (KeyboardInterrupt, "cancel"),
        (GeneratorExit, "cancel"),
        (asyncio.CancelledError, "cancel"),
        (SystemExit, "cancel"),
        (BaseExceptionGroup("b", [KeyboardInterrupt()]), "cancel"),
    ],
)
async def test_how_a_block_is_left_decides_the_end(unsettled, on_error, leave, decides, clock):
    """Sync and async; the exception goes on, and the end is final."""
    expected = {"unsettled": unsettled, "on_error": on_error, "cancel": "charge"}[decides]
    for asynchronous in (False, True):
        pool = pool_of(clock, unsettled=unsettled, on_error=on_error)
        lease = pool.reserve(10)
        with contextlib.suppress(BaseException) if leave else contextlib.nullcontext():
            if asynchronous:
                async with lease as entered:
                    assert entered is lease
                    if leave:
                        raise leave
            else:
                with lease as entered:
                    assert entered is lease
                    if leave:
                        raise leave
        assert books(pool) == ((10, 0) if expected == "charge" else (0, 0))
        with pytest.raises(LeaseFinalized):
            lease.commit(7)


def test_the_exception_of_a_block_goes_on(clock):
    """__exit__ returns False."""
    with pytest.raises(KeyError, match="k"), pool_of(clock).reserve(1):
        raise KeyError("k")


@pytest.mark.parametrize("on_error", ["charge", "release"])
def test_close_ends_an_open_lease_as_an_exception_would(on_error, clock):
    """And never raises, however often."""
    pool = pool_of(clock, on_error=on_error)
    lease = pool.reserve(10)
    lease.close()
    lease.close()
    assert books(pool) == ((10, 0) if on_error == "charge" else (0, 0))


def test_a_commit_inside_the_block_is_the_end(clock):
    """Leaving it by an error afterwards changes nothing."""
    pool = pool_of(clock)
    with contextlib.suppress(ValueError), pool.reserve(10) as lease:
        lease.commit(4)
        raise ValueError
    assert books(pool) == (4, 0)


@pytest.mark.parametrize(("unsettled", "charged"), [("charge", 10), ("release", 0)])
def test_a_dropped_lease_does_not_stay_reserved_for_ever(unsettled, charged, clock):
    """The last handle goes, the lease ends as one that ran out."""
    pool = pool_of(clock, unsettled=unsettled)
    pool.reserve(10)
    assert books(pool) == (charged, 0)
    first = pool.reserve(10)
    second = pool.open_leases()[0]
    del first
    assert books(pool)[1] == 10
    del second
    gc.collect()
    assert books(pool) == (2 * charged, 0)


@pytest.mark.parametrize(("unsettled", "charged"), [("charge", 10), ("release", 0)])
def test_a_lease_runs_out_at_its_deadline_and_one_commit_still_books(unsettled, charged, clock):
    """Expiry is provisional: the commit replaces what it charged, once."""
    pool = pool_of(clock, unsettled=unsettled, lease_ttl=60)
    lease = pool.reserve(10)
    clock.advance(59.999)
    assert (lease.state, books(pool)) == ("open", (0, 10))
    clock.advance(0.001)
    assert (lease.state, lease.expires_in(), books(pool)) == ("expired", 0.0, (charged, 0))
    for refused in (lease.release, lambda: lease.extend(5)):
        with pytest.raises(LeaseExpired):
            refused()
    lease.close()
    with lease:
        pass
    assert (lease.state, books(pool)) == ("expired", (charged, 0))
    lease.commit(25)
    lease.commit(25)
    assert (lease.state, books(pool)) == ("committed", (25, 0))
    with pytest.raises(LeaseFinalized):
        lease.commit(26)
    assert pool.remaining().tokens == 75


def test_an_expired_lease_that_is_dropped_is_charged_once(clock):
    """Not at its deadline and again at its end."""
    pool = pool_of(clock)
    lease = pool.reserve(10, ttl=1)
    clock.advance(1)
    assert lease.state == "expired"
    del lease
    assert books(pool) == (10, 0)


def test_extend_lets_it_run_out_that_much_from_now(clock):
    """Later or earlier."""
    pool = pool_of(clock)
    lease = pool.reserve(1)
    assert lease.expires_in() == 900.0
    lease.extend(1000)
    clock.advance(950)
    assert (lease.state, lease.expires_in()) == ("open", 50.0)
    lease.extend(10)
    assert lease.expires_in() == 10.0
    clock.advance(10)
    assert lease.state == "expired"


def test_many_extensions_leave_the_other_deadlines_alone(clock):
    """A thousand leases, each moved many times, run out each at its own time."""
    pool = SharedPool(clock=clock)
    leases = [pool.reserve(1, ttl=5) for _ in range(1000)]
    for turn in range(20):
        for number, lease in enumerate(leases):
            lease.extend(1 + (number * 7 + turn) % 100)
    for second in range(1, 101):
        clock.advance(1)
        due = sum(1 + (number * 7 + 19) % 100 <= second for number in range(1000))
        assert pool.committed().total_tokens == due


def test_leases_that_nobody_touches_run_out_on_the_way_of_others(clock):
    """Law 3: decided by comparison, without a thread; each face, each policy."""
    manager = BudgetManager(clock=clock, unsettled="release", lease_ttl=5)
    manager.set_budget(budget_limit("a", 10, 1))
    forgotten = manager.agent("a").reserve(10)
    clock.advance(5)
    with manager.agent("a").reserve(10) as lease:
        lease.commit(0)
    assert forgotten.state == "expired"
    assert manager.full_info("a").tokens_used == 0


def test_an_int_commit_keeps_the_estimated_cost_and_a_usage_is_all(clock):
    """commit(int) says nothing of the cost; commit(Usage) says it all."""
    pool = SharedPool(clock=clock)
    estimate = UsageEstimate(input_tokens=5, output_tokens=5, cost_micros_usd=30)
    for usage, expected in ((None, 30), (7, 30), (Usage(total_tokens=7), 0), (estimate, 30)):
        before = pool.committed().cost_micros_usd
        pool.reserve(estimate).commit(usage)
        assert pool.committed().cost_micros_usd - before == expected


def test_a_lease_is_refunded_once_and_never_into_the_next_window(clock):
    """PEERS: refund twice, refund into the next window."""
    budget = AgentTokenBudget("a", 100, 60, clock=clock)
    lease = budget.reserve("query", 100)
    clock.advance(60)
    budget.consume("query", 50)
    lease.release()
    lease.release()
    assert (budget.used(), budget.remaining()) == (50, 50)


def test_what_is_above_the_estimate_is_booked_in_the_window_of_the_commit(clock):
    """No spend falls between two windows."""
    for actual, booked in ((80, 0), (100, 0), (130, 30)):
        budget = AgentTokenBudget("a", 100, 60, clock=clock)
        lease = budget.reserve("query", 100)
        clock.advance(60)
        lease.commit(actual)
        assert (budget.used(), lease.state) == (booked, "committed")


def test_a_lease_that_ran_out_in_its_window_is_charged_there(clock):
    """Even when nobody looked before the next window had begun."""
    budget = AgentTokenBudget("a", 100, 60, clock=clock)
    early, late = budget.reserve("query", 40, ttl=30), budget.reserve("query", 40, ttl=90)
    clock.advance(100)
    assert (budget.used(), budget.reserved()) == (0, 0)
    assert (early.state, late.state) == ("expired", "expired")
    early.commit(50)
    late.commit(40)
    assert budget.used() == 10


def test_bad_usage_leaves_the_lease_open(clock):
    """It can still be committed."""
    pool = pool_of(clock)
    lease = pool.reserve(10)
    for bad in (-1, 1.5, "3", True):
        with pytest.raises(ValueError):
            lease.commit(bad)
    assert lease.state == "open"
    lease.commit(3)
    assert books(pool) == (3, 0)


def test_a_generator_that_is_closed_is_charged(clock):
    """The call may be under way."""
    pool = pool_of(clock)

    def stream():
        with pool.reserve(10):
            yield 1

    generator = stream()
    next(generator)
    generator.close()
    assert books(pool) == (10, 0)


async def test_a_cancelled_task_is_charged_once(clock):
    """Cancellation inside `async with`."""
    pool = pool_of(clock)
    inside = asyncio.Event()

    async def call():
        async with pool.reserve(10):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert books(pool) == (10, 0)
