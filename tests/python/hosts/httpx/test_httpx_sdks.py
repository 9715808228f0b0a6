"""SDKs on a guarded transport: their calls are counted, and the refusal comes out of them as it is."""

from __future__ import annotations

import asyncio
import importlib

import pytest
from httpx_support import HI_ESTIMATE, USAGE

from outlay import BudgetExceeded
from outlay.testing import Reply

HI = [{"role": "user", "content": "Hi"}]


class OpenAI:
    """OpenAI's client on httpx (its version 2) and on httpx2 (since 3)."""

    def __init__(self, hx, faces):
        self.openai = pytest.importorskip("openai")
        if hx.__name__ == "httpx2" and int(self.openai.VERSION.split(".")[0]) < 3:
            pytest.skip("openai before 3.0 runs on httpx only")
        self.hx, self.faces = hx, faces

    def client(self, server, budget, retries=2):
        """Make a sync client."""
        http = self.hx.Client(transport=self.faces.transport(budget))
        return self.openai.OpenAI(
            api_key="none", base_url=server.base_url, http_client=http, max_retries=retries
        )

    def async_client(self, server, budget, retries=2):
        """Make an async client."""
        http = self.hx.AsyncClient(transport=self.faces.async_transport(budget))
        return self.openai.AsyncOpenAI(
            api_key="none", base_url=server.base_url, http_client=http, max_retries=retries
        )


@pytest.fixture
def openai_on(hx, faces, monkeypatch):
    """Return clients of OpenAI's SDK on the HTTP library."""
    made = OpenAI(hx, faces)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.0)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.0)
    return made


def billed(server):
    return sum(usage["total_tokens"] for usage in server.billed)


def test_openai_is_counted(openai_on, serve, pool):
    server = serve(lambda request: Reply(text="Hello"))
    client = openai_on.client(server, pool)
    client.chat.completions.create(model="m", messages=HI)
    client.responses.create(model="m", input="Hi")
    client.embeddings.create(model="m", input="Hi")
    told = {"stream": True, "stream_options": {"include_usage": True}}
    assert list(client.chat.completions.create(model="m", messages=HI, **told))
    assert list(client.responses.create(model="m", input="Hi", stream=True))

    async def run():
        async with openai_on.async_client(server, pool) as client:
            await client.chat.completions.create(model="m", messages=HI)

    asyncio.run(run())
    embedded = sum(usage["completion_tokens"] for usage in server.billed if usage["api"] == "embeddings")
    assert pool.committed().total_tokens == billed(server) - embedded


def test_openai_lets_a_refusal_through_at_once(openai_on, serve, make_pool):
    server = serve([])
    pool = make_pool(capacity_tokens=1)
    asked = []

    class Recorded:
        def reserve(self, estimate, **labels):
            asked.append(estimate)
            return pool.reserve(estimate)

    client = openai_on.client(server, Recorded())
    with pytest.raises(BudgetExceeded) as refused:
        client.chat.completions.create(model="m", messages=HI)
    assert isinstance(refused.value, openai_on.openai.OpenAIError)
    assert refused.value.__cause__ is None
    assert len(asked) == 1

    async def run():
        async with openai_on.async_client(server, pool) as client:
            await client.chat.completions.create(model="m", messages=HI)

    with pytest.raises(BudgetExceeded):
        asyncio.run(run())
    assert server.calls == 0


def test_each_retry_of_openai_is_admitted_anew(openai_on, serve, make_pool):
    server = serve([Reply(status=429), Reply(status=500), Reply(text="Hello")])
    pool = make_pool(capacity_tokens=HI_ESTIMATE)
    client = openai_on.client(server, pool)
    client.chat.completions.create(model="m", messages=HI, max_tokens=100)
    assert server.calls == 3
    assert pool.committed().total_tokens == billed(server)


def test_an_openai_stream_that_is_closed_early_is_charged(openai_on, serve, pool):
    server = serve([Reply(text="one two three", usage=USAGE)])
    client = openai_on.client(server, pool)
    stream = client.chat.completions.create(model="m", messages=HI, max_tokens=100, stream=True)
    next(iter(stream))
    stream.close()
    assert pool.committed().total_tokens == HI_ESTIMATE


