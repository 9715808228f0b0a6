"""`outlay.governed`: functions of one's own around a client that is not wrapped."""

from __future__ import annotations

from types import SimpleNamespace

import openai
from kit import keep
from openai_kit import guarded_http

from outlay import LimitExceeded, governed


class Driver:
    """A function of each kind: plain, async, a generator, an async generator."""

    name = "governed"
    names_model = False
    package = "openai"
    gaps = {
        "fallback": "a function has no fallback models",
        "five_tools": "a function runs no tools",
        "refused_inside_tool": "a function runs no tools",
        "unguarded_method": "a governed function is guarded as a whole",
        "sub_agent": "a function has no agents",
        "internal_call": "a function makes no calls of its own",
        "cache_hit": "a function has no cache of responses",
    }

    def make(self, server, budget, **keywords):
        """Govern a function of each kind."""
        return self._functions(server, lambda function: governed(budget, 1_100, **keywords)(function))

    def retrying(self, server, budget):
        """Govern functions whose client retries; the server says how soon."""
        return self._functions(server, governed(budget, 1_100), max_retries=2)

    def hurried(self, server, budget, retries):
        """Govern functions whose client waits for no more than a moment."""
        return self._functions(server, governed(budget, 1_100), max_retries=retries, timeout=0.3)

    def unparsed_answer(self, server, budget):
        """Raise the client's own error for an answer that was cut short, which carries it."""
        with openai.OpenAI(base_url=server.base_url, api_key="none") as client:

            @governed(budget, 1_100)
            def ask():
                answer = client.chat.completions.create(**_request("Hi"))
                raise openai.LengthFinishReasonError(completion=answer)

            ask()

    def stacked(self, server, budget):
        """Govern twice."""
        return self._functions(
            server, lambda function: governed(budget, 1_100)(governed(budget, 1_100)(function))
        )

    def over_transport(self, server, budget):
        """Govern functions around clients whose transports are guarded."""
        return self._functions(server, governed(budget, 1_100), guarded_http(budget))

    def _functions(self, server, govern, http=(None, None), **options):
        options = {"base_url": server.base_url, "api_key": "none", "timeout": 10, "max_retries": 0, **options}
        client = openai.OpenAI(**options, http_client=http[0])
        asynchronous = openai.AsyncOpenAI(**options, http_client=http[1])

        def call(text):
            return client.chat.completions.create(**_request(text))

        async def acall(text):
            return await asynchronous.chat.completions.create(**_request(text))

        def stream(text, usage):
            with client.chat.completions.create(**_request(text), **_streamed(usage)) as chunks:
                yield from chunks

        async def astream(text, usage):
            request = asynchronous.chat.completions.create(**_request(text), **_streamed(usage))
            async with await request as chunks:
                async for chunk in chunks:
                    yield chunk

        each = {function.__name__: govern(function) for function in (call, acall, stream, astream)}
        return SimpleNamespace(clients=(client, asynchronous), **each)

    async def aclose(self, client):
        """Close the connections."""
        plain, asynchronous = client.clients
        plain.close()
        await asynchronous.close()

    def host_error(self):
        """There is no host: a refusal is outlay's own."""
        return LimitExceeded

    def call(self, client, text="Hi"):
        """Call the plain function."""
        return client.call(text).choices[0].message.content

    async def acall(self, client, text="Hi"):
        """Call the async function."""
        return (await client.acall(text)).choices[0].message.content

    def stream(self, client, text="Hi", *, usage=True):
        """Go through the generator."""
        chunks = keep(client.stream(text, usage))
        try:
            for chunk in chunks:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content
        finally:
            chunks.close()

    async def astream(self, client, text="Hi", *, usage=True):
        """Go through the async generator."""
        chunks = keep(client.astream(text, usage))
        try:
            async for chunk in chunks:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content
        finally:
            await chunks.aclose()


def _request(text):
    return {"model": "gpt-test", "messages": [{"role": "user", "content": text}]}


def _streamed(usage):
    return {"stream": True, **({"stream_options": {"include_usage": True}} if usage else {})}


DRIVER = Driver()
