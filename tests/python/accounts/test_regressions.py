"""Defects that the package had, each held by a test that failed before it was mended."""

import copy
import datetime as dt
import pickle

import pytest
from langchain.agents import create_agent
from langchain_core.messages import ToolMessage

import outlay
from outlay.langchain import BudgetMiddleware
from outlay.testing import ScriptedChatModel, tool_call


def manager_of_a(clock, **keywords):
    manager = outlay.BudgetManager(clock=clock, **keywords)
    manager.set_budget(
        outlay.BudgetLimit(agent_id="a", token_budget=1000, calls_budget=None, window_secs=3600)
    )
    return manager


def test_a_commit_after_expiry_and_restore_takes_nothing_out_of_the_restored_count(tmp_path):
    """The restored figure never contained what the expiry charged."""
    clock = outlay.ManualClock()
    manager = manager_of_a(clock, lease_ttl=10)
    agent = manager.agent("a")
    agent.charge(50)
    manager.persist(tmp_path / "f.json")
    lease = agent.reserve(50)
    clock.advance(11)
    assert lease.state == "expired"
    manager.restore(tmp_path / "f.json")
    lease.commit(10)
    assert manager.full_info("a").tokens_used == 60


@pytest.mark.parametrize("name", ["", "n" * 2000])
def test_a_tool_name_that_a_model_invents_does_not_end_the_run(name):
    """The step is charged, the framework answers the model, the agent goes on."""
    model = ScriptedChatModel(script=[tool_call(name), "done"])
    workflow = outlay.WorkflowQuota.hourly(1, 5).begin_workflow("w")
    budget = outlay.AgentTokenBudget.hourly("a", 5)
    agent = create_agent(model, tools=[], middleware=[BudgetMiddleware([workflow, budget])])
    messages = agent.invoke({"messages": [("user", "go")]})["messages"]
    assert messages[-1].content == "done"
    assert not any(isinstance(m, ToolMessage) and "InvalidId" in str(m.content) for m in messages)


def test_an_unknown_agent_is_told_what_it_asked():
    """Every refusal has requested."""
    manager = outlay.BudgetManager()
    for call, asked in ((lambda: manager.reserve("x", 7), 7), (lambda: manager.track_call("x"), 1)):
        with pytest.raises(outlay.NotConfigured) as refused:
            call()
        assert refused.value.requested == asked
        assert refused.value.payload["details"]["requested"] == asked


@pytest.mark.parametrize("period", [5e7 / 3, 12345678.9, 1e6 / 7, 60])
def test_the_same_request_passes_after_retry_after(period):
    """A float of seconds is not earlier than the truth."""
    clock = outlay.ManualClock()
    budget = outlay.AgentTokenBudget("a", 10, period, clock=clock)
    clock.advance(period * 3 / 7)
    budget.consume("query", 10)
    with pytest.raises(outlay.BudgetExceeded) as refused:
        budget.consume("query", 1)
    clock.advance(refused.value.retry_after)
    budget.consume("query", 1)


def test_none_is_no_amount():
    """Nothing is charged."""
    token = outlay.WorkflowQuota.hourly(1, 5).begin_workflow("w")
    agent = manager_of_a(outlay.ManualClock()).agent("a")
    with pytest.raises(outlay.InvalidAmount, match=r"^n "):
        token.execute_step(None)
    with pytest.raises(outlay.InvalidAmount, match=r"^calls "):
        agent.charge(1, None)
    assert (token.steps_executed(), agent.remaining().tokens_remaining) == (0, 1000)


def test_ctrl_c_in_an_index_method_goes_on():
    """It is no bad amount."""

    class Whole:
        def __index__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outlay.SharedPool().reserve(Whole())


def test_a_limit_of_an_odd_window_equals_its_copies():
    """A float of seconds does not hold every microsecond of a year."""
    window = dt.timedelta(days=36000, microseconds=1)
    limit = outlay.BudgetLimit(agent_id="a", token_budget=1, calls_budget=None, window_secs=window)
    assert pickle.loads(pickle.dumps(limit)) == limit == copy.deepcopy(limit)


def test_a_refusal_raised_by_hand_is_valid_json_whatever_it_says():
    """Lone surrogates included."""
    assert outlay.LimitExceeded("\ud800 no").payload["message"] == "? no"


def test_a_list_with_a_workflow_that_has_ended_never_passes():
    """Waiting does not bring it back."""
    token = outlay.WorkflowQuota.hourly(1, 5).begin_workflow("w")
    token.__exit__(None, None, None)
    pool = outlay.SharedPool(capacity_tokens=10)
    for budgets in ([token, pool], [pool, token]):
        with pytest.raises(outlay.StepLimitExceeded) as refused:
            outlay._core.reserve_together(budgets, outlay.UsageEstimate(input_tokens=5))
        assert refused.value.retry_after is None
    assert pool.open_leases() == []
