"""The exceptions: their family, their attributes, their JSON; they pickle and copy."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from face_support import DAY, HOUR, MAX, ODD_IDS, budget_limit, checked_message

import outlay
from outlay import (
    AgentTokenBudget,
    BudgetManager,
    Denial,
    ManualClock,
    RequestBudget,
    SharedPool,
    UsageEstimate,
    WorkflowQuota,
)

FAMILY = {
    "OutlayError": (RuntimeError,),
    "LimitExceeded": (outlay.OutlayError,),
    "BudgetExceeded": (outlay.LimitExceeded,),
    "RequestBudgetExceeded": (outlay.BudgetExceeded,),
    "ThresholdExceeded": (outlay.BudgetExceeded,),
    "QuotaExceeded": (outlay.LimitExceeded,),
    "WorkflowLimitExceeded": (outlay.QuotaExceeded,),
    "StepLimitExceeded": (outlay.QuotaExceeded,),
    "RateLimitExceeded": (outlay.LimitExceeded,),
    "AllowanceExceeded": (outlay.LimitExceeded,),
    "NotConfigured": (outlay.LimitExceeded, KeyError),
    "WaitTimeout": (outlay.LimitExceeded, TimeoutError),
    "LeaseError": (outlay.OutlayError,),
    "LeaseExpired": (outlay.LeaseError,),
    "LeaseFinalized": (outlay.LeaseError,),
    "UnknownLease": (outlay.LeaseError,),
    "InvalidAmount": (outlay.OutlayError, ValueError),
    "InvalidId": (outlay.OutlayError, ValueError),
    "PolicyError": (outlay.OutlayError, ValueError),
    "StoreError": (outlay.OutlayError,),
    "StoreUnavailable": (outlay.StoreError,),
    "StoreCorrupt": (outlay.StoreError,),
    "Indeterminate": (outlay.StoreError,),
    "ForkedLedger": (outlay.OutlayError,),
}
REFUSALS = [name for name in FAMILY if issubclass(getattr(outlay, name), outlay.LimitExceeded)]


def refusal(call, *arguments, **keywords):
    """Return the refusal that a call raises."""
    with pytest.raises(outlay.LimitExceeded) as caught:
        call(*arguments, **keywords)
    return caught.value


def token_refusal(identifier="a-1"):
    """Return a refusal of an agent's token budget of an hour."""
    budget = AgentTokenBudget.hourly(identifier, 1000, clock=ManualClock())
    budget.consume("query", 950)
    return refusal(budget.consume, "query", 100)


def manager_refusal(identifier="a-1"):
    """Return a refusal of a manager's agent."""
    manager = BudgetManager(clock=ManualClock())
    manager.set_budget(budget_limit(identifier, 10, 1, 60))
    lease = manager.agent(identifier).reserve(4)
    assert lease.state == "open"
    return refusal(manager.agent(identifier).reserve, 4)


def unknown_refusal(identifier="a-1"):
    """Return a refusal of an agent without a budget."""
    return refusal(BudgetManager().reserve, identifier, 7)


def workflow_refusal(identifier="a-1", period=HOUR):
    """Return a refusal of a workflow that may not begin."""
    return refusal(WorkflowQuota(0, 5, period, clock=ManualClock()).begin_workflow, identifier)


def step_refusal(identifier="a-1"):
    """Return a refusal of a step."""
    token = WorkflowQuota(1, 2, 60, clock=ManualClock()).begin_workflow(identifier)
    token.execute_step(2)
    return refusal(token.execute_step)


def allowance_refusal(identifier="a-1"):
    """Return a refusal of a job whose agent runs one already."""
    service = outlay.AllowanceService(clock=ManualClock())
    service.set_allowance(outlay.AgentAllowance(agent_id=identifier, concurrent_jobs=1))
    service.start_job(identifier, "j-1")
    return refusal(service.start_job, identifier, "j-2")


OF_IDS = [
    token_refusal,
    manager_refusal,
    unknown_refusal,
    workflow_refusal,
    step_refusal,
    allowance_refusal,
]


@pytest.mark.parametrize("name", FAMILY)
def test_every_exception_is_of_its_family(name):
    """The tree of exceptions, and the built-in ones that some are as well."""
    assert issubclass(getattr(outlay, name), FAMILY[name])
    assert name in outlay.__all__


