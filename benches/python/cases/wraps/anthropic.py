"""Anthropic's client over a transport that answers out of memory."""

from __future__ import annotations

import anthropic
import httpx2
from timing import PLENTY, Loop

import outlay
from cases import floors
from cases.wraps.answers import MESSAGE, MESSAGES, transport
from outlay.anthropic import wrap

GROUP = floors.with_floors("Anthropic's client: what `wrap` adds")
BARE = "Anthropic's client, not wrapped"


def client() -> anthropic.Anthropic:
    inner = httpx2.Client(transport=transport(httpx2, MESSAGE))
    return anthropic.Anthropic(api_key="none", base_url="http://local", http_client=inner)


def asking(client) -> Loop:
    create = client.messages.create

    def run(count):
        for _ in range(count):
            create(model="claude-x", max_tokens=100, messages=MESSAGES)

    return run


@GROUP.case(BARE)
def bare() -> Loop:
    return asking(client())


@GROUP.case("Anthropic: `wrap(client, pool)`", less=BARE)
def wrapped() -> Loop:
    return asking(wrap(client(), outlay.SharedPool(capacity_tokens=PLENTY)))
