"""OpenAI's client on guarded transports: of httpx2, or of httpx before its version 3."""

from __future__ import annotations

from types import SimpleNamespace

import openai
from openai_kit import ChatDriver, Word

if int(openai.VERSION.partition(".")[0]) < 3:
    import httpx as hx

    from outlay.httpx import async_transport, transport
else:
    import httpx2 as hx

    from outlay.httpx2 import async_transport, transport


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
        return _clients(server, transport(budget, **keywords), async_transport(budget, **keywords))

    def retrying(self, server, budget):
        """Make clients that retry; the server says how soon."""
        return _clients(server, transport(budget), async_transport(budget), max_retries=2)

    def hurried(self, server, budget, retries):
        """Make clients that wait for no more than a moment."""
        sync, asynchronous = transport(budget), async_transport(budget)
        return _clients(server, sync, asynchronous, max_retries=retries, timeout=0.3)

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
        return _clients(server, sync, async_transport(budget, inner=async_transport(budget)))

    def unguarded_method(self, server, budget, unguarded):
        """Ask for a picture."""
        made = self.make(server, budget, unguarded=unguarded)
        made.sync.images.generate(model="m", prompt="A cat")


def _clients(server, sync, asynchronous, **options):
    options = {"base_url": server.base_url, "api_key": "none", "max_retries": 0, **options}
    return SimpleNamespace(
        sync=openai.OpenAI(**options, http_client=hx.Client(transport=sync)),
        asynchronous=openai.AsyncOpenAI(**options, http_client=hx.AsyncClient(transport=asynchronous)),
    )


DRIVER = Driver()
