"""Pydantic AI: agents on a wrapped model, chat completions."""

from __future__ import annotations

from types import SimpleNamespace

import httpx2
from kit import keep
from openai import AsyncOpenAI
from pydantic_ai import Agent, ModelRetry, UsageLimitExceeded
from pydantic_ai.messages import ToolReturnPart
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from outlay.httpx2 import async_transport
from outlay.openai import wrap as wrap_client
from outlay.pydantic_ai import BudgetCapability, wrap


class Driver:
    """Agents, sync and async."""

    name = "pydantic-ai"
    package = "pydantic_ai"
    gaps = {
        "cost_of_a_call": "Pydantic AI makes its calls in tasks of its own; the lease and the events say it",
        "error_in_body": "its OpenAIChatModel checks the answer against ChatCompletion and drops it "
        "(_validate_completion), so that the error is not to be seen: the estimate is booked",
        "cache_hit": "Pydantic AI has no cache of responses",
        "cost_reported": "its OpenAIChatModel drops the cost; what its OpenRouterModel passes on is booked",
    }

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
        """Ask for an output that the answer does not fit; the host sends it back once."""
        async with _client(server, 0) as client:
            await Agent(wrap(_model(client), budget), output_type=int, retries=1).run("Hi")

    def stacked(self, server, budget):
        """Wrap the client, the model and the agent."""
        client = _client(server, 0)
        model = wrap(_model(wrap_client(client, budget)), budget)
        return _agent(client, model, capabilities=[BudgetCapability(budget)])

    def over_transport(self, server, budget):
        """Wrap a model whose client's transport is guarded too."""
        client = _client(server, 0, transport=async_transport(budget, inner=_inner()))
        return _agent(client, wrap(_model(client), budget))

    async def aclose(self, client):
        """Close the connections."""
        await client.client.close()

    def host_error(self):
        """Return what a refusal must also be."""
        return UsageLimitExceeded

    def call(self, client, text="Hi"):
        """Run the agent."""
        return client.agent.run_sync(text).output

    async def acall(self, client, text="Hi"):
        """Run the agent."""
        return (await client.agent.run(text)).output

    def stream(self, client, text="Hi", *, usage=True):
        """Stream the agent's answer; the host always asks for the usage."""
        with client.agent.run_stream_sync(text) as run:
            yield from keep(keep(run).stream_text(delta=True, debounce_by=None))

    async def astream(self, client, text="Hi", *, usage=True):
        """Stream the agent's answer; the host always asks for the usage."""
        async with client.agent.run_stream(text) as run:
            async for piece in keep(keep(run).stream_text(delta=True, debounce_by=None)):
                yield piece

    async def fallback(self, server, budget):
        """Run an agent whose first model is out of order."""
        async with _client(server, 0) as client:
            chain = FallbackModel(_model(client, "first"), _model(client, "second"))
            return (await Agent(wrap(chain, budget)).run("Hi")).output

    async def five_tools(self, server, budget):
        """Run an agent that asks for five tools at once."""
        async with _client(server, 0) as client:
            agent = Agent(_model(client), capabilities=[BudgetCapability(budget, models=False)])

            @agent.tool_plain
            def look_up(word: str) -> str:
                return "found " + word

            run = await agent.run("Hi")
        parts = [part for message in run.all_messages() for part in message.parts]
        return [part.content for part in parts if isinstance(part, ToolReturnPart)]

    async def unguarded_method(self, server, budget, unguarded):
        """Send a batch."""
        async with _client(server, 0) as client:
            await wrap(_model(client), budget, unguarded=unguarded).batch_create([])

    async def refused_inside_tool(self, server, budget, tool):
        """Run an agent with a tool whose own budget refuses."""
        async with _client(server, 0) as client:
            agent = Agent(_model(client), tools=[tool], capabilities=[BudgetCapability(budget, models=False)])
            run = await agent.run("Hi")
        parts = [part for message in run.all_messages() for part in message.parts]
        return next(part.content for part in parts if isinstance(part, ToolReturnPart)), run.output

    async def sub_agent(self, server, budget):
        """Run an agent that asks another one before it answers."""
        async with _client(server, 0) as client:
            guarded = wrap(_model(client), budget)
            helper, agent = Agent(guarded), Agent(guarded)

            @agent.instructions
            async def advice() -> str:
                return (await helper.run("Advise")).output

            await agent.run("Hi")

    async def internal_call(self, server, budget):
        """Run an agent whose first answer the host sends back."""
        async with _client(server, 0) as client:
            agent = Agent(wrap(_model(client), budget), retries=1)
            seen = []

            @agent.output_validator
            def second_only(answer: str) -> str:
                seen.append(answer)
                if len(seen) == 1:
                    raise ModelRetry("once more")
                return answer

            await agent.run("Hi")


def _inner():
    # No connection is kept, as each event loop needs its own.
    return httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_keepalive_connections=0))


def _client(server, retries, timeout=10, transport=None):
    http = httpx2.AsyncClient(transport=transport or _inner())
    options = {"max_retries": retries, "timeout": timeout, "http_client": http}
    return AsyncOpenAI(base_url=server.base_url, api_key="none", **options)


def _model(client, name="gpt-test"):
    return OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client))


def _agent(client, model, **keywords):
    return SimpleNamespace(client=client, agent=Agent(model, **keywords))


DRIVER = Driver()
