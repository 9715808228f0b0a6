"""Google's client for Gemini on guarded transports, as its `HttpOptions` take them."""

from __future__ import annotations

import asyncio
import gc
import json
from contextlib import closing

from google import genai
from google.genai import types
from kit import keep

from outlay import governed
from outlay.testing import Reply

if int(genai.__version__.partition(".")[0]) < 3:
    import httpx as hx

    from outlay.httpx import async_transport, transport, wrap
else:
    import httpx2 as hx

    from outlay.httpx2 import async_transport, transport, wrap


class Driver:
    """generateContent, sync and async."""

    name = "httpx-gemini"
    package = "google.genai"
    gaps = {
        "cached_names": "the API has one name for them",
        "cost_reported": "the API reports no cost",
        "fallback": "an SDK has no fallback models",
        "sub_agent": "an SDK has no agents",
        "cache_hit": "an SDK has no cache of responses",
        "refused_inside_tool": "the SDK answers what any function raises (google/genai/_extra_utils.py)",
    }
    # Each chunk tells the running usage: all thoughts, and a third of the rest.
    broken = (100, 30)
    scripts = {"internal_call": [Reply(tool_calls=[{"name": "look_up", "args": {"word": "a"}}]), Reply()]}

    def make(self, server, budget, **keywords):
        """Make a client, which is of both kinds."""
        return _client(server, transport(budget, **keywords), async_transport(budget, **keywords))

    def retrying(self, server, budget):
        """Make a client that retries at once."""
        retries = types.HttpRetryOptions(attempts=3, initial_delay=0.0, max_delay=0.0, jitter=0.0)
        return _client(server, transport(budget), async_transport(budget), retry_options=retries)

    def hurried(self, server, budget, retries):
        """Make a client that waits for no more than a moment."""
        again = types.HttpRetryOptions(attempts=1 + retries, initial_delay=0.0, max_delay=0.0, jitter=0.0)
        sync, asynchronous = transport(budget), async_transport(budget)
        return _client(server, sync, asynchronous, retry_options=again, timeout=300)

    def unparsed_answer(self, server, budget):
        """Parse an answer that is cut short, above the transport."""
        client = _client(server, transport(budget), async_transport(budget))
        config = {"response_mime_type": "application/json", "response_schema": {"type": "OBJECT"}}
        with client:
            json.loads(client.models.generate_content(**_request("Hi"), config=config).text)

    def stacked(self, server, budget):
        """Put one transport over another."""
        sync = transport(budget, inner=transport(budget))
        return _client(server, sync, async_transport(budget, inner=async_transport(budget)))

    def over_transport(self, server, budget):
        """Guard HTTP clients whose transports are guarded too."""
        sync, asynchronous = transport(budget), async_transport(budget)
        return _client(server, sync, asynchronous, guard=lambda http: wrap(http, budget))

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
        with closing(keep(client.models.generate_content_stream(**_request(text)))) as chunks:
            for chunk in chunks:
                yield chunk.text

    async def astream(self, client, text="Hi", *, usage=True):
        """Ask for a stream of chunks; each tells its usage."""
        chunks = keep(await client.aio.models.generate_content_stream(**_request(text)))
        try:
            async for chunk in chunks:
                yield chunk.text
        finally:
            await chunks.aclose()

    async def collect(self):
        """Let go what the SDK leaves to the collector.

        Its response holds its own iterator (`HttpResponse.async_segments` of its _api_client.py); from there
        on the event loop closes one generator a round, and those that it could not close at once are
        collected again.
        """
        for _ in range(2):
            gc.collect()
            for _ in range(ROUNDS):
                await asyncio.sleep(0)

    def unguarded_method(self, server, budget, unguarded):
        """Ask for a picture, as Vertex AI is asked for one."""
        url = f"{server.gemini_url}/v1beta/models/imagen-test:predict"
        with hx.Client(transport=transport(budget, unguarded=unguarded)) as client:
            client.post(url, json={"instances": [{"prompt": "A cat"}]}).raise_for_status()

    def five_tools(self, server, budget):
        """Let a chat of the SDK run governed functions; the budget is theirs."""
        return _run(
            _client(server, hx.HTTPTransport(), hx.AsyncHTTPTransport()), governed(budget, 0)(look_up)
        )

    def internal_call(self, server, budget):
        """Let a chat call the model again, of the SDK's own accord, with what a tool has said."""
        return _run(_client(server, transport(budget), async_transport(budget)), look_up)


def look_up(word: str) -> dict[str, str]:
    """Look a word up."""
    return {"result": "found " + word}


def _run(client, function):
    """Return what the tools have said, refusals included."""
    chat = client.chats.create(model="gemini-test", config=types.GenerateContentConfig(tools=[function]))
    chat.send_message("Hi")
    client.close()
    parts = [part for content in chat.get_history() for part in content.parts]
    return [part.function_response.response for part in parts if part.function_response]


ROUNDS = 50


def _client(server, sync, asynchronous, guard=lambda http: http, **options):
    http = types.HttpOptions(
        base_url=server.gemini_url,
        httpx_client=guard(hx.Client(transport=sync)),
        httpx_async_client=guard(hx.AsyncClient(transport=asynchronous)),
        **options,
    )
    return genai.Client(api_key="none", http_options=http)


def _request(text):
    return {"model": "gemini-test", "contents": text}


DRIVER = Driver()
