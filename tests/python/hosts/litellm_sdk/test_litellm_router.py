"""A Router, guarded in place: one lease a call, whatever it retries or falls back to."""

from __future__ import annotations

import litellm
import pytest

from outlay import BudgetExceeded, Guard
from outlay.litellm import wrap
from outlay.testing import Reply

MESSAGES = [{"role": "user", "content": "Hi"}]
PRICES = {"fast": {"input": "1.00", "output": "1.00"}, "big": {"input": "10.00", "output": "10.00"}}
DOWN = Reply(status=500, text="down", headers={"retry-after-ms": "1"})


def router_of(server, **more):
    def deployment(name, model):
        parameters = {"model": model, "api_base": server.base_url, "api_key": "none", "max_retries": 0}
        return {"model_name": name, "litellm_params": parameters}

    models = [deployment("fast", "openai/gpt-fast"), deployment("big", "openai/gpt-big")]
    return litellm.Router(model_list=models, **{"num_retries": 0, "retry_after": 0, **more})


def test_a_call_is_booked(serve, pool):
    server = serve([Reply(text="Hello")])
    router = router_of(server)
    assert wrap(router, pool) is router
    router.completion(model="fast", messages=MESSAGES)
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]


async def test_async_calls_are_booked(serve, pool):
    server = serve([Reply(text="Hello")])
    await wrap(router_of(server), pool).acompletion(model="fast", messages=MESSAGES)
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]


async def test_a_refusal_is_not_retried_and_falls_back_to_nothing(serve, counted):
    server, budget = serve([]), counted()
    router = wrap(router_of(server, num_retries=3, fallbacks=[{"fast": ["big"]}]), budget)
    with pytest.raises(BudgetExceeded):
        router.completion(model="fast", messages=MESSAGES)
    assert budget.asked == 1
    with pytest.raises(BudgetExceeded):
        await router.acompletion(model="fast", messages=MESSAGES)
    assert (budget.asked, server.calls) == (2, 0)


def test_retries_are_one_lease(serve, pool):
    server = serve([DOWN, DOWN, Reply(text="Hello")])
    wrap(router_of(server, num_retries=2), pool).completion(model="fast", messages=MESSAGES)
    assert server.calls == 3
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]


def test_a_fallback_is_booked_at_the_price_of_what_answered(serve, make_pool):
    server = serve([DOWN, Reply(text="Hello", usage={"prompt_tokens": 10, "completion_tokens": 10})])
    pool = make_pool(capacity_cost_micros_usd=1_000_000)
    router = wrap(router_of(server, fallbacks=[{"fast": ["big"]}]), pool, prices=PRICES)
    router.completion(model="fast", messages=MESSAGES)
    assert [request["model"] for request in server.requests] == ["gpt-fast", "gpt-big"]
    assert (pool.committed().total_tokens, pool.committed().cost_micros_usd) == (20, 200)


async def test_a_router_that_fails_gives_the_lease_back(serve, pool):
    server = serve([DOWN])
    with pytest.raises(litellm.InternalServerError):
        await wrap(router_of(server), pool).acompletion(model="fast", messages=MESSAGES)
    assert pool.committed().total_tokens == 0


def test_a_sync_stream_is_booked(serve, pool):
    server = serve([Reply(text="Hello there")])
    chunks = list(wrap(router_of(server), pool).completion(model="fast", messages=MESSAGES, stream=True))
    assert all(getattr(chunk, "usage", None) is None for chunk in chunks)
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]


async def test_an_async_stream_is_booked(serve, pool, hi_estimate):
    server = serve([Reply(text="Hello there"), Reply(text="Hello there", usage=None)])
    router = wrap(router_of(server), pool)
    for _ in range(2):
        stream = await router.acompletion(model="fast", messages=MESSAGES, stream=True)
        assert [chunk async for chunk in stream]
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"] + hi_estimate


async def test_what_is_built_on_them_is_guarded_too(serve, pool, make_pool):
    server = serve([Reply(text="Hello")] * 3)
    router = wrap(router_of(server), pool)
    await router.abatch_completion(models=["fast", "big"], messages=MESSAGES)
    assert pool.committed().total_tokens == sum(bill["total_tokens"] for bill in server.billed)
    router.chat.completions.create(model="fast", messages=MESSAGES)
    assert pool.committed().total_tokens == sum(bill["total_tokens"] for bill in server.billed)


async def test_embeddings_are_guarded(serve, pool):
    server = serve(lambda request: Reply(text="Hello"))
    router = wrap(router_of(server), pool)
    router.embedding(model="fast", input=["one"])
    await router.aembedding(model="fast", input=["one"])
    assert len(server.billed) == 2
    assert pool.committed().total_tokens == sum(bill["total_tokens"] for bill in server.billed)


async def test_responses_are_guarded(serve, pool):
    pytest.importorskip("mcp", reason="LiteLLM's responses import a part of mcp 2")
    if not hasattr(__import__("mcp.types").types, "CacheableResult"):
        pytest.skip("LiteLLM's responses import a part of mcp 2")
    server = serve([Reply(text="Hello")] * 2)
    router = wrap(router_of(server), pool)
    await router.aresponses(model="fast", input="Hi")
    router.responses(model="fast", input="Hi")
    assert pool.committed().total_tokens == sum(bill["total_tokens"] for bill in server.billed) > 0


@pytest.mark.parametrize("status", [429, 500])
async def test_the_requests_of_a_router_that_gives_up_all_count(serve, status):
    """Its error says how often it was sent again: a storm of errors ends at the rate."""
    server = serve([Reply(status=status, text="down", headers={"retry-after-ms": "1"})] * 6)
    guard = Guard({"budget": [{"name": "day", "limit": {"tokens": 100_000, "calls": 100}}]})
    router = wrap(router_of(server, num_retries=2), guard)
    with pytest.raises(litellm.InternalServerError if status == 500 else litellm.RateLimitError):
        router.completion(model="fast", messages=MESSAGES)
    assert server.calls == 3
    with pytest.raises(litellm.InternalServerError if status == 500 else litellm.RateLimitError):
        await router.acompletion(model="fast", messages=MESSAGES)
    assert server.calls == 6
    limits = guard.snapshot()[0]["limits"]
    assert {unit: figures["used"] for unit, figures in limits.items()} == {"tokens": 0, "calls": 6}
