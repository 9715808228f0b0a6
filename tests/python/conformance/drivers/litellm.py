"""LiteLLM's functions, and its Router where retries and fallbacks are asked for."""

from __future__ import annotations

import functools
import os
import sys
from types import ModuleType, SimpleNamespace
from typing import ClassVar

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import litellm
import openai
from kit import keep
from openai_kit import guarded_http

from outlay.litellm import wrap

litellm.suppress_debug_info = True


class Driver:
    """`completion` and `acompletion`."""

    name = "litellm"
    package = "litellm"
    gaps: ClassVar = {
        "five_tools": "an SDK runs no tools",
        "refused_inside_tool": "an SDK runs no tools",
        "sub_agent": "an SDK has no agents",
        "internal_call": "an SDK makes no calls of its own",
    }

    def make(self, server, budget, **keywords):
        """Make guarded functions; nothing is retried."""
        sync = wrap(litellm.completion, budget, **keywords)
        asynchronous = wrap(litellm.acompletion, budget, **keywords)
        return SimpleNamespace(sync=sync, asynchronous=asynchronous, options=_options(server, 0))

    def retrying(self, server, budget):
        """Make guarded functions that retry; the server says how soon."""
        client = self.make(server, budget)
        client.options["max_retries"] = 2
        return client

    def hurried(self, server, budget, retries):
        """Make guarded functions that wait for no more than a moment."""
        client = self.make(server, budget)
        client.options |= {"max_retries": retries, "timeout": 0.3}
        return client

    # The host's error carries the text of the answer, and no usage.
    unparsed_is_told = False

    def unparsed_answer(self, server, budget):
        """Let LiteLLM check an answer that is cut short."""
        litellm.enable_json_schema_validation = True
        try:
            schema = {"name": "w", "schema": {"type": "object", "properties": {"word": {"type": "string"}}}}
            wrap(litellm.completion, budget)(
                **_request("Hi"),
                **_options(server, 0),
                max_tokens=500,
                response_format={"type": "json_schema", "json_schema": schema},
            )
        finally:
            litellm.enable_json_schema_validation = False

    def stacked(self, server, budget):
        """Wrap twice."""
        client = self.make(server, budget)
        client.sync, client.asynchronous = wrap(client.sync, budget), wrap(client.asynchronous, budget)
        return client

    def over_transport(self, server, budget):
        """Wrap functions that are given clients on guarded transports."""
        client = self.make(server, budget)
        sync, asynchronous = guarded_http(budget)
        options = {"base_url": server.base_url, "api_key": "none", "max_retries": 0}
        given = openai.OpenAI(**options, http_client=sync)
        agiven = openai.AsyncOpenAI(**options, http_client=asynchronous)
        client.sync = functools.partial(client.sync, client=given)
        client.asynchronous = functools.partial(client.asynchronous, client=agiven)
        return client

    def host_error(self):
        """Return what a refusal must also be."""
        return litellm.OpenAIError

    def call(self, client, text="Hi"):
        """Ask for one completion."""
        return client.sync(**_request(text), **client.options).choices[0].message.content

    async def acall(self, client, text="Hi"):
        """Ask for one completion."""
        answer = await client.asynchronous(**_request(text), **client.options)
        return answer.choices[0].message.content

    def stream(self, client, text="Hi", *, usage=True):
        """Ask for a stream of chunks."""
        with keep(client.sync(**_request(text), **client.options, **_streamed(usage))) as chunks:
            for chunk in keep(iter(chunks)):
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content

    async def astream(self, client, text="Hi", *, usage=True):
        """Ask for a stream of chunks."""
        request = client.asynchronous(**_request(text), **client.options, **_streamed(usage))
        async with keep(await request) as chunks:
            async for chunk in keep(aiter(chunks)):
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content

    def fallback(self, server, budget):
        """Ask a Router whose first model is out of order."""
        parameters = {"model": "openai/gpt-test", **_options(server, 0)}
        models = [{"model_name": name, "litellm_params": parameters} for name in ("first", "second")]
        router = litellm.Router(model_list=models, num_retries=0, fallbacks=[{"first": ["second"]}])
        answer = wrap(router, budget).completion(**{**_request("Hi"), "model": "first"})
        return answer.choices[0].message.content

    async def unguarded_method(self, server, budget, unguarded):
        """Ask a Router for a picture."""
        parameters = {"model": "openai/gpt-test", **_options(server, 0)}
        router = litellm.Router(model_list=[{"model_name": "m", "litellm_params": parameters}], num_retries=0)
        guarded = wrap(router, budget, unguarded=unguarded)
        await guarded.aimage_generation(model="m", prompt="A cat")

    def cache_hit(self, server, budget):
        """Ask twice with LiteLLM's own cache on."""
        # LiteLLM imports a part of its proxy on a hit, and with it this package, which it does not require.
        sys.modules.setdefault("soundfile", ModuleType("soundfile"))
        client = self.make(server, budget)
        litellm.cache = litellm.Cache(type="local")
        try:
            self.call(client)
            self.call(client)
        finally:
            litellm.cache = None


def _options(server, retries):
    return {"api_base": server.base_url, "api_key": "none", "timeout": 10, "max_retries": retries}


def _request(text):
    return {"model": "openai/gpt-test", "messages": [{"role": "user", "content": text}]}


def _streamed(usage):
    return {"stream": True, **({"stream_options": {"include_usage": True}} if usage else {})}


DRIVER = Driver()
