"""`BudgetProvider` and `guard_tools`: whole runs with sub-agents, handoffs and tools."""

from __future__ import annotations

import asyncio
import json

import pytest
from agents import (
    Agent,
    AgentsException,
    ModelProvider,
    RunConfig,
    Runner,
    ToolGuardrailFunctionOutput,
    WebSearchTool,
    function_tool,
    tool_input_guardrail,
)

from outlay import (
    AgentTokenBudget,
    BudgetExceeded,
    Guard,
    PolicyError,
    RateLimiter,
    UsageEstimate,
    WorkflowQuota,
)
from outlay.openai_agents import BudgetProvider, guard_tools, wrap
from outlay.testing import Reply

FIVE = [{"name": "look_up", "args": {"word": word}} for word in "abcde"]


@function_tool
def look_up(word: str) -> str:
    """Look a word up."""
    return "found " + word


@function_tool
def broken() -> str:
    """Fail."""
    raise ValueError("no")


class Local(ModelProvider):
    """Makes models that talk to a loopback server."""

    def __init__(self, make, server):
        self.make, self.server, self.closed = make, server, False

    def get_model(self, model_name):
        """Return the model of a name."""
        return self.make(self.server, model_name or "default")

    async def aclose(self):
        """Write down that it was closed."""
        self.closed = True


def outputs(run):
    return [item.output for item in run.new_items if item.type == "tool_call_output_item"]


def three_steps():
    return WorkflowQuota.hourly(10, 3).begin_workflow("w-1")


def config(real, server, budget, **keywords):
    provider = BudgetProvider(Local(real, server), budget, **keywords)
    return RunConfig(model_provider=provider, tracing_disabled=True)


async def test_provider_guards_agents_as_tools(real, serve, pool, billed):
    server = serve(
        [
            Reply(tool_calls=[{"name": "helper", "args": {"input": "Help"}}]),
            Reply(text="in"),
            Reply(text="out"),
        ]
    )
    helper = Agent("helper", model="small")
    agent = Agent("a", model="large", tools=[helper.as_tool("helper", "Helps.")])
    run = await Runner.run(agent, "Hi", run_config=config(real, server, pool))
    assert (run.final_output, server.calls) == ("out", 3)
    assert [request["model"] for request in server.requests] == ["large", "small", "large"]
    assert pool.committed().total_tokens == billed(server)


async def test_provider_guards_handoffs(real, serve, pool, billed):
    server = serve([Reply(tool_calls=[{"name": "transfer_to_other"}]), Reply(text="from the other")])
    agent = Agent("a", model="large", handoffs=[Agent("other", model="small")])
    run = await Runner.run(agent, "Hi", run_config=config(real, server, pool))
    assert (run.final_output, run.last_agent.name) == ("from the other", "other")
    assert pool.committed().total_tokens == billed(server)


async def test_provider_refuses_before_any_request(real, serve, make_pool):
    server = serve([])
    with pytest.raises(AgentsException) as refused:
        await Runner.run(Agent("a"), "Hi", run_config=config(real, server, make_pool(10)))
    assert isinstance(refused.value, BudgetExceeded)
    assert server.calls == 0


async def test_provider_closes_the_one_inside_and_prices_by_name(chat, serve, pool):
    inside = Local(chat, serve([]))
    provider = BudgetProvider(inside, pool, prices={"small": {"input": "1", "output": "2"}})
    with pytest.raises(PolicyError, match="large"):
        provider.get_model("large")
    assert provider.get_model("small").model == "small"
    await provider.aclose()
    assert inside.closed
    with pytest.raises(PolicyError, match="ModelProvider"):
        BudgetProvider(object(), pool)


async def test_wrapped_model_under_a_guarded_run_is_charged_once(chat, serve, pool, billed):
    server = serve([Reply(text="a")])
    guarded = config(lambda server, name: wrap(chat(server, name), pool), server, pool)
    await Runner.run(Agent("a"), "Hi", run_config=guarded)
    assert pool.committed().total_tokens == billed(server)


