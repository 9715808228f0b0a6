"""The OpenAI Agents SDK: runs on a wrapped model, responses."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import httpx2
from agents import (
    Agent,
    AgentsException,
    ModelProvider,
    ModelSettings,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
)
from kit import keep
from openai import AsyncOpenAI

from outlay.httpx2 import async_transport
from outlay.openai import wrap as wrap_client
from outlay.openai_agents import BudgetProvider, guard_tools, wrap
from outlay.testing import Reply

TEXT = "Hello there, friend."
HELPER = {"name": "helper", "args": {"input": "Help"}}


class Driver:
    """Runs, sync and async."""

    name = "openai-agents"
    package = "agents.models.interface"
    gaps = {
        "cost_of_a_call": "the SDK makes its calls in tasks of its own; the lease and the events say it",
        "cached_names": "the API has one name for them",
        "error_in_body": "its get_response makes a ModelResponse of the answer's output, which is None, and "
        "drops the answer, so that the error is not to be seen: the estimate is booked",
        "running_totals": "a stream of responses tells its usage once, in response.completed",
        "fallback": "the SDK has no fallback models",
        "internal_call": "its compaction of a session goes past the model, straight to the client",
        "cache_hit": "the SDK has no cache of responses",
    }
    scripts = {"sub_agent": (Reply(tool_calls=[HELPER]), Reply(text=TEXT), Reply(text=TEXT))}

    def make(self, server, budget, **keywords):
        """Make an agent on a wrapped model."""
        client = _client(server, 0)
        return _agent(client, wrap(_model(client), budget, **keywords))

    def retrying(self, server, budget):
        """Make an agent whose client retries; the server says how soon."""
        client = _client(server, 2)
        return _agent(client, wrap(_model(client), budget))

    def hurried(self, server, budget, retries):
        """Make an agent whose client waits for no more than a moment."""
        client = _client(server, retries, timeout=0.3)
        return _agent(client, wrap(_model(client), budget))

    async def unparsed_answer(self, server, budget):
        """Ask for an output that the answer does not fit."""
        async with _client(server, 0) as client:
            agent = Agent("a", model=wrap(_model(client), budget), output_type=int)
            await Runner.run(agent, "Hi", run_config=_config())

    def stacked(self, server, budget):
        """Wrap the client and the model."""
        client = _client(server, 0)
        return _agent(client, wrap(_model(wrap_client(client, budget)), budget))

    def over_transport(self, server, budget):
        """Wrap a model whose client's transport is guarded too."""
        client = _client(server, 0, transport=async_transport(budget, inner=_inner()))
        return _agent(client, wrap(_model(client), budget))

    async def aclose(self, client):
        """Close the connections."""
        await client.client.close()

    def host_error(self):
        """Return what a refusal must also be."""
        return AgentsException

    def call(self, client, text="Hi"):
        """Run the agent, in an event loop of this thread."""
        asyncio.set_event_loop(asyncio.new_event_loop())
        try:
            return Runner.run_sync(client.agent, text, run_config=_config()).final_output
        finally:
            asyncio.get_event_loop().close()
            asyncio.set_event_loop(None)

    async def acall(self, client, text="Hi"):
        """Run the agent."""
        return (await Runner.run(client.agent, text, run_config=_config())).final_output

    async def astream(self, client, text="Hi", *, usage=True):
        """Stream the agent's answer; this API always tells its usage."""
        run = keep(Runner.run_streamed(client.agent, text, run_config=_config()))
        try:
            async for event in keep(run.stream_events()):
                if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                    yield event.data.delta
        finally:
            # The run is a task of its own: a stream that is left goes on until it is told.
            run.cancel()
            await asyncio.gather(run.run_loop_task, return_exceptions=True)

    async def five_tools(self, server, budget):
        """Run an agent that asks for five tools at once."""

        @function_tool
        def look_up(word: str) -> str:
            return "found " + word

        async with _client(server, 0) as client:
            agent = Agent("reader", model=_model(client), tools=guard_tools([look_up], budget))
            run = await Runner.run(agent, "Hi", run_config=_config())
        return [item.output for item in run.new_items if item.type == "tool_call_output_item"]

    async def unguarded_method(self, server, budget, unguarded):
        """Ask the client inside the model for a picture."""
        async with _client(server, 0) as client:
            model = wrap(_model(client), budget, unguarded=unguarded)
            await model._client.images.generate(model="m", prompt="A cat")

    async def refused_inside_tool(self, server, budget, tool):
        """Run an agent with a tool whose own budget refuses."""
        async with _client(server, 0) as client:
            tools = guard_tools([function_tool(tool)], budget)
            agent = Agent("reader", model=_model(client), tools=tools)
            run = await Runner.run(agent, "Hi", run_config=_config())
        told = next(item.output for item in run.new_items if item.type == "tool_call_output_item")
        return told, run.final_output

    async def sub_agent(self, server, budget):
        """Run an agent that uses another one as a tool."""
        async with _client(server, 0) as client:
            helper = Agent("helper", model="small").as_tool("helper", "Helps.")
            guarded = BudgetProvider(_Local(client), budget)
            agent = Agent("a", model="large", tools=[helper])
            await Runner.run(agent, "Hi", run_config=_config(model_provider=guarded))


class _Local(ModelProvider):
    """Makes models of one client."""

    def __init__(self, client):
        self.client = client

    def get_model(self, model_name):
        """Return the model of a name."""
        return _model(self.client, model_name)


def _inner():
    # No connection is kept, as each event loop needs its own.
    return httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_keepalive_connections=0))


def _client(server, retries, timeout=10, transport=None):
    http = httpx2.AsyncClient(transport=transport or _inner())
    options = {"max_retries": retries, "timeout": timeout, "http_client": http}
    return AsyncOpenAI(base_url=server.base_url, api_key="none", **options)


def _model(client, name="gpt-test"):
    return OpenAIResponsesModel(name, client)


def _config(**keywords):
    return RunConfig(tracing_disabled=True, model_settings=ModelSettings(include_usage=True), **keywords)


def _agent(client, model):
    return SimpleNamespace(client=client, agent=Agent("greeter", model=model))


DRIVER = Driver()
