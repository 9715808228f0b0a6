"""Models of other providers: what each API says it used is what is booked."""

from __future__ import annotations

import threading

import httpx2
import pytest
from pydantic_ai import Agent
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import ModelRequest, PartDeltaEvent, PartStartEvent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from outlay import BudgetExceeded, Guard
from outlay.pydantic_ai import wrap
from outlay.testing import Reply

USAGE = {"prompt_tokens": 100, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 30}}


def anthropic(server):
    client = pytest.importorskip("anthropic")
    models = pytest.importorskip("pydantic_ai.models.anthropic")
    providers = pytest.importorskip("pydantic_ai.providers.anthropic")
    made = client.AsyncAnthropic(base_url=server.anthropic_url, api_key="none", max_retries=0)
    return models.AnthropicModel("claude-x", provider=providers.AnthropicProvider(anthropic_client=made))


def google(server):
    models = pytest.importorskip("pydantic_ai.models.google")
    providers = pytest.importorskip("pydantic_ai.providers.google")
    provider = providers.GoogleProvider(api_key="none", base_url=server.gemini_url)
    return models.GoogleModel("gemini-x", provider=provider)


@pytest.fixture(params=[anthropic, google], ids=["anthropic", "google"])
def make(request):
    return request.param


async def test_usage_is_what_was_billed(make, serve, pool, billed):
    server = serve([Reply(text="one two three", usage=USAGE)] * 2)
    agent = Agent(wrap(make(server), pool))
    assert (await agent.run("Hi")).output == "one two three"
    async with agent.run_stream("Hi") as run:
        assert await run.get_output() == "one two three"
    assert pool.committed().total_tokens == billed(server) == 300


async def _leave_run(model):
    async with Agent(model).run_stream("Hi") as run:
        async for _ in run.stream_text(delta=True, debounce_by=None):
            break
        await run.cancel()


async def _leave_model(model):
    async with model_request_stream(model, [ModelRequest.user_text_prompt("Hi")]) as stream:
        async for event in stream:
            if isinstance(event, PartStartEvent | PartDeltaEvent):
                return


@pytest.mark.parametrize("leave", [_leave_run, _leave_model])
async def test_stream_left_early_is_charged(make, serve, pool, make_pool, leave):
    server, other = serve([Reply(text="one two three", usage=USAGE, gate=threading.Event())]), make_pool()
    await leave(wrap(wrap(make(server), other, output_tokens=300), pool, output_tokens=500))
    # Anthropic tells the output at the end, Gemini as it runs: a third of the 50 with the first piece.
    for one, reserved in ((pool, 500), (other, 300)):
        assert one.committed().input_tokens == 100
        assert one.committed().output_tokens == {anthropic: reserved, google: 16}[make]


async def test_refusal_asks_no_provider(make, serve, make_pool):
    server = serve([])
    with pytest.raises(BudgetExceeded):
        await Agent(wrap(make(server), make_pool(10))).run("Hi")
    assert server.calls == 0


@pytest.mark.parametrize("api", [OpenAIChatModel, OpenAIResponsesModel])
@pytest.mark.parametrize(
    ("address", "provider"),
    [("https://api.deepseek.com", "deepseek"), ("https://gateway.example.com/v1", "openai")],
)
async def test_the_label_provider_is_that_of_the_address(api, address, provider):
    """The limit of a provider refuses its models, before they send anything."""
    rules = [
        {"name": one, "scope": {"provider": one}, "limit": {"calls": 0}} for one in ("openai", "deepseek")
    ]
    model = api("m", provider=OpenAIProvider(base_url=address, api_key="k"))
    with pytest.raises(BudgetExceeded) as caught:
        await Agent(wrap(model, Guard({"budget": rules}))).run("Hi")
    assert caught.value.scope["budget"] == provider


@pytest.mark.parametrize(
    ("said", "booked"),
    [({}, 900), ({"is_byok": True, "cost_details": {"upstream_inference_cost": 0.001}}, 1_900)],
    ids=["with its cost", "on a key of one's own"],
)
async def test_the_cost_that_openrouters_model_passes_on_is_booked(said, booked):
    models = pytest.importorskip("pydantic_ai.models.openrouter")
    providers = pytest.importorskip("pydantic_ai.providers.openrouter")
    choice = {"index": 0, "finish_reason": "stop", "native_finish_reason": "stop"}
    usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150, "cost": 0.0009}
    answer = {
        "id": "gen-1",
        "object": "chat.completion",
        "created": 0,
        "model": "m/m",
        "provider": "Some",
        "choices": [{**choice, "message": {"role": "assistant", "content": "Hello."}}],
        "usage": {**usage, **said},
    }
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, json=answer)))
    provider = providers.OpenRouterProvider(api_key="none", http_client=http)
    prices = {"m/m": {"input": "2.50", "output": "10.00"}}
    guard = Guard({"budget": [{"name": "all", "limit": {"usd": "1"}}], "prices": prices})
    await Agent(wrap(models.OpenRouterModel("m/m", provider=provider), guard)).run("Hi")
    # The price says 750 micro-USD.
    assert guard.snapshot()[0]["limits"]["cost_micros_usd"]["used"] == booked
