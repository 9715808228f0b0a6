"""Bad input at every entry point: a typed error that names the argument, and no change of state."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
from face_support import BAD_AMOUNTS, BAD_IDS, BAD_PERIODS, MAX, ODD_IDS, THREES, budget_limit

import outlay
from outlay import (
    AgentTokenBudget,
    BudgetManager,
    InvalidAmount,
    InvalidId,
    OutlayError,
    PolicyError,
    SharedPool,
    WorkflowQuota,
)


class Rig:
    """One of every face, each with something on its books."""

    def __init__(self):
        self.budget = AgentTokenBudget("a", 1000, 60)
        self.budget.consume("query", 10)
        self.quota = WorkflowQuota(10, 100, 60)
        self.token = self.quota.begin_workflow("w")
        self.token.execute_step(2)
        self.manager = BudgetManager()
        self.manager.set_budget(budget_limit("a", 1000, 100, 60))
        self.agent = self.manager.agent("a")
        self.agent.charge(10)
        self.pool = SharedPool(capacity_tokens=1000, capacity_cost_micros_usd=1000)
        self.lease = self.pool.reserve(10)

    def books(self):
        """Return all that can be read."""
        full = self.manager.full_info("a")
        return (
            (self.budget.used(), self.budget.reserved(), self.budget.operation_costs),
            (self.quota.period_count(), self.quota.active_count(), self.token.steps_executed()),
            (full.tokens_used, full.calls_used, full.token_limit, len(self.manager.all_full_info())),
            (self.pool.committed(), self.pool.reserved(), len(self.pool.open_leases())),
            (self.lease.state, self.lease.expires_in() > 0),
        )


@pytest.fixture
def rig():
    """Return one of every face."""
    return Rig()


AMOUNTS = {
    "AgentTokenBudget": ("total_tokens", lambda rig, n: AgentTokenBudget("a", n, 60)),
    "AgentTokenBudget.daily": ("total_tokens", lambda rig, n: AgentTokenBudget.daily("a", n)),
    "AgentTokenBudget.hourly": ("total_tokens", lambda rig, n: AgentTokenBudget.hourly("a", n)),
    "operation_costs": (
        "operation_costs",
        lambda rig, n: AgentTokenBudget("a", 1, 60, operation_costs={"x": n}),
    ),
    "consume": ("estimated_tokens", lambda rig, n: rig.budget.consume("query", n)),
    "try_consume": ("estimated_tokens", lambda rig, n: rig.budget.try_consume("query", n)),
    "check": ("estimated_tokens", lambda rig, n: rig.budget.check("query", n)),
    "budget.reserve": ("estimated_tokens", lambda rig, n: rig.budget.reserve("query", n).release()),
    "add_operation_cost": ("cost", lambda rig, n: rig.budget.add_operation_cost("query", n)),
    "WorkflowQuota workflows": ("max_workflows", lambda rig, n: WorkflowQuota(n, 1, 60)),
    "WorkflowQuota steps": ("max_steps", lambda rig, n: WorkflowQuota(1, n, 60)),
    "WorkflowQuota.hourly": ("max_workflows", lambda rig, n: WorkflowQuota.hourly(n, 1)),
    "WorkflowQuota.hourly steps": ("max_steps", lambda rig, n: WorkflowQuota.hourly(1, n)),
    "execute_step": ("n", lambda rig, n: rig.token.execute_step(n)),
    "BudgetLimit tokens": ("token_budget", lambda rig, n: budget_limit("a", n)),
    "BudgetLimit calls": ("calls_budget", lambda rig, n: budget_limit("a", 1, n)),
    "manager.reserve": ("tokens", lambda rig, n: rig.manager.reserve("a", n)),
    "manager.release": ("tokens", lambda rig, n: rig.manager.release("a", n)),
    "agent.reserve": ("tokens", lambda rig, n: rig.agent.reserve(n).release()),
    "agent.charge": ("tokens", lambda rig, n: rig.agent.charge(n)),
    "agent.charge calls": ("calls", lambda rig, n: rig.agent.charge(1, n)),
    "SharedPool tokens": ("capacity_tokens", lambda rig, n: SharedPool(capacity_tokens=n)),
    "SharedPool cost": ("capacity_cost_micros_usd", lambda rig, n: SharedPool(capacity_cost_micros_usd=n)),
    "SharedPool stop": (
        "stop_threshold_tokens",
        lambda rig, n: SharedPool(capacity_tokens=MAX, stop_threshold_tokens=n),
    ),
    "SharedPool stop cost": (
        "stop_threshold_cost_micros_usd",
        lambda rig, n: SharedPool(capacity_cost_micros_usd=MAX, stop_threshold_cost_micros_usd=n),
    ),
    "pool.reserve": ("estimate", lambda rig, n: rig.pool.reserve(n).release()),
    "pool.record_used": ("usage", lambda rig, n: rig.pool.record_used(rig.lease, n)),
    "lease.commit": ("usage", lambda rig, n: rig.lease.commit(n)),
}
#: Where None has a meaning of its own: no limit, the default, the estimate.
NONE_MEANS = {
    "execute_step",
    "agent.charge calls",
    "lease.commit",
    "BudgetLimit tokens",
    "BudgetLimit calls",
    "SharedPool tokens",
    "SharedPool cost",
    "SharedPool stop",
    "SharedPool stop cost",
}


@pytest.mark.parametrize("entry", AMOUNTS)
def test_a_bad_amount_is_refused_by_name_and_changes_nothing(rig, entry):
    """Negative, NaN, infinite, fractional, bool and huge numbers, and what is no number."""
    argument, call = AMOUNTS[entry]
    before = rig.books()
    bad_amounts = BAD_AMOUNTS if entry in NONE_MEANS else {**BAD_AMOUNTS, "None": None}
    for label, bad in bad_amounts.items():
        with pytest.raises(InvalidAmount) as caught:
            pytest.fail(f"{label} was taken: {call(rig, bad)}")
        assert str(caught.value).startswith(argument), label
        assert isinstance(caught.value, ValueError)
        assert rig.books() == before, label


@pytest.mark.parametrize("entry", AMOUNTS)
def test_numpy_integers_are_integers(rig, entry):
    """Of any width, signed or not."""
    for three in THREES:
        if entry in ("pool.record_used", "lease.commit"):
            rig.lease = rig.pool.reserve(10)
        AMOUNTS[entry][1](rig, three)


IDS = {
    "AgentTokenBudget": ("agent_id", lambda rig, i: AgentTokenBudget(i, 1, 60)),
    "AgentTokenBudget.daily": ("agent_id", lambda rig, i: AgentTokenBudget.daily(i, 1)),
    "AgentTokenBudget.hourly": ("agent_id", lambda rig, i: AgentTokenBudget.hourly(i, 1)),
    "BudgetLimit": ("agent_id", lambda rig, i: budget_limit(i)),
    "begin_workflow": ("workflow_id", lambda rig, i: rig.quota.begin_workflow(i)),
    "begin_workflow resume": ("workflow_id", lambda rig, i: rig.quota.begin_workflow(i, resume=True)),
}
LOOK_UPS = {
    "end_workflow": ("workflow_id", lambda rig, i: rig.quota.end_workflow(i)),
    "get": ("workflow_id", lambda rig, i: rig.quota.get(i)),
    "remove_budget": ("agent_id", lambda rig, i: rig.manager.remove_budget(i)),
    "manager.reserve": ("agent_id", lambda rig, i: rig.manager.reserve(i, 1)),
    "manager.release": ("agent_id", lambda rig, i: rig.manager.release(i, 1)),
    "track_call": ("agent_id", lambda rig, i: rig.manager.track_call(i)),
    "remaining": ("agent_id", lambda rig, i: rig.manager.remaining(i)),
    "can_schedule": ("agent_id", lambda rig, i: rig.manager.can_schedule(i)),
    "reset_window": ("agent_id", lambda rig, i: rig.manager.reset_window(i)),
    "full_info": ("agent_id", lambda rig, i: rig.manager.full_info(i)),
    "agent": ("agent_id", lambda rig, i: rig.manager.agent(i)),
}
OPERATIONS = {
    "consume": lambda rig, name: rig.budget.consume(name, 1),
    "try_consume": lambda rig, name: rig.budget.try_consume(name, 1),
    "check": lambda rig, name: rig.budget.check(name, 1),
    "reserve": lambda rig, name: rig.budget.reserve(name, 1),
    "add_operation_cost": lambda rig, name: rig.budget.add_operation_cost(name, 1),
}
OF_BAD_LENGTH = {"empty", "1025 bytes", "1025 bytes of two", "1 MB"}


def assert_bad_id(rig, argument, call, label):
    """One bad id is refused by name and changes nothing."""
    before = rig.books()
    with pytest.raises(InvalidId) as caught:
        pytest.fail(f"{label} was taken: {call(rig, BAD_IDS[label])}")
    assert str(caught.value).startswith(argument)
    assert len(str(caught.value)) < 500
    assert rig.books() == before


@pytest.mark.parametrize("label", BAD_IDS)
@pytest.mark.parametrize("entry", IDS)
def test_a_bad_id_is_refused_by_name_where_it_is_new(rig, entry, label):
    """1 to 1,024 bytes of UTF-8: no empty text, no lone surrogates, no other types."""
    assert_bad_id(rig, *IDS[entry], label)


@pytest.mark.parametrize("label", BAD_IDS.keys() - OF_BAD_LENGTH)
@pytest.mark.parametrize("entry", LOOK_UPS)
def test_a_bad_id_is_refused_by_name_where_it_is_looked_up(rig, entry, label):
    """What is no text is no id."""
    assert_bad_id(rig, *LOOK_UPS[entry], label)


@pytest.mark.parametrize("label", sorted(OF_BAD_LENGTH))
@pytest.mark.parametrize("entry", LOOK_UPS)
def test_an_id_of_bad_length_is_refused_by_name_where_it_is_looked_up(rig, entry, label):
    """The same rule everywhere: empty and longer ids are refused."""
    assert_bad_id(rig, *LOOK_UPS[entry], label)


@pytest.mark.parametrize("entry", OPERATIONS)
def test_an_operation_that_is_no_text_is_refused_by_name(rig, entry):
    """Operations are names."""
    before = rig.books()
    for label in BAD_IDS.keys() - OF_BAD_LENGTH:
        with pytest.raises(InvalidId, match=r"^operation"):
            OPERATIONS[entry](rig, BAD_IDS[label])
    assert rig.books() == before
    with pytest.raises(InvalidId, match=r"^operation"):
        AgentTokenBudget("a", 1, 60, operation_costs={5: 1})


@pytest.mark.parametrize("label", sorted(OF_BAD_LENGTH))
@pytest.mark.parametrize("entry", OPERATIONS)
def test_an_operation_of_bad_length_is_refused_by_name(rig, entry, label):
    """A 1 MB name would be kept for as long as the budget lives."""
    assert_bad_id(rig, "operation", OPERATIONS[entry], label)


@pytest.mark.parametrize("identifier", ODD_IDS.values(), ids=ODD_IDS)
def test_odd_but_lawful_ids_work_everywhere(rig, identifier):
    """Quotes, braces, newlines, NUL, right-to-left, emoji; and each is a name of its own."""
    budget = AgentTokenBudget(identifier, 10, 60)
    assert budget.agent_id == identifier
    rig.manager.set_budget(budget_limit(identifier, 5, 2))
    rig.manager.reserve(identifier, 3)
    rig.manager.track_call(identifier)
    assert rig.manager.agent(identifier).agent_id == identifier
    assert rig.manager.full_info(identifier).tokens_used == 3
    assert rig.manager.full_info("a").tokens_used == 10
    token = rig.quota.begin_workflow(identifier)
    assert (token.id, rig.quota.get(identifier)) == (identifier, token)
    with pytest.raises(ValueError):
        rig.quota.begin_workflow(identifier)
    assert rig.quota.end_workflow(identifier)
    rig.budget.add_operation_cost(identifier[:100], 7)
    rig.budget.consume(identifier[:100], 1)
    assert rig.budget.used() == 17
    for face in (budget, token, rig.manager.agent(identifier)):
        assert len(repr(face).splitlines()) == 1
    assert rig.manager.remove_budget(identifier)


def test_a_uuid_is_its_text(rig):
    """Any str, or uuid.UUID."""
    identifier = uuid.UUID(int=5)
    rig.manager.set_budget(budget_limit(identifier))
    rig.manager.reserve(str(identifier), 1)
    rig.manager.reserve(identifier, 1)
    assert rig.manager.full_info(identifier).agent_id == str(identifier)
    assert AgentTokenBudget(identifier, 1, 60).agent_id == str(identifier)
    assert rig.quota.begin_workflow(identifier).id == str(identifier)


PERIODS = {
    "AgentTokenBudget": ("period", lambda rig, p: AgentTokenBudget("a", 1, p)),
    "WorkflowQuota": ("period", lambda rig, p: WorkflowQuota(1, 1, p)),
    "BudgetLimit": ("window_secs", lambda rig, p: budget_limit("a", 1, 1, p)),
    "SharedPool": ("lease_ttl", lambda rig, p: SharedPool(lease_ttl=p)),
    "BudgetManager": ("lease_ttl", lambda rig, p: BudgetManager(lease_ttl=p)),
    "AgentTokenBudget ttl": ("lease_ttl", lambda rig, p: AgentTokenBudget("a", 1, 60, lease_ttl=p)),
    "budget.reserve": ("ttl", lambda rig, p: rig.budget.reserve("x", 1, ttl=p)),
    "agent.reserve": ("ttl", lambda rig, p: rig.agent.reserve(1, ttl=p)),
    "pool.reserve": ("ttl", lambda rig, p: rig.pool.reserve(1, ttl=p)),
    "extend": ("ttl", lambda rig, p: rig.lease.extend(p)),
}


@pytest.mark.parametrize("entry", PERIODS)
def test_a_bad_period_is_refused_by_name_and_changes_nothing(rig, entry):
    """More than 0 and at most 100 years; None only where it has a meaning."""
    argument, call = PERIODS[entry]
    before = rig.books()
    for label, bad in BAD_PERIODS.items():
        if bad is None and entry not in ("AgentTokenBudget", "WorkflowQuota", "extend"):
            continue
        with pytest.raises(PolicyError) as caught:
            pytest.fail(f"{label} was taken: {call(rig, bad)}")
        assert str(caught.value).startswith(argument), label
        assert rig.books() == before, label


SETTINGS = {
    "warning_threshold": (
        lambda bad: AgentTokenBudget("a", 1, 60, warning_threshold=bad),
        [-0.1, 1.1, float("nan"), float("inf")],
    ),
    "on_warning": (lambda bad: AgentTokenBudget("a", 1, 60, on_warning=bad), [5, "print"]),
    "operation_costs": (lambda bad: AgentTokenBudget("a", 1, 60, operation_costs=bad), [5, [("x", 1)], "x"]),
    "unsettled": (lambda bad: SharedPool(unsettled=bad), ["", "Charge", "refund"]),
    "on_error": (lambda bad: BudgetManager(on_error=bad), ["", "raise"]),
    "limit": (lambda bad: BudgetManager().set_budget(bad), [None, 5, {"agent_id": "a"}]),
    "lease": (lambda bad: SharedPool().record_used(bad, 1), [None, 5, SharedPool()]),
    "request_budget": (lambda bad: SharedPool().reserve(1, bad), [5, "x", {"tokens": 5}]),
    "stop_threshold_tokens": (lambda bad: SharedPool(stop_threshold_tokens=bad, capacity_tokens=4), [5]),
}


@pytest.mark.parametrize("argument", SETTINGS)
def test_a_setting_that_makes_no_sense_is_refused_by_name(argument):
    """Each is a PolicyError."""
    make, values = SETTINGS[argument]
    for bad in values:
        with pytest.raises(PolicyError, match=f"^{argument}"):
            make(bad)


OF_WRONG_TYPE = {
    "warning_threshold text": (
        "warning_threshold",
        lambda: AgentTokenBudget("a", 1, 60, warning_threshold="1"),
    ),
    "warning_threshold": ("warning_threshold", lambda: AgentTokenBudget("a", 1, 60, warning_threshold=None)),
    "hard_limit": ("hard_limit", lambda: AgentTokenBudget("a", 1, 60, hard_limit=1)),
    "unsettled": ("unsettled", lambda: SharedPool(unsettled=None)),
    "on_error": ("on_error", lambda: SharedPool(on_error=1)),
    "resume": ("resume", lambda: WorkflowQuota(1, 1, 60).begin_workflow("w", resume=1)),
    "path": ("path", lambda: BudgetManager().persist(5)),
}


@pytest.mark.parametrize(("argument", "make"), OF_WRONG_TYPE.values(), ids=OF_WRONG_TYPE)
def test_a_setting_of_a_wrong_type_is_refused_by_name(argument, make):
    """A TypeError (its note says which argument), or one of ours."""
    with pytest.raises((OutlayError, TypeError), match=argument):
        make()


@pytest.mark.parametrize(
    ("argument", "make"),
    [
        ("warning_threshold", lambda: AgentTokenBudget("a", 1, 60, warning_threshold=True)),
        ("period", lambda: AgentTokenBudget("a", 1, np.bool_(True))),
        ("unsettled", lambda: SharedPool(unsettled="\ud800")),
        ("tokens_remaining", lambda: outlay.BudgetInfo(-1, 1, 1.0, True)),
        ("tokens_remaining", lambda: outlay.BudgetInfo(True, 1, 1.0, True)),
        ("limit", lambda: outlay.Denial("budget_exceeded", "token", limit=-1)),
    ],
    ids=[
        "bool threshold",
        "numpy bool period",
        "surrogate",
        "BudgetInfo negative",
        "BudgetInfo bool",
        "Denial",
    ],
)
def test_a_value_of_a_wrong_kind_is_a_typed_error(argument, make):
    """Bools are no numbers; negative ones are InvalidAmount."""
    with pytest.raises((OutlayError, TypeError), match=argument):
        make()


def test_accounts_refuse_pickling():
    """A clear TypeError that names the class."""
    import pickle

    rig = Rig()
    for account in (rig.budget, rig.quota, rig.token, rig.manager, rig.agent, rig.pool, rig.lease):
        with pytest.raises(TypeError, match=f"{type(account).__name__} can not be pickled"):
            pickle.dumps(account)
