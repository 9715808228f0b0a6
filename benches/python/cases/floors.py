"""The costs that cannot be saved: the loop, calls and a coroutine that do nothing."""

from __future__ import annotations

from timing import EMPTY, LOOP, Group, Loop

from outlay._core import EmptyMethods

OBJECTS, NO_ARGUMENT = "empty PyO3 method `(object, object)`", "empty PyO3 method `()`"
PYTHON, READY = "empty Python method", "await a coroutine that does nothing"


class EmptyPython:
    """An empty method of pure Python."""

    def consume(self, operation: str, tokens: int) -> None:
        pass


async def nothing() -> None:
    pass


def with_floors(title: str, *, awaits: bool = False) -> Group:
    """Return a group that begins with what its cases are compared with."""
    group = Group(title)
    group.case(LOOP)(loop)
    group.case(EMPTY)(empty)
    if awaits:
        group.case(READY)(ready)
    return group


def loop() -> Loop:
    def run(count):
        for _ in range(count):
            pass

    return run


def empty() -> Loop:
    methods = EmptyMethods()

    def run(count):
        for _ in range(count):
            methods.consume("query", 5)

    return run


def objects() -> Loop:
    methods = EmptyMethods()

    def run(count):
        for _ in range(count):
            methods.consume_objects("query", 5)

    return run


def no_argument() -> Loop:
    methods = EmptyMethods()

    def run(count):
        for _ in range(count):
            methods.execute_step()

    return run


def python() -> Loop:
    plain = EmptyPython()

    def run(count):
        for _ in range(count):
            plain.consume("query", 5)

    return run


def ready() -> Loop:
    async def run(count):
        for _ in range(count):
            await nothing()

    return run
