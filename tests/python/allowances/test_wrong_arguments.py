"""Bad input at every entry point of the allowances: refused by name, and nothing changes."""

from __future__ import annotations

import uuid

import pytest
from allowance_support import allow, counts, report
from face_support import BAD_AMOUNTS, BAD_IDS, THREES

from outlay import AllowanceService, InvalidAmount, InvalidId, MemoryStore, ModelQuota, PolicyError

IDS = {
    "get_allowance": ("agent_id", lambda service, bad: service.get_allowance(bad)),
    "get_model_quota": ("model", lambda service, bad: service.get_model_quota(bad)),
    "get_usage": ("agent_id", lambda service, bad: service.get_usage(bad)),
    "get_model_usage": ("model", lambda service, bad: service.get_model_usage(bad)),
    "check": ("agent_id", lambda service, bad: service.check(bad)),
    "check model": ("model", lambda service, bad: service.check("a", bad)),
    "start_job": ("agent_id", lambda service, bad: service.start_job(bad, "new")),
    "start_job job": ("job_id", lambda service, bad: service.start_job("a", bad)),
    "start_job model": ("model", lambda service, bad: service.start_job("a", "new", model=bad)),
    "reset_agent": ("agent_id", lambda service, bad: service.reset_agent(bad)),
}
STORE_IDS = {
    "get_allowance": ("agent_id", lambda store, bad: store.get_allowance(bad)),
    "get_usage": ("agent_id", lambda store, bad: store.get_usage(bad)),
    "increment_usage": ("agent_id", lambda store, bad: store.increment_usage(bad, 1, 1)),
    "decrement_active_jobs": ("agent_id", lambda store, bad: store.decrement_active_jobs(bad)),
    "return_tokens": ("agent_id", lambda store, bad: store.return_tokens(bad, 1)),
    "reset_usage": ("agent_id", lambda store, bad: store.reset_usage(bad)),
    "get_model_quota": ("model", lambda store, bad: store.get_model_quota(bad)),
    "get_model_usage": ("model", lambda store, bad: store.get_model_usage(bad)),
    "increment_model_usage": ("model", lambda store, bad: store.increment_model_usage(bad, 1)),
}
OBJECTS = {
    "allowance": lambda service, bad: service.set_allowance(bad),
    "quota": lambda service, bad: service.set_model_quota(bad),
    "limit": lambda service, bad: service.set_repo_limit(bad),
    "report": lambda service, bad: service.record_usage(bad),
}


@pytest.fixture
def busy(service):
    """Return a service with something on its books."""
    allow(service, daily_token_limit=1000)
    service.start_job("a", "running", model="m", estimated_tokens=10)
    service.record_usage(report("job_completed", "ended", 5, model="m"))
    return service


def books(service):
    """Return all that can be read."""
    return counts(service), service.check("a", "m"), service.get_model_usage("m"), service.get_allowance("a")


@pytest.mark.parametrize("entry", IDS)
def test_a_bad_id_is_refused_by_name_and_changes_nothing(busy, entry):
    """1 to 1,024 bytes of UTF-8; a model may be empty where it is optional."""
    argument, call = IDS[entry]
    before = books(busy)
    for label, bad in BAD_IDS.items():
        if label == "empty" and entry in ("check model", "start_job model"):
            continue
        with pytest.raises(InvalidId, match=rf"^{argument} must ") as refused:
            pytest.fail(f"{label} was taken: {call(busy, bad)}")
        assert len(str(refused.value)) < 500
        assert books(busy) == before


def test_a_uuid_is_its_text(service):
    """Agents, jobs, models and repositories."""
    identifier = uuid.UUID(int=5)
    allow(service, identifier, model_allowlist=[identifier])
    job = service.start_job(identifier, identifier, model=identifier, repo=identifier)
    assert {job.agent_id, job.job_id, job.model, job.repo} == {str(identifier)}
    assert service.get_usage(str(identifier)).active_jobs == 1
    service.charge_repo(identifier, "pr")


def test_a_bad_estimate_is_refused_by_name_and_changes_nothing(busy):
    """And every whole number is taken."""
    before = books(busy)
    for label, bad in {**BAD_AMOUNTS, "None": None}.items():
        with pytest.raises(InvalidAmount, match=r"^estimated_tokens must be"):
            pytest.fail(f"{label} was taken: {busy.start_job('a', 'new', estimated_tokens=bad)}")
        assert books(busy) == before
    for number, three in enumerate(THREES):
        busy.start_job("a", f"new{number}", estimated_tokens=three)
    assert busy.check("a").remaining_tokens == 1000 - 5 - 10 - 3 * len(THREES)


@pytest.mark.parametrize("argument", OBJECTS)
def test_what_is_no_value_of_outlay_is_refused_by_name(busy, argument):
    """Dicts, texts, and values of another kind."""
    before = books(busy)
    for bad in (None, 5, "a", {"agent_id": "a"}, object()):
        with pytest.raises(PolicyError, match=rf"^{argument} must be a"):
            OBJECTS[argument](busy, bad)
    with pytest.raises(PolicyError):
        OBJECTS[argument](busy, busy.get_usage("a"))
    assert books(busy) == before


def test_a_bad_clock_is_refused_by_name():
    """As everywhere."""
    for bad in (5, "now", object()):
        for make in (AllowanceService, MemoryStore):
            with pytest.raises(PolicyError, match=r"^clock must be"):
                make(clock=bad)


@pytest.mark.parametrize("entry", STORE_IDS)
def test_a_memory_store_refuses_bad_ids_by_name(entry):
    """It may be filled by hand."""
    argument, call = STORE_IDS[entry]
    for label, bad in BAD_IDS.items():
        with pytest.raises(InvalidId, match=rf"^{argument} must "):
            pytest.fail(f"{label} was taken: {call(MemoryStore(), bad)}")


def test_a_memory_store_refuses_bad_amounts_and_values_by_name():
    """Nothing is counted then."""
    store = MemoryStore()
    calls = {
        "tokens": [
            lambda bad: store.increment_usage("a", bad, 0),
            lambda bad: store.return_tokens("a", bad),
            lambda bad: store.increment_model_usage("m", bad),
        ],
        "jobs": [lambda bad: store.increment_usage("a", 1, bad)],
    }
    for argument, each in calls.items():
        for call in each:
            for bad in BAD_AMOUNTS.values():
                with pytest.raises(InvalidAmount, match=rf"^{argument} must be"):
                    call(bad)
    with pytest.raises(PolicyError, match=r"^allowance must be"):
        store.set_allowance({"agent_id": "a"})
    with pytest.raises(PolicyError, match=r"^quota must be"):
        store.set_model_quota("m")
    assert (store.get_usage("a").tokens_used, store.get_model_usage("m")) == (0, 0)
    store.set_model_quota(ModelQuota(model="m"))
