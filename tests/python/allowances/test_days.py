"""The days of allowances: UTC, whatever the month, on every kind of store."""

from __future__ import annotations

import datetime as dt

import pytest
from allowance_support import OwnStore, allow, counts, quota, report
from face_support import DAY, refusal_of

from outlay import AllowanceService, MemoryStore

LAST_SECONDS = [
    "2026-01-31",
    "2026-02-28",
    "2028-02-28",
    "2028-02-29",
    "2026-06-30",
    "2026-12-31",
    "1969-12-31",
]


def at_the_last_second(clock, day):
    """Set the clock to one second before the end of a day, and return the next one."""
    midnight = dt.datetime.fromisoformat(day + "T00:00:00+00:00") + dt.timedelta(days=1)
    clock.set_time(midnight - dt.timedelta(seconds=1))
    return midnight


@pytest.mark.parametrize("day", LAST_SECONDS)
def test_a_day_ends_at_midnight_utc(service, clock, day):
    """Not a second earlier; then tokens and jobs are at zero, of the agent and of the model."""
    midnight = at_the_last_second(clock, day)
    allow(service, daily_token_limit=10, daily_job_limit=1)
    quota(service, daily_token_budget=10)
    service.start_job("a", "j", model="m").complete(10)
    record = service.get_usage("a")
    assert record.period_start == midnight - dt.timedelta(days=1)
    refused = refusal_of(lambda: service.start_job("a", "k", model="m"))
    assert refused.retry_after == pytest.approx(1, abs=1e-6)
    clock.advance(0.999)
    assert not service.check("a", "m").allowed
    clock.advance(0.001)
    assert service.check("a", "m").remaining_tokens == 10
    assert counts(service) == (0, 0, 0)
    assert service.get_usage("a").period_start == midnight
    assert service.get_model_usage("m") == 0
    service.start_job("a", "k", model="m").complete(3)
    assert (counts(service), service.get_model_usage("m")) == ((3, 1, 0), 3)


def test_days_on_which_nobody_asks_are_skipped(service, clock):
    """One look after a week is the first of its day."""
    allow(service, daily_token_limit=10)
    for week in range(3):
        service.start_job("a", f"j{week}", model="m").complete(10)
        assert (counts(service), service.get_model_usage("m")) == ((10, 1, 0), 10)
        clock.advance(7 * DAY)


def test_what_is_booked_unseen_on_one_day_is_not_of_the_next(service, clock):
    """No look between the last report of a day and the next day."""
    allow(service)
    service.record_usage(report("job_completed", tokens_in=5, model="m"))
    clock.advance(DAY)
    service.record_usage(report("job_completed", "k", tokens_in=7, model="m"))
    assert (counts(service), service.get_model_usage("m")) == ((7, 0, 0), 7)


def test_a_job_over_midnight_keeps_its_slot(service, clock):
    """It was begun yesterday and runs today."""
    allow(service, concurrent_jobs=2, daily_job_limit=2)
    jobs = [service.start_job("a", f"j{number}") for number in range(2)]
    clock.advance(DAY)
    assert counts(service) == (0, 0, 2)
    assert service.check("a").reason == "concurrent job limit reached"
    for number, job in enumerate(jobs):
        job.complete(5)
        assert counts(service) == (5 * (number + 1), 0, 1 - number)
    for number in range(2):
        service.start_job("a", f"k{number}")
    assert refusal_of(lambda: service.start_job("a", "k2")) is not None


def test_what_a_job_held_over_midnight_is_free_the_next_day(service, clock):
    """A new day begins with nothing used and nothing held."""
    allow(service, daily_token_limit=10)
    service.start_job("a", "j", estimated_tokens=10)
    assert not service.check("a").allowed
    clock.advance(DAY)
    assert service.check("a").remaining_tokens == 10


def test_a_clock_that_is_stepped_back_refills_nothing(service, clock):
    """Not by a minute, not over midnight."""
    clock.set_time(dt.datetime(2026, 5, 5, 0, 0, 30))
    allow(service, daily_token_limit=10)
    service.start_job("a", "j", model="m").complete(10)
    for back in (dt.datetime(2026, 5, 5), dt.datetime(2026, 5, 4, 23), dt.datetime(2026, 5, 5, 23, 59)):
        clock.set_time(back)
        assert counts(service) == (10, 1, 0)
        assert service.get_model_usage("m") == 10
        assert not service.check("a").allowed
    clock.set_time(dt.datetime(2026, 5, 6))
    assert service.check("a").allowed


def test_a_reset_does_not_end_the_day(service, clock):
    """The next one begins at midnight all the same."""
    allow(service, daily_token_limit=10)
    clock.advance(DAY / 2)
    service.start_job("a", "j").complete(10)
    service.reset_agent("a")
    service.start_job("a", "k").complete(10)
    assert counts(service)[0] == 10
    clock.advance(DAY / 2)
    assert counts(service) == (0, 0, 0)


def test_yesterdays_reports_count_today(service, clock):
    """Late reports count on the day on which they are told."""
    allow(service, daily_token_limit=10)
    late = report("job_completed", tokens_in=4, timestamp=dt.datetime(1970, 1, 1))
    clock.advance(DAY)
    assert service.record_usage(late)
    assert counts(service) == (4, 0, 0)


def test_what_is_overdue_counts_on_the_day_on_which_it_began(service, clock):
    """An estimate of yesterday takes nothing from today; the slot is free."""
    at_the_last_second(clock, "2026-12-31")
    allow(service, daily_token_limit=100, concurrent_jobs=1, max_job_duration=10)
    job = service.start_job("a", "j", model="m", estimated_tokens=100)
    clock.advance(60)
    assert [late.job_id for late in service.overdue_jobs()] == ["j"]
    assert (counts(service), service.get_model_usage("m")) == ((0, 0, 0), 0)
    assert service.check("a", "m").remaining_tokens == 100
    assert job.cancel()
    assert counts(service) == (0, 0, 0)


@pytest.mark.parametrize("make", [MemoryStore, OwnStore])
def test_a_new_service_after_a_step_back_does_not_begin_the_day_twice(clock, make):
    """What was seen of a day is kept with the store."""
    clock.set_time(dt.datetime(2026, 5, 5, 1))
    store = make()
    service = AllowanceService(store, clock=clock)
    service.record_usage(report("job_completed", tokens_in=10, model="m"))
    clock.set_time(dt.datetime(2026, 5, 4, 23))
    for _ in range(2):
        service = AllowanceService(store, clock=clock)
        assert (counts(service)[0], service.get_model_usage("m")) == (10, 10)
        clock.set_time(dt.datetime(2026, 5, 5, 2))
