"""What is awaited does not block its event loop, and a thread that waits lets the others run."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager, contextmanager

import pytest
from store_support import DEADLINE

import outlay

LOCKER = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
"""


@contextmanager
def locked(url):
    """Lock the file of a store from another process, so that no share is granted."""
    path = url.removeprefix("sqlite:///")
    command = [sys.executable, "-c", LOCKER, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            process.communicate("\n")


def until_back(store):
    """Wait until a store answers that was away."""
    end = time.monotonic() + DEADLINE
    while True:
        try:
            return store.sync()
        except outlay.StoreUnavailable:
            assert time.monotonic() < end


@asynccontextmanager
async def ticking():
    """Count how often the loop runs meanwhile."""
    ticks = [0]

    loop = asyncio.get_running_loop()

    def tick():
        ticks[0] += 1
        again[0] = loop.call_later(0.001, tick)

    again = [loop.call_soon(tick)]
    try:
        yield ticks
    finally:
        again[0].cancel()


def test_a_store_opens_syncs_and_closes_beside_a_loop(url):
    async def main():
        async with ticking() as ticks, await outlay.Store.open(url) as store:
            budget = outlay.AgentTokenBudget.daily("a", 100, store=store)
            await store.sync_async()
            before = ticks[0]
            with locked(url):
                with pytest.raises(outlay.StoreUnavailable):
                    await store.sync_async()
                return ticks[0] - before, budget.used()

    ticked, used = asyncio.run(main())
    # It has waited for 250 ms.
    assert (ticked > 20, used) == (True, 0)


@pytest.mark.parametrize("kind", ["guard", "pool", "limiter", "slot", "governed"])
def test_a_wait_for_a_share_does_not_block_the_loop(url, kind):
    async def main():
        store = await outlay.Store.open(url)
        policy = {"budget": [{"name": "all", "limit": {"tokens": 1_000}}]}
        guard = outlay.Guard(policy, store=store)
        limiter = outlay.RateLimiter(1_000, store=store)
        pool = outlay.SharedPool(capacity_tokens=1_000, store=store)

        @outlay.governed(guard, estimate=10, usage=lambda _: outlay.Usage(total_tokens=10))
        async def call():
            return "called"

        waits = {
            "guard": lambda: guard.reserve_wait(10),
            "pool": lambda: pool.reserve_wait(10, timeout=0.3),
            "limiter": lambda: limiter.reserve_wait(10, timeout=0.3),
            "slot": lambda: limiter.acquire_slot(10, timeout=0.3),
            "governed": call,
        }
        async with ticking() as ticks:
            with locked(url):
                with pytest.raises((outlay.StoreUnavailable, outlay.WaitTimeout)):
                    await waits[kind]()
                ticked = ticks[0]
            await asyncio.to_thread(until_back, store)
            ended = await waits[kind]()
        if isinstance(ended, outlay.BudgetLease):
            ended.release()
        await asyncio.to_thread(store.close)
        return ticked

    assert asyncio.run(main()) > 20


def test_a_thread_that_waits_for_a_share_lets_others_run(url):
    store = outlay.Store(url)
    budget = outlay.AgentTokenBudget.daily("a", 100, store=store)
    outcome = []

    def consume():
        try:
            budget.consume("query", 10)
        except outlay.StoreUnavailable as error:
            outcome.append(error)

    with locked(url):
        thread = threading.Thread(target=consume)
        thread.start()
        turns = 0
        while thread.is_alive():
            turns += 1
        thread.join()
    # With the GIL held, this thread had run a handful of times at most.
    assert (len(outcome), turns > 1_000) == (1, True)
    store.close()


def test_the_file_of_a_store_is_a_database_for_others(url):
    """`locked` locks what the store writes to: its tables are there."""
    with outlay.Store(url):
        pass
    with sqlite3.connect(url.removeprefix("sqlite:///")) as file:
        tables = {name for (name,) in file.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert {"stores", "limits", "shares"} <= tables
