"""Anthropic's client: its messages."""

from __future__ import annotations

from types import SimpleNamespace

from anthropic import Anthropic, AnthropicError, AsyncAnthropic

from outlay.anthropic import wrap


class Driver:
    """Messages, sync and async; streams by the SDK's helper."""

    name = "anthropic"
    # Not the bare name: a folder of tests has it too.
    package = "anthropic.types"
    gaps = {
        "fallback": "an SDK has no fallback models",
        "five_tools": "an SDK runs no agents",
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
        options = {"base_url": server.anthropic_url, "api_key": "none", "timeout": 10, **options}
        return SimpleNamespace(
            sync=guard(Anthropic(**options)), asynchronous=guard(AsyncAnthropic(**options))
        )

    async def aclose(self, client):
        """Close the connections."""
        client.sync.close()
        await client.asynchronous.close()

    def host_error(self):
        """Return what a refusal must also be."""
        return AnthropicError

    def call(self, client, text="Hi"):
        """Ask for one message."""
        return client.sync.messages.create(**_request(text)).content[0].text

    async def acall(self, client, text="Hi"):
        """Ask for one message."""
        return (await client.asynchronous.messages.create(**_request(text))).content[0].text

    def stream(self, client, text="Hi", *, usage=True):
        """Ask for a stream, which always tells its usage."""
        with client.sync.messages.stream(**_request(text)) as stream:
            yield from stream.text_stream

    async def astream(self, client, text="Hi", *, usage=True):
        """Ask for a stream, which always tells its usage."""
        async with client.asynchronous.messages.stream(**_request(text)) as stream:
            async for piece in stream.text_stream:
                yield piece


def _request(text):
    return {"model": "claude-test", "max_tokens": 1_024, "messages": [{"role": "user", "content": text}]}


DRIVER = Driver()
