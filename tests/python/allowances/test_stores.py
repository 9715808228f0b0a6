"""AllowanceService on stores: what is written, what is shared, what happens when a store fails."""

from __future__ import annotations

import datetime as dt
import gc
import weakref

import pytest
from allowance_support import METHODS, OwnStore, allow, counts, report
from face_support import DAY, MAX, refusal_of

from outlay import (
    AgentAllowance,
    AllowanceExceeded,
    AllowanceService,
    AllowanceStore,
    InvalidAmount,
    MemoryStore,
    ModelQuota,
    NotConfigured,
    PolicyError,
    UsageRecord,
    UsageReport,
)
from outlay._allowances import store_state as _store_state


def test_the_protocol_has_ten_methods():
    """The names of the protocol; a store in memory and a user's own follow it."""
    assert sorted(name for name in vars(AllowanceStore) if name[0] != "_") == sorted(METHODS)
    for store in (MemoryStore(), OwnStore()):
        assert isinstance(store, AllowanceStore)
    assert not isinstance(5, AllowanceStore)


@pytest.mark.parametrize("missing", METHODS)
def test_a_store_that_lacks_a_method_is_refused_by_its_name(missing):
    """At once, not at midnight."""
    methods = {name: lambda self, *arguments: None for name in METHODS if name != missing}
    with pytest.raises(PolicyError, match=rf"^store must be an AllowanceStore; a Store has no {missing}$"):
        AllowanceService(type("Store", (), methods)())
    for bad in (5, {}):
        with pytest.raises(PolicyError, match=r"^store must be an AllowanceStore"):
            AllowanceService(bad)
    with pytest.raises(PolicyError, match=r'^store must begin with sqlite://, not "redis"'):
        AllowanceService("redis://")


def test_what_a_start_and_its_ends_write(watched, store):
    """What is charged comes before what is given back."""
    started = ("increment_usage", "a", 0, 1)
    freed = ("decrement_active_jobs", "a")
    ends = {
        "complete": [("increment_usage", "a", 9, 0), freed, ("increment_model_usage", "m", 9)],
        "fail": [
            ("increment_usage", "a", 9, 0),
            freed,
            ("return_tokens", "a", 4),
            ("increment_model_usage", "m", 5),
        ],
        "cancel": [("increment_usage", "a", 9, 0), freed, ("return_tokens", "a", 9)],
    }
    for end, expected in ends.items():
        job = watched.start_job("a", f"job to {end}", model="m", estimated_tokens=50)
        assert store.written() == [started]
        getattr(job, end)(4, 5)
        getattr(job, end)(4, 5)
        assert store.written() == expected
    watched.record_usage(report("job_cancelled", "unknown"))
    watched.record_usage(report("job_completed", "other", 3))
    assert store.written() == [("increment_usage", "a", 3, 0)]
    watched.record_usage(report("job_started", "other", 3))
    assert store.written() == [started, freed]


def test_reads_write_nothing(watched, store):
    """Nor does a refusal."""
    allow(watched, daily_token_limit=5)
    store.written()
    for _ in range(2):
        watched.check("a", "m", "r")
        watched.get_usage("a")
        watched.get_usage("nobody")
        watched.get_model_usage("m")
        assert refusal_of(lambda: watched.start_job("a", "j", estimated_tokens=6)) is not None
        assert refusal_of(lambda: watched.check("nobody")) is not None
    assert store.written() == []


def test_the_store_is_the_truth(clock):
    """What others write there counts: usage, allowances, quotas, jobs that run elsewhere."""
    store = MemoryStore(clock=clock)
    service = AllowanceService(store, clock=clock)
    store.set_allowance(
        AgentAllowance(agent_id="a", daily_token_limit=100, daily_job_limit=9, concurrent_jobs=3)
    )
    store.set_model_quota(ModelQuota(model="m", daily_token_budget=50))
    assert service.get_model_quota("m").daily_token_budget == 50
    store.increment_usage("a", 40, 2)
    store.increment_model_usage("m", 30)
    assert (counts(service), service.get_model_usage("m")) == ((40, 2, 2), 30)
    job = service.start_job("a", "j", model="m", estimated_tokens=20)
    assert service.check("a", "m").reason == "concurrent job limit reached"
    store.decrement_active_jobs("a")
    assert refusal_of(lambda: service.start_job("a", "k", model="m")).message.startswith("global model")
    store.return_tokens("a", 40)
    job.complete(1)
    assert counts(service) == (1, 3, 1)
    assert store.get_usage("a") == UsageRecord("a", 1, 3, 1, dt.datetime(1970, 1, 1))


