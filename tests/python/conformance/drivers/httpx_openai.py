"""OpenAI's client on guarded transports: of httpx2, or of httpx before its version 3."""

from __future__ import annotations

from types import SimpleNamespace

import openai
from openai_kit import ChatDriver, Word, guarded_http, guarded_hx, hx

transport, async_transport = guarded_hx.transport, guarded_hx.async_transport


class Driver(ChatDriver):
    """Chat completions, sync and async."""

    name = "httpx-openai"
    package = "openai"
    gaps = {
        "fallback": "an SDK has no fallback models",
        "five_tools": "an SDK runs no tools",
        "refused_inside_tool": "an SDK runs no tools",
        "sub_agent": "an SDK has no agents",
        "internal_call": "an SDK makes no calls of its own",
        "cache_hit": "an SDK has no cache of responses",
    }

    def make(self, server, budget, **keywords):
        """Make a client of each kind."""
        return _over(server, transport(budget, **keywords), async_transport(budget, **keywords))

    def retrying(self, server, budget):
        """Make clients that retry; the server says how soon."""
        return _over(server, transport(budget), async_transport(budget), max_retries=2)

    def hurried(self, server, budget, retries):
        """Make clients that wait for no more than a moment."""
        sync, asynchronous = transport(budget), async_transport(budget)
        return _over(server, sync, asynchronous, max_retries=retries, timeout=0.3)

    def unparsed_answer(self, server, budget):
        """Parse an answer that is cut short, above the transport."""
        with openai.OpenAI(
            base_url=server.base_url, api_key="none", http_client=hx.Client(transport=transport(budget))
        ) as client:
            messages = [{"role": "user", "content": "Hi"}]
            client.chat.completions.parse(model="gpt-test", messages=messages, response_format=Word)

    def stacked(self, server, budget):
        """Put one transport over another."""
        sync = transport(budget, inner=transport(budget))
        return _over(server, sync, async_transport(budget, inner=async_transport(budget)))

    def unguarded_method(self, server, budget, unguarded):
        """Ask for a picture."""
        made = self.make(server, budget, unguarded=unguarded)
        made.sync.images.generate(model="m", prompt="A cat")

    def over_transport(self, server, budget):
        """Guard HTTP clients whose transports are guarded too."""
        return _clients(server, *(guarded_hx.wrap(http, budget) for http in guarded_http(budget)))


def _over(server, sync, asynchronous, **options):
    return _clients(server, hx.Client(transport=sync), hx.AsyncClient(transport=asynchronous), **options)


def _clients(server, sync, asynchronous, **options):
    options = {"base_url": server.base_url, "api_key": "none", "max_retries": 0, **options}
    return SimpleNamespace(
        sync=openai.OpenAI(**options, http_client=sync),
        asynchronous=openai.AsyncOpenAI(**options, http_client=asynchronous),
    )


DRIVER = Driver()
