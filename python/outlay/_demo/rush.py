"""The demo's rush: many calls at once, to a provider that refuses what is above its tokens per minute."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import openai
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from outlay import RateLimiter, SharedPool
from outlay._demo.texts import DOCUMENTS
from outlay.langchain import wrap
from outlay.testing.openai_server import OpenAIServer, Reply

__all__ = ["CALLS", "MINUTE_SECONDS", "TOKENS_PER_MINUTE", "Rush", "run_rush"]

TOKENS_PER_MINUTE = 1_000
#: The provider's minute, shortened so that nobody has to wait one.
MINUTE_SECONDS = 1.5
CALLS = 12
OUTPUT_TOKENS_MAX = 60
WAIT_SECONDS = 60.0


@dataclass
class Rush:
    """What came of the same calls, with outlay and without."""

    answered: int = 0
    refused: int = 0
    retry_after: float = 0.0
    tokens: int = 0
    waits: list[float] = field(default_factory=list)
    requests: int = 0
    billed: int = 0
    server_refused: int = 0
    still_reserved: int = 0
    server_errors: list[Exception] = field(default_factory=list)


def run_rush(shown: Callable[[int, float, int], None]) -> tuple[Rush, Rush]:
    """Make the calls all at once, first as they are, then under a limiter.

    Args:
        shown: Called under the limiter with each answer: its number, the seconds since the start, its tokens.

    Returns:
        What came of them without outlay, and with it.

    """
    bare, guarded = Rush(), Rush()
    with _provider() as server:
        asyncio.run(_bare(server, bare))
        _note(server, bare)
    with _provider() as server:
        asyncio.run(_guarded(server, guarded, shown))
        _note(server, guarded)
    return bare, guarded


def _provider() -> OpenAIServer:
    def answer(request: dict[str, Any]) -> Reply:
        first = request["messages"][0]["content"].split("\n")[1]
        return Reply(text=f"In one line: {first}")

    return OpenAIServer(answer, tokens_per_minute=TOKENS_PER_MINUTE, window=MINUTE_SECONDS)


def _note(server: OpenAIServer, rush: Rush) -> None:
    rush.requests, rush.server_refused = server.calls, server.refused
    rush.billed = sum(usage["total_tokens"] for usage in server.billed)
    rush.server_errors = server.errors


def _model(server: OpenAIServer) -> ChatOpenAI:
    return ChatOpenAI(
        model="demo-large",
        api_key=SecretStr("not-needed"),
        base_url=server.base_url,
        max_completion_tokens=OUTPUT_TOKENS_MAX,
        max_retries=0,
        timeout=30,
    )


def _prompts() -> list[str]:
    documents = list(DOCUMENTS.values())
    return [f"Number {n}: what does this say?\n{documents[n % len(documents)]}" for n in range(CALLS)]


async def _bare(server: OpenAIServer, rush: Rush) -> None:
    model = _model(server)
    calls = (model.ainvoke(prompt) for prompt in _prompts())
    for answer in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(answer, openai.RateLimitError):
            rush.refused += 1
            # What the refusal says of the provider's limit, a limiter can read.
            limiter = RateLimiter.per(TOKENS_PER_MINUTE, MINUTE_SECONDS)
            limiter.observe(answer.response.headers, answer.response.status_code)
            rush.retry_after = max(rush.retry_after, limiter.retry_after())
        elif isinstance(answer, BaseException):
            raise answer
        else:
            rush.answered += 1


async def _guarded(server: OpenAIServer, rush: Rush, shown: Callable[[int, float, int], None]) -> None:
    limiter = RateLimiter.per(TOKENS_PER_MINUTE, MINUTE_SECONDS)
    pool = SharedPool(capacity_tokens=100_000)
    model = wrap(_model(server), [limiter, pool], wait=WAIT_SECONDS)
    start = time.monotonic()  # for the display; the limiter has its own clock

    async def call(prompt: str) -> None:
        answer = await model.ainvoke(prompt)
        seconds = time.monotonic() - start  # for the display
        tokens = answer.usage_metadata["total_tokens"] if answer.usage_metadata else 0
        rush.answered += 1
        rush.waits.append(seconds)
        shown(rush.answered, seconds, tokens)

    await asyncio.gather(*map(call, _prompts()))
    rush.tokens = pool.committed().total_tokens
    rush.still_reserved = pool.reserved().total_tokens
