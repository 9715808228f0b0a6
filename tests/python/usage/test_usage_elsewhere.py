"""Kimi has the usage of a stream in the choice of its last chunk, Groq in `x_groq`: every host reads both."""

from __future__ import annotations

import asyncio
import json

import pytest

from outlay import SharedPool

CHAT = {"prompt_tokens": 19, "completion_tokens": 13, "total_tokens": 32}
LAST = {"index": 0, "delta": {}, "finish_reason": "stop"}
ENDS = {
    "kimi": {"choices": [{**LAST, "usage": CHAT}]},
    "groq": {"choices": [LAST], "x_groq": {"id": "r", "usage": CHAT}},
}
SAY = [{"role": "user", "content": "Hi"}]


def chunk(**more):
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **more}


def events(end):
    first = chunk(
        choices=[{"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": None}]
    )
    lines = [f"data: {json.dumps(one)}\n\n" for one in (first, chunk(**end))]
    return ("".join(lines) + "data: [DONE]\n\n").encode()


def ask_openai(url, pool):
    openai = pytest.importorskip("openai")
    from outlay.openai import wrap

    client = wrap(openai.OpenAI(base_url=url, api_key="k"), pool)
    list(client.chat.completions.create(model="m", messages=SAY, stream=True))


def ask_langchain(url, pool):
    models = pytest.importorskip("langchain_openai")
    from outlay.langchain import wrap

    # The host itself reports it then, too.
    told = list(wrap(models.ChatOpenAI(model="m", base_url=url, api_key="k"), pool).stream("Hi"))
    assert [one.usage_metadata["total_tokens"] for one in told if one.usage_metadata] == [32]


def ask_langchain_async(url, pool):
    models = pytest.importorskip("langchain_openai")
    from outlay.langchain import wrap

    async def ask():
        model = wrap(models.ChatOpenAI(model="m", base_url=url, api_key="k"), pool)
        return [one async for one in model.astream("Hi")]

    asyncio.run(ask())


def ask_agents(url, pool):
    agents = pytest.importorskip("agents")
    import openai

    from outlay.openai_agents import wrap

    agents.set_tracing_disabled(True)
    client = openai.AsyncOpenAI(base_url=url, api_key="k")
    model = wrap(agents.OpenAIChatCompletionsModel("m", client), pool)

    async def ask():
        result = agents.Runner.run_streamed(agents.Agent("a", model=model), "Hi")
        async for _ in result.stream_events():
            pass
        await client.close()

    asyncio.run(ask())


def ask_pydantic_ai(url, pool):
    pydantic_ai = pytest.importorskip("pydantic_ai")
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    from outlay.pydantic_ai import wrap

    model = wrap(OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="k")), pool)

    async def ask():
        async with pydantic_ai.Agent(model).run_stream("Hi") as result:
            return [text async for text in result.stream_text()]

    asyncio.run(ask())


def ask_litellm(model):
    def ask(url, pool):
        litellm = pytest.importorskip("litellm")
        from outlay.litellm import wrap

        complete = wrap(litellm.completion, pool)
        list(complete(model=model, api_base=url, api_key="k", messages=SAY, stream=True))

    return ask


HOSTS = {
    "openai": ask_openai,
    "langchain": ask_langchain,
    "langchain, async": ask_langchain_async,
    "openai_agents": ask_agents,
    "pydantic_ai": ask_pydantic_ai,
    "litellm": ask_litellm("openai/m"),
    "litellm, moonshot": ask_litellm("moonshot/m"),
    "litellm, groq": ask_litellm("groq/m"),
}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("provider", ENDS)
def test_every_host_reads_the_usage_where_the_provider_puts_it(provider, host, serve_body):
    pool = SharedPool(capacity_tokens=10_000)
    with serve_body("text/event-stream", events(ENDS[provider])) as url:
        HOSTS[host](url + "/v1", pool)
    assert (pool.committed().input_tokens, pool.committed().output_tokens) == (19, 13)
    assert pool.open_leases() == []