@pytest.mark.parametrize("name", FAMILY)
def test_every_exception_can_be_raised_with_a_sentence_and_pickled(name):
    """Users raise them in their own budgets and tests."""
    error = getattr(outlay, name)('it "broke"\n')
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args, str(again)) == (type(error), error.args, str(error))


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_raised_by_hand_has_a_valid_message(name):
    """The sentence is the message; all numbers are zero."""
    error = getattr(outlay, name)('no "room"')
    assert checked_message(error)["message"] == 'no "room"'
    bare = getattr(outlay, name)()
    assert checked_message(bare)["details"]["total"] == 0


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_by_hand_with_a_huge_reason_stays_below_a_kilobyte(name):
    """A sentence of a user is cut like an id."""
    checked_message(getattr(outlay, name)('"\0' * 100_000))


def test_a_token_refusal_is_the_documented_envelope():
    """The example of the documentation, number by number."""
    refused = token_refusal()
    assert checked_message(refused) == {
        "error": "budget_exceeded",
        "type": "token",
        "message": "Token budget exceeded",
        "details": {
            "agent_id": "a-1",
            "requested": 100,
            "remaining": 50,
            "total": 1000,
            "used": 950,
            "reserved": 0,
            "resets_in_seconds": 3600,
            "unit": "tokens",
        },
        "suggestion": "Wait for budget reset or request a higher allocation",
        "retryable": False,
        "retry_after_seconds": 3600,
    }
    assert (refused.agent_id, refused.total, refused.resets_in) == ("a-1", 1000, 3600.0)
    assert refused.scope == {"agent_id": "a-1"}
    assert type(refused) is outlay.BudgetExceeded


def test_the_kinds_of_a_managers_refusals():
    """Tokens are named before calls; an unknown agent is not configured."""
    refused = manager_refusal()
    assert (type(refused), refused.kind, refused.reserved) == (outlay.BudgetExceeded, "call", 1)
    unknown = unknown_refusal()
    assert (type(unknown), unknown.kind) == (outlay.NotConfigured, "not_configured")
    assert checked_message(unknown)["message"] == "No budget configured for agent a-1"
    assert unknown.agent_id == "a-1"
    assert unknown.retry_after is None


def test_a_not_configured_agent_is_a_key_error_whose_text_is_json():
    """KeyError would print a repr; ours stays the JSON."""
    with pytest.raises(KeyError) as caught:
        BudgetManager().track_call("nobody")
    checked_message(caught.value)


@pytest.mark.parametrize(
    ("period", "name"), [(HOUR, "hourly_limit"), (60, "workflow_limit"), (DAY, "workflow_limit")]
)
def test_only_a_workflow_limit_of_an_hour_is_called_hourly(period, name):
    """The JSON says hourly_limit; the attribute `kind` is workflow_limit always."""
    refused = workflow_refusal(period=period)
    assert type(refused) is outlay.WorkflowLimitExceeded
    assert checked_message(refused)["type"] == name
    assert (refused.kind, refused.workflow_id, refused.current) == ("workflow_limit", "a-1", 0)


def test_a_step_refusal_says_how_many_steps_were_taken():
    """Steps_executed, max_steps, workflow_id, current."""
    refused = step_refusal()
    assert type(refused) is outlay.StepLimitExceeded
    assert (refused.workflow_id, refused.steps_executed, refused.max_steps, refused.current) == (
        "a-1",
        2,
        2,
        2,
    )
    details = checked_message(refused)["details"]
    assert (details["steps_executed"], details["max_steps"], details["unit"]) == (2, 2, "steps")
    assert refused.resets_in is None
    assert refused.retry_after is None


