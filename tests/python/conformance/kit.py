"""The conformance kit: what a driver is, how it is found, and the world in which one case runs.

A driver is a file below `drivers/` with a `DRIVER`, whose class says how one integration is used:

    name, package                           the row of the table; what must be installed
    make(server, budget, **wrap_keywords)   a wrapped client, model or agent; the host's own retries are off
    call / acall(client, text="Hi")         one whole call, its text
    stream / astream(client, text, usage=)  a generator of pieces of text; `usage=False`: it is not asked for
    retrying(server, budget)                as make, with two retries of the host's own, without delay
    hurried(server, budget, retries)        as make, with a time-out of 0.3 s, and retries of the host's own
    stacked(server, budget)                 two wrapped layers on one budget
    over_transport(server, budget)          the same client over a guarded transport on that budget
    unparsed_answer(server, budget)         one call whose answer is billed and cannot be used; it may raise
    fallback, five_tools, sub_agent, internal_call, cache_hit (server, budget)   what an agent's host has
    gaps                                    case -> why it does not apply, in a few words; a literal

A stream hands what its caller would hold, the response and its iterator, to `keep`: nothing may be left to
the collector.

And, where they are needed: `broken` (what a broken stream of `USAGE` has told by its first piece, input and
output; None is what was reserved), `scripts` (case -> the server's script), `host_error()` (the host's class
that a refusal must also be), `aclose(client)` (awaited at the end of a case), `collect()` (awaited after an
async stream was left: only where the host itself leaves it to the collector). The methods of an agent's host
may be coroutines. A `five_tools` tool that ran has "found" in its output; a status says "success" or "ok". A
driver with `steps = True` guards tool calls: its cases are those of `step_cases.py`.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import inspect
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from outlay import SharedPool
from outlay.testing import ProviderServer, Reply

DRIVERS = Path(__file__).parent / "drivers"
TEXT = "Hello there, friend."
ROOM = 1_000_000
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 20},
}


@dataclass(frozen=True)
class Found:
    """A driver's file; `driver` is None where its package is not installed."""

    path: Path
    name: str
    gaps: Mapping[str, str]
    driver: Any = None
    missing: str | None = None


def find_drivers() -> list[Found]:
    """Return every driver, in the order of their names."""
    found = [_load(path) for path in DRIVERS.rglob("*.py") if not path.stem.startswith("_")]
    return sorted(found, key=lambda one: one.name)


def _load(path: Path) -> Found:
    module = _import(path)
    if isinstance(module, ModuleType):
        driver = module.DRIVER
        missing = None if _installed(driver.package) else driver.package
        return Found(path, driver.name, driver.gaps, None if missing else driver, missing)
    return Found(path, missing=module, **_read(path))


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # the parent of a package with dots
        return False


