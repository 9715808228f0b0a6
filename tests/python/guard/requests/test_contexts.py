"""Scopes over tasks, threads, generators and exceptions; allowances inside of a guard."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from guard_support import budget, figures, new_guard, refused, spend

from outlay import AllowanceExceeded, Guard, StepLimitExceeded
from outlay._guard.scopes import current_labels

EACH = budget(scope={"agent": "*"}, limit={"calls": 100})


def test_scopes_add_labels_and_the_inner_one_comes_first(clock):
    """A keyword of the call comes before both."""
    guard = new_guard(clock, EACH)
    with guard.scope(agent="a", team="t"):
        spend(guard)
        with guard.scope(agent="b"):
            spend(guard)
            spend(guard, agent="c")
        spend(guard)
    spend(guard)
    assert [figures(guard, "b", "calls", agent=a) for a in "abc"] == [(2, 0), (1, 0), (1, 0)]


def test_an_exception_leaves_no_labels_behind(clock):
    """Of whatever kind."""
    guard = new_guard(clock, EACH)
    for error in (ValueError, KeyboardInterrupt, asyncio.CancelledError):
        with pytest.raises(error), guard.scope(agent="a"), guard.landing(), guard.run("r"):
            raise error
    assert guard.explain() == []


async def test_tasks_have_the_scopes_in_which_they_were_made(clock):
    """And change none but their own."""
    guard = new_guard(clock, EACH)

    async def child(agent):
        with guard.scope(agent=agent):
            await asyncio.sleep(0)
            spend(guard)
            (await guard.reserve_wait()).commit()
        spend(guard)

    with guard.scope(agent="parent"):
        task = asyncio.create_task(child("a"))
        await asyncio.gather(child("b"), child("c"))
    await task
    calls = [figures(guard, "b", "calls", agent=a)[0] for a in ("a", "b", "c", "parent")]
    assert calls == [2, 2, 2, 3]


def test_a_thread_begins_without_scopes_unless_it_is_given_a_context(clock):
    """`asyncio.to_thread` gives it one."""
    guard = new_guard(clock, EACH)
    with guard.scope(agent="a"):
        thread = threading.Thread(target=lambda: spend(guard))
        thread.start()
        thread.join()

        async def main():
            await asyncio.to_thread(spend, guard)

        asyncio.run(main())
    assert figures(guard, "b", "calls", agent="a") == (1, 0)


def test_a_generator_that_is_closed_elsewhere_harms_nobody(clock):
    """Its scope ends where nothing was set."""
    guard = new_guard(clock, EACH)

    async def main():
        async def steps():
            with guard.scope(agent="g"):
                yield 1
                yield 2

        made = steps()
        await asyncio.create_task(anext(made))
        await made.aclose()
        assert guard.explain() == []

    asyncio.run(main())


def test_scopes_are_those_of_the_program_not_of_one_guard(clock):
    """As labels say what a request is."""
    guard, other = new_guard(clock, EACH), new_guard(clock, EACH)
    with guard.scope(agent="a"):
        spend(other)
    assert figures(other, "b", "calls", agent="a") == (1, 0)


@pytest.mark.parametrize("bad", ["", "x" * 1025, "\u00e9" * 513, 5, None, b"x", "\ud800"])
def test_a_bad_label_of_a_scope_is_refused_by_name_at_once(clock, bad):
    """As one of reserve is."""
    guard = new_guard(clock, EACH)
    with pytest.raises(ValueError, match="agent"):
        guard.scope(agent=bad)
    with pytest.raises(ValueError, match="agent"):
        guard.reserve(agent=bad)
    if bad is not None:
        with pytest.raises(ValueError, match="run_id"), guard.run(bad):
            raise AssertionError


def test_an_uuid_is_a_label_like_its_text(clock):
    """In scopes, in runs and in requests."""
    guard, number = new_guard(clock, EACH), uuid.uuid4()
    spend(guard, agent=number)
    with guard.scope(agent=number), guard.run(number) as run:
        assert run == str(number)
        spend(guard)
    assert figures(guard, "b", "calls", agent=str(number)) == (2, 0)


def test_allowances_of_the_policy_hold_for_calls_and_for_jobs():
    """On one ledger."""
    policy = {
        "allowance": [
            {"agent": "a", "daily_token_limit": 100, "concurrent_jobs": 1, "model_allowlist": ["m"]}
        ]
    }
    guard = Guard(policy)
    assert guard.allowances is guard.allowances
    spend(guard, 60, agent="a", model="m")
    denied = refused(guard.reserve, 41, agent="a", model="m")
    assert isinstance(denied, AllowanceExceeded)
    with pytest.raises(AllowanceExceeded):
        guard.reserve(1, agent="a", model="other")
    spend(guard, 10**6, agent="b", model="other")


def test_a_refusal_of_an_allowance_changes_no_budget(clock):
    """And the other way round."""
    policy = {**budget(limit={"tokens": 50}), "allowance": [{"agent": "a", "daily_token_limit": 40}]}
    guard = new_guard(clock, policy)
    refused(guard.reserve, 41, agent="a")
    assert figures(guard, "b") == (0, 0)
    spend(guard, 20)
    refused(guard.reserve, 31, agent="a")
    spend(guard, 30, agent="a")


def test_one_run_in_many_threads_keeps_its_steps_and_its_threads_no_labels():
    """Each thread has a copy of the context; what it sets there ends with its function."""
    guard = Guard({"workflow": [{"name": "w", "limit": {"steps": 5}}]})
    barrier = threading.Barrier(16)

    def step(context):
        def execute():
            try:
                with guard.step("s"):
                    return 1
            except StepLimitExceeded:
                return 0

        barrier.wait()
        return context.run(execute), current_labels()

    with ThreadPoolExecutor(16) as threads:
        for _ in range(20):
            with guard.run(workflow="w"):
                contexts = [contextvars.copy_context() for _ in range(16)]
                done = list(threads.map(step, contexts))
            assert sum(count for count, _ in done) == 5
            assert all(labels == {} for _, labels in done)
    assert current_labels() == {}


async def test_runs_in_tasks_side_by_side_keep_their_steps_apart():
    """Each task's run is its own, and the tasks in it share its steps."""
    guard = Guard({"workflow": [{"name": "w", "limit": {"steps": 5}}]})

    async def step():
        try:
            with guard.step("s"):
                await asyncio.sleep(0)
                return 1
        except StepLimitExceeded:
            return 0

    async def run():
        with guard.run(workflow="w"):
            return sum(await asyncio.gather(*(step() for _ in range(8))))

    assert await asyncio.gather(*(run() for _ in range(50))) == [5] * 50
    assert current_labels() == {}
