"""The cases of who learns of a call: the listeners of a guard, a user's own budget, the caller."""

from __future__ import annotations

import asyncio
from typing import Any

from kit import TEXT, USAGE, World, committed

from cases.base import ALL, ASYNC, STREAMS, case
from outlay import Guard, SharedPool, last_call
from outlay.testing import Reply

LABELS = {"team": "blue"}


def ask(world: World, client: Any, guard: Guard) -> Any:
    """Make one call inside a scope of the guard, in the context that the call runs in."""
    if world.mode not in ASYNC:
        with guard.scope(user="ann"):
            return world.ask(client)

    async def inside():
        with guard.scope(user="ann"):
            return await world.aask(client)

    return world.loop.run(inside())


def one_user(tokens: int) -> Guard:
    """Return a guard with a limit for each user, and one for the calls of all."""
    rules = [
        {"name": "user", "scope": {"user": "*"}, "limit": {"tokens": tokens}},
        {"name": "all", "limit": {"calls": 9}},
    ]
    return Guard({"budget": rules})


@case("Each call is one decision for the listeners of a guard, with all of its labels.", ALL)
def decision_event(world):
    server, guard, small = world.serve(Reply(text=TEXT, usage=USAGE)), one_user(1_000_000), one_user(1)
    told: list[dict[str, Any]] = []
    for each in (guard, small):
        each.events(told.append)
    assert ask(world, world.make(server, guard, **LABELS), guard) == TEXT
    _refused(world, world.make(server, small, **LABELS), small)
    passed, refused = (event for event in told if event["event"] == "decision")
    assert (passed["allowed"], passed["waited"], passed["rule"]) == (True, False, None)
    assert (refused["allowed"], refused["rule"], refused["reason"]) == (False, "user", "too_large")
    for event in (passed, refused):
        assert event["labels"].items() >= {"user": "ann", **LABELS}.items()
        assert event["model"] == event["labels"].get("model")
        assert event["amounts"]["tokens"] > 0
        if getattr(world.driver, "names_model", True):
            assert event["model"]
            assert event["labels"]["provider"]
    of_lease = [event["event"] for event in told if event["lease"] == passed["lease"]]
    assert of_lease == ["reserved", "reserved", "decision", "committed", "committed"]
    assert server.calls == 1


def _refused(world: World, client: Any, guard: Guard) -> None:
    try:
        ask(world, client, guard)
    except Exception as error:
        refused: Exception | None = error
    else:
        refused = None
    assert refused is not None


class OwnLease:
    """The lease of a user's own budget: what it is ended with is kept."""

    def __init__(self, lease: Any) -> None:
        self.lease = lease

    def commit(self, usage: Any = None) -> None:
        """Book it."""
        self.lease.commit(usage)

    def release(self) -> None:
        """Give it back."""
        self.lease.release()

    def close(self) -> None:
        """End a call that failed."""
        self.lease.close()


class OwnBudget:
    """A user's own budget, as a remote service would be one: a pool behind methods of its own."""

    def __init__(self, pool: SharedPool) -> None:
        self.pool = pool
        self.labels: list[dict[str, str]] = []

    def reserve(self, estimate: Any, **labels: str) -> Any:
        """Keep the labels, and let the pool decide."""
        self.labels.append(labels)
        return OwnLease(self.pool.reserve(estimate))


class AsyncLease(OwnLease):
    """The same, but each end takes a while."""

    async def commit(self, usage: Any = None) -> None:
        """Book it."""
        await asyncio.sleep(0)
        self.lease.commit(usage)

    async def release(self) -> None:
        """Give it back."""
        await asyncio.sleep(0)
        self.lease.release()

    async def close(self) -> None:
        """End a call that failed."""
        await asyncio.sleep(0)
        self.lease.close()


class AsyncBudget(OwnBudget):
    """The same, but it is asked over the network."""

    async def reserve(self, estimate: Any, **labels: str) -> Any:
        """Keep the labels, and let the pool decide."""
        await asyncio.sleep(0)
        self.labels.append(labels)
        return AsyncLease(self.pool.reserve(estimate))


@case("A user's own budget is given all labels and books the usage; it may be async.", ALL)
def own_budget(world):
    for kind in (OwnBudget, AsyncBudget) if world.mode in ASYNC else (OwnBudget,):
        server, own, guard = (
            world.serve(Reply(text=TEXT, usage=USAGE)),
            kind(world.pool()),
            one_user(1_000_000),
        )
        assert ask(world, world.make(server, [guard, own], **LABELS), guard) == TEXT
        (labels,) = own.labels
        assert labels.items() >= {"user": "ann", **LABELS}.items()
        if getattr(world.driver, "names_model", True):
            assert labels["model"]
            assert labels["provider"]
        assert own.pool.committed().total_tokens > 0
        assert committed(own.pool)[1] in (50, own.pool.committed().output_tokens)
        small = kind(world.pool(1))
        _refused(world, world.make(server, small, **LABELS), guard)
        assert server.calls == 1
        assert own.pool.open_leases() == small.pool.open_leases() == []


def priced(world: World, **defaults: str) -> tuple[Guard, dict[str, str]]:
    """Return a guard with a price for the driver's model, and the labels that the wrap needs to name it."""
    labels = {} if getattr(world.driver, "names_model", True) else {"model": "gpt-x"}
    first, events = one_user(1_000_000), []
    first.events(events.append)
    world.ask(world.make(world.serve(Reply(text=TEXT)), first, **labels))
    # 100 tokens of input and 50 of output are 750 micro-USD.
    prices = {events[0]["model"]: {"input": "2.50", "output": "10.00"}}
    rule = {"name": "all", "limit": {"usd": "1"}}
    return Guard({"defaults": defaults, "budget": [rule], "prices": prices}), labels


@case("The caller can ask what its newest call used and cost.", ALL)
def cost_of_a_call(world):
    server = world.serve_same(Reply(text=TEXT, usage=USAGE))
    guard, labels = priced(world)
    client = world.make(server, guard, **labels)
    found: list[Any] = []
    if world.mode in ASYNC:

        async def inside():
            await world.aask(client)
            found.append(last_call())

        world.loop.run(inside())
    else:
        world.ask(client)
        found.append(last_call())
    (usage,) = found
    assert (usage.input_tokens, usage.output_tokens) == (100, 50)
    # Cache reads cost what the input costs.
    assert usage.cost_micros_usd == 750


COSTS = [("larger", 200, 750), ("larger", 900, 900), ("provider", 200, 200), ("computed", 900, 750)]


@case("A cost that the provider reports is booked as `cost_source` of the policy says.", ALL)
def cost_reported(world):
    for source, reported, booked in COSTS:
        guard, labels = priced(world, cost_source=source)
        usage = {"prompt_tokens": 100, "completion_tokens": 50, "cost": reported / 1_000_000}
        client = world.make(world.serve(Reply(text=TEXT, usage=usage)), guard, **labels)
        # Of a stream, the usage is asked for.
        world.ask(client, **({"usage": True} if world.mode in STREAMS else {}))
        assert guard.snapshot()[0]["limits"]["cost_micros_usd"]["used"] == booked, (source, reported)
