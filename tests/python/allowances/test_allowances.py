"""AllowanceService: who may begin a job, on every kind of store."""

from __future__ import annotations

import datetime as dt

import pytest
from allowance_support import STORES, allow, counts, new_service, quota, report
from face_support import DAY, HOUR, MAX, ODD_IDS, checked_message, refusal_of

from outlay import (
    AgentAllowance,
    AllowanceExceeded,
    AllowanceStatus,
    NotConfigured,
    QuotaCheckResult,
    UsageRecord,
)


def test_an_agent_without_an_allowance_is_refused(service):
    """Fail closed; it is a KeyError, too."""
    for call in (
        lambda: service.check("a"),
        lambda: service.start_job("a", "j"),
        lambda: service.check("a", "m"),
    ):
        with pytest.raises(NotConfigured) as refused:
            call()
        assert checked_message(refused.value)["error"] == "not_configured"
        assert refused.value.agent_id == "a"
    assert service.get_allowance("a") is None
    assert service.get_model_quota("m") is None
    assert service.get_usage("a") == UsageRecord("a", 0, 0, 0, dt.datetime(1970, 1, 1))
    assert service.get_model_usage("m") == 0
    assert service.overdue_jobs() == []


def test_an_allowance_without_limits_counts_and_never_refuses(service):
    """0 is no limit; what remains is -1."""
    allow(service)
    for number in range(50):
        service.start_job("a", f"j{number}", model="m", estimated_tokens=MAX)
    assert service.check("a", "m") == QuotaCheckResult(True, "ok", -1, -1, "")
    assert counts(service) == (0, 50, 50)


def test_what_was_set_is_read_back_and_changed(service):
    """A changed limit counts at once; what was used stays."""
    for limit in (100, 10, 0):
        allow(service, daily_token_limit=limit, model_allowlist=["m", "n"])
        quota(service, daily_token_budget=limit)
        assert service.get_allowance("a") == AgentAllowance(
            agent_id="a", daily_token_limit=limit, model_allowlist=("m", "n")
        )
        assert service.get_model_quota("m").daily_token_budget == limit
    service.start_job("a", "j", model="m").complete(30, 10)
    allow(service, daily_token_limit=41)
    assert service.check("a").remaining_tokens == 1
    allow(service, daily_token_limit=40)
    assert service.check("a") == QuotaCheckResult(False, "exceeded", 0, -1, "daily token limit exceeded")
    allow(service, daily_token_limit=20)
    assert service.check("a").remaining_tokens == 0


def test_the_daily_token_limit_admits_up_to_it(service):
    """What running jobs hold counts; a job of unknown size begins while one token is left."""
    allow(service, daily_token_limit=100)
    job = service.start_job("a", "j1", estimated_tokens=60)
    assert service.check("a") == QuotaCheckResult(True, "ok", 40, -1, "")
    with pytest.raises(AllowanceExceeded, match="daily token limit exceeded") as refused:
        service.start_job("a", "j2", estimated_tokens=41)
    assert (refused.value.reserved, refused.value.requested, refused.value.remaining) == (60, 41, 40)
    service.start_job("a", "j3", estimated_tokens=40)
    assert service.check("a").reason == "daily token limit exceeded"
    with pytest.raises(AllowanceExceeded):
        service.start_job("a", "j4")
    job.complete(59)
    assert service.check("a").remaining_tokens == 1
    service.start_job("a", "j4")
    assert counts(service) == (59, 3, 2)


def test_more_than_the_estimate_is_booked_and_nothing_more_is_admitted(service):
    """Money already spent is never lost."""
    allow(service, daily_token_limit=100)
    service.start_job("a", "j1", estimated_tokens=10).complete(100, 50)
    assert counts(service)[0] == 150
    assert service.check("a").remaining_tokens == 0
    assert refusal_of(lambda: service.start_job("a", "j2")).used == 150


def test_the_daily_job_limit_counts_what_began(service):
    """Ends give nothing back, refusals cost nothing."""
    allow(service, daily_job_limit=3)
    for number in range(3):
        assert service.check("a").remaining_jobs == 3 - number
        service.start_job("a", f"j{number}").cancel()
    for _ in range(5):
        refused = refusal_of(lambda: service.start_job("a", "j"))
    assert (refused.message, refused.kind, refused.retryable) == ("daily job limit exceeded", "job", False)
    assert refused.retry_after == DAY
    assert counts(service) == (0, 3, 0)


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
def test_every_end_frees_the_slot(service, end):
    """Waiting is the cure."""
    allow(service, concurrent_jobs=1)
    for number in range(3):
        job = service.start_job("a", f"j{number}")
        assert service.check("a").reason == "concurrent job limit reached"
        refused = refusal_of(lambda: service.start_job("a", "other"))
        assert (refused.message, refused.retryable) == ("concurrent job limit reached", True)
        assert refused.payload["details"]["unit"] == "slots"
        assert getattr(job, end)() is True
    assert counts(service)[1:] == (3, 0)