async def test_refused_agent_as_tool_is_hidden_by_the_host(real, serve, pool, make_pool, quiet):
    """The host tells the model that the tool failed and to try again, whatever the error was."""
    server = serve([Reply(tool_calls=[{"name": "helper", "args": {"input": "Help"}}]), Reply(text="alone")])
    helper = Agent("helper", model=wrap(real(server), make_pool(1)))
    agent = Agent("a", model=wrap(real(server), pool), tools=[helper.as_tool("helper", "Helps.")])
    run = await Runner.run(agent, "Hi", run_config=quiet)
    assert (run.final_output, server.calls) == ("alone", 2)
    assert outputs(run)[0].startswith("An error occurred while running the tool.")


async def test_refused_agent_as_tool_is_read_by_the_agent(chat, serve, pool, make_pool, quiet):
    server = serve([Reply(tool_calls=[{"name": "helper", "args": {"input": "Help"}}]), Reply(text="alone")])
    helper = Agent("helper", model=wrap(chat(server), make_pool(1)))
    tool = helper.as_tool("helper", "Helps.", failure_error_function=lambda context, error: str(error))
    run = await Runner.run(Agent("a", model=wrap(chat(server), pool), tools=[tool]), "Hi", run_config=quiet)
    assert json.loads(outputs(run)[0])["retryable"] is False


async def test_refused_agent_as_tool_raises_where_the_host_lets_it(chat, serve, pool, make_pool, quiet):
    server = serve([Reply(tool_calls=[{"name": "helper", "args": {"input": "Help"}}])])
    helper = Agent("helper", model=wrap(chat(server), make_pool(1)))
    tool = helper.as_tool("helper", "Helps.", failure_error_function=None)
    with pytest.raises(BudgetExceeded):
        await Runner.run(Agent("a", model=wrap(chat(server), pool), tools=[tool]), "Hi", run_config=quiet)


async def test_refused_tool_does_not_run_and_the_agent_goes_on(real, serve, quiet):
    server, token = serve([Reply(tool_calls=FIVE), Reply(text="three of five")]), three_steps()
    agent = Agent("a", model=real(server), tools=guard_tools([look_up], token))
    run = await Runner.run(agent, "Hi", run_config=quiet)
    assert run.final_output == "three of five"
    refused = [json.loads(output) for output in outputs(run) if output.startswith("{")]
    assert [payload["retryable"] for payload in refused] == [False, False]
    assert sum(output.startswith("found") for output in outputs(run)) == 3
    assert token.steps_executed() == 3


async def test_streamed_run_refuses_tools_too(chat, serve, quiet):
    server, token = serve([Reply(tool_calls=FIVE), Reply(text="done")]), three_steps()
    agent = Agent("a", model=chat(server), tools=guard_tools([look_up], token))
    run = Runner.run_streamed(agent, "Hi", run_config=quiet)
    async for _ in run.stream_events():
        pass
    assert sum(output.startswith("found") for output in outputs(run)) == 3


async def test_token_budget_counts_a_tool_by_its_name(chat, serve, quiet):
    server = serve([Reply(tool_calls=FIVE), Reply(text="done")])
    budget = AgentTokenBudget.hourly("a-1", 6, operation_costs={"look_up": 2})
    agent = Agent("a", model=chat(server), tools=guard_tools([look_up], budget))
    run = await Runner.run(agent, "Hi", run_config=quiet)
    assert sum(output.startswith("found") for output in outputs(run)) == 3
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
        self.log.append(("commit", usage))

    def release(self):
        """Write down that nothing was used."""
        self.log.append(("release",))

    close = release


