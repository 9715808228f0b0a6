"""`in_scope`: functions of every kind with the labels of the scopes around the code that hands them on."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import pickle
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context

import pytest

from outlay import BudgetExceeded, Guard, PolicyError, in_scope
from outlay._guard.scopes import current_labels

LABELS = {"agent": "a", "run": "r"}


@pytest.fixture
def guard():
    return Guard({"budget": [{"name": "b", "limit": {"tokens": 100}, "landing": {"tokens": 50}}]})


def handed_on(guard, function):
    """Return the function, as handed on within a scope that is over."""
    with guard.scope(agent="a"), guard.run("r"):
        return in_scope(function)


def in_a_thread(function):
    """Return what the function returns in a bare thread, which has no labels."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(Context().run, function).result(10)


class Methods:
    """An object whose methods return their labels."""

    def plain(self):
        """Return the labels."""
        return current_labels()

    def __call__(self):
        """Return the labels."""
        return current_labels()


class Async:
    """An object that is called as a coroutine function is."""

    async def __call__(self):
        """Return the labels."""
        await asyncio.sleep(0)
        return current_labels()


async def coroutine():
    await asyncio.sleep(0)
    return current_labels()


def test_a_plain_function(guard):
    """Also one that is a method, a partial, an object."""
    for function in (
        current_labels,
        lambda: current_labels(),
        Methods().plain,
        Methods(),
        functools.partial(lambda labels: labels or current_labels(), None),
    ):
        carried = handed_on(guard, function)
        assert in_a_thread(carried) == LABELS
        assert current_labels() == {}


def test_a_coroutine_function(guard):
    """Also one that does not say so."""
    for function in (coroutine, Async(), lambda: coroutine(), functools.partial(coroutine)):
        carried = handed_on(guard, function)
        assert in_a_thread(lambda carried=carried: asyncio.run(carried())) == LABELS
    assert inspect.iscoroutinefunction(handed_on(guard, coroutine))


def test_the_labels_there_stay_and_those_that_were_carried_come_first(guard):
    """It is an inner scope; without scopes around it nothing is taken away."""
    with guard.scope(agent="b", user="ann"):
        assert handed_on(guard, current_labels)() == {**LABELS, "user": "ann"}
        assert current_labels() == {"agent": "b", "user": "ann"}
    bare = in_scope(current_labels)
    with guard.scope(user="ann"):
        assert bare() == {"user": "ann"}


def test_what_the_function_raises_passes_and_nothing_stays(guard):
    """Whatever it is."""

    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        handed_on(guard, fail)()
    assert current_labels() == {}


def test_steps_runs_and_the_final_answer_are_carried(guard):
    """What the scopes around it say, all of it."""
    guard.reserve(50).commit()
    with pytest.raises(BudgetExceeded):
        in_a_thread(in_scope(lambda: guard.check(10)))
    with guard.landing():
        final = in_scope(lambda: guard.reserve(10).commit())
    in_a_thread(final)
    with guard.step("plan"):
        labels = in_a_thread(in_scope(current_labels))
    assert labels["step"] == "plan"
    assert set(labels) == {"step", "step_id"}


def counting():
    """Yield the labels of each step, and then those of a scope of its own."""
    guard = Guard({})
    yield current_labels()
    with guard.scope(agent="own"):
        sent = yield current_labels()
        yield sent, current_labels()
    yield current_labels()
    return "end"


def test_a_generator_has_the_labels_in_each_step_and_leaks_none(guard):
    """Not those of its own scopes either."""
    items = handed_on(guard, counting)()
    own = {**LABELS, "agent": "own"}
    assert next(items) == LABELS
    assert current_labels() == {}
    with guard.scope(user="ann"):
        assert next(items) == own
        assert items.send(5) == (5, own)
        assert current_labels() == {"user": "ann"}
    assert next(items) == LABELS
    with pytest.raises(StopIteration) as ended:
        next(items)
    assert ended.value.value == "end"


def test_a_generator_is_told_what_is_thrown_and_closed(guard):
    """As it is without."""
    seen = []

    def stubborn():
        try:
            yield 1
        except ValueError:
            seen.append(current_labels())
        try:
            yield 2
        finally:
            seen.append(current_labels())

    items = handed_on(guard, stubborn)()
    assert next(items) == 1
    assert items.throw(ValueError()) == 2
    items.close()
    assert seen == [LABELS, LABELS]


def test_u05_two_conversations_in_turn_keep_to_their_runs():
    """Each is booked to its own, and the consumer's call to neither."""
    guard = Guard({"budget": [{"name": "b", "limit": {"calls": 9}, "window": "run"}]})

    @in_scope
    async def conversation(run_id):
        with guard.run(run_id):
            while True:
                guard.reserve().commit()
                yield

    async def main():
        one, two = conversation("r1"), conversation("r2")
        for stream in (one, two, one, one):
            await anext(stream)
        await one.aclose()
        await two.aclose()
        guard.reserve().commit()

    asyncio.run(main())
    counted = {c["values"].get("run"): c["limits"]["calls"]["used"] for c in guard.snapshot()}
    assert counted == {"r1": 3, "r2": 1, None: 1}


def test_an_async_generator_has_the_labels_in_each_step(guard):
    """And is told what is sent, thrown and closed."""
    seen = []

    async def items():
        try:
            sent = yield current_labels()
            await asyncio.sleep(0)
            yield sent, current_labels()
        except ValueError:
            yield "thrown"
        finally:
            seen.append(current_labels())

    carried = handed_on(guard, items)
    assert inspect.isasyncgenfunction(carried)

    async def main():
        one = carried()
        assert await anext(one) == LABELS
        assert current_labels() == {}
        assert await one.asend(5) == (5, LABELS)
        assert await one.athrow(ValueError()) == "thrown"
        await one.aclose()
        assert [item async for item in carried()] == [LABELS, (None, LABELS)]

    asyncio.run(main())
    assert seen == [LABELS, LABELS]


def test_what_is_thrown_away_unfinished_changes_no_labels_elsewhere(guard):
    """The collector ends it where it happens to run."""

    async def waiting():
        await asyncio.Event().wait()

    coroutine = handed_on(guard, waiting)()
    loop = asyncio.new_event_loop()
    task = loop.create_task(coroutine)
    loop.call_soon(loop.stop)
    loop.run_forever()
    task.cancel()
    with guard.scope(user="ann"):
        coroutine.close()
        gc.collect()
        assert current_labels() == {"user": "ann"}
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()


def test_the_function_keeps_its_name_and_does_not_pickle(guard):
    """A process has other scopes."""
    assert handed_on(guard, counting).__name__ == "counting"
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(in_scope(lambda: None))


@pytest.mark.parametrize("bad", [None, 5, "function", {}])
def test_what_cannot_be_called_is_refused(bad):
    """By what it is."""
    with pytest.raises(PolicyError, match="function: a function is allowed, not"):
        in_scope(bad)


def test_a_generator_behind_a_wrapper_that_does_not_say_so_has_the_labels(guard):
    """A lambda or a plain decorator hides what kind of function it is."""

    def steps():
        yield current_labels()

    async def async_steps():
        yield current_labels()

    async def all_of(items):
        return [item async for item in items]

    assert in_a_thread(lambda: list(handed_on(guard, lambda: steps())())) == [LABELS]
    behind = handed_on(guard, lambda: async_steps())
    assert in_a_thread(lambda: asyncio.run(all_of(behind()))) == [LABELS]