def test_a_model_that_is_not_on_the_list_is_refused(service):
    """The empty name is no model, and no list is every model."""
    allow(service, model_allowlist=["m", "n"])
    allow(service, "b")
    assert service.check("a", "x").reason == "model not in allowlist: x"
    refused = refusal_of(lambda: service.start_job("a", "j", model="x"))
    assert (refused.message, refused.kind, refused.retry_after) == (
        "model not in allowlist: x",
        "model",
        None,
    )
    assert not refused.retryable
    for model in ("m", "n", ""):
        assert service.check("a", model).allowed
        service.start_job("a", f"j{model}", model=model)
    service.start_job("b", "j", model="x")


def test_a_models_tokens_are_shared_by_all_agents(service):
    """The net is charged: what comes back to the agent comes back to the model."""
    for agent in "ab":
        allow(service, agent)
    quota(service, daily_token_budget=100)
    service.start_job("a", "j", model="m").fail(31)
    assert service.get_model_usage("m") == 16
    service.start_job("b", "j", model="m", estimated_tokens=84)
    assert service.check("a", "m").reason == "global model token budget exceeded for: m"
    refused = refusal_of(lambda: service.start_job("a", "j2", model="m"))
    assert refused.message == "global model token budget exceeded for: m"
    assert counts(service, "a") == (16, 1, 0)
    service.start_job("a", "j2", model="other")
    assert service.check("a").allowed


def test_a_models_hour_slides(service, clock):
    """No 60 minutes hold more than the limit; the slot is coarse by a minute at most."""
    allow(service)
    quota(service, hourly_rate_limit=2)
    service.start_job("a", "j0", model="m").complete()
    clock.advance(1800)
    service.start_job("a", "j1", model="m")
    for _ in range(3):
        refused = refusal_of(lambda: service.start_job("a", "j2", model="m"))
    assert (refused.message, refused.retryable) == ("hourly rate limit exceeded for: m", True)
    assert 1800 <= refused.retry_after <= 1860
    clock.advance(1799)
    assert service.check("a", "m").reason == "hourly rate limit exceeded for: m"
    clock.advance(refused.retry_after - 1799)
    service.start_job("a", "j2", model="m")
    assert refusal_of(lambda: service.start_job("a", "j3", model="m")) is not None


def test_a_models_cost_has_a_ceiling_and_never_comes_back(service, clock):
    """Not from a failed job, not from a cancelled one, not the next day."""
    allow(service)
    quota(service, cost_ceiling_micros_usd=100)
    service.start_job("a", "j0", model="m").fail(10, 0, 60)
    service.start_job("a", "j1", model="m").cancel(10, 0, 39)
    job = service.start_job("a", "j2", model="m")
    job.complete(0, 0, 1)
    clock.advance(2 * DAY)
    assert service.check("a", "m").reason == "cost ceiling reached for: m"
    refused = refusal_of(lambda: service.start_job("a", "j3", model="m"))
    assert (refused.message, refused.retry_after) == ("cost ceiling reached for: m", None)
    quota(service, cost_ceiling_micros_usd=101)
    service.start_job("a", "j3", model="m")


def test_from_eighty_percent_on_a_check_warns(service):
    """Of the agent's tokens, of its jobs, of the model's tokens."""
    allow(service, daily_token_limit=10)
    service.start_job("a", "j0", estimated_tokens=7)
    assert service.check("a").status is AllowanceStatus.OK
    service.start_job("a", "j1", estimated_tokens=1)
    assert service.check("a") == QuotaCheckResult(True, "warning", 2, -1, "")
    allow(service, "b", daily_job_limit=5)
    for number in range(4):
        service.start_job("b", f"j{number}", model="m", estimated_tokens=20)
    assert service.check("b") == QuotaCheckResult(True, "warning", -1, 1, "")
    quota(service, daily_token_budget=100)
    allow(service, "c")
    assert service.check("c", "m").status == "warning"
    assert service.check("c").status == "ok"


def test_a_refusal_changes_nothing_anywhere(service):
    """Not the agent, not the model, not the job's id."""
    allow(service, daily_token_limit=10, daily_job_limit=9, concurrent_jobs=9)
    quota(service, daily_token_budget=5, hourly_rate_limit=1)
    for _ in range(3):
        assert refusal_of(lambda: service.start_job("a", "j", model="m", estimated_tokens=6)) is not None
    assert counts(service) == (0, 0, 0)
    service.start_job("a", "j", model="m", estimated_tokens=5)


