"""`governed` generators and coroutines: closed, thrown into, cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars

import pytest

from outlay import RateLimiter, SharedPool, UsageEstimate, governed


@pytest.fixture
def pool():
    made = SharedPool(capacity_tokens=1_000)
    yield made
    assert made.open_leases() == []


def used(pool):
    return pool.committed().total_tokens


def test_nothing_is_reserved_before_the_first_item(pool):
    @governed(pool, 100)
    def words():
        yield "a"

    words().close()
    words()
    assert used(pool) == 0


def test_one_closed_early_is_charged(pool):
    closed = []

    @governed(pool, 100)
    def words():
        try:
            yield "a"
            yield "b"
        finally:
            closed.append(True)

    items = words()
    next(items)
    items.close()
    assert (used(pool), closed) == (100, [True])


def test_one_closed_early_books_what_it_has_told(pool):
    @governed(pool, UsageEstimate(input_tokens=50, output_tokens=40))
    def events():
        yield {"type": "message_start", "message": {"usage": {"input_tokens": 30, "output_tokens": 0}}}
        yield "text"

    items = events()
    next(items), next(items)
    items.close()
    assert used(pool) == 30 + 40


@pytest.mark.parametrize("kind", [["a"], {"a": 1}, 5, None, pytest])
def test_an_item_may_have_anything_for_its_type(pool, kind):
    @governed(pool, 100)
    def items():
        yield {"type": kind}
        yield "text"

    assert list(items()) == [{"type": kind}, "text"]
    assert used(pool) == 100


def test_one_that_raises_after_its_first_item_is_charged(pool):
    @governed(pool, 100)
    def words():
        yield "a"
        raise KeyError("b")

    with pytest.raises(KeyError):
        list(words())
    assert used(pool) == 100


def test_send_throw_and_the_returned_value_pass_through(pool):
    @governed(pool, 100)
    def echo():
        got = []
        try:
            got.append((yield 1))
            yield 2
        except KeyError:
            got.append((yield 3))
        return got

    items = echo()
    assert (next(items), items.send("x"), items.throw(KeyError("k"))) == (1, 2, 3)
    with pytest.raises(StopIteration) as end:
        items.send("y")
    assert end.value.value == ["x", "y"]
    assert used(pool) == 100


async def test_asend_and_athrow_pass_through(pool):
    @governed(pool, 100)
    async def echo():
        got = yield 1
        try:
            yield got
        except KeyError:
            yield 3

    items = echo()
    assert [await anext(items), await items.asend("x"), await items.athrow(KeyError("k"))] == [1, "x", 3]
    await items.aclose()
    assert used(pool) == 100


async def test_an_async_one_closed_early_is_charged(pool):
    closed = []

    @governed(pool, 100)
    async def words():
        try:
            yield "a"
            yield "b"
        finally:
            closed.append(True)

    async with contextlib.aclosing(words()) as items:
        await anext(items)
    assert (used(pool), closed) == (100, [True])


def test_it_may_be_a_context_manager(pool):
    @contextlib.contextmanager
    @governed(pool, 100)
    def session():
        yield "s"

    with session() as s:
        assert s == "s"
    assert used(pool) == 100


def test_it_may_be_resumed_and_closed_in_other_contexts(pool):
    @governed(pool, 100)
    def words():
        yield "a"
        yield "b"

    items = words()
    contextvars.Context().run(next, items)
    contextvars.Context().run(next, items)
    contextvars.Context().run(items.close)
    assert used(pool) == 100


async def test_a_cancelled_body_is_charged(pool):
    begun = asyncio.Event()

    @governed(pool, 100)
    async def ask():
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(ask())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert used(pool) == 100


async def test_a_call_cancelled_while_it_waits_is_not():
    limiter = RateLimiter(100)
    limiter.record_usage(100)

    @governed(limiter, 50, wait=30)
    async def ask():
        raise AssertionError("ran")

    task = asyncio.create_task(ask())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert limiter.current_usage() == 100
