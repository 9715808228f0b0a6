"""OpenAI's client on guarded transports: of httpx2, or of httpx before its version 3."""

from __future__ import annotations

from types import SimpleNamespace

import openai

if int(openai.VERSION.partition(".")[0]) < 3:
    import httpx as hx

    from outlay.httpx import async_transport, transport
else:
    import httpx2 as hx

    from outlay.httpx2 import async_transport, transport


class Driver:
    """Chat completions, sync and async."""

    name = "httpx-openai"
    package = "openai"
    gaps = {
        "fallback": "an SDK has no fallback models",
        "five_tools": "an SDK runs no tools",
        "sub_agent": "an SDK has no agents",
        "internal_call": "an SDK makes no calls of its own",
        "cache_hit": "an SDK has no cache of responses",
    }

    def make(self, server, budget, **keywords):
        """Make a client of each kind."""
        return _clients(server, transport(budget, **keywords), async_transport(budget, **keywords))

    def retrying(self, server, budget):
        """Make clients that retry; the server says how soon."""
        return _clients(server, transport(budget), async_transport(budget), max_retries=2)

    def stacked(self, server, budget):
        """Put one transport over another."""
        sync = transport(budget, inner=transport(budget))
        return _clients(server, sync, async_transport(budget, inner=async_transport(budget)))

    async def aclose(self, client):
        """Close the connections."""
        client.sync.close()
        await client.asynchronous.close()

    def host_error(self):
        """Return what a refusal must also be."""
        return openai.OpenAIError

    def call(self, client, text="Hi"):
        """Ask for one completion."""
        answer = client.sync.chat.completions.create(**_request(text))
        return answer.choices[0].message.content

    async def acall(self, client, text="Hi"):
        """Ask for one completion."""
        answer = await client.asynchronous.chat.completions.create(**_request(text))
        return answer.choices[0].message.content

    def stream(self, client, text="Hi", *, usage=True):
        """Ask for a stream of chunks."""
        with client.sync.chat.completions.create(**_request(text), **_streamed(usage)) as chunks:
            for chunk in chunks:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content

    async def astream(self, client, text="Hi", *, usage=True):
        """Ask for a stream of chunks."""
        request = client.asynchronous.chat.completions.create(**_request(text), **_streamed(usage))
        async with await request as chunks:
            async for chunk in chunks:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content


def _clients(server, sync, asynchronous, *, max_retries=0):
    options = {"base_url": server.base_url, "api_key": "none", "max_retries": max_retries}
    return SimpleNamespace(
        sync=openai.OpenAI(**options, http_client=hx.Client(transport=sync)),
        asynchronous=openai.AsyncOpenAI(**options, http_client=hx.AsyncClient(transport=asynchronous)),
    )


def _request(text):
    return {"model": "gpt-test", "messages": [{"role": "user", "content": text}]}


def _streamed(usage):
    return {"stream": True, **({"stream_options": {"include_usage": True}} if usage else {})}


DRIVER = Driver()
