"""The arguments that every wrap takes: lists that would charge a budget twice, prices."""

from __future__ import annotations

import pytest

from outlay import BudgetLimit, BudgetManager, Guard, PolicyError, SharedPool, WorkflowQuota, governed
from outlay._calls.listing import normalise

POLICY = {"budget": [{"name": "all", "limit": {"tokens": 100_000, "calls": 100}}]}


class Own:
    """A user's own budget."""

    def reserve(self, estimate, **labels):
        """Fail: nothing may be asked."""
        raise AssertionError(estimate, labels)


def _family():
    guard = Guard(POLICY)
    part = guard.allot(tokens=10_000, calls=10)
    return {"guard": guard, "part": part, "other": guard.allot(tokens=10), "child": part.allot(tokens=5_000)}


def _handles():
    manager = BudgetManager()
    manager.set_budget(BudgetLimit(agent_id="a", token_budget=9, calls_budget=9, window_secs=60))
    return [manager.agent("a"), manager.agent("a")]


@pytest.mark.parametrize("names", ["guard part", "part guard", "part child", "child guard", "part other"])
def test_a_list_of_a_guard_and_a_part_of_it_is_refused(names):
    """The guard would pay for each call twice: once itself, once through its part."""
    family = _family()
    with pytest.raises(PolicyError, match=r"budget: budget\[1\] and budget\[2\] belong to the same Guard"):
        normalise([SharedPool(), *(family[name] for name in names.split())])


def test_a_part_is_known_when_its_guard_is_gone():
    """The name is dropped, the accounts live on in the parts."""
    family = _family()
    del family["guard"]
    with pytest.raises(PolicyError, match="the same Guard"):
        normalise([family["child"], family["other"]])


def test_parts_of_different_guards_are_two_budgets():
    """Equal policies do not make one guard."""
    guards = [Guard(POLICY), Guard(POLICY)]
    assert len(normalise([guards[0], guards[1].allot(tokens=10)]).native) == 2


@pytest.mark.parametrize(
    "twice",
    [
        pytest.param([SharedPool()] * 2, id="pool"),
        pytest.param([Guard(POLICY)] * 2, id="guard"),
        pytest.param([WorkflowQuota.hourly(1, 1).begin_workflow("w")] * 2, id="workflow"),
        pytest.param([Own()] * 2, id="own"),
        pytest.param(_handles(), id="handles of one agent"),
    ],
)
def test_the_same_budget_twice_in_a_list_counts_once(twice):
    """A list is a set of accounts: handles of one account are one."""
    taken = normalise([twice[0], SharedPool(), twice[1]])
    assert len(taken.native) + len(taken.own) == 2


def _langchain(budget):
    from outlay.langchain import wrap
    from outlay.testing import ScriptedChatModel

    return wrap(ScriptedChatModel(script=[]), budget)


def _langchain_steps(budget):
    from outlay.langchain import BudgetMiddleware

    return BudgetMiddleware(budget)


def _langchain_audit(budget):
    from outlay.langchain import audit

    return audit(budget)


def _pydantic_ai(budget):
    from pydantic_ai.models.test import TestModel

    from outlay.pydantic_ai import wrap

    return wrap(TestModel(), budget)


def _pydantic_ai_capability(budget):
    from outlay.pydantic_ai import BudgetCapability

    return BudgetCapability(budget)


def _openai_agents(budget):
    from agents.testing import ScriptedModel

    from outlay.openai_agents import wrap

    return wrap(ScriptedModel([]), budget)


def _openai_agents_provider(budget):
    from agents import MultiProvider

    from outlay.openai_agents import BudgetProvider

    return BudgetProvider(MultiProvider(), budget)


def _openai_agents_tools(budget):
    from outlay.openai_agents import guard_tools

    return guard_tools([], budget)


def _mcp(budget):
    from mcp.server.mcpserver import MCPServer

    from outlay.mcp import wrap

    return wrap(MCPServer("words"), budget)


def _mcp_middleware(budget):
    from outlay.mcp import BudgetMiddleware

    return BudgetMiddleware(budget)


def _mcp_sampling(budget):
    from outlay.mcp import wrap_sampling

    return wrap_sampling(print, budget)


def _openai(budget):
    from openai import OpenAI

    from outlay.openai import wrap

    return wrap(OpenAI(api_key="none"), budget)


def _anthropic(budget):
    from anthropic import Anthropic

    from outlay.anthropic import wrap

    return wrap(Anthropic(api_key="none"), budget)


def _httpx(budget):
    from outlay.httpx import transport

    return transport(budget)


def _litellm(budget):
    import os

    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or it asks the network
    from litellm import Router

    from outlay.litellm import wrap

    return wrap(Router(model_list=[]), budget)


ENTRIES = {
    name.removeprefix("_"): entry
    for name, entry in list(globals().items())
    if name.startswith(("_langchain", "_pydantic", "_openai", "_mcp", "_anthropic", "_httpx", "_litellm"))
}


@pytest.mark.parametrize("entry", [*ENTRIES.values(), governed], ids=[*ENTRIES, "governed"])
def test_every_integration_refuses_a_guard_beside_its_part(entry):
    """They all read their budgets in one place."""
    family = _family()
    with pytest.raises(PolicyError, match=r"^budget: budget\["):
        _taken(entry, [family["guard"], family["part"]])


def _taken(entry, budgets):
    try:
        return entry(budgets)
    except ImportError as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("prices", [5, ["m"], {"m": 5}, {"m": {"input": 2.5, "output": "1"}}, {5: {}}])
def test_prices_that_cannot_be_read_are_refused_by_name(prices):
    """A float among them was a TypeError that named nothing."""
    with pytest.raises(PolicyError, match="prices"):
        governed(SharedPool(), 5, prices=prices, model="m")