def _import(path: Path) -> ModuleType | str:
    name = "_".join(path.relative_to(DRIVERS).with_suffix("").parts)
    spec = importlib.util.spec_from_file_location(f"conformance_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        return str(error)
    return module


def _read(path: Path) -> dict[str, Any]:
    """Read the name and the gaps of a driver that cannot be imported here."""
    words: dict[str, Any] = {"name": path.stem, "gaps": {}}
    classes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
    for node in (node for one in classes for node in one.body):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id in words:
                words[target.id] = ast.literal_eval(node.value)
    return words


KEPT: list[Any] = []


def keep(one: Any) -> Any:
    """Keep what a stream's caller would hold alive until the case ends, and return it."""
    KEPT.append(one)
    return one


@dataclass
class Recorded:
    """A user's own budget over a pool: it counts how often it is asked, and keeps for what."""

    pool: SharedPool
    asked: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    estimates: list[Any] = field(default_factory=list)

    def reserve(self, estimate: Any, **labels: str) -> Any:
        """Count, and let the pool decide."""
        with self.lock:
            self.asked += 1
            self.estimates.append(estimate)
        return self.pool.reserve(estimate)


class World:
    """One case of one driver in one mode: the servers, the pools and the event loop, all checked at the end.

    Args:
        driver: The driver.
        case: The name of the case.
        mode: "call", "acall", "stream" or "astream"; or the name of a method of its own.

    """

    def __init__(self, driver: Any, case: str, mode: str) -> None:
        self.driver, self.case, self.mode = driver, case, mode
        self.loop = asyncio.Runner()
        self.servers: list[ProviderServer] = []
        self.pools: list[SharedPool] = []
        self.clients: list[Any] = []

    def serve(self, *replies: Reply) -> ProviderServer:
        """Start a server with a list of replies; none: it gives the same reply for ever."""
        return self._start(list(replies)) if replies else self.serve_same(Reply(text=TEXT))

    def serve_same(self, reply: Reply) -> ProviderServer:
        """Start a server that gives one reply for ever."""
        return self._start(lambda request: reply)

    def serve_case(self, default: Any) -> ProviderServer:
        """Start a server with the driver's own script for this case, or the default one."""
        return self._start(getattr(self.driver, "scripts", {}).get(self.case, default))

    def _start(self, script: Any) -> ProviderServer:
        server = ProviderServer(script).start()
        self.servers.append(server)
        return server

    def pool(self, capacity_tokens: int = ROOM) -> SharedPool:
        """Return a pool that must have no open lease when the case ends."""
        pool = SharedPool(capacity_tokens=capacity_tokens)
        self.pools.append(pool)
        return pool

    def make(self, server: ProviderServer, budget: Any, **keywords: Any) -> Any:
        """Return the wrapped client."""
        return self._kept(self.driver.make(server, budget, **keywords))

    def retrying(self, server: ProviderServer, budget: Any) -> Any:
        """Return the wrapped client whose host retries."""
        return self._kept(self.driver.retrying(server, budget))

    def hurried(self, server: ProviderServer, budget: Any, retries: int) -> Any:
        """Return the wrapped client that waits for no more than a moment."""
        return self._kept(self.driver.hurried(server, budget, retries))

    def stacked(self, server: ProviderServer, budget: Any) -> Any:
        """Return the client that is wrapped twice."""
        return self._kept(self.driver.stacked(server, budget))

    def over_transport(self, server: ProviderServer, budget: Any) -> Any:
        """Return the client over a guarded transport."""
        return self._kept(self.driver.over_transport(server, budget))

    def _kept(self, client: Any) -> Any:
        # Some clients close their connections when they are collected.
        self.clients.append(client)
        return client

    def ask(self, client: Any, **options: Any) -> str:
        """Make one whole call in this mode."""
        if self.mode == "call":
            return self.driver.call(client)
        if self.mode == "stream":
            return "".join(self.driver.stream(client, **options))
        return self.loop.run(self.aask(client, **options))

    async def aask(self, client: Any, **options: Any) -> str:
        """Make one whole call in this mode, which is one of asyncio."""
        if self.mode == "acall":
            return await self.driver.acall(client)
        return "".join([piece async for piece in self.driver.astream(client, **options)])

    def leave(self, client: Any) -> str:
        """Take the first piece of a stream and leave."""
        if self.mode == "stream":
            pieces = self.driver.stream(client)
            first = next(pieces)
            pieces.close()
            return first
        return self.loop.run(self._aleave(client))

    async def _aleave(self, client: Any) -> str:
        pieces = self.driver.astream(client)
        first = await anext(pieces)
        await pieces.aclose()
        if hasattr(self.driver, "collect"):
            await self.driver.collect()
        return first

    def own(self, server: ProviderServer, budget: Any) -> Any:
        """Run the driver's own method of this case."""
        result = getattr(self.driver, self.case)(server, budget)
        return self.loop.run(_awaited(result)) if inspect.isawaitable(result) else result

    def close(self) -> None:
        """End everything, and check that nothing is left."""
        try:
            closing = getattr(self.driver, "aclose", None)
            for client in self.clients if closing is not None else ():
                self.loop.run(_awaited(closing(client)))
            self.loop.close()
        finally:
            KEPT.clear()
            for server in self.servers:
                server.close()
        for server in self.servers:
            assert server.errors == []
        for pool in self.pools:
            assert pool.open_leases() == [], "a lease was left open"
            assert pool.reserved().total_tokens == 0


async def _awaited(result: Any) -> Any:
    return await result


def billed(server: ProviderServer) -> tuple[int, int, int]:
    """Return the tokens that the other side bills: input, output, in all."""
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    given, made, total = (sum(usage[name] for usage in server.billed) for name in names)
    return given, made, total


def committed(pool: SharedPool) -> tuple[int, int, int]:
    """Return the tokens that the pool has booked: input, output, in all."""
    return tokens(pool.committed())


def tokens(usage: Any) -> tuple[int, int, int]:
    """Return the tokens of a usage or an estimate: input, output, in all."""
    return usage.input_tokens, usage.output_tokens, usage.total_tokens


def estimated(own: Recorded) -> tuple[int, int, int]:
    """Return what was reserved for the one call of a recorded budget: input, output, in all."""
    (estimate,) = own.estimates
    return tokens(estimate)


def broken(driver: Any, own: Recorded) -> tuple[int, int, int]:
    """Return what a stream of `USAGE` costs that broke off: what its first piece told, else the estimate."""
    told, reserved = getattr(driver, "broken", None), estimated(own)
    assert reserved[2] >= 1_024
    if told is None:
        return reserved
    given, made = (said or held for said, held in zip(told, reserved, strict=False))
    return given, made, given + made


def modes_of(driver: Any, modes: tuple[str, ...]) -> Iterator[str]:
    """Return which of the modes a driver has."""
    return (mode for mode in modes if callable(getattr(driver, mode, None)))
