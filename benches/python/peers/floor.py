"""The costs that no library can avoid: the loop, a call into Rust and a coroutine that do nothing."""

from __future__ import annotations

from outlay._core import EmptyMethods

_empty = EmptyMethods()


def empty_loop(calls: int) -> None:
    """Do nothing. This time is subtracted from every case."""
    for _ in range(calls):
        pass


def empty_call(calls: int) -> None:
    """Call a PyO3 method that takes the arguments of `consume` and does nothing: the one denominator."""
    for _ in range(calls):
        _empty.consume("query", 1)


async def _ready() -> None:
    pass


async def empty_await(calls: int) -> None:
    """Await a coroutine that does nothing: the denominator of awaited calls."""
    for _ in range(calls):
        await _ready()
