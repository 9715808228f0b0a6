"""Google's client for Gemini on guarded transports, as its `HttpOptions` take them."""

from __future__ import annotations

import asyncio

from google import genai
from google.genai import types

if int(genai.__version__.partition(".")[0]) < 3:
    import httpx as hx

    from outlay.httpx import async_transport, transport
else:
    import httpx2 as hx

    from outlay.httpx2 import async_transport, transport


class Driver:
    """generateContent, sync and async."""

    name = "httpx-gemini"
    package = "google.genai"
    gaps = {
        "fallback": "an SDK has no fallback models",
        "five_tools": "an SDK has no agents",
        "sub_agent": "an SDK has no agents",
        "internal_call": "an SDK makes no calls of its own",
        "cache_hit": "an SDK has no cache of responses",
    }

    def make(self, server, budget, **keywords):
        """Make a client, which is of both kinds."""
        return _client(server, transport(budget, **keywords), async_transport(budget, **keywords))

    def retrying(self, server, budget):
        """Make a client that retries at once."""
        retries = types.HttpRetryOptions(attempts=3, initial_delay=0.0, max_delay=0.0, jitter=0.0)
        return _client(server, transport(budget), async_transport(budget), retry_options=retries)

    def stacked(self, server, budget):
        """Put one transport over another."""
        sync = transport(budget, inner=transport(budget))
        return _client(server, sync, async_transport(budget, inner=async_transport(budget)))

    async def aclose(self, client):
        """Close the connections."""
        client.close()
        await client.aio.aclose()

    def call(self, client, text="Hi"):
        """Ask for one answer."""
        return client.models.generate_content(**_request(text)).text

    async def acall(self, client, text="Hi"):
        """Ask for one answer."""
        return (await client.aio.models.generate_content(**_request(text))).text

    def stream(self, client, text="Hi", *, usage=True):
        """Ask for a stream of chunks; each tells its usage."""
        for chunk in client.models.generate_content_stream(**_request(text)):
            yield chunk.text

    async def astream(self, client, text="Hi", *, usage=True):
        """Ask for a stream of chunks; each tells its usage."""
        chunks = await client.aio.models.generate_content_stream(**_request(text))
        try:
            async for chunk in chunks:
                yield chunk.text
        finally:
            await chunks.aclose()
            # The SDK leaves its inner generators to the event loop, which closes them one a round.
            for _ in range(ROUNDS):
                await asyncio.sleep(0)


ROUNDS = 20


def _client(server, sync, asynchronous, **options):
    http = types.HttpOptions(
        base_url=server.gemini_url,
        httpx_client=hx.Client(transport=sync),
        httpx_async_client=hx.AsyncClient(transport=asynchronous),
        **options,
    )
    return genai.Client(api_key="none", http_options=http)


def _request(text):
    return {"model": "gemini-test", "contents": text}


DRIVER = Driver()