def test_an_allowance_that_the_store_forgets_is_none(clock):
    """Fail closed; jobs that run still end."""
    store = OwnStore()
    service = AllowanceService(store, clock=clock)
    allow(service)
    job = service.start_job("a", "j")
    del store.allowances["a"]
    assert service.get_allowance("a") is None
    for call in (lambda: service.check("a"), lambda: service.start_job("a", "k")):
        with pytest.raises(NotConfigured):
            call()
    assert job.complete(5)
    assert counts(service) == (5, 1, 0)


def test_a_quota_is_kept_where_the_store_can_and_else_by_the_service(clock):
    """`set_model_quota` is no method of the protocol."""
    kept = ModelQuota(model="m", hourly_rate_limit=1)
    store = MemoryStore(clock=clock)
    AllowanceService(store, clock=clock).set_model_quota(kept)
    assert store.get_model_quota("m") == kept
    service, other = (AllowanceService(OwnStore(), clock=clock) for _ in range(2))
    service.set_model_quota(kept)
    assert (service.get_model_quota("m"), other.get_model_quota("m")) == (kept, None)
    allow(service)
    service.start_job("a", "j", model="m")
    assert not service.check("a", "m").allowed


def test_two_services_share_a_store_over_midnight(clock):
    """The second one does not begin the day a second time, nor count yesterday's tokens of the model."""
    for store in (MemoryStore(clock=clock), MemoryStore(), OwnStore()):
        one, other = (AllowanceService(store, clock=clock) for _ in range(2))
        for number, service in enumerate((one, other)):
            allow(service)
            service.record_usage(report("job_completed", f"j{number}", 10, model="m"))
        clock.advance(DAY)
        one.record_usage(report("job_completed", "k", 7, model="m"))
        for service in (other, one, other):
            assert (counts(service), service.get_model_usage("m")) == ((7, 0, 0), 7)


def test_a_service_that_is_made_anew_goes_on_with_the_store(clock):
    """As after a restart: what the store says is of today, unless its record says otherwise."""
    store = MemoryStore(clock=clock)
    for number in range(3):
        service = AllowanceService(store, clock=clock)
        allow(service, daily_token_limit=30)
        service.record_usage(report("job_completed", f"j{number}", 10, model="m"))
        assert (counts(service)[0], service.get_model_usage("m")) == (10 * number + 10,) * 2
        del service
    clock.advance(DAY)
    service = AllowanceService(store, clock=clock)
    assert (counts(service), service.get_model_usage("m")) == ((0, 0, 0), 0)


def test_a_store_that_begins_the_days_of_models_itself_is_believed(clock):
    """What it says is less than the day before: all of it is of today."""
    store = OwnStore()
    service = AllowanceService(store, clock=clock)
    service.record_usage(report("job_completed", tokens_in=10, model="m"))
    clock.advance(DAY)
    assert service.get_model_usage("m") == 0
    store.models["m"] = 4
    assert service.get_model_usage("m") == 4


@pytest.mark.parametrize("start", [dt.datetime(2026, 5, 4, 23, 59), dt.datetime(2026, 5, 1, tzinfo=dt.UTC)])
def test_a_record_of_a_former_day_is_begun_anew_once(store, clock, start):
    """Naive or aware; also where its reset forgets to say the new day."""
    clock.set_time(dt.datetime(2026, 5, 5))
    record = UsageRecord("a", 90, 9, 0, start)
    store.store.get_usage = lambda agent: record
    service = AllowanceService(store, clock=clock)
    for _ in range(3):
        service.get_usage("a")
    assert store.written() == [("reset_usage", "a")]


