"""Threads and tasks on one account: admitted exactly the limit, and they really collide."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest
from face_support import budget_limit, in_threads

from outlay import (
    AgentTokenBudget,
    BudgetManager,
    LeaseFinalized,
    LimitExceeded,
    SharedPool,
    UsageEstimate,
    WorkflowQuota,
)

THREADS = 8
ROUNDS = 200
LIMIT = 400
TRIES = 100  # per thread: 800 ask for 400


@pytest.fixture(autouse=True)
def quick_switches():
    """Make threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def admits(call):
    """Turn a call that raises into one that answers."""

    def attempt():
        try:
            call()
        except LimitExceeded:
            return False
        return True

    return attempt


def token_budget():
    """One unit of an agent's tokens."""
    budget = AgentTokenBudget("a", LIMIT, 60)
    return lambda: budget.try_consume("query", 1), budget.used


def token_budget_raising():
    """One unit of an agent's tokens, by exceptions."""
    budget = AgentTokenBudget("a", LIMIT, 60)
    return admits(lambda: budget.consume("query", 1)), budget.used


def token_budget_leases():
    """Leases of an agent's tokens, half of them committed."""
    budget = AgentTokenBudget("a", LIMIT * 10, 60)
    kept = []

    def reserve():
        lease = budget.reserve("embedding", 2)
        if len(kept) % 2:
            lease.commit()
        kept.append(lease)

    return admits(reserve), lambda: (budget.used() + budget.reserved()) // 10


def manager_agent():
    """Tokens of one agent of a manager."""
    manager = BudgetManager()
    manager.set_budget(budget_limit("a", LIMIT, None))
    return admits(lambda: manager.reserve("a", 1)), lambda: manager.full_info("a").tokens_used


def manager_calls():
    """One call of one agent, through handles made on the way."""
    manager = BudgetManager()
    manager.set_budget(budget_limit("a", None, LIMIT))
    return admits(lambda: manager.agent("a").charge(7)), lambda: manager.full_info("a").calls_used


def workflow_steps():
    """One step of a token, through the caller's handle and the quota's."""
    quota = WorkflowQuota(1, LIMIT, 60)
    token = quota.begin_workflow("w")
    handles = [token, quota.get("w")]

    def step():
        handles.reverse()
        handles[0].execute_step()

    return admits(step), token.steps_executed


def workflow_begins():
    """Workflows of one quota."""
    quota = WorkflowQuota(LIMIT, 1, 60)
    names = iter(range(10**9))
    return admits(lambda: quota.begin_workflow(f"w{next(names)}")), quota.period_count


def pool_tokens():
    """Leases of one pool, committed at once."""
    pool = SharedPool(capacity_tokens=LIMIT + 3, stop_threshold_tokens=3)
    return admits(lambda: pool.reserve(1).commit()), lambda: pool.committed().total_tokens


def pool_cost():
    """Leases of a pool of money, kept open."""
    pool = SharedPool(capacity_cost_micros_usd=LIMIT)
    kept = []
    estimate = UsageEstimate(cost_micros_usd=1)
    return admits(lambda: kept.append(pool.reserve(estimate))), lambda: pool.reserved().cost_micros_usd


FACES = [
    token_budget,
    token_budget_raising,
    token_budget_leases,
    manager_agent,
    manager_calls,
    workflow_steps,
    workflow_begins,
    pool_tokens,
    pool_cost,
]


class Crew:
    """Eight threads that start every round together: made once, so that 200 rounds are quick."""

    def __init__(self, rounds):
        self.rounds = rounds
        self.start, self.stop = threading.Barrier(THREADS + 1), threading.Barrier(THREADS + 1)
        self.attempt = None
        self.order = []
        self.admitted = []

    def work(self, number):
        """One thread: some tries in each round."""
        for _ in range(self.rounds):
            self.start.wait(30)
            for _ in range(TRIES):
                yes = self.attempt()
                self.order.append(number)
                self.admitted.append(yes)
            self.stop.wait(30)


