"""A client of httpx over a transport that answers out of memory."""

from __future__ import annotations

import httpx
from timing import PLENTY, Loop

import outlay
from cases import floors
from cases.wraps.answers import CHAT, MESSAGES, transport
from outlay.httpx import transport as guarded

GROUP = floors.with_floors("httpx: what the transport adds")
BARE = "httpx, a bare transport"
URL, BODY = "http://local/v1/chat/completions", {"model": "gpt-x", "messages": MESSAGES, "max_tokens": 100}


def posting(inner) -> Loop:
    client = httpx.Client(transport=inner)

    def run(count):
        for _ in range(count):
            client.post(URL, json=BODY)

    return run


@GROUP.case(BARE)
def bare() -> Loop:
    return posting(transport(httpx, CHAT))


@GROUP.case("httpx: `transport(pool)`", less=BARE)
def wrapped() -> Loop:
    pool = outlay.SharedPool(capacity_tokens=PLENTY)
    return posting(guarded(pool, inner=transport(httpx, CHAT)))
