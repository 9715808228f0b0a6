"""A wrapped object keeps its type."""

from __future__ import annotations

from typing import assert_type

from openai import AsyncAzureOpenAI, AsyncOpenAI, OpenAI

from outlay import SharedPool
from outlay.openai import wrap
from outlay.testing import ProviderServer, Reply


def clients(plain: OpenAI, asynchronous: AsyncOpenAI, azure: AsyncAzureOpenAI, pool: SharedPool) -> None:
    """Keep the class of OpenAI's clients."""
    assert_type(wrap(plain, pool, wait=3, team="a"), OpenAI)
    assert_type(wrap(asynchronous, [pool, SharedPool()], output_tokens=10), AsyncOpenAI)
    assert_type(wrap(azure, pool, prices={"gpt-x": {"input": "1", "output": "2"}}), AsyncAzureOpenAI)
    wrap("gpt-x", pool)  # type: ignore[type-var]


def servers() -> None:
    """Keep the class of a server that is started."""
    with ProviderServer([Reply(text="a")]) as server:
        assert_type(server, ProviderServer)
        assert_type(server.anthropic_url + server.gemini_url + server.base_url, str)
