"""Anthropic's client: its messages, and its tool runner, which calls the model as often as it takes."""

from __future__ import annotations

from types import SimpleNamespace

import httpx2
from anthropic import Anthropic, AnthropicError, AsyncAnthropic, beta_tool
from kit import keep
from pydantic import BaseModel

from outlay import governed
from outlay.anthropic import wrap
from outlay.httpx2 import async_transport, transport
from outlay.testing import Reply


class Word(BaseModel):
    """What an answer is to be parsed as."""

    word: str


class Driver:
    """Messages, sync and async; streams by the SDK's helper."""

    name = "anthropic"
    package = "anthropic"
    gaps = {
        "cached_names": "the API has one name for them",
        "fallback": "an SDK has no fallback models",
        "sub_agent": "an SDK has no agents",
        "cache_hit": "an SDK has no cache of responses",
        "refused_inside_tool": "the SDK answers what any tool raises (lib/tools/_beta_runner.py)",
    }
    # The input is told first; what was generated until the cut is unknown.
    broken = (100, None)
    scripts = {"internal_call": [Reply(tool_calls=[{"name": "look_up", "args": {"word": "a"}}]), Reply()]}

    def make(self, server, budget, **keywords):
        """Make a client of each kind."""
        return self._clients(server, lambda client: wrap(client, budget, **keywords), max_retries=0)

    def retrying(self, server, budget):
        """Make clients that retry; the server says how soon."""
        return self._clients(server, lambda client: wrap(client, budget), max_retries=2)

    def hurried(self, server, budget, retries):
        """Make clients that wait for no more than a moment."""
        return self._clients(server, lambda client: wrap(client, budget), max_retries=retries, timeout=0.3)

    def stacked(self, server, budget):
        """Wrap twice."""
        return self._clients(server, lambda client: wrap(wrap(client, budget), budget), max_retries=0)

    def over_transport(self, server, budget):
        """Wrap clients whose transports are guarded too."""
        http = (
            httpx2.Client(transport=transport(budget)),
            httpx2.AsyncClient(transport=async_transport(budget)),
        )
        return self._clients(server, lambda client: wrap(client, budget), http, max_retries=0)

    def _clients(self, server, guard, http=(None, None), **options):
        options = {"base_url": server.anthropic_url, "api_key": "none", "timeout": 10, **options}
        return SimpleNamespace(
            sync=guard(Anthropic(**options, http_client=http[0])),
            asynchronous=guard(AsyncAnthropic(**options, http_client=http[1])),
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
            yield from keep(keep(stream).text_stream)

    async def astream(self, client, text="Hi", *, usage=True):
        """Ask for a stream, which always tells its usage."""
        async with client.asynchronous.messages.stream(**_request(text)) as stream:
            async for piece in keep(keep(stream).text_stream):
                yield piece

    def unguarded_method(self, server, budget, unguarded):
        """Send a batch."""
        with wrap(Anthropic(**_options(server)), budget, unguarded=unguarded) as client:
            client.messages.batches.create(requests=[{"custom_id": "a", "params": _request("Hi")}])

    def five_tools(self, server, budget):
        """Let the tool runner run governed functions; the budget is theirs."""
        return _run(Anthropic(**_options(server)), governed(budget, 0)(look_up), server)

    def unparsed_answer(self, server, budget):
        """Parse an answer that is cut short."""
        with wrap(Anthropic(**_options(server)), budget) as client:
            client.messages.parse(**_request("Hi"), output_format=Word)

    def internal_call(self, server, budget):
        """Let the tool runner call the model again with what a tool has said."""
        return _run(wrap(Anthropic(**_options(server)), budget), look_up, server)


def look_up(word: str) -> str:
    """Look a word up.

    Args:
        word: The word.

    """
    return "found " + word


def _run(client, function, server):
    """Return what the tools have said, refusals included."""
    with client:
        runner = client.beta.messages.tool_runner(tools=[beta_tool(function)], **_request("Hi"))
        runner.until_done()
    return [block["content"] for block in server.requests[-1]["messages"][-1]["content"]]


def _options(server):
    return {"base_url": server.anthropic_url, "api_key": "none", "timeout": 10, "max_retries": 0}


def _request(text):
    return {"model": "claude-test", "max_tokens": 1_024, "messages": [{"role": "user", "content": text}]}


DRIVER = Driver()
