"""OpenAI's client, responses."""

from __future__ import annotations

from types import SimpleNamespace

import openai

from outlay.openai import wrap


class Driver:
    """Responses, sync and async."""

    name = "openai-responses"
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
        return self._clients(server, lambda client: wrap(client, budget, **keywords), max_retries=0)

    def retrying(self, server, budget):
        """Make clients that retry; the server says how soon."""
        return self._clients(server, lambda client: wrap(client, budget), max_retries=2)

    def stacked(self, server, budget):
        """Wrap twice."""
        return self._clients(server, lambda client: wrap(wrap(client, budget), budget), max_retries=0)

    def _clients(self, server, guard, **options):
        options = {"base_url": server.base_url, "api_key": "none", "timeout": 10, **options}
        plain, asynchronous = openai.OpenAI(**options), openai.AsyncOpenAI(**options)
        return SimpleNamespace(sync=guard(plain), asynchronous=guard(asynchronous))

    async def aclose(self, client):
        """Close the connections."""
        client.sync.close()
        await client.asynchronous.close()

    def host_error(self):
        """Return what a refusal must also be."""
        return openai.OpenAIError

    def call(self, client, text="Hi"):
        """Ask for one response."""
        return client.sync.responses.create(model="gpt-test", input=text).output_text

    async def acall(self, client, text="Hi"):
        """Ask for one response."""
        return (await client.asynchronous.responses.create(model="gpt-test", input=text)).output_text

    def stream(self, client, text="Hi", *, usage=True):
        """Ask for a stream of events; it always tells its usage."""
        with client.sync.responses.create(model="gpt-test", input=text, stream=True) as events:
            for event in events:
                if event.type == "response.output_text.delta":
                    yield event.delta

    async def astream(self, client, text="Hi", *, usage=True):
        """Ask for a stream of events; it always tells its usage."""
        request = client.asynchronous.responses.create(model="gpt-test", input=text, stream=True)
        async with await request as events:
            async for event in events:
                if event.type == "response.output_text.delta":
                    yield event.delta


DRIVER = Driver()