@pytest.fixture
def genai_on(hx, faces):
    """Make clients of google-genai on the HTTP library."""
    genai = pytest.importorskip("google.genai")
    # It decides for one of the two libraries; before version 3 that is httpx.
    if hx.__name__ == "httpx2" and int(importlib.import_module("google.genai.version").__version__[0]) < 3:
        pytest.skip("google-genai before 3.0 runs on httpx only")

    def make(server, budget, **options):
        return genai.Client(
            api_key="none",
            http_options=genai.types.HttpOptions(
                base_url=server.gemini_url,
                httpx_client=hx.Client(transport=faces.transport(budget, provider="google")),
                httpx_async_client=hx.AsyncClient(transport=faces.async_transport(budget, provider="google")),
                **options,
            ),
        )

    make.genai = genai
    return make


def test_gemini_is_counted(genai_on, serve, pool):
    usage = {**USAGE, "completion_tokens_details": {"reasoning_tokens": 4}}
    server = serve(lambda request: Reply(text="one two three", usage=usage))
    client = genai_on(server, pool)
    call = {"model": "gemini-x", "contents": "Hi"}
    assert client.models.generate_content(**call).text == "one two three"
    text = "".join(chunk.text for chunk in client.models.generate_content_stream(**call))

    async def run():
        answer = await client.aio.models.generate_content(**call)
        stream = await client.aio.models.generate_content_stream(**call)
        return answer.text, "".join([chunk.text async for chunk in stream])

    assert asyncio.run(run()) == (text, text) == ("one two three", "one two three")
    assert pool.committed().total_tokens == billed(server) == 4 * 37
    assert pool.committed().reasoning_tokens == 4 * 4


def test_gemini_lets_a_refusal_through_at_once(genai_on, serve, counted):
    server = serve([])
    retries = genai_on.genai.types.HttpRetryOptions(attempts=3, initial_delay=0.0)
    for options in ({}, {"retry_options": retries}):
        budget = counted()
        client = genai_on(server, budget, **options)
        with pytest.raises(BudgetExceeded):
            client.models.generate_content(model="gemini-x", contents="Hi")
        with pytest.raises(BudgetExceeded):
            asyncio.run(client.aio.models.generate_content(model="gemini-x", contents="Hi"))
        with pytest.raises(BudgetExceeded):
            list(client.models.generate_content_stream(model="gemini-x", contents="Hi"))
        assert budget.asked == 3
    assert server.calls == 0


def test_anthropic_on_a_transport_lets_a_refusal_through(hx, faces, serve, make_pool):
    anthropic = pytest.importorskip("anthropic")
    if hx.__name__ == "httpx":
        pytest.skip("Anthropic's SDK runs on httpx2 only")
    server = serve([])
    http = hx.Client(transport=faces.transport(make_pool(capacity_tokens=1)))
    client = anthropic.Anthropic(api_key="none", base_url=server.anthropic_url, http_client=http)
    with pytest.raises(BudgetExceeded) as refused:
        client.messages.create(model="m", max_tokens=100, messages=HI)
    assert isinstance(refused.value, anthropic.AnthropicError)
    assert server.calls == 0


def test_a_transport_under_a_wrapped_client_charges_an_account_once(hx, faces, serve, make_pool):
    anthropic = pytest.importorskip("anthropic")
    if hx.__name__ == "httpx":
        pytest.skip("Anthropic's SDK runs on httpx2 only")
    from outlay.anthropic import wrap

    server = serve([Reply(text="Hello", usage=USAGE)] * 2)
    shared, own = make_pool(), make_pool()
    http = hx.Client(transport=faces.transport([shared, own]))
    client = anthropic.Anthropic(api_key="none", base_url=server.anthropic_url, http_client=http)
    guarded = wrap(client, shared)
    guarded.messages.create(model="m", max_tokens=100, messages=HI)
    with guarded.messages.stream(model="m", max_tokens=100, messages=HI) as stream:
        stream.until_done()
    assert shared.committed().total_tokens == own.committed().total_tokens == 2 * 37


def test_a_transport_under_a_wrapped_langchain_model_charges_an_account_once(openai_on, serve, make_pool):
    langchain_openai = pytest.importorskip("langchain_openai")
    from outlay.langchain import wrap

    server = serve([Reply(text="Hello", usage=USAGE)] * 2)
    shared, own = make_pool(), make_pool()
    sdk = openai_on.client(server, [shared, own])
    model = langchain_openai.ChatOpenAI(
        model="m", api_key="none", base_url=server.base_url, client=sdk.chat.completions, stream_usage=True
    )
    guarded = wrap(model, shared)
    assert guarded.invoke("Hi").content == "Hello"
    assert "".join(chunk.content for chunk in guarded.stream("Hi")) == "Hello"
    assert server.calls == 2
    assert shared.committed().total_tokens == own.committed().total_tokens == 2 * 37