def test_a_job_begins_once(service, clock):
    """Its id is remembered until the end of the day after its end; other agents have their own."""
    allow(service)
    allow(service, "b")
    service.start_job("a", "j")
    service.start_job("b", "j")
    with pytest.raises(ValueError, match="job_id"):
        service.start_job("a", "j")
    service.record_usage(report("job_completed"))
    for _ in range(2):
        with pytest.raises(ValueError, match="job_id"):
            service.start_job("a", "j")
        clock.advance(DAY - 1)
    assert counts(service, "b")[2] == 1
    clock.advance(2)
    service.start_job("a", "j")


@pytest.mark.parametrize("identifier", ODD_IDS.values(), ids=ODD_IDS)
def test_odd_but_lawful_ids_work_everywhere(service, identifier):
    """Agents, jobs, models and repositories; the refusal is valid JSON all the same."""
    allow(service, identifier, concurrent_jobs=1, model_allowlist=[identifier])
    quota(service, identifier, hourly_rate_limit=9)
    job = service.start_job(identifier, identifier, model=identifier, repo=identifier, estimated_tokens=3)
    assert (job.agent_id, job.job_id, job.model, job.repo) == (identifier,) * 4
    assert len(repr(job).splitlines()) == 1
    checked_message(refusal_of(lambda: service.start_job(identifier, "other", model=identifier)))
    checked_message(refusal_of(lambda: service.start_job(identifier, "other", model="x")))
    job.complete()
    assert service.get_usage(identifier).tokens_used == service.get_model_usage(identifier) == 3


def test_every_reason_is_the_documented_one_and_its_message_is_valid(service):
    """Reasons, word for word, in check and in start_job."""
    allow(service, "list", model_allowlist=["m"])
    allow(service, "tokens", daily_token_limit=1)
    allow(service, "jobs", daily_job_limit=1)
    allow(service, "slots", concurrent_jobs=1)
    allow(service, "a")
    quota(service, "budget", daily_token_budget=1)
    quota(service, "hour", hourly_rate_limit=1)
    quota(service, "cost", cost_ceiling_micros_usd=1)
    service.start_job("tokens", "j").complete(1)
    for agent in ("jobs", "slots"):
        service.start_job(agent, "j")
    for model in ("budget", "hour", "cost"):
        service.start_job("a", model, model=model).complete(1, 0, 1)
    reasons = {
        ("list", "x"): "model not in allowlist: x",
        ("tokens", ""): "daily token limit exceeded",
        ("jobs", ""): "daily job limit exceeded",
        ("slots", ""): "concurrent job limit reached",
        ("a", "budget"): "global model token budget exceeded for: budget",
        ("a", "hour"): "hourly rate limit exceeded for: hour",
        ("a", "cost"): "cost ceiling reached for: cost",
    }
    for (agent, model), reason in reasons.items():
        verdict = service.check(agent, model)
        assert (verdict.allowed, verdict.status, verdict.reason) == (False, "exceeded", reason)
        with pytest.raises(AllowanceExceeded) as refused:
            service.start_job(agent, "new", model=model)
        payload = checked_message(refused.value)
        assert (payload["error"], payload["message"]) == ("allowance_exceeded", reason)
        assert refused.value.agent_id == agent
        assert str(refused.value) == refused.value.to_llm_message()


def test_reset_agent_forgets_the_day_and_not_the_jobs_that_run(service):
    """Its tokens and its jobs; those that run keep their slots."""
    allow(service, daily_token_limit=10, daily_job_limit=2, concurrent_jobs=2)
    allow(service, "b", daily_token_limit=10)
    service.start_job("b", "j").complete(9)
    service.start_job("a", "j0").complete(10)
    job = service.start_job("b", "j1")
    service.reset_agent("a")
    service.reset_agent("nobody")
    assert counts(service) == (0, 0, 0)
    assert counts(service, "b") == (9, 2, 1)
    service.reset_agent("b")
    assert counts(service, "b")[2] == 1
    job.complete(4)
    assert counts(service, "b") == (4, 0, 0)
    service.start_job("a", "j1", estimated_tokens=10)


@pytest.mark.parametrize("kind", STORES)
def test_a_service_keeps_what_others_do_not_see(kind, clock):
    """Two services without a common store have nothing in common."""
    one, other = new_service(kind, clock), new_service(kind, clock)
    for each in (one, other):
        allow(each, concurrent_jobs=1)
        each.start_job("a", "j")
    assert HOUR * counts(one)[2] == HOUR