def test_counts_that_no_store_should_have_are_cut(clock):
    """Below zero, and above 64 bits."""
    store = OwnStore()
    service = AllowanceService(store, clock=clock)
    allow(service, daily_token_limit=10, concurrent_jobs=1)
    store.increment_usage("a", -5, -5)
    store.models["m"] = -1
    assert (counts(service), service.get_model_usage("m")) == ((0, 0, 0), 0)
    assert service.check("a", "m").allowed
    store.increment_usage("a", 2**70, 0)
    store.models["m"] = 2**70
    assert (counts(service)[0], service.get_model_usage("m")) == (MAX, MAX)
    assert not service.check("a").allowed


def test_a_memory_store_counts_and_never_falls_below_zero():
    """By itself, without a service."""
    store = MemoryStore()
    assert (store.get_usage("a").tokens_used, store.get_model_usage("m")) == (0, 0)
    assert store.get_usage("a").period_start.hour == 0
    for getter in (store.get_allowance, store.get_model_quota):
        with pytest.raises(KeyError):
            getter("a")
    for change in (
        store.decrement_active_jobs,
        store.reset_usage,
        lambda agent: store.return_tokens(agent, 5),
    ):
        change("a")
    store.increment_usage("a", MAX, 2)
    store.increment_usage("a", 5, 1)
    store.increment_model_usage("m", MAX)
    store.increment_model_usage("m", 1)
    store.decrement_active_jobs("a")
    record = store.get_usage("a")
    assert (record.tokens_used, record.jobs_started, record.active_jobs) == (MAX, 3, 2)
    assert store.get_model_usage("m") == MAX
    store.return_tokens("a", 6)
    assert store.get_usage("a").tokens_used == MAX - 6
    store.reset_usage("a")
    record = store.get_usage("a")
    assert (record.tokens_used, record.jobs_started, record.active_jobs) == (0, 0, 2)
    for bad in (-1, 1.0, True):
        with pytest.raises(InvalidAmount, match=r"^tokens"):
            store.increment_usage("a", bad, 0)


def test_what_is_known_of_a_store_goes_with_it():
    """And no sooner: a service for each request begins no new day of a model."""
    store = MemoryStore()
    state = _store_state.state_of(store)
    assert _store_state.state_of(store) is state
    assert _store_state.state_of(MemoryStore()) is not state
    key, gone = id(store), weakref.ref(state)
    del store, state
    gc.collect()
    assert gone() is None
    assert key not in _store_state._lasting
    own = OwnStore()
    state = _store_state.state_of(own)
    assert _store_state.state_of(own) is state
    assert _store_state.state_of(OwnStore()) is not state
    gone = weakref.ref(state)
    del own, state
    gc.collect()
    assert gone() is None


def test_what_one_service_holds_the_others_on_its_store_see(clock):
    """Held tokens and the ids of jobs: a job that two of them are told of is one job."""
    store = MemoryStore(clock=clock)
    one, other = (AllowanceService(store, clock=clock) for _ in range(2))
    one.set_allowance(AgentAllowance(agent_id="a", daily_token_limit=100))
    one.start_job("a", "j", estimated_tokens=100)
    with pytest.raises(AllowanceExceeded, match="daily token limit exceeded"):
        other.start_job("a", "k", estimated_tokens=1)
    ended = UsageReport(agent_id="a", job_id="j", event="job_completed", tokens_in=60)
    assert [service.record_usage(ended) for service in (other, one)] == [True, False]
    assert other.get_usage("a").tokens_used == 60


def test_a_dated_name_counts_for_the_quota_of_its_model_in_a_users_store(clock):
    """The store is told the name that has the quota."""
    store = OwnStore()
    service = AllowanceService(store, clock=clock)
    service.set_allowance(AgentAllowance(agent_id="a", model_allowlist=["m-2024-08-06", "m"]))
    service.set_model_quota(ModelQuota(model="m", daily_token_budget=10))
    service.start_job("a", "j", model="openai/m-2024-08-06").complete(10, 0)
    assert store.get_model_usage("m") == service.get_model_usage("m-latest") == 10
    assert "token budget exceeded for: m" in service.check("a", "m-2024-08-06").reason
    assert service.check("a", "").allowed
