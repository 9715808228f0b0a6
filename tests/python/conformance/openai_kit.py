"""The base of the drivers with a `sync` and an `asynchronous` client of OpenAI's SDK."""

from __future__ import annotations

from types import SimpleNamespace

import openai
from kit import keep
from pydantic import BaseModel

from outlay.openai import wrap

if int(openai.VERSION.partition(".")[0]) < 3:
    import httpx as hx

    from outlay import httpx as guarded_hx
else:
    import httpx2 as hx

    from outlay import httpx2 as guarded_hx


def guarded_http(budget):
    """Make an HTTP client of each kind on a guarded transport."""
    sync, asynchronous = guarded_hx.transport(budget), guarded_hx.async_transport(budget)
    return hx.Client(transport=sync, timeout=10), hx.AsyncClient(transport=asynchronous, timeout=10)


class Word(BaseModel):
    """What an answer is to be parsed as."""

    word: str


class OpenAIDriver:
    """A driver of a pair of clients; the subclass makes them, and calls them."""

    async def aclose(self, client):
        """Close the connections."""
        client.sync.close()
        await client.asynchronous.close()

    def host_error(self):
        """Return what a refusal must also be."""
        return openai.OpenAIError


class WrappedDriver(OpenAIDriver):
    """Makes its clients by `outlay.openai.wrap`."""

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

    def unguarded_method(self, server, budget, unguarded):
        """Ask for a picture."""
        made = self.make(server, budget, unguarded=unguarded)
        made.sync.images.generate(model="m", prompt="A cat")

    def over_transport(self, server, budget):
        """Wrap clients whose HTTP clients are guarded too."""
        http = guarded_http(budget)
        return self._clients(server, lambda client: wrap(client, budget), http, max_retries=0)

    def _clients(self, server, guard, http=(None, None), **options):
        options = {"base_url": server.base_url, "api_key": "none", "timeout": 10, **options}
        plain = openai.OpenAI(**options, http_client=http[0])
        asynchronous = openai.AsyncOpenAI(**options, http_client=http[1])
        return SimpleNamespace(sync=guard(plain), asynchronous=guard(asynchronous))


class ChatDriver(OpenAIDriver):
    """Calls its clients by chat completions."""

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
        with keep(client.sync.chat.completions.create(**_request(text), **_streamed(usage))) as chunks:
            for chunk in keep(iter(chunks)):
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content

    async def astream(self, client, text="Hi", *, usage=True):
        """Ask for a stream of chunks."""
        request = client.asynchronous.chat.completions.create(**_request(text), **_streamed(usage))
        async with keep(await request) as chunks:
            async for chunk in keep(aiter(chunks)):
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content


def _request(text):
    return {"model": "gpt-test", "messages": [{"role": "user", "content": text}]}


def _streamed(usage):
    return {"stream": True, **({"stream_options": {"include_usage": True}} if usage else {})}
