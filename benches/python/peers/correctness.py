"""Whether limits hold when many ask at once: threads on one key, agents whose calls are in flight."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading

from .case import Case, Crowd

THREADS = 8
AGENTS, CALLS = 1_000, 100


def admitted_by_threads(case: Case, limit: int) -> int:
    """Let eight threads ask four times as often as there is room; return how many were admitted."""
    made = case.make(limit)
    admitted = [0] * THREADS
    ready = threading.Barrier(THREADS)

    def worker(number: int) -> None:
        ready.wait()
        for _ in range(4 * limit // THREADS):
            with contextlib.suppress(case.refusal):
                admitted[number] += case.admitted(made.loop(1))

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(THREADS)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    return sum(admitted)


async def calls_in_flight(crowd: Crowd) -> int:
    """Let a thousand agents share a budget of a hundred calls; no call ends before all agents have asked."""
    made = 0
    ended = asyncio.Event()

    async def call() -> None:
        nonlocal made
        made += 1
        await ended.wait()

    agent = crowd.make(CALLS)

    async def run() -> None:
        with contextlib.suppress(crowd.refusal):
            await agent(call)

    tasks = [asyncio.create_task(run()) for _ in range(AGENTS)]
    for _ in range(AGENTS):  # turns enough for all to ask, even if only one asks in each
        await asyncio.sleep(0)
    asked = made
    ended.set()
    for _ in range(AGENTS):
        await asyncio.sleep(0)
    for task in tasks:  # those that still wait for capacity
        task.cancel()
    for error in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(error, Exception):
            raise error
    return asked
