"""The cases: what every integration must hold, each in every mode that its host has."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from kit import TEXT, USAGE, Recorded, World, billed, broken, committed, estimated

from outlay import LimitExceeded, WorkflowQuota
from outlay.testing import Reply

PLAIN = ("call", "acall")
STREAMS = ("stream", "astream")
ALL = PLAIN + STREAMS
ASYNC = ("acall", "astream")
OWN: tuple[str, ...] = ()
THREADS = 32
# Long enough for a call to reach its budget; what it must not reach is seen at the server.
MOMENT = 0.2


@dataclass(frozen=True)
class Case:
    """One case: what it says, in which modes it runs, and the check."""

    says: str
    modes: tuple[str, ...]
    check: Callable[[World], None]


CASES: dict[str, Case] = {}


def case(says: str, modes: tuple[str, ...]) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    """Register a case under the name of its function."""

    def register(check: Callable[[World], None]) -> Callable[[World], None]:
        CASES[check.__name__] = Case(says, modes, check)
        return check

    return register


@case("A call for which there is room is made, and answered as without a budget.", ALL)
def allow(world):
    server, pool = world.serve(Reply(text=TEXT)), world.pool()
    assert world.ask(world.make(server, pool)) == TEXT
    assert server.calls == 1
    assert committed(pool) == billed(server)
    assert billed(server)[2] > 0


@case("A call for which there is no room makes no request.", ALL)
def deny(world):
    server, pool = world.serve(), world.pool(1)
    with contextlib.suppress(Exception):
        world.ask(world.make(server, pool))
    assert server.calls == 0
    assert pool.committed().total_tokens == 0


@case("What the provider bills is what the budget books, input and output.", PLAIN)
def exact_usage(world):
    server, pool = world.serve(Reply(text=TEXT, usage=USAGE)), world.pool()
    world.ask(world.make(server, pool))
    assert committed(pool) == billed(server) == (100, 50, 150)


@case("A stream that tells its usage books it.", STREAMS)
def stream_with_usage(world):
    server, pool = world.serve(Reply(text=TEXT, usage=USAGE)), world.pool()
    assert world.ask(world.make(server, pool), usage=True) == TEXT
    assert committed(pool) == billed(server) == (100, 50, 150)


@case("A stream that does not tell its usage books the estimate, never nothing.", STREAMS)
def stream_without_usage(world):
    silent, own = world.serve(Reply(text=TEXT, usage=None)), Recorded(world.pool())
    assert world.ask(world.make(silent, own), usage=True) == TEXT
    assert committed(own.pool) == estimated(own)
    unasked, own = world.serve(Reply(text=TEXT)), Recorded(world.pool())
    assert world.ask(world.make(unasked, own), usage=False) == TEXT
    # A wrap may ask in the caller's place.
    assert committed(own.pool) in (billed(unasked), estimated(own))
    assert billed(unasked)[2] > 0


@case("A call that is cancelled while it waits for room makes no request and costs nothing.", ASYNC)
def cancel_before(world):
    server, pool = world.serve(), world.pool(100_000)
    client = world.make(server, pool, wait=60)

    async def cancelled():
        task = asyncio.ensure_future(world.aask(client))
        await asyncio.wait({task}, timeout=MOMENT)
        assert not task.done(), task
        await _cancel(task)

    with pool.reserve(100_000) as lease:
        world.loop.run(cancelled())
        assert pool.reserved().total_tokens == 100_000
        lease.release()
    assert server.calls == 0
    assert pool.committed().total_tokens == 0


@case("A call that is cancelled under way is charged, and its lease ended.", ASYNC)
def cancel_during(world):
    server, pool = world.serve(Reply(text=TEXT, usage=USAGE, gate=threading.Event())), world.pool()
    own = Recorded(pool)
    client = world.make(server, own)
    reached = asyncio.Event()

    async def run():
        if world.mode == "acall":
            return await world.driver.acall(client)
        async for _ in world.driver.astream(client):
            reached.set()
        return None

    async def cancelled():
        task = asyncio.ensure_future(run())
        if world.mode == "acall":
            assert await asyncio.to_thread(server.wait_for, lambda: server.calls == 1)
        else:
            await asyncio.wait_for(reached.wait(), 10)
        await _cancel(task)

    world.loop.run(cancelled())
    gc.collect()
    assert pool.open_leases() == []
    assert committed(pool) == (estimated(own) if world.mode == "acall" else broken(world.driver, own))


async def _cancel(task):
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task


@case("A call that the provider refuses costs nothing, and the provider's error comes through.", ALL)
def provider_error(world):
    server, pool = world.serve(Reply(status=500, text="out of order")), world.pool()
    client = world.make(server, pool)
    raised = _raised(world, client)
    assert raised is not None
    assert not isinstance(raised, LimitExceeded)
    assert pool.committed().total_tokens == 0
    assert pool.open_leases() == []


@case("The host's own retries book what was billed, once.", ALL)
def retry_inside(world):
    busy = Reply(status=429, text="slow down", headers={"retry-after-ms": "1"})
    server, pool = world.serve(busy, busy, Reply(text=TEXT)), world.pool()
    assert world.ask(world.retrying(server, pool)) == TEXT
    assert server.calls == 3
    assert committed(pool) == billed(server)


@case("A call that is made again after an error books what was billed, once.", ALL)
def retry_outside(world):
    server, pool = world.serve(Reply(status=500), Reply(text=TEXT)), world.pool()
    client = world.make(server, pool)
    assert _raised(world, client) is not None
    assert world.ask(client) == TEXT
    assert committed(pool) == billed(server)


@case("A fallback model's answer is booked, and the failed call costs nothing.", OWN)
def fallback(world):
    pool = world.pool()
    server = world.serve_case([Reply(status=500), Reply(text=TEXT)])
    assert world.own(server, pool) == TEXT
    assert committed(pool) == billed(server)


@case("Of five parallel tool calls under a budget of three, three run and two are refused.", OWN)
def five_tools(world):
    token = WorkflowQuota.hourly(10, 3).begin_workflow("five-tools")
    calls = [{"name": "look_up", "args": {"word": word}, "id": f"call-{word}"} for word in "abcde"]
    server = world.serve_case([Reply(tool_calls=calls), Reply(text=TEXT)])
    outputs = [str(output) for output in world.own(server, token)]
    ran = [output for output in outputs if "found" in output or output in ("success", "ok")]
    assert (len(outputs), len(ran)) == (5, 3)


@case("Many threads (or tasks) on one pool never go above it, and every call is booked as billed.", PLAIN)
def threads(world):
    gate, errors = threading.Event(), []
    server, pool = world.serve_same(Reply(text=TEXT, gate=gate)), world.pool(12_000)
    client = world.make(server, pool)
    held = threading.Thread(target=_hold, args=(server, pool, gate, errors))
    held.start()
    if world.mode == "call":
        with ThreadPoolExecutor(THREADS) as workers:
            list(workers.map(lambda _: errors.append(_raised(world, client)), range(THREADS)))
    else:
        world.loop.run(_tasks(world, client, errors))
    held.join()
    denied = [error for error in errors if error is not None]
    assert all(isinstance(error, LimitExceeded) for error in denied), denied
    assert len(errors) == THREADS
    assert server.calls == THREADS - len(denied) > 0
    assert committed(pool) == billed(server)
    assert pool.committed().total_tokens <= 12_000


def _hold(server, pool, gate, errors):
    """Hold every answer until each call is under way or refused, so that they all meet in the pool."""
    for _ in range(250):
        if server.wait_for(lambda: server.calls + len(errors) >= THREADS, MOMENT / 10):
            break
    reserved = pool.reserved().total_tokens
    gate.set()
    if reserved > 12_000:
        errors.append(AssertionError(f"{reserved} tokens reserved of 12000"))


async def _tasks(world, client, errors):
    async def one():
        try:
            await world.aask(client)
        except Exception as error:
            errors.append(error)
        else:
            errors.append(None)

    await asyncio.gather(*(one() for _ in range(THREADS)))


@case("A sub-agent's calls are booked too.", OWN)
def sub_agent(world):
    pool = world.pool()
    server = world.serve_case(lambda request: Reply(text=TEXT))
    world.own(server, pool)
    assert server.calls >= 2
    assert committed(pool) == billed(server)


@case("The calls that a framework makes of its own accord are booked too.", OWN)
def internal_call(world):
    pool = world.pool()
    server = world.serve_case(lambda request: Reply(text=TEXT))
    world.own(server, pool)
    assert server.calls >= 2
    assert committed(pool) == billed(server)


@case("Two wrapped layers on one budget charge it once.", ALL)
def stacked(world):
    server, pool = world.serve(Reply(text=TEXT, usage=USAGE)), world.pool()
    assert world.ask(world.stacked(server, pool)) == TEXT
    assert committed(pool) == billed(server) == (100, 50, 150)


@case("An answer out of the host's cache costs nothing.", OWN)
def cache_hit(world):
    pool = world.pool()
    server = world.serve_case(lambda request: Reply(text=TEXT))
    world.own(server, pool)
    assert server.calls == 1
    assert committed(pool) == billed(server)


@case("After good calls, errors and refusals in any order, no lease is open.", ALL)
def no_open_leases(world):
    server = world.serve(Reply(text=TEXT), Reply(status=500), Reply(text=TEXT), Reply(status=400))
    pool, small = world.pool(), world.pool(1)
    client, refused = world.make(server, pool), world.make(server, small)
    for _ in range(2):
        assert world.ask(client) == TEXT
        assert _raised(world, refused) is not None
        assert _raised(world, client) is not None
        assert pool.open_leases() == []
        assert small.open_leases() == []
    assert committed(pool) == billed(server)


@case("A refusal arrives as outlay's own error, and the host does not try it again.", ALL)
def exception_type(world):
    server, own = world.serve(), Recorded(world.pool(1))
    make = world.make if "retry_inside" in world.driver.gaps else world.retrying
    raised = _raised(world, make(server, own))
    assert isinstance(raised, LimitExceeded), raised
    host_error = getattr(world.driver, "host_error", None)
    assert host_error is None or isinstance(raised, host_error())
    assert raised.kind == "token"
    assert (own.asked, server.calls) == (1, 0)


def _raised(world: World, client: Any) -> Exception | None:
    try:
        world.ask(client)
    except Exception as error:
        return error
    return None
