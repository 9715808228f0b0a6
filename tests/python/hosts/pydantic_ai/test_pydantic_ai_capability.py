"""`BudgetCapability`: the model calls and the tool calls of an agent."""

from __future__ import annotations

import asyncio
import json

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, UsageLimitExceeded, UsageLimits
from pydantic_ai.messages import ToolReturnPart
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RunUsage

from outlay import AgentTokenBudget, BudgetExceeded, PolicyError, RateLimiter, UsageEstimate, WorkflowQuota
from outlay.pydantic_ai import BudgetCapability, _model, wrap
from outlay.testing import Reply

FIVE = [{"name": "look_up", "args": {"word": word}} for word in "abcde"]


def reader(model, *capabilities, **keywords):
    agent = Agent(model, name="reader", capabilities=list(capabilities), **keywords)

    @agent.tool_plain
    def look_up(word: str) -> str:
        return "found " + word

    return agent


def results(run):
    parts = [part for message in run.all_messages() for part in message.parts]
    return [part.content for part in parts if isinstance(part, ToolReturnPart)]


def three_steps():
    return WorkflowQuota.hourly(10, 3).begin_workflow("w-1")


async def test_model_calls_of_a_run_are_booked(real, serve, pool, billed):
    server = serve([Reply(tool_calls=FIVE[:2]), Reply(text="done")] * 2)
    agent = reader(real(server), BudgetCapability(pool))
    assert (await agent.run("Hi")).output == "done"
    async with agent.run_stream("Hi") as run:
        assert await run.get_output() == "done"
    assert server.calls == 4
    assert pool.committed().total_tokens == billed(server)


async def test_refused_tool_does_not_run_and_the_agent_goes_on(real, serve):
    server = serve([Reply(tool_calls=FIVE), Reply(text="three of five")])
    token = three_steps()
    run = await reader(real(server), BudgetCapability(token, models=False)).run("Hi")
    outputs = results(run)
    assert run.output == "three of five"
    assert sorted(output for output in outputs if not output.startswith("{")) == sorted(
        f"found {word}" for word in "abcde" if f"found {word}" in outputs
    )
    refused = [json.loads(output) for output in outputs if output.startswith("{")]
    assert [payload["retryable"] for payload in refused] == [False, False]
    assert token.steps_executed() == 3


async def test_refused_model_call_ends_the_run(real, serve):
    server = serve([Reply(tool_calls=FIVE), Reply(text="never")])
    # One step for the first request, two for tools; the second request finds none left.
    token = three_steps()
    with pytest.raises(UsageLimitExceeded):
        await reader(real(server), BudgetCapability(token)).run("Hi")
    assert (server.calls, token.steps_executed()) == (1, 3)


async def test_token_budget_counts_a_tool_by_its_name(chat, serve):
    server = serve([Reply(tool_calls=FIVE), Reply(text="done")])
    budget = AgentTokenBudget.hourly("a-1", 6, operation_costs={"look_up": 2})
    run = await reader(chat(server), BudgetCapability(budget, models=False)).run("Hi")
    assert sum(output.startswith("found") for output in results(run)) == 3
    assert budget.used() == 6


class Recorded:
    """A user's own budget that writes down what it is asked."""

    def __init__(self):
        self.log = []

    def reserve(self, estimate, **labels):
        """Write down what was asked, and whether the estimate was empty."""
        self.log.append(("reserve", labels, estimate == UsageEstimate()))
        return self

    def commit(self, usage=None):
        """Write down what was used."""
        self.log.append(("commit", usage and usage.total_tokens))

    def release(self):
        """Write the release down."""
        self.log.append(("release",))

    def close(self):
        """Write the end of a failed step down."""
        self.log.append(("close",))


async def test_own_budget_reads_the_tool_the_agent_and_the_labels(chat, serve):
    server, own = serve([Reply(tool_calls=FIVE[:1]), Reply(text="done")]), Recorded()
    run = await reader(chat(server), BudgetCapability(own, models=False, team="t-1")).run("Hi")
    labels = {"tool": "look_up", "agent": "reader", "team": "t-1", "run": run.run_id}
    assert own.log == [("reserve", labels, True), ("commit", None)]


async def test_tool_that_fails_has_made_its_step():
    token, own = three_steps(), Recorded()
    agent = Agent(TestModel(), capabilities=[BudgetCapability([token, own], models=False)])

    @agent.tool_plain
    def broken() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await agent.run("Hi")
    assert token.steps_executed() == 1
    assert own.log[-1] == ("close",)


async def test_output_tools_are_free():
    class Answer(BaseModel):
        word: str

    token = three_steps()
    run = await reader(TestModel(), BudgetCapability(token, models=False), output_type=Answer).run("Hi")
    assert isinstance(run.output, Answer)
    assert token.steps_executed() == 1


