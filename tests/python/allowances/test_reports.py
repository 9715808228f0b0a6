"""Reports of jobs: twice, late, out of order, of unknown jobs; against a naive book."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass, field

import pytest
from allowance_support import STORES, allow, counts, new_service, quota, report
from face_support import DAY, MAX
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outlay import AllowanceExceeded, ManualClock

ENDS = ["job_completed", "job_failed", "job_cancelled"]
ORDERS = sorted(set(itertools.permutations(["job_started", "job_completed", "job_completed"])))


def net(event, tokens):
    """Return what an ended job is charged."""
    return {"job_completed": tokens, "job_failed": tokens - tokens // 2, "job_cancelled": 0}[event]


@pytest.mark.parametrize("tokens", [0, 1, 2, 3, 7, 8, 99, 2**63 + 1, MAX])
@pytest.mark.parametrize("event", ENDS)
def test_refunds_are_exact_to_the_token(service, event, tokens):
    """Half of an odd number is rounded down; the agent and the model are charged the net."""
    tokens_in = tokens // 3
    assert service.record_usage(report(event, "j", tokens_in, tokens - tokens_in, model="m"))
    assert service.get_usage("a").tokens_used == service.get_model_usage("m") == net(event, tokens)


@pytest.mark.parametrize("event", ENDS)
def test_an_end_without_tokens_counts_the_estimate(service, event):
    """Also when the start was told by a report, whose tokens are the estimate."""
    allow(service)
    service.start_job("a", "j0", model="m", estimated_tokens=7)
    service.record_usage(report("job_started", "j1", 3, 4, model="m"))
    assert counts(service) == (0, 2, 2)
    for job_id in ("j0", "j1"):
        service.record_usage(report(event, job_id))
    assert counts(service) == (2 * net(event, 7), 2, 0)
    assert service.get_model_usage("m") == 2 * net(event, 7)


def test_the_estimate_is_held_until_the_end_replaces_it(service):
    """Tokens on job_started are not used, they are held."""
    allow(service, daily_token_limit=100)
    service.record_usage(report("job_started", "j", 30, 10))
    assert service.check("a").remaining_tokens == 60
    assert counts(service)[0] == 0
    service.record_usage(report("job_completed", "j", 5, 5))
    assert service.check("a").remaining_tokens == 90


def test_a_start_that_is_told_is_never_refused(service):
    """It has happened: above every limit, and without an allowance."""
    allow(service, daily_token_limit=1, daily_job_limit=1, concurrent_jobs=1, model_allowlist=["x"])
    for number in range(3):
        assert service.record_usage(report("job_started", f"j{number}", 5, model="m"))
    assert service.record_usage(report("job_started", agent_id="unknown"))
    assert counts(service) == (0, 3, 3)
    assert counts(service, "unknown") == (0, 1, 1)


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ["job_started", *ENDS])
def test_the_first_end_wins_and_the_rest_is_logged(service, caplog, first, second):
    """The same one again, another one, or the start again."""
    allow(service)
    service.start_job("a", "j", model="m", estimated_tokens=50)
    assert service.record_usage(report(first, tokens_in=7, model="m"))
    before = counts(service), service.get_model_usage("m")
    with caplog.at_level(logging.WARNING, logger="outlay"):
        for _ in range(2):
            assert service.record_usage(report(second, tokens_in=900, model="m")) is False
    assert (counts(service), service.get_model_usage("m")) == before
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert all(word in caplog.records[0].getMessage() for word in (second, "'j'", "'a'"))


def test_a_start_is_told_once(service, caplog):
    """Again, and for a job that start_job began."""
    allow(service)
    service.start_job("a", "j")
    service.record_usage(report("job_started", "k"))
    for job_id in "jk":
        assert service.record_usage(report("job_started", job_id, 10)) is False
    assert counts(service) == (0, 2, 2)
    assert len(caplog.records) == 2


@pytest.mark.parametrize("event", ENDS)
def test_an_end_without_a_start_counts_its_tokens_once(service, event):
    """It frees no slot, for it held none."""
    allow(service, concurrent_jobs=2)
    service.start_job("a", "running")
    for _ in range(3):
        service.record_usage(report(event, "unknown", 4, 5))
    assert counts(service) == (net(event, 9), 1, 1)


def test_a_start_that_is_told_after_its_end_is_one_more_job_and_nothing_else(service):
    """It runs no more."""
    allow(service, concurrent_jobs=1)
    service.record_usage(report("job_completed", tokens_in=9))
    assert service.record_usage(report("job_started", tokens_in=50)) is True
    assert service.record_usage(report("job_started", tokens_in=50)) is False
    assert counts(service) == (9, 1, 0)
    service.start_job("a", "k")


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_of_reports_does_not_matter(service, order):
    """Every permutation of a start and of an end told twice comes to the same."""
    for event in order:
        service.record_usage(report(event, tokens_in=6, tokens_out=1, model="m"))
    assert (counts(service), service.get_model_usage("m")) == ((7, 1, 0), 7)


def test_jobs_of_different_agents_are_different_jobs(service):
    """The id is a name of the agent's own."""
    for agent in "ab":
        assert service.record_usage(report("job_completed", tokens_in=5, agent_id=agent))
    assert counts(service, "a") == counts(service, "b") == (5, 0, 0)


