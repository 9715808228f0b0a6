"""The recipe for Microsoft's Agent Framework, on the page's own client."""

from __future__ import annotations

import asyncio
import threading

import pytest
from recipe_support import recipe

framework = pytest.importorskip(
    "agent_framework", reason="the Agent Framework recipe needs agent-framework-core"
)

from outlay import LimitExceeded  # noqa: E402
from outlay.testing import Reply  # noqa: E402


@pytest.fixture(scope="module")
def page():
    return recipe("agent-framework")


@pytest.fixture
def make_agent(page):
    def make(server, pool, cls=None, **more):
        client = (cls or page["Client"])(server.base_url, middleware=[page["BudgetMiddleware"](pool)])
        return framework.Agent(client=client, name="greeter", **more)

    return make


async def test_a_run_is_booked_as_billed(make_agent, serve, pool, billed):
    server = serve([Reply(text="Hello.")])
    assert (await make_agent(server, pool).run("Hi")).text == "Hello."
    assert pool.committed().total_tokens == billed(server) > 0


async def test_a_refused_run_never_reaches_the_provider_and_is_asked_once(
    make_agent, serve, make_pool, counted
):
    server, budget = serve([]), counted(make_pool(10))
    with pytest.raises(LimitExceeded) as caught:
        await make_agent(server, budget).run("Hi")
    assert caught.value.limit == 10
    assert (budget.asked, server.calls) == (1, 0)


@pytest.mark.parametrize(("spared", "times"), [((), 3), (LimitExceeded, 1)])
async def test_a_middleware_outside_that_retries_asks_each_time(make_agent, serve, counted, spared, times):
    """What the page says of other middleware."""

    class Retrying(framework.AgentMiddleware):
        async def process(self, context, call_next):
            for _ in range(2):
                try:
                    return await call_next()
                except Exception as error:
                    if isinstance(error, spared):
                        raise
            return await call_next()

    budget = counted()
    with pytest.raises(LimitExceeded):
        await make_agent(serve([]), budget, middleware=[Retrying()]).run("Hi")
    assert budget.asked == times


async def test_a_provider_that_fails_costs_nothing(make_agent, serve, pool):
    server = serve([Reply(status=500, text="down")])
    with pytest.raises(Exception, match="500"):
        await make_agent(server, pool).run("Hi")
    assert pool.committed().total_tokens == 0


async def test_a_run_that_is_cancelled_is_charged(make_agent, serve, pool):
    server = serve([Reply(text="Hello.", gate=threading.Event())])
    run = asyncio.ensure_future(make_agent(server, pool).run("Hi"))
    await asyncio.to_thread(server.wait_for, lambda: server.calls == 1)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert pool.committed().output_tokens == 1_024


@pytest.fixture
def scripted(page):
    """Return a client that calls a tool first, and one that streams."""

    class Scripted(page["Client"]):
        turns = 0

        def _inner_get_response(self, *, messages, stream, options, **kwargs):
            return self._streamed() if stream else self._turn()

        async def _turn(self):
            Scripted.turns += 1
            told = framework.UsageDetails(input_token_count=10, output_token_count=5)
            call = framework.Content.from_function_call("c1", "look_up", arguments='{"word": "a"}')
            contents = [call] if Scripted.turns == 1 else ["Done."]
            said = framework.Message(role="assistant", contents=contents)
            return framework.ChatResponse(messages=[said], usage_details=told)

        def _streamed(self):
            async def updates():
                for word in ("Hello ", "there."):
                    yield framework.ChatResponseUpdate(
                        role="assistant", contents=[framework.Content.from_text(word)]
                    )
                told = framework.UsageDetails(input_token_count=10, output_token_count=5)
                yield framework.ChatResponseUpdate(contents=[framework.Content.from_usage(told)])

            return framework.ResponseStream(updates(), finalizer=framework.ChatResponse.from_updates)

    return Scripted


async def test_each_turn_of_a_tool_loop_is_booked(make_agent, scripted, serve, pool):
    ran = []
    agent = make_agent(serve([]), pool, cls=scripted, tools=[look_up_of(ran)])
    assert (await agent.run("Hi")).text == "Done."
    assert ran == ["a"]
    assert pool.committed().total_tokens == 30


async def test_a_stream_is_booked_at_its_end(make_agent, scripted, serve, pool):
    agent = make_agent(serve([]), pool, cls=scripted)
    stream = agent.run("Hi", stream=True)
    assert "".join([update.text async for update in stream]) == "Hello there."
    await stream.get_final_response()
    assert pool.committed().total_tokens == 15


async def test_a_stream_that_is_closed_early_is_charged_its_estimate(make_agent, scripted, serve, pool):
    agent = make_agent(serve([]), pool, cls=scripted)

    stream = agent.run("Hi", stream=True)
    async for _ in stream:
        break
    await stream.close()
    assert pool.committed().output_tokens == 1_024


async def test_what_a_function_middleware_answers_is_what_the_model_reads(make_agent, scripted, serve, pool):
    """What the page says of tools."""
    ran, read = [], []

    class Denying(framework.FunctionMiddleware):
        async def process(self, context, call_next):
            context.result = "refused"

    class Reading(scripted):
        def _inner_get_response(self, *, messages, **kwargs):
            read.extend(one for message in messages for one in message.contents)
            return super()._inner_get_response(messages=messages, **kwargs)

    agent = make_agent(serve([]), pool, cls=Reading, tools=[look_up_of(ran)], middleware=[Denying()])
    assert (await agent.run("Hi")).text == "Done."
    assert ran == []
    assert "refused" in [getattr(one, "result", None) for one in read]


def look_up_of(ran):
    def look_up(word: str) -> str:
        """Look a word up."""
        ran.append(word)
        return "found " + word

    return look_up
