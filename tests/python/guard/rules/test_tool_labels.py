"""C01: a request with a model is the call of that model, whatever else it is labelled."""

from __future__ import annotations

import httpx2
import openai
import pytest
from guard_support import budget, figures, new_guard, refused, spend
from langchain.agents import create_agent

from outlay import AllowanceExceeded, BudgetExceeded, PolicyError, Usage, UsageEstimate
from outlay.httpx2 import transport
from outlay.langchain import BudgetMiddleware
from outlay.openai import wrap
from outlay.testing import ProviderServer, Reply, ScriptedChatModel, tool_call

PRICES = {"m": {"input": "2.5", "output": "10"}}
DAY = {**budget("day", limit={"usd": "0.05"}), "prices": PRICES}
LABELLED = [{"tool": "research"}, {"tool": "research", "step": "plan"}]


def asking(guard, how, labels, estimate, model):
    """Ask with the labels in a scope, or as its own."""
    if how == "scope":
        with guard.scope(**labels):
            return guard.reserve(estimate, model=model)
    return guard.reserve(estimate, model=model, **labels)


@pytest.mark.parametrize("how", ["scope", "own"])
@pytest.mark.parametrize("labels", LABELLED)
def test_c01_a_call_of_a_model_is_priced_inside_a_tool(how, labels, clock):
    """The first call may cost 8 cents of 5."""
    guard = new_guard(clock, DAY)
    said = refused(asking, guard, how, labels, UsageEstimate(output_tokens=8_000), "m")
    assert isinstance(said, BudgetExceeded)
    assert said.requested == 80_000
    lease = asking(guard, how, labels, UsageEstimate(output_tokens=1_000), "m")
    lease.commit(Usage(output_tokens=900))
    assert figures(guard, "day", "cost_micros_usd") == (9_000, 0)


@pytest.mark.parametrize("how", ["scope", "own"])
def test_c01_a_model_without_a_price_is_a_fault_inside_a_tool(how, clock):
    """As everywhere."""
    guard = new_guard(clock, budget("day", limit={"usd": "0.05"}))
    with pytest.raises(PolicyError, match='no price is known for the model "unpriced"'):
        asking(guard, how, {"tool": "research"}, UsageEstimate(output_tokens=10**6), "unpriced")


@pytest.mark.parametrize("how", ["scope", "own"])
def test_c01_limiters_pools_and_allowances_hold_it(how, clock):
    """Each of them by itself."""
    estimate, labels = UsageEstimate(input_tokens=500), {"tool": "research", "agent": "a"}
    for policy in (
        {"limiter": [{"name": "l", "tokens_per_minute": 499}]},
        {"pool": [{"name": "p", "limit": {"tokens": 499}}]},
        {"allowance": [{"agent": "a", "daily_token_limit": 100}]},
        {"model_quota": [{"model": "m", "daily_token_budget": 100}]},
        {"allowance": [{"agent": "*", "model_allowlist": ["other"]}]},
    ):
        refused(asking, new_guard(clock, policy), how, labels, estimate, "m")
    slots = new_guard(clock, {"pool": [{"name": "p", "max_concurrent": 1}]})
    held = asking(slots, how, labels, estimate, "m")
    assert isinstance(refused(asking, slots, how, labels, estimate, "m"), AllowanceExceeded)
    held.release()


@pytest.mark.parametrize("how", ["scope", "own"])
def test_c01_it_is_no_call_of_the_tool_but_a_scope_that_names_the_tool_means_it(how, clock):
    """No tool call, no call of `[[tool]]`."""
    guard = new_guard(
        clock,
        {
            "tool": [{"name": "research", "limit": {"calls": 1}}],
            "budget": [
                {"name": "calls", "limit": {"tool_calls": 1, "calls": 9}},
                {"name": "inside", "scope": {"tool": "research"}, "limit": {"calls": 3}},
            ],
            "limiter": [{"name": "l", "scope": {"tool": "research"}, "requests_per_minute": 9}],
        },
    )
    for _ in range(2):
        asking(guard, how, {"tool": "research"}, 1, "m").commit()
    assert figures(guard, "calls", "tool_calls") == (0, 0)
    assert figures(guard, "inside", "calls") == (2, 0)
    assert figures(guard, "l", "calls") == (2, 0)
    spend(guard, tool="research")
    assert figures(guard, "calls", "tool_calls") == (1, 0)
    assert figures(guard, "calls", "calls") == (3, 0)
    assert refused(guard.reserve, tool="research").scope == {"tool": "research"}