def test_the_model_of_the_start_is_charged(service):
    """Where the end names none, and where it names another."""
    service.record_usage(report("job_started", "j0", model="m"))
    service.record_usage(report("job_completed", "j0", 5))
    service.record_usage(report("job_started", "j1", model="m"))
    service.record_usage(report("job_completed", "j1", 5, model="n"))
    service.record_usage(report("job_started", "j2"))
    service.record_usage(report("job_completed", "j2", 5, model="n"))
    assert (service.get_model_usage("m"), service.get_model_usage("n")) == (10, 5)


def test_an_end_is_remembered_until_the_end_of_the_next_day(service, clock):
    """Then it is one of an unknown job."""
    clock.advance(DAY / 2)
    assert service.record_usage(report("job_completed", tokens_in=5))
    clock.advance(DAY * 1.5 - 1)
    assert service.record_usage(report("job_completed", tokens_in=5)) is False
    clock.advance(1)
    assert service.record_usage(report("job_completed", tokens_in=5)) is True
    assert counts(service) == (5, 0, 0)


@dataclass
class NaiveJob:
    """A job that runs."""

    day: int
    tokens: int


@dataclass
class NaiveService:
    """One agent and one model, kept by hand; `stored` books all on the day of the end, as a store does."""

    tokens: int
    jobs: int
    slots: int
    budget: int
    stored: bool
    now: int = 0
    used: dict[int, int] = field(default_factory=dict)
    started: dict[int, int] = field(default_factory=dict)
    running: dict[str, NaiveJob] = field(default_factory=dict)
    ended: dict[str, tuple[int, bool]] = field(default_factory=dict)

    @property
    def day(self):
        """Return the number of the day."""
        return self.now // DAY

    def knows(self, job_id):
        """Say whether a job runs or is remembered."""
        if job_id in self.ended and self.ended[job_id][0] < self.day - 1:
            del self.ended[job_id]
        return job_id in self.running or job_id in self.ended

    def may_start(self, estimate):
        """Say what the limits say."""
        taken = self.used.get(self.day, 0)
        taken += sum(job.tokens for job in self.running.values() if job.day == self.day)
        room = all(taken < limit and taken + estimate <= limit for limit in (self.tokens, self.budget))
        return room and self.started.get(self.day, 0) < self.jobs and len(self.running) < self.slots

    def begin(self, job_id, estimate):
        """Count a job that begins."""
        self.running[job_id] = NaiveJob(self.day, estimate)
        self.started[self.day] = self.started.get(self.day, 0) + 1

    def book(self, day, tokens):
        """Charge tokens."""
        self.used[day] = self.used.get(day, 0) + tokens

    def tell(self, event, job_id, tokens):
        """Take in a report; False where it is ignored."""
        known = self.knows(job_id)
        if event == "job_started":
            if not known:
                self.begin(job_id, tokens)
                return True
            if job_id in self.ended and not self.ended[job_id][1]:
                self.ended[job_id] = (self.ended[job_id][0], True)
                self.started[self.day] = self.started.get(self.day, 0) + 1
                return True
            return False
        if job_id in self.ended:
            return False
        job = self.running.pop(job_id, None)
        self.ended[job_id] = (self.day, job is not None)
        charged = net(event, tokens or (job.tokens if job else 0))
        if job is None or self.stored or job.day == self.day:
            self.book(self.day, charged)
        else:
            # It settles in the day in which it began; what is above its estimate is of today.
            self.book(self.day, max(0, charged - job.tokens))
        return True


STEPS = st.one_of(
    st.tuples(st.just("start"), st.integers(0, 6), st.integers(0, 40)),
    st.tuples(st.sampled_from(["job_started", *ENDS]), st.integers(0, 6), st.integers(0, 40)),
    st.tuples(st.just("advance"), st.just(0), st.integers(0, 40)),
)


@pytest.mark.parametrize("kind", STORES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    limits=st.tuples(st.integers(1, 100), st.integers(1, 8), st.integers(1, 4), st.integers(1, 100)),
    steps=st.lists(STEPS, max_size=50),
)
def test_any_history_comes_to_the_same_as_a_naive_book(kind, limits, steps):
    """Starts, reports in any order and again, and days that pass: zero differences."""
    clock = ManualClock()
    service, naive = new_service(kind, clock), NaiveService(*limits, stored=kind != "no store")
    tokens, jobs, slots, budget = limits
    allow(service, daily_token_limit=tokens, daily_job_limit=jobs, concurrent_jobs=slots)
    quota(service, daily_token_budget=budget)
    for step, number, amount in steps:
        job_id = f"j{number}"
        if step == "advance":
            clock.advance(amount * 3600)
            naive.now += amount * 3600
        elif step == "start":
            known, admitted = naive.knows(job_id), naive.may_start(amount)
            try:
                service.start_job("a", job_id, model="m", estimated_tokens=amount)
            except AllowanceExceeded:
                assert not admitted
            except ValueError:
                assert known
            else:
                assert admitted
                assert not known
                naive.begin(job_id, amount)
        else:
            told = service.record_usage(report(step, job_id, amount // 2, amount - amount // 2, model="m"))
            assert told is naive.tell(step, job_id, amount)
        used = naive.used.get(naive.day, 0)
        assert counts(service) == (used, naive.started.get(naive.day, 0), len(naive.running))
        assert service.get_model_usage("m") == used
        assert service.check("a", "m").allowed is naive.may_start(1)
