"""The Google ADK recipe, with the real Gemini client."""

from __future__ import annotations

import pytest
from recipe_support import recipe

pytest.importorskip("google.adk", reason="the Google ADK recipe needs google-adk")

from google.adk.agents import LlmAgent, RunConfig
from google.adk.agents.run_config import StreamingMode
from google.adk.models import BaseLlm, FallbackModel, Gemini, LlmRequest, LlmResponse
from google.adk.plugins._reflect_retry_model_plugin import ReflectAndRetryModelPlugin
from google.adk.plugins.base_plugin import BasePlugin
from google.adk.runners import InMemoryRunner
from google.adk.workflow import RetryConfig
from google.genai import types

from outlay import LimitExceeded
from outlay.testing import Reply

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def page():
    return recipe("google-adk")


@pytest.fixture
def make_agent(page, monkeypatch):
    def make(server, pool, name="greeter", **more):
        monkeypatch.setenv("GOOGLE_API_KEY", "none")
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.gemini_url)
        model = page["BudgetLlm"](model="gemini-x", inner=Gemini(model="gemini-x"), pool=pool)
        return LlmAgent(name=name, model=model, **more)

    return make


async def test_a_run_is_booked_as_billed(page, make_agent, serve, pool, billed):
    server = serve([Reply(text="Hello.")])
    assert await page["ask"](make_agent(server, pool), "Hi") == ["Hello."]
    assert pool.committed().total_tokens == billed(server) > 0


def fallback(make_agent, *args):
    first, second = (make_agent(*args).model for _ in range(2))
    return LlmAgent(name="greeter", model=FallbackModel(models=[first, second])), ()


def reflecting(make_agent, *args):
    return make_agent(*args), [ReflectAndRetryModelPlugin()]


def node(**options):
    def repeated(make_agent, *args):
        retry = RetryConfig(max_attempts=3, initial_delay=0, jitter=0, **options)
        return make_agent(*args, retry_config=retry), ()

    return repeated


@pytest.mark.parametrize(
    ("made", "times"), [(fallback, 1), (reflecting, 1), (node(exceptions=[OSError]), 1), (node(), 3)]
)
async def test_a_refusal_is_asked_once_unless_a_node_repeats_every_error(
    make_agent, serve, make_pool, counted, made, times
):
    """What the page says of ADK's own retries."""
    server, budget = serve([]), counted(make_pool(10))
    agent, plugins = made(make_agent, server, budget)
    with pytest.raises(LimitExceeded) as caught:
        await events_of(agent, plugins)
    assert caught.value.limit == 10
    assert (budget.asked, server.calls) == (times, 0)


async def events_of(agent, plugins=(), **config):
    runner = InMemoryRunner(agent, app_name="app", plugins=list(plugins))
    session = await runner.session_service.create_session(app_name="app", user_id="u")
    said = types.Content(role="user", parts=[types.Part(text="Hi")])
    run = runner.run_async(
        user_id="u", session_id=session.id, new_message=said, run_config=RunConfig(**config)
    )
    return [event async for event in run]


async def test_a_stream_is_booked_once(make_agent, serve, pool, billed):
    server = serve([Reply(text="Hello there, all of you.")])
    events = await events_of(make_agent(server, pool), streaming_mode=StreamingMode.SSE)
    assert events[-1].content.parts[0].text == "Hello there, all of you."
    assert pool.committed().total_tokens == billed(server) > 0


async def test_a_sub_agent_spends_from_the_same_pool(make_agent, serve, pool, billed):
    call = {"name": "transfer_to_agent", "args": {"agent_name": "helper"}, "id": "c1"}
    server = serve([Reply(tool_calls=[call]), Reply(text="Helped.")])
    helper = make_agent(server, pool, name="helper", description="Helps.")
    await events_of(make_agent(server, pool, sub_agents=[helper]))
    assert server.calls == 2
    assert pool.committed().total_tokens == billed(server) > 0


async def test_a_plugin_that_raises_is_wrapped(make_agent, serve, pool, make_pool):
    """What the page says of plugins, and why the recipe is none."""

    class Denying(BasePlugin):
        async def before_model_callback(self, *, callback_context, llm_request):
            make_pool(1).reserve(2)

    server = serve([])
    with pytest.raises(RuntimeError, match="Error in plugin") as caught:
        await events_of(make_agent(server, pool), plugins=[Denying(name="denying")])
    assert not isinstance(caught.value, LimitExceeded)
    assert isinstance(caught.value.__cause__, LimitExceeded)
    assert server.calls == 0


class Broken(BaseLlm):
    """A model whose answer breaks off."""

    pieces: int

    async def generate_content_async(self, llm_request, stream=False):
        """Give some pieces, and fail."""
        for _ in range(self.pieces):
            told = types.GenerateContentResponseUsageMetadata(prompt_token_count=10, total_token_count=10)
            content = types.Content(role="model", parts=[types.Part(text="a")])
            yield LlmResponse(partial=True, content=content, usage_metadata=told)
        raise ConnectionError("cut")


@pytest.mark.parametrize(("pieces", "charged"), [(0, False), (2, True)])
async def test_an_answer_that_breaks_off_is_charged(page, pool, pieces, charged):
    model = page["BudgetLlm"](model="x", inner=Broken(model="x", pieces=pieces), pool=pool)
    asked = LlmRequest(contents=[types.Content(role="user", parts=[types.Part(text="Hi")])])
    with pytest.raises(ConnectionError):
        [response async for response in model.generate_content_async(asked, stream=True)]
    assert pool.committed().output_tokens == (1_024 if charged else 0)