async def test_steps_none_leaves_the_tools_free(chat, serve):
    server = serve([Reply(tool_calls=FIVE), Reply(text="done")])
    token = three_steps()
    await reader(chat(server), BudgetCapability(token, steps=None)).run("Hi")
    assert token.steps_executed() == 2


async def test_two_capabilities_and_a_wrapped_model_charge_an_account_once(real, serve, pool, billed):
    server, token = serve([Reply(tool_calls=FIVE[:2]), Reply(text="done")]), three_steps()
    model = wrap(real(server), pool)
    agent = reader(model, BudgetCapability(pool), BudgetCapability([token, pool], steps=None))
    await agent.run("Hi")
    assert pool.committed().total_tokens == billed(server)
    assert token.steps_executed() == 2


async def test_sub_agent_with_the_same_budget_is_counted(chat, serve, pool, billed):
    server = serve([Reply(tool_calls=[{"name": "ask"}]), Reply(text="inner"), Reply(text="outer")])
    guarded = BudgetCapability(pool)
    helper = Agent(chat(server), capabilities=[guarded])
    agent = Agent(chat(server), capabilities=[guarded])

    @agent.tool_plain
    async def ask() -> str:
        return (await helper.run("Help")).output

    assert (await agent.run("Hi")).output == "outer"
    assert server.calls == 3
    assert pool.committed().total_tokens == billed(server)


async def test_refused_sub_agent_ends_the_run_with_the_refusal(chat, serve, pool, make_pool):
    server = serve([Reply(tool_calls=[{"name": "ask"}])])
    helper = Agent(wrap(chat(server), make_pool(1)))
    agent = Agent(wrap(chat(server), pool))

    @agent.tool_plain
    async def ask() -> str:
        return (await helper.run("Help")).output

    with pytest.raises(BudgetExceeded):
        await agent.run("Hi")
    assert server.calls == 1


async def test_host_knows_the_agent_and_the_provider(chat, serve, pool, monkeypatch):
    prompts, real_call = [], _model.ModelCall

    def spy(layers, prompt, error):
        prompts.append(prompt)
        return real_call(layers, prompt, error)

    monkeypatch.setattr(_model, "ModelCall", spy)
    server = serve([Reply(text="a")] * 3)
    await reader(wrap(chat(server), pool)).run("Hi")
    await reader(chat(server), BudgetCapability(pool)).run("Hi")
    async with reader(wrap(chat(server), pool)).run_stream("Hi") as run:
        await run.get_output()
    assert [dict(prompt.labels) for prompt in prompts] == [{"provider": "openai", "agent": "reader"}] * 3
    assert {prompt.model_name for prompt in prompts} == {"gpt-test"}


def test_what_cannot_be_guarded_is_refused(make_pool):
    with pytest.raises(PolicyError, match="steps"):
        BudgetCapability(make_pool(), steps="turns")
    with pytest.raises(PolicyError, match="so nothing is guarded"):
        BudgetCapability(make_pool(), models=False)
    with pytest.raises(PolicyError, match="so nothing is guarded"):
        BudgetCapability(three_steps(), models=False, steps=None)
    with pytest.raises(PolicyError, match="prices"):
        BudgetCapability(make_pool(capacity_cost_micros_usd=5))


async def test_usage_limits_of_the_host_overspend_where_a_budget_does_not(chat, serve, make_pool, billed):
    """The host's limit is looked at when the response is paid for; eight runs at once all pass it."""
    usage = {"prompt_tokens": 100, "completion_tokens": 900}
    server = serve(lambda request: Reply(text="x", usage=usage))

    async def eight(agent, **keywords):
        runs = (agent.run("Hi", **keywords) for _ in range(8))
        return await asyncio.gather(*runs, return_exceptions=True)

    limits = UsageLimits(total_tokens_limit=2_000)
    await eight(Agent(chat(server)), usage_limits=limits, usage=RunUsage())
    assert billed(server) == 8_000

    server.billed.clear()
    pool = make_pool(2_000, stop_threshold_tokens=0)
    ended = await eight(Agent(wrap(chat(server), pool, output_tokens=900)))
    assert sum(isinstance(end, UsageLimitExceeded) for end in ended) == 6
    assert billed(server) == pool.committed().total_tokens == 2_000


def test_a_limiter_counts_the_requests_and_lets_the_tools_be():
    limiter, steps = RateLimiter(100_000), three_steps()
    agent = reader(TestModel(), BudgetCapability([limiter, steps]))
    run = agent.run_sync("Hi")
    assert run.output == '{"look_up":"found a"}'
    assert limiter.current_usage() == run.usage.total_tokens == 119
    # Two requests and a tool call.
    assert steps.steps_executed() == 3


def test_two_capabilities_on_one_budget_charge_a_tool_once():
    steps = three_steps()
    both = [BudgetCapability(steps, models=False) for _ in range(2)]
    assert reader(TestModel(), *both).run_sync("Hi").output == '{"look_up":"found a"}'
    assert steps.steps_executed() == 1