@pytest.mark.parametrize(
    ("estimate", "cap", "kind", "expected"),
    [
        (60, None, "token", outlay.ThresholdExceeded),
        (UsageEstimate(total_tokens=1, cost_micros_usd=51), None, "cost", outlay.ThresholdExceeded),
        (11, RequestBudget.from_tokens(10), "token", outlay.RequestBudgetExceeded),
        (
            UsageEstimate(cost_micros_usd=8),
            RequestBudget.from_cost_micros_usd(7),
            "cost",
            outlay.RequestBudgetExceeded,
        ),
    ],
)
def test_the_refusals_of_a_pool(estimate, cap, kind, expected):
    """The request's own cap, or the pool's stop threshold; both are BudgetExceeded."""
    pool = SharedPool(
        capacity_tokens=100,
        capacity_cost_micros_usd=100,
        stop_threshold_tokens=50,
        stop_threshold_cost_micros_usd=50,
    )
    refused = refusal(pool.reserve, estimate, cap)
    assert (type(refused), refused.kind) == (expected, kind)
    assert isinstance(refused, outlay.BudgetExceeded)
    payload = checked_message(refused)
    assert payload["details"]["unit"] == {"token": "tokens", "cost": "micro_usd"}[kind]
    assert refused.remaining == (50 if cap is None else {"token": 10, "cost": 7}[kind])
    assert refused.agent_id is None


@pytest.mark.parametrize("make", OF_IDS)
@pytest.mark.parametrize("identifier", ODD_IDS.values(), ids=ODD_IDS)
def test_a_quote_in_an_id_does_not_break_the_json(make, identifier):
    """Nor does anything else that is lawful in an id; the attribute has all of it."""
    refused = make(identifier)
    details = checked_message(refused)["details"]
    name = "workflow_id" if isinstance(refused, outlay.QuotaExceeded) else "agent_id"
    assert getattr(refused, name) == identifier
    assert refused.scope[name] == identifier
    if len(json.dumps(identifier)) < 150:
        assert details[name] == identifier
    else:
        assert details[name].endswith("…")
        assert identifier.startswith(details[name][:-1])


@pytest.mark.parametrize("make", OF_IDS)
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_refusal_pickles_and_copies(make, again):
    """All of it: type, numbers, text."""
    refused = make('odd "id"\n')
    twin = again(refused)
    assert type(twin) is type(refused)
    assert twin.payload == refused.payload
    for name in (
        "limit",
        "used",
        "reserved",
        "requested",
        "remaining",
        "retry_after",
        "scope",
        "kind",
        "message",
    ):
        assert getattr(twin, name) == getattr(refused, name)
    assert twin.args == refused.args


def test_a_pickled_refusal_does_not_say_an_earlier_time():
    """With the real clock the wait has nanoseconds; a copy must not ask to come back too early."""
    clock = ManualClock()
    budget = AgentTokenBudget.hourly("a", 10, clock=clock)
    clock.advance(1.000000123)
    budget.consume("query", 8)
    refused = refusal(budget.consume, "query", 5)
    again = pickle.loads(pickle.dumps(refused))
    assert again.retry_after == refused.retry_after
    assert again.args == refused.args


def test_the_largest_numbers_are_exact_in_the_json():
    """2**64 - 1 is not rounded to a float."""
    budget = AgentTokenBudget("a", MAX, 60)
    budget.consume("x", MAX - 1)
    refused = refusal(budget.consume, "x", MAX)
    assert (refused.limit, refused.used, refused.requested, refused.remaining) == (MAX, MAX - 1, MAX, 1)
    checked_message(refused)


def test_a_refusal_that_waiting_never_helps_has_no_retry_after():
    """More than the whole limit will not fit in any window."""
    assert refusal(AgentTokenBudget("a", 10, 60).consume, "x", 11).retry_after is None
    assert refusal(AgentTokenBudget("a", 0, 60).consume, "x", 1).retry_after is None


def test_a_refusal_keeps_the_numbers_of_its_moment():
    """The text is made late; the numbers are those of the decision."""
    budget = AgentTokenBudget("a", 10, 60)
    budget.consume("x", 4)
    refused = refusal(budget.consume, "x", 7)
    budget.reset()
    assert (refused.used, refused.remaining) == (4, 6)
    assert checked_message(refused)["details"]["used"] == 4


def test_the_schema_is_a_schema():
    """It is a dict, and itself valid."""
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(outlay.LLM_MESSAGE_SCHEMA)


def test_denials_compare_by_value():
    """Two refusals of the same numbers are equal."""
    assert Denial("budget_exceeded", "token", limit=3) == Denial("budget_exceeded", "token", limit=3)
    assert Denial("budget_exceeded", "token", limit=3) != Denial("budget_exceeded", "token", limit=4)
    with pytest.raises(outlay.PolicyError):
        Denial("none", "token")
