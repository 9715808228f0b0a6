"""AllowanceService on a store that fails: its errors come out as they are, and nothing is counted twice."""

from __future__ import annotations

import pytest
from allowance_support import METHODS, allow, counts, quota, report

from outlay import AllowanceExceeded

WRITES = ["increment_usage", "decrement_active_jobs", "return_tokens", "increment_model_usage"]


class Away(Exception):
    """The store is away."""


@pytest.mark.parametrize("method", METHODS)
def test_an_error_of_the_store_comes_out_as_it_is(watched, store, method, clock):
    """The very object, from whatever was asked; KeyErrors of getters mean "unknown"."""
    store.failing[method] = error = Away(method)
    calls = {
        "get_allowance": lambda: watched.check("a"),
        "set_allowance": lambda: allow(watched),
        "get_usage": lambda: watched.get_usage("a"),
        "increment_usage": lambda: watched.start_job("a", "j"),
        "decrement_active_jobs": lambda: watched.start_job("a", "j").cancel(),
        "return_tokens": lambda: watched.record_usage(report("job_failed", tokens_in=9)),
        "reset_usage": lambda: watched.reset_agent("a"),
        "get_model_quota": lambda: watched.check("a", "m"),
        "get_model_usage": lambda: watched.get_model_usage("m"),
        "increment_model_usage": lambda: watched.record_usage(
            report("job_completed", tokens_in=9, model="m")
        ),
    }
    with pytest.raises(Away) as caught:
        calls[method]()
    assert caught.value is error


@pytest.mark.parametrize("error", [Away("away"), KeyError("a"), KeyboardInterrupt()], ids=repr)
def test_a_start_that_cannot_be_written_was_none(watched, store, error):
    """What was taken is given back: the slot, the tokens, the job's id, the model's hour."""
    allow(watched, daily_token_limit=10, daily_job_limit=1, concurrent_jobs=1)
    quota(watched, daily_token_budget=10, hourly_rate_limit=1)
    store.failing["increment_usage"] = error
    for _ in range(3):
        with pytest.raises(type(error)):
            watched.start_job("a", "j", model="m", estimated_tokens=10)
    assert watched.check("a", "m").remaining_tokens == 10
    store.failing.clear()
    job = watched.start_job("a", "j", model="m", estimated_tokens=10)
    job.complete(3)
    assert (counts(watched), watched.get_model_usage("m")) == ((3, 1, 0), 3)


@pytest.mark.parametrize("failing", ["get_usage", "get_model_usage", "increment_usage"])
def test_an_end_that_cannot_be_written_can_be_told_again(watched, store, failing):
    """Where the first write fails nothing has changed."""
    job = watched.start_job("a", "j", model="m", estimated_tokens=10)
    store.failing[failing] = Away()
    for end in (job.complete, job.fail):
        with pytest.raises(Away):
            end(7)
    with pytest.raises(Away), job:
        pass
    store.failing.clear()
    assert counts(watched) == (0, 1, 1)
    assert job.complete(7) is True
    assert (counts(watched), watched.get_model_usage("m")) == ((7, 1, 0), 7)


def test_a_start_that_cannot_be_told_can_be_told_again(watched, store):
    """As an end can."""
    store.failing["increment_usage"] = Away()
    with pytest.raises(Away):
        watched.record_usage(report("job_started", tokens_in=5))
    assert counts(watched) == (0, 0, 0)
    store.failing.clear()
    assert watched.record_usage(report("job_started", tokens_in=5))
    assert counts(watched) == (0, 1, 1)


@pytest.mark.parametrize("failing", WRITES[1:])
def test_an_end_whose_later_write_fails_has_ended(watched, store, failing):
    """The rest is written, the error is raised, and telling it again charges nothing twice."""
    job = watched.start_job("a", "j", model="m", estimated_tokens=10)
    store.written()
    store.failing[failing] = Away()
    with pytest.raises(Away):
        job.fail(7)
    assert [name for name, *_ in store.written()] == [name for name in WRITES if name != failing]
    store.failing.clear()
    assert (counts(watched), watched.get_model_usage("m")) == ((4, 1, 0), 4)
    assert [name for name, *_ in store.written()] == [failing]
    assert job.fail(7) is False
    assert store.written() == []


@pytest.mark.parametrize("failing", WRITES[1:])
def test_a_write_that_is_owed_is_made_before_anything_is_decided(watched, store, failing):
    """No slot is stuck, no token is lost; while the store fails nothing is decided on what it says."""
    allow(watched, daily_token_limit=10, concurrent_jobs=1)
    quota(watched, daily_token_budget=10)
    job = watched.start_job("a", "j", model="m", estimated_tokens=10)
    store.failing[failing] = Away()
    with pytest.raises(Away):
        job.fail(7)
    with pytest.raises(Away):
        watched.start_job("a", "k", model="m")
    store.failing.clear()
    with pytest.raises(AllowanceExceeded):
        watched.start_job("a", "k", model="m", estimated_tokens=7)
    watched.start_job("a", "k", model="m", estimated_tokens=6)


def test_tokens_that_are_owed_do_not_come_back_on_another_day(watched, store, clock):
    """They were charged to a day that is over."""
    job = watched.start_job("a", "j", estimated_tokens=10)
    store.failing["return_tokens"] = Away()
    with pytest.raises(Away):
        job.cancel(7)
    store.failing.clear()
    clock.advance(24 * 3600)
    watched.record_usage(report("job_completed", "k", tokens_in=9))
    assert counts(watched) == (9, 0, 0)


def test_a_reset_settles_what_is_owed_first(watched, store):
    """What comes back comes back to what was charged before the reset."""
    job = watched.start_job("a", "j", estimated_tokens=10)
    store.failing["return_tokens"] = Away()
    with pytest.raises(Away):
        job.cancel(7)
    store.failing.clear()
    watched.reset_agent("a")
    watched.record_usage(report("job_completed", "k", tokens_in=9))
    assert counts(watched)[0] == 9


@pytest.mark.parametrize("failing", ["get_usage", "get_model_usage", "increment_usage"])
def test_leaving_a_block_tells_again_what_could_not_be_told(watched, store, failing):
    """The store was away for a moment: what the job has used is known, and is not half the estimate."""

    def complete(job):
        store.failing[failing] = Away()
        try:
            job.complete(100, 1)
        finally:
            store.failing.clear()

    with pytest.raises(Away), watched.start_job("a", "j", model="m", estimated_tokens=10) as begun:
        complete(begun)
    assert (counts(watched), watched.get_model_usage("m")) == ((101, 1, 0), 101)


def test_a_block_keeps_its_own_error_when_the_store_fails(watched, store, caplog):
    """The error of the store is logged, the job can still be ended."""
    job = watched.start_job("a", "j", estimated_tokens=10)
    store.failing["increment_usage"] = Away()
    with pytest.raises(ValueError, match="mine"), job:
        raise ValueError("mine")
    [record] = caplog.records
    assert "'j'" in record.getMessage()
    assert isinstance(record.exc_info[1], Away)
    store.failing.clear()
    assert job.complete(1)
