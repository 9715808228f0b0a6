"""A wait that stands in the body of a 429, end to end: real clients against a real server on loopback."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from outlay import Guard, RateLimitExceeded
from outlay.testing import ManualClock, ProviderServer, Reply

HI = [{"role": "user", "content": "Hi"}]
SAYS = {
    "openai": ("Rate limit reached. Please try again in 1m4s. Visit the page.", 64),
    "gemini": ("You exceeded your current quota. Please retry in 34.5s", 34.5),
    "azure": ("Requests have exceeded the call rate limit. Please retry after 26 seconds.", 26),
}


def openai_wrap(server, guard, model, *, stream=False):
    openai = pytest.importorskip("openai")
    wrap = pytest.importorskip("outlay.openai").wrap
    client = wrap(openai.OpenAI(base_url=server.base_url, api_key="x", max_retries=0), guard)
    answer = client.chat.completions.create(model=model, messages=HI, max_tokens=5, stream=stream)
    return list(answer) if stream else answer


def openai_stream(server, guard, model):
    return openai_wrap(server, guard, model, stream=True)


def anthropic_wrap(server, guard, model):
    anthropic = pytest.importorskip("anthropic")
    wrap = pytest.importorskip("outlay.anthropic").wrap
    client = wrap(anthropic.Anthropic(base_url=server.anthropic_url, api_key="x", max_retries=0), guard)
    return client.messages.create(model=model, messages=HI, max_tokens=5)


def anthropic_stream(server, guard, model):
    anthropic = pytest.importorskip("anthropic")
    wrap = pytest.importorskip("outlay.anthropic").wrap
    client = wrap(anthropic.Anthropic(base_url=server.anthropic_url, api_key="x", max_retries=0), guard)
    return list(client.messages.create(model=model, messages=HI, max_tokens=5, stream=True))


def httpx_gemini(server, guard, model):
    httpx = pytest.importorskip("httpx")
    transport = pytest.importorskip("outlay.httpx").transport
    address = f"{server.gemini_url}/v1beta/models/{model}:generateContent"
    body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
    with httpx.Client(transport=transport(guard, provider="google")) as client:
        return client.post(address, json=body).raise_for_status()


def httpx_gemini_async(server, guard, model):
    httpx = pytest.importorskip("httpx")
    transport = pytest.importorskip("outlay.httpx").async_transport
    address = f"{server.gemini_url}/v1beta/models/{model}:generateContent"
    body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}

    async def post():
        async with httpx.AsyncClient(transport=transport(guard, provider="google")) as client:
            (await client.post(address, json=body)).raise_for_status()

    return asyncio.run(post())


def genai(server, guard, model):
    sdk, httpx = pytest.importorskip("google.genai"), pytest.importorskip("httpx")
    transport = pytest.importorskip("outlay.httpx").transport
    client = httpx.Client(transport=transport(guard, provider="google"))
    options = sdk.types.HttpOptions(base_url=server.gemini_url, httpx_client=client)
    try:
        made = sdk.Client(api_key="x", http_options=options)
    except Exception as error:
        pytest.skip(f"this google-genai takes no client of httpx: {error}")
    return made.models.generate_content(model=model, contents="Hi")


def langchain(server, guard, model):
    chat = pytest.importorskip("langchain_openai").ChatOpenAI
    wrap = pytest.importorskip("outlay.langchain").wrap
    made = chat(model=model, base_url=server.base_url, api_key="x", max_retries=0)
    return wrap(made, guard).invoke("Hi")


def litellm(server, guard, model):
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    sdk = pytest.importorskip("litellm")
    wrap = pytest.importorskip("outlay.litellm").wrap
    asked = {"model": f"openai/{model}", "messages": HI, "api_base": server.base_url, "api_key": "x"}
    return wrap(sdk.completion, guard)(**asked, max_retries=0)


def pydantic_ai(server, guard, model):
    openai = pytest.importorskip("openai")
    models = pytest.importorskip("pydantic_ai.models.openai")
    provider = pytest.importorskip("pydantic_ai.providers.openai").OpenAIProvider
    wrap = pytest.importorskip("outlay.pydantic_ai").wrap
    client = openai.AsyncOpenAI(base_url=server.base_url, api_key="x", max_retries=0)
    made = models.OpenAIChatModel(model, provider=provider(openai_client=client))
    agent = pytest.importorskip("pydantic_ai").Agent(wrap(made, guard))
    return asyncio.run(agent.run("Hi"))


def openai_agents(server, guard, model):
    openai, agents = pytest.importorskip("openai"), pytest.importorskip("agents")
    wrap = pytest.importorskip("outlay.openai_agents").wrap
    client = openai.AsyncOpenAI(base_url=server.base_url, api_key="x", max_retries=0)
    agent = agents.Agent(name="a", model=wrap(agents.OpenAIChatCompletionsModel(model, client), guard))
    return asyncio.run(agents.Runner.run(agent, "Hi", run_config=agents.RunConfig(tracing_disabled=True)))


HOSTS = {
    "openai": (openai_wrap, "openai"),
    "openai stream": (openai_stream, "azure"),
    "anthropic": (anthropic_wrap, "azure"),
    "anthropic stream": (anthropic_stream, "openai"),
    "httpx gemini": (httpx_gemini, "gemini"),
    "httpx gemini async": (httpx_gemini_async, "gemini"),
    "google-genai": (genai, "gemini"),
    "langchain": (langchain, "openai"),
    "litellm": (litellm, "azure"),
    "openai-agents": (openai_agents, "azure"),
    "pydantic-ai": (pydantic_ai, "openai"),
}


@pytest.fixture
def guard() -> Guard:
    """Return a guard whose clock stands still."""
    rule = {"name": "rpm", "requests_per_minute": 100, "tokens_per_minute": 900_000, "adaptive": "headers"}
    return Guard({"limiter": [rule]}, clock=ManualClock())


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    """Return a server that is busy until a test changes that."""
    with ProviderServer(lambda _: server_says.pop(0)) as made:
        server_says: list[Reply] = []
        made.says = server_says
        yield made


@pytest.mark.parametrize("host", HOSTS)
def test_the_wait_in_a_body_closes_the_model_alone(host, guard, server):
    """The wrap passes it on; another model is asked as before."""
    call, provider = HOSTS[host]
    text, seconds = SAYS[provider]
    server.says += [Reply(status=429, text=text), Reply(text="Hello")]
    with pytest.raises(Exception) as failed:
        call(server, guard, "model-a")
    assert (getattr(failed.value, "status_code", 429), server.calls) == (429, 1)
    with pytest.raises(Exception) as refused:
        call(server, guard, "model-a")
    denied = next(one for one in _causes(refused.value) if isinstance(one, RateLimitExceeded))
    assert (denied.retry_after, server.calls) == (pytest.approx(seconds), 1)
    assert call(server, guard, "model-b") is not None or host == "httpx gemini async"
    assert server.calls == 2


def _causes(error):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
