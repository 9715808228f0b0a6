"""OpenAI's client over a transport that answers out of memory."""

from __future__ import annotations

import openai
from timing import PLENTY, Loop

import outlay
from cases import floors
from cases.wraps.answers import CHAT, MESSAGES, transport
from outlay.openai import wrap

try:
    import httpx2 as http
except ImportError:
    import httpx as http

GROUP = floors.with_floors("OpenAI's client: what `wrap` adds", awaits=True)
BARE, BARE_ASYNC = "OpenAI's client, not wrapped", "OpenAI's async client, not wrapped"


def client() -> openai.OpenAI:
    inner = http.Client(transport=transport(http, CHAT))
    return openai.OpenAI(api_key="none", base_url="http://local/v1", http_client=inner)


def async_client() -> openai.AsyncOpenAI:
    inner = http.AsyncClient(transport=transport(http, CHAT))
    return openai.AsyncOpenAI(api_key="none", base_url="http://local/v1", http_client=inner)


def asking(client) -> Loop:
    create = client.chat.completions.create

    def run(count):
        for _ in range(count):
            create(model="gpt-x", messages=MESSAGES)

    return run


def awaiting(client) -> Loop:
    create = client.chat.completions.create

    async def run(count):
        for _ in range(count):
            await create(model="gpt-x", messages=MESSAGES)

    return run


def pool() -> outlay.SharedPool:
    return outlay.SharedPool(capacity_tokens=PLENTY)


GROUP.case(BARE)(lambda: asking(client()))
GROUP.case(BARE_ASYNC)(lambda: awaiting(async_client()))
GROUP.case("OpenAI: `wrap(client, pool)`", less=BARE)(lambda: asking(wrap(client(), pool())))
GROUP.case("OpenAI: the same, async", less=BARE_ASYNC)(lambda: awaiting(wrap(async_client(), pool())))
