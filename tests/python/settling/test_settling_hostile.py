"""Results, exceptions and budgets that do what they like: none hides what a call raised or returned."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref

import pytest

from outlay import Guard, ManualClock, SharedPool, UsageEstimate, governed
from outlay.langchain import wrap
from outlay.testing import ScriptedChatModel


def guard_of(**limit):
    """Return a guard with one budget."""
    return Guard({"budget": [{"name": "day", "limit": limit}]}, clock=ManualClock())


def booked(guard):
    """Return what the first counter has used, with nothing reserved."""
    limits = guard.snapshot()[0]["limits"]
    assert not any(figures["reserved"] for figures in limits.values())
    return {unit: figures["used"] for unit, figures in limits.items()}


class Hostile(TimeoutError):
    """An exception whose attributes raise."""

    @property
    def response(self):
        """Raise."""
        raise RuntimeError("response")

    completion = body = request = response


class Loud:
    """An object whose attributes raise."""

    @property
    def usage(self):
        """Raise."""
        raise RuntimeError("usage")

    message = error = usage


class Counter:
    """An object whose `usage` asks for an argument."""

    def usage(self, of):
        """Return what was asked."""
        return of


class Answer:
    """An answer with counts that no account can book."""

    usage = {"prompt_tokens": 2**70, "completion_tokens": 5}


class Unusable(Exception):
    """An error that carries the answer it is about."""

    completion = Answer


@pytest.mark.parametrize("error", [Hostile, Unusable])
def test_an_exception_whose_attributes_raise_reaches_its_catcher_and_ends_its_lease(error):
    """A time-out is one all the same; an answer with counts beyond all bounds is charged the estimate."""
    guard = guard_of(tokens=100_000, calls=100)

    @governed(guard, estimate=100)
    def call():
        raise error

    with pytest.raises(error):
        call()
    assert booked(guard) == {"tokens": 100, "calls": 1}
    with pytest.raises(error), guard.reserve(100):
        raise error
    assert booked(guard) == {"tokens": 200, "calls": 2}


def around():
    """Return a dict that holds itself."""
    made = {}
    made["message"] = made
    return made


@pytest.mark.parametrize("result", [Loud(), Counter(), Answer(), around()])
def test_a_result_of_any_kind_reaches_its_caller_and_ends_its_lease(result, caplog):
    """The call is made and paid for: what cannot be read books the estimate."""
    guard = guard_of(tokens=100_000, calls=100)

    @governed(guard, estimate=100)
    def call():
        return result

    @governed(guard, estimate=100)
    def items():
        yield result

    assert call() is result
    assert booked(guard) == {"tokens": 100, "calls": 1}
    assert next(iter(items())) is result
    assert booked(guard) == {"tokens": 200, "calls": 2}
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_requests_beyond_all_bounds_are_charged_and_hide_no_exception():
    """A hundred time-outs of a huge estimate are more than a count can hold: it is full."""
    guard = guard_of(calls=1_000)

    class Late(TimeoutError):
        class request:
            headers = {"x-stainless-retry-count": "99"}

    @governed([guard, SharedPool(capacity_tokens=2**62)], estimate=2**62)
    def call():
        raise Late

    with pytest.raises(Late):
        call()
    assert booked(guard) == {"calls": 100}


def test_an_error_that_carries_its_answer_is_never_free_in_a_block():
    """The tokens are told and not their cost: the cost that was reserved stays."""
    pool = SharedPool(capacity_cost_micros_usd=1_000)

    class Cut(Exception):
        completion = {"usage": {"prompt_tokens": 10, "completion_tokens": 5}}

    with pytest.raises(Cut), pool.reserve(UsageEstimate(total_tokens=100, cost_micros_usd=500)):
        raise Cut
    assert (pool.committed().total_tokens, pool.committed().cost_micros_usd) == (15, 500)


def test_a_time_out_in_a_group_of_exceptions_is_charged():
    """A task group raises all that failed in it: one request may be under way."""
    guard = guard_of(tokens=100_000, calls=100)
    group = ExceptionGroup("tasks", [ValueError("no"), ExceptionGroup("more", [TimeoutError()])])

    @governed(guard, estimate=100)
    def call():
        raise group

    with pytest.raises(ExceptionGroup, match="tasks"):
        call()
    with pytest.raises(ExceptionGroup, match="tasks"), guard.reserve(100):
        raise group
    assert booked(guard) == {"tokens": 200, "calls": 2}


class Stubborn:
    """A user's own budget whose leases cannot be ended."""

    def reserve(self, _estimate, **_labels):
        """Return itself."""
        return self

    def commit(self, _usage=None):
        """Raise."""
        raise RuntimeError("the budget's own")

    release = close = commit


@pytest.mark.parametrize("error", [ValueError, TimeoutError, KeyboardInterrupt, asyncio.CancelledError])
def test_a_lease_that_cannot_be_ended_does_not_hide_what_the_call_raised(error, caplog):
    """A cancellation that became another exception would go unnoticed by asyncio."""
    guard = guard_of(calls=100)

    @governed([Stubborn(), guard], estimate=100)
    def call():
        raise error

    class Failing(ScriptedChatModel):
        def _generate(self, *_arguments, **_keywords):
            raise error

    with pytest.raises(error):
        call()
    with pytest.raises(error):
        wrap(Failing(script=[], model_name="m"), [Stubborn(), guard]).invoke("hi")
    assert booked(guard) == {"calls": 2}
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        "a lease of a call that failed could not be ended"
    ] * 2


def test_a_call_keeps_no_reference_to_what_is_handled_where_it_begins():
    """Its frames would keep what the user has dropped."""
    guard = guard_of(calls=100)

    class Mine(Exception):
        pass

    @governed(guard, estimate=1)
    def items():
        yield 1

    gc.disable()
    try:
        try:
            raise Mine
        except Mine as error:
            seen = weakref.ref(error)
            stream = items()
            assert next(stream) == 1
        assert seen() is None
    finally:
        gc.enable()
    stream.close()
    assert booked(guard) == {"calls": 1}
