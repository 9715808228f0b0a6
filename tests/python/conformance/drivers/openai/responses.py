"""OpenAI's client, responses."""

from __future__ import annotations

import openai
from kit import keep
from openai_kit import Word, WrappedDriver

from outlay.openai import wrap


class Driver(WrappedDriver):
    """Responses, sync and async."""

    name = "openai-responses"
    package = "openai"
    gaps = {
        "cached_names": "the API has one name for them",
        "running_totals": "a stream of responses tells its usage once, in response.completed",
        "fallback": "an SDK has no fallback models",
        "five_tools": "an SDK runs no tools",
        "refused_inside_tool": "an SDK runs no tools",
        "sub_agent": "an SDK has no agents",
        "internal_call": "an SDK makes no calls of its own",
        "cache_hit": "an SDK has no cache of responses",
    }

    def call(self, client, text="Hi"):
        """Ask for one response."""
        return client.sync.responses.create(model="gpt-test", input=text).output_text

    async def acall(self, client, text="Hi"):
        """Ask for one response."""
        return (await client.asynchronous.responses.create(model="gpt-test", input=text)).output_text

    def stream(self, client, text="Hi", *, usage=True):
        """Ask for a stream of events; it always tells its usage."""
        with keep(client.sync.responses.create(model="gpt-test", input=text, stream=True)) as events:
            for event in keep(iter(events)):
                if event.type == "response.output_text.delta":
                    yield event.delta

    async def astream(self, client, text="Hi", *, usage=True):
        """Ask for a stream of events; it always tells its usage."""
        request = client.asynchronous.responses.create(model="gpt-test", input=text, stream=True)
        async with keep(await request) as events:
            async for event in keep(aiter(events)):
                if event.type == "response.output_text.delta":
                    yield event.delta

    def unparsed_answer(self, server, budget):
        """Parse an answer that is cut short."""
        with openai.OpenAI(base_url=server.base_url, api_key="none") as client:
            wrap(client, budget).responses.parse(model="gpt-test", input="Hi", text_format=Word)


DRIVER = Driver()