@pytest.mark.parametrize("face", FACES)
def test_eight_threads_on_one_account_are_admitted_exactly_the_limit(face):
    """200 rounds; a refused request never makes another one fail, none gets in above the limit."""
    crew = Crew(ROUNDS)
    collided = 0

    def lead():
        nonlocal collided
        for _ in range(ROUNDS):
            crew.attempt, counted = face()
            crew.order, crew.admitted = [], []
            crew.start.wait(30)
            crew.stop.wait(30)
            assert len(crew.admitted) == THREADS * TRIES
            assert sum(crew.admitted) == LIMIT == counted()
            runs = sum(a != b for a, b in zip(crew.order, crew.order[1:], strict=False))
            collided += runs >= THREADS

    in_threads(THREADS + 1, lambda number: lead() if number == THREADS else crew.work(number))
    assert collided > 0, "threads never changed places within a round"


@pytest.mark.parametrize("face", FACES)
async def test_a_thousand_tasks_on_one_account_are_admitted_exactly_the_limit(face):
    """All of them are under way before the first one asks."""
    attempt, counted = face()
    gate = asyncio.Event()
    waiting = 0

    async def ask():
        nonlocal waiting
        waiting += 1
        await gate.wait()
        await asyncio.sleep(0)
        return attempt()

    tasks = [asyncio.create_task(ask()) for _ in range(1000)]
    while waiting < 1000:
        await asyncio.sleep(0)
    gate.set()
    assert sum(await asyncio.gather(*tasks)) == LIMIT == counted()


def test_a_refused_request_does_not_count_for_an_instant():
    """Add-then-roll-back would refuse the small one while the large one is taken back."""
    for _ in range(50):
        pool = SharedPool(capacity_tokens=100)
        small = []

        def ask(number, pool=pool, small=small):
            for _ in range(50):
                if number % 2:
                    assert not admits(lambda: pool.reserve(101))()
                else:
                    lease = pool.reserve(25)
                    small.append(1)
                    lease.release()

        in_threads(8, ask)
        assert len(small) == 200
        assert pool.remaining().tokens == 100


def test_a_refused_call_does_not_cost_tokens_for_an_instant():
    """Tokens fit, calls do not: the tokens are never seen as used by another thread."""
    manager = BudgetManager()
    manager.set_budget(budget_limit("a", 100, 0))
    agent = manager.agent("a")

    def ask(number):
        for _ in range(2000):
            if number % 2:
                assert not admits(lambda: agent.charge(100))()
            else:
                assert manager.full_info("a").tokens_used == 0

    in_threads(4, ask)


def test_the_roll_of_a_window_does_not_wipe_what_another_thread_just_charged(clock):
    """Eight threads see the end of the window at once: it starts anew once."""
    budget = AgentTokenBudget("a", 8, 60, clock=clock)
    for _ in range(300):
        assert all(budget.try_consume("query", 1) for _ in range(8))
        clock.advance(60)
        in_threads(4, lambda number: budget.consume("query", 1))
        assert budget.used() == 4
        clock.advance(60)


def test_a_warning_comes_once_per_window_however_many_threads_cross_it(clock):
    """Exactly once."""
    seen = []
    budget = AgentTokenBudget("a", 100, 60, on_warning=lambda b: seen.append(b.used()), clock=clock)
    for window in range(1, 50):
        in_threads(4, lambda number: [budget.try_consume("query", 1) for _ in range(30)])
        assert len(seen) == window
        assert budget.used() == 100
        clock.advance(60)


def test_a_lease_ends_exactly_once_however_many_threads_end_it():
    """Eight ways to end one lease: one wins, the books hold one ending."""
    for _ in range(200):
        pool = SharedPool(capacity_tokens=100)
        lease = pool.reserve(10)
        ended = []

        def end(number, lease=lease, ended=ended):
            try:
                lease.release() if number == 7 else lease.commit(number)
            except LeaseFinalized:
                return
            ended.append(number)

        in_threads(8, end)
        assert len(ended) == 1
        assert pool.committed().total_tokens == (0 if ended == [7] else ended[0])
        assert pool.reserved().total_tokens == 0


def test_changes_of_the_budget_under_way_lose_no_charge():
    """Limits go up and down while eight threads charge: what was admitted is counted."""
    manager = BudgetManager()
    manager.set_budget(budget_limit("a", 10**6, None))
    admitted = []

    def work(number):
        for turn in range(300):
            if number == 0:
                manager.set_budget(budget_limit("a", 10**6 + turn % 7, turn, None))
            elif admits(lambda: manager.agent("a").charge(1, 0))():
                admitted.append(1)

    in_threads(8, work)
    assert manager.full_info("a").tokens_used == len(admitted)