def test_a_request_that_names_its_own_tool_is_the_call_of_it_inside_a_scope_of_a_model(clock):
    """The scope's model is not the tool's: it costs nothing, and rules by model do not mean it."""
    policy = {**DAY, "tool": [{"name": "web", "limit": {"calls": 1}}]}
    policy["budget"] = [*DAY["budget"], {"name": "m", "scope": {"model": "m"}, "limit": {"calls": 0}}]
    guard = new_guard(clock, policy)
    with guard.scope(model="m", provider="p"):
        spend(guard, tool="web")
        assert refused(guard.reserve, tool="web").scope["tool"] == "web"
        assert refused(guard.reserve, 1).scope == {"budget": "m"}
    with guard.allot(calls=5, model="n") as part:
        assert refused(part.reserve, tool="web").scope["tool"] == "web"


def test_a_scope_of_a_model_and_of_a_tool_is_that_of_the_model(clock):
    """Whichever of them is the inner one: nothing is free."""
    guard = new_guard(clock, DAY)
    for outer, inner in (({"model": "m"}, {"tool": "t"}), ({"tool": "t"}, {"model": "m"})):
        with guard.scope(**outer), guard.scope(**inner):
            refused(guard.reserve, UsageEstimate(output_tokens=8_000))


def test_c01_a_wrapped_client_inside_a_tool_keeps_to_the_cap(clock):
    """What it used is booked at its price."""
    guard = new_guard(clock, DAY)
    usage = {"prompt_tokens": 10, "completion_tokens": 1_000, "total_tokens": 1_010}
    with ProviderServer([Reply(text="a", usage=usage)] * 9) as server, guard.scope(tool="research"):
        client = wrap(openai.OpenAI(base_url=server.base_url, api_key="k", max_retries=0), guard)

        def ask(most):
            client.chat.completions.create(
                model="m", max_tokens=most, messages=[{"role": "user", "content": "Hi"}]
            )

        refused(ask, 8_000)
        assert server.calls == 0
        ask(1_000)
    assert figures(guard, "day", "cost_micros_usd") == (10_025, 0)


def look_up(word: str) -> str:
    """Look a word up."""
    return "found " + word


@pytest.mark.parametrize("labels", [{}, {"model": "m"}])
def test_the_tool_step_of_a_wrap_is_a_tool_call_inside_a_scope_of_a_model(labels, clock):
    """Also where the wrap has the label of a model."""
    policy = {"tool": [{"name": "look_up", "limit": {"calls": 1}}]}
    guard = new_guard(clock, {**policy, **budget(limit={"tool_calls": 9})})
    model = ScriptedChatModel(script=[tool_call("look_up", word="a"), tool_call("look_up", word="b"), "done"])
    agent = create_agent(model, [look_up], middleware=[BudgetMiddleware(guard, **labels)])
    with guard.scope(model="m"):
        said = agent.invoke({"messages": [("user", "hi")]})["messages"]
    tools = [message for message in said if message.type == "tool"]
    assert [message.status for message in tools] == ["success", "error"]
    assert figures(guard, "b", "tool_calls") == (1, 0)


def test_c01_a_call_of_a_model_that_nobody_names_is_no_tool_call(clock):
    """A request through a transport without a model, inside a scope of a tool: the limits of models hold."""
    guard = new_guard(clock, {"limiter": [{"name": "rpm", "requests_per_minute": 1}], **DAY})
    tokens = new_guard(clock, {"limiter": [{"name": "rpm", "requests_per_minute": 1}]})
    with ProviderServer([Reply(text="a")] * 3) as server, guard.scope(tool="research"):
        body, url = {"messages": [{"role": "user", "content": "Hi"}]}, f"{server.base_url}/chat/completions"
        with httpx2.Client(transport=transport(guard)) as client, pytest.raises(PolicyError, match="price"):
            client.post(url, json=body)
        with httpx2.Client(transport=transport(tokens)) as client:
            client.post(url, json=body)
            refused(lambda: client.post(url, json=body))
        assert server.calls == 1