async def test_own_budget_reads_the_tool_the_agent_and_the_labels(chat, serve, quiet):
    server, own = serve([Reply(tool_calls=[{"name": "broken"}]), Reply(text="done")]), Recorded()
    agent = Agent("reader", model=chat(server), tools=guard_tools([broken], own, team="t-1"))
    await Runner.run(agent, "Hi", run_config=quiet)
    labels = {"tool": "broken", "agent": "reader", "team": "t-1"}
    # A tool that fails has made its step.
    assert own.log == [("reserve", labels, True), ("commit", None)]


async def test_call_that_another_guardrail_rejects_costs_nothing(chat, serve, quiet):
    @tool_input_guardrail
    def never(data):
        return ToolGuardrailFunctionOutput.reject_content("not this one")

    @function_tool(tool_input_guardrails=[never])
    def look_up(word: str) -> str:
        """Look a word up."""
        return "found " + word

    server, token = serve([Reply(tool_calls=FIVE[:1]), Reply(text="done")]), three_steps()
    agent = Agent("a", model=chat(server), tools=guard_tools([look_up], token))
    run = await Runner.run(agent, "Hi", run_config=quiet)
    assert (outputs(run), token.steps_executed()) == (["not this one"], 0)


def test_original_tool_stays_free():
    (guarded,) = guard_tools([look_up], three_steps())
    assert not look_up.tool_input_guardrails
    assert guarded.name == "look_up"
    # Guarded twice, both budgets are asked.
    assert len(guard_tools([guarded], three_steps())[0].tool_input_guardrails) == 2


def test_what_cannot_be_guarded_is_refused(pool):
    with pytest.raises(PolicyError, match="WebSearchTool"):
        guard_tools([WebSearchTool()], three_steps())
    for budget in (pool, RateLimiter(1_000)):
        with pytest.raises(
            PolicyError, match=f"a {type(budget).__name__} counts tokens, and a step uses none"
        ):
            guard_tools([look_up], budget)
    with pytest.raises(PolicyError, match=r"tools: .*NoneType"):
        guard_tools(None, three_steps())


async def test_tools_guarded_twice_with_one_budget_are_charged_once(chat, serve, quiet):
    shared, other = three_steps(), three_steps()
    tools = guard_tools(guard_tools([look_up], shared), [shared, other])
    server = serve([Reply(tool_calls=FIVE[:1]), Reply(text="done")])
    run = await Runner.run(Agent("a", tools=tools, model=chat(server)), "Hi", run_config=quiet)
    assert outputs(run) == ["found a"]
    assert (shared.steps_executed(), other.steps_executed()) == (1, 1)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_run_of_the_caller_is_the_run_of_all_that_the_agent_asks(chat, serve, quiet, streamed):
    """Side by side, with tools and with an agent inside a tool; the integration opens none."""
    guard = Guard({"budget": [{"name": "runs", "limit": {"calls": 9}, "window": "run"}]})
    replies = [
        Reply(tool_calls=[{"name": "helper", "args": {"input": "Help"}}]),
        Reply(tool_calls=FIVE[:1]),
        Reply(text="in"),
        Reply(text="out"),
    ]

    async def one(run_id):
        model = wrap(chat(serve(replies)), guard)
        helper = Agent("helper", model=model, tools=guard_tools([look_up], guard))
        agent = Agent("a", model=model, tools=[helper.as_tool("helper", "Helps.", run_config=quiet)])
        with guard.run(run_id):
            if not streamed:
                return (await Runner.run(agent, "Hi", run_config=quiet)).final_output
            run = Runner.run_streamed(agent, "Hi", run_config=quiet)
        async for _ in run.stream_events():
            pass
        return run.final_output

    assert await asyncio.gather(one("r-1"), one("r-2")) == ["out", "out"]
    used = {counter["values"]["run"]: counter["limits"]["calls"]["used"] for counter in guard.snapshot()}
    assert used == {"r-1": 5, "r-2": 5}
    model = wrap(chat(serve([Reply(text="a")])), guard)
    await Runner.run(Agent("a", model=model), "Hi", run_config=quiet)
    assert [c["limits"]["calls"]["used"] for c in guard.snapshot() if "run" not in c["values"]] == [1]
