"""A response out of LiteLLM's cache costs nothing."""

from __future__ import annotations

import sys
from types import ModuleType

import litellm
import pytest

from outlay.litellm import wrap
from outlay.testing import Reply


@pytest.fixture(autouse=True)
def cache(monkeypatch):
    # LiteLLM 1.106 imports a part of its proxy on a hit, and with it this package, which it does not require.
    monkeypatch.setitem(sys.modules, "soundfile", ModuleType("soundfile"))
    litellm.cache = litellm.Cache(type="local")


def test_the_same_request_twice_is_charged_once(serve, ask, pool):
    server = serve([Reply(text="Hello there")])
    guarded = wrap(litellm.completion, pool)
    texts = [guarded(**ask(server)).choices[0].message.content for _ in range(2)]
    assert texts == ["Hello there"] * 2
    assert server.calls == 1
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]


async def test_async_too(serve, ask, pool):
    server = serve([Reply(text="Hello there")])
    # Async, LiteLLM fills its cache after the answer; sync, before.
    wrap(litellm.completion, pool)(**ask(server))
    answer = await wrap(litellm.acompletion, pool)(**ask(server))
    assert answer.choices[0].message.content == "Hello there"
    assert server.calls == 1
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]


def test_a_stream_out_of_the_cache_costs_nothing_and_hides_its_usage(serve, ask, pool):
    server = serve([Reply(text="Hello there")])
    guarded = wrap(litellm.completion, pool)
    for _ in range(2):
        chunks = list(guarded(stream=True, **ask(server)))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello there"
        assert all(getattr(chunk, "usage", None) is None for chunk in chunks)
    assert server.calls == 1
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]
