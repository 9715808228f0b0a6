"""Job: the handle, the `with` block, what is overdue, and many at once."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
import datetime as dt
import gc
import logging
import pickle
import sys
import threading

import pytest
from allowance_support import OwnStore, allow, counts, new_service, quota, report
from face_support import DAY, in_threads, refusal_of

from outlay import AllowanceExceeded, AllowanceService, InvalidAmount, Job, MemoryStore, RepoLimit


def test_a_block_that_is_left_completes_at_the_estimate(service):
    """Without an end: what we do not know, we count."""
    allow(service, concurrent_jobs=1)
    with service.start_job("a", "j", model="m", estimated_tokens=7) as job:
        assert counts(service) == (0, 1, 1)
        assert isinstance(job, Job)
    assert (counts(service), service.get_model_usage("m")) == ((7, 1, 0), 7)


def test_what_a_block_has_told_stands(service, caplog):
    """Leaving it tells nothing more, and is not logged."""
    allow(service)
    with service.start_job("a", "j0", estimated_tokens=7) as job:
        assert job.complete(2, 1)
    job = service.start_job("a", "j1", estimated_tokens=7)
    with pytest.raises(KeyError), job:
        raise KeyError(job.cancel())
    with service.start_job("a", "j2", estimated_tokens=7):
        service.record_usage(report("job_completed", "j2", 1))
    assert counts(service) == (4, 3, 0)
    assert caplog.records == []


def test_a_block_that_is_left_days_after_its_end_tells_nothing_more(service, clock):
    """The end is not remembered any more then; the handle knows it."""
    allow(service)
    with service.start_job("a", "j", estimated_tokens=7) as job:
        job.complete(5)
        clock.advance(3 * DAY)
    assert counts(service) == (0, 0, 0)
    service.start_job("a", "j")


@pytest.mark.parametrize(
    ("error", "charged"),
    [
        (ValueError, 4),
        (KeyboardInterrupt, 7),
        (SystemExit, 7),
        (asyncio.CancelledError, 7),
        (GeneratorExit, 7),
    ],
)
def test_an_error_in_the_block_fails_it_and_an_interruption_counts_in_full(service, error, charged):
    """Of 7 tokens a failure gives 3 back; an interrupted job may be under way."""
    allow(service, concurrent_jobs=1)
    with pytest.raises(error), service.start_job("a", "j", estimated_tokens=7):
        raise error
    assert counts(service) == (charged, 1, 0)


def test_a_generator_that_is_closed_counts_in_full(service):
    """Its block is left by GeneratorExit."""
    allow(service)

    def work():
        with service.start_job("a", "j", estimated_tokens=7):
            yield

    stream = work()
    next(stream)
    stream.close()
    assert counts(service) == (7, 1, 0)


async def test_an_async_block_tells_the_end_likewise(service):
    """Left by itself, by an error, and by the cancellation of the task."""
    allow(service)

    async def work(job_id, error=None, forever=False):
        async with service.start_job("a", job_id, estimated_tokens=100):
            if error is not None:
                raise error
            if forever:
                await asyncio.Event().wait()

    await work("j0")
    assert counts(service) == (100, 1, 0)
    with pytest.raises(ValueError):
        await work("j1", ValueError())
    assert counts(service) == (150, 2, 0)
    task = asyncio.create_task(work("j2", forever=True))
    await asyncio.sleep(0)
    assert counts(service) == (150, 3, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert counts(service) == (250, 3, 0)


def test_the_second_end_changes_nothing_and_is_logged(service, caplog):
    """Whichever it is; the log names the agent, the job and the event."""
    allow(service)
    job = service.start_job("a", "j-9", estimated_tokens=9)
    assert job.fail(7) is True
    before = counts(service)
    with caplog.at_level(logging.WARNING, logger="outlay"):
        for end, event in ((job.complete, "completed"), (job.fail, "failed"), (job.cancel, "cancelled")):
            caplog.clear()
            assert end(5) is False
            [record] = caplog.records
            assert record.levelno == logging.WARNING
            assert record.name == "outlay"
            for word in (f"job_{event}", "'j-9'", "'a'"):
                assert word in record.getMessage()
    assert counts(service) == before == (4, 1, 0)


def test_dropping_a_handle_ends_nothing(service, clock):
    """No time to live unless the allowance has one."""
    allow(service, concurrent_jobs=1)
    job = service.start_job("a", "j", estimated_tokens=5)
    assert job.deadline is None
    del job
    gc.collect()
    clock.advance(400 * DAY)
    assert counts(service) == (0, 0, 1)
    assert service.overdue_jobs() == []
    assert service.record_usage(report("job_completed"))
    assert counts(service)[2] == 0


def test_a_bad_count_is_refused_and_the_job_runs_on(service):
    """The end can be told again."""
    allow(service)
    with service.start_job("a", "j", estimated_tokens=5) as job:
        for bad in ((-1,), (0, 1.5), (0, 0, True)):
            for end in (job.complete, job.fail, job.cancel):
                with pytest.raises(InvalidAmount, match=r"^(tokens_in|tokens_out|cost_micros_usd)"):
                    end(*bad)
        assert counts(service) == (0, 1, 1)
        job.complete(tokens_in=1, tokens_out=2, cost_micros_usd=3)
    assert counts(service) == (3, 1, 0)


def test_a_job_that_runs_too_long_is_overdue(service, clock):
    """Its slot is free, it counts at its estimate, and its end still counts once."""
    clock.set_time(dt.datetime(2026, 11, 22, 12))
    allow(service, daily_token_limit=1000, concurrent_jobs=1, max_job_duration=dt.timedelta(minutes=10))
    job = service.start_job("a", "j", model="m", repo="o/r", estimated_tokens=100)
    assert job.deadline == dt.datetime(2026, 11, 22, 12, 10, tzinfo=dt.UTC)
    assert refusal_of(lambda: service.start_job("a", "k")).retry_after == 600
    clock.advance(599)
    assert (service.overdue_jobs(), counts(service)) == ([], (0, 1, 1))
    clock.advance(1)
    [late] = service.overdue_jobs()
    assert (late.agent_id, late.job_id, late.model, late.repo) == ("a", "j", "m", "o/r")
    assert late.deadline == job.deadline
    assert (counts(service), service.get_model_usage("m")) == ((100, 1, 0), 100)
    assert service.check("a", "m").remaining_tokens == 900
    service.start_job("a", "k", estimated_tokens=900)
    assert not service.check("a").allowed
    assert late.complete(30) is True
    assert job.complete(30) is False
    assert service.overdue_jobs() == []
    assert (counts(service), service.get_model_usage("m")) == ((30, 2, 1), 30)


def test_the_longest_overdue_comes_first(service, clock):
    """Of all agents; jobs without a duration are never overdue."""
    allow(service, "never")
    service.start_job("never", "j")
    for seconds in (30, 10, 20):
        allow(service, f"a{seconds}", max_job_duration=seconds)
        service.start_job(f"a{seconds}", "j")
    clock.advance(20)
    assert [job.agent_id for job in service.overdue_jobs()] == ["a10", "a20"]
    for job in service.overdue_jobs():
        job.cancel()
    clock.advance(10)
    assert [job.agent_id for job in service.overdue_jobs()] == ["a30"]


def test_a_failed_job_starts_the_cooldown_of_its_repository(service, clock):
    """A completed or cancelled one does not."""
    allow(service)
    service.set_repo_limit(RepoLimit(repo="r", cooldown_after_failure=60))
    service.start_job("a", "j0", repo="r").complete()
    service.start_job("a", "j1", repo="r").cancel()
    with pytest.raises(ValueError), service.start_job("a", "j2", repo="r"):
        raise ValueError
    refused = refusal_of(lambda: service.start_job("a", "j3", repo="r"))
    assert (refused.kind, refused.retry_after, refused.retryable) == ("cooldown", 60, True)
    assert service.check("a", repo="r").reason == refused.message
    clock.advance(60)
    service.start_job("a", "j3", repo="r")


def test_handles_and_services_are_copied_as_themselves_and_not_pickled(service):
    """A clear TypeError names the class."""
    allow(service)
    for account in (service, service.start_job("a", "j"), MemoryStore()):
        assert copy.copy(account) is copy.deepcopy([account])[0] is account
        with pytest.raises(TypeError, match=f"{type(account).__name__} can not be pickled"):
            pickle.dumps(account)


@pytest.mark.parametrize("kind", ["no store", "MemoryStore", "own store"])
def test_a_hundred_threads_never_run_more_than_four_jobs(kind, clock):
    """Exactly four start when all come at once; later four run at any time, and all are counted."""
    service = new_service(kind, clock)
    allow(service, concurrent_jobs=4)
    quota(service, daily_token_budget=10**9)
    started = []

    def start(number):
        with contextlib.suppress(AllowanceExceeded):
            started.append(service.start_job("a", f"first-{number}", model="m"))

    in_threads(100, start)
    assert len(started) == 4
    for job in started:
        job.complete(1)
    running, most, done, lock = 0, 0, 0, threading.Lock()

    def work(number):
        nonlocal running, most, done
        for turn in range(5):
            try:
                job = service.start_job("a", f"{number}-{turn}", model="m", estimated_tokens=9)
            except AllowanceExceeded:
                continue
            with lock:
                running += 1
                most = max(most, running)
            # Long enough for the other threads to try the same.
            for _ in range(20):
                assert service.get_usage("a").active_jobs <= 4
            with lock:
                running -= 1
                done += 1
            job.complete(2, 1)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        in_threads(100, work)
    finally:
        sys.setswitchinterval(interval)
    assert 1 < most <= 4
    assert counts(service) == (4 + 3 * done, 4 + done, 0)
    assert service.get_model_usage("m") == 4 + 3 * done


@pytest.mark.parametrize("kind", ["no store", "MemoryStore", "own store"])
async def test_a_thousand_tasks_never_run_more_than_four_jobs(kind, clock):
    """Of those that come at once, exactly four start."""
    service = new_service(kind, clock)
    allow(service, concurrent_jobs=4)
    running, most, refused, ready = 0, 0, 0, asyncio.Event()

    async def work(number):
        nonlocal running, most, refused
        try:
            job = service.start_job("a", f"{number}")
        except AllowanceExceeded:
            refused += 1
            return
        async with job:
            running += 1
            most = max(most, running)
            await ready.wait()
            running -= 1
            job.complete(1)

    tasks = [asyncio.create_task(work(number)) for number in range(1000)]
    await asyncio.sleep(0)
    assert (running, refused) == (4, 996)
    ready.set()
    await asyncio.gather(*tasks)
    assert (most, counts(service)) == (4, (4, 4, 0))


class Hesitant(OwnStore):
    """A store whose readers wait for each other, for as long as two can be inside at once."""

    __slots__ = ("meeting",)

    def get_usage(self, agent):
        """Read, wait, and say what was read."""
        record = self.usage.get(agent)
        read = None if record is None else dataclasses.replace(record)
        with contextlib.suppress(threading.BrokenBarrierError):
            self.meeting.wait()
        return read


def test_between_a_read_of_the_store_and_the_write_nobody_comes(clock):
    """Two services of one store: one reader is never inside while the other is."""
    store = Hesitant()
    store.meeting = threading.Barrier(2, timeout=0.2)
    services = [AllowanceService(store, clock=clock) for _ in range(2)]
    allow(services[0], daily_job_limit=1)
    started = []

    def start(number):
        with contextlib.suppress(AllowanceExceeded):
            started.append(services[number].start_job("a", f"{number}"))

    in_threads(2, start)
    assert store.meeting.broken, "they met inside"
    assert len(started) == 1
    assert counts(services[1]) == (0, 1, 1)


def test_two_services_on_one_store_share_one_limit(clock):
    """A hundred threads on two services of the same store: four jobs start."""
    store = MemoryStore(clock=clock)
    services = [AllowanceService(store, clock=clock) for _ in range(2)]
    allow(services[0], concurrent_jobs=4, daily_token_limit=100)
    started = []

    def start(number):
        with contextlib.suppress(AllowanceExceeded):
            started.append(services[number % 2].start_job("a", f"{number}"))

    in_threads(100, start)
    assert len(started) == 4
    for job in started:
        job.complete(25)
    for service in services:
        assert counts(service) == (100, 4, 0)
        assert service.check("a").reason == "daily token limit exceeded"
