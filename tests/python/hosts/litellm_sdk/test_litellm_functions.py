"""LiteLLM's functions, guarded, against a loopback provider."""

from __future__ import annotations

import asyncio
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor

import litellm
import pytest

from outlay import AgentTokenBudget, BudgetExceeded, LimitExceeded, PolicyError, SharedPool
from outlay.litellm import wrap
from outlay.testing import Reply

try:
    from mcp.types import CacheableResult
except ImportError:
    CacheableResult = None

needs_mcp_2 = pytest.mark.skipif(CacheableResult is None, reason="LiteLLM's responses import a part of mcp 2")
PRICES = {"gpt-x": {"input": "1.00", "output": "10.00"}}


async def run(function, /, *args, **kwargs):
    """Call a sync or an async function."""
    answer = await asyncio.to_thread(function, *args, **kwargs)
    return await answer if inspect.isawaitable(answer) else answer


@pytest.fixture(params=["completion", "acompletion"])
def original(request):
    return getattr(litellm, request.param)


async def test_a_call_is_booked_with_what_the_provider_billed(original, serve, ask, pool):
    server = serve([Reply(text="Hello there, all of you.")])
    answer = await run(wrap(original, pool), **ask(server))
    assert answer.choices[0].message.content == "Hello there, all of you."
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"] > 0


async def test_a_refused_call_never_reaches_the_provider(original, serve, ask, make_pool, counted):
    server, budget = serve([]), counted(make_pool(100))
    again = {"num_retries": 3, "fallbacks": ["openai/gpt-big"]}
    with pytest.raises(BudgetExceeded) as caught:
        await run(wrap(original, budget), **ask(server, **again))
    assert isinstance(caught.value, litellm.OpenAIError)
    assert caught.value.limit == 100
    assert (budget.asked, server.calls) == (1, 0)


async def test_without_a_usage_the_estimate_is_booked(original, serve, ask, pool, hi_estimate):
    server = serve([Reply(text="Hello", usage=None)])
    await run(wrap(original, pool), **ask(server))
    assert pool.committed().total_tokens == hi_estimate


async def test_the_limit_of_the_call_is_reserved(original, serve, ask, make_pool):
    server = serve([Reply(text="Hello")] * 2)
    guarded = wrap(original, make_pool(100))
    await run(guarded, **ask(server, max_tokens=50))
    with pytest.raises(LimitExceeded):
        await run(guarded, **ask(server, max_tokens=100))
    assert server.calls == 1


async def test_an_error_of_the_provider_gives_the_lease_back_or_charges_it(
    original, serve, ask, make_pool, hi_estimate
):
    server = serve([Reply(status=500, text="down")] * 2)
    free, dear = make_pool(), make_pool(on_error="charge")
    with pytest.raises(litellm.InternalServerError):
        await run(wrap(original, free), **ask(server))
    with pytest.raises(litellm.InternalServerError):
        await run(wrap(original, dear), **ask(server))
    assert (free.committed().total_tokens, dear.committed().total_tokens) == (0, hi_estimate)


async def test_retries_of_litellm_are_one_lease(original, serve, ask, pool):
    server = serve([Reply(status=500, text="down", headers={"retry-after-ms": "1"}), Reply(text="Hello")])
    await run(wrap(original, pool), **ask(server, max_retries=2))
    assert server.calls == 2
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]


async def test_prices_are_the_wraps_own(original, serve, ask, make_pool):
    server = serve([Reply(text="Hello", usage={"prompt_tokens": 100, "completion_tokens": 20})])
    pool = make_pool(capacity_cost_micros_usd=1_000_000)
    await run(wrap(original, pool, prices=PRICES), **ask(server))
    assert pool.committed().cost_micros_usd == 300


def test_a_cost_limit_without_a_price_is_an_error_and_never_zero(serve, ask, make_pool):
    server = serve([])
    pool = make_pool(capacity_cost_micros_usd=1_000_000)
    with pytest.raises(PolicyError, match="prices"):
        wrap(litellm.completion, pool)
    with pytest.raises(PolicyError, match="gpt-4o"):
        wrap(litellm.completion, pool, prices=PRICES)(**ask(server, model="openai/gpt-4o"))
    assert server.calls == 0


def test_the_first_two_arguments_need_no_names(serve, ask, pool):
    server = serve([Reply(text="Hello")])
    arguments = ask(server)
    model, messages = arguments.pop("model"), arguments.pop("messages")
    wrap(litellm.completion, pool)(model, messages, **arguments)
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]


def test_two_wraps_charge_an_account_once(serve, ask, make_pool):
    server = serve([Reply(text="Hello there")])
    shared, extra = make_pool(), make_pool()
    wrap(wrap(litellm.completion, [shared, extra]), shared)(**ask(server))
    billed = server.billed[0]["total_tokens"]
    assert (shared.committed().total_tokens, extra.committed().total_tokens) == (billed, billed)


def test_thirty_two_threads_never_overspend(serve, ask, make_pool):
    server = serve(lambda request: Reply(text="Hello"))
    pool = make_pool(1_000)
    guarded = wrap(litellm.completion, pool)
    start = threading.Barrier(32)

    def one(_):
        start.wait()
        try:
            return guarded(**ask(server, max_tokens=90)) is not None
        except LimitExceeded:
            return False

    with ThreadPoolExecutor(32) as threads:
        admitted = sum(threads.map(one, range(32)))
    assert admitted == server.calls == len(server.billed)
    assert pool.committed().total_tokens == sum(bill["total_tokens"] for bill in server.billed) <= 1_000


async def test_a_cancelled_call_is_charged_its_estimate(serve, ask, pool, hi_estimate):
    gate = threading.Event()
    server = serve([Reply(text="Hello", gate=gate)])
    call = asyncio.create_task(wrap(litellm.acompletion, pool)(**ask(server)))
    await asyncio.to_thread(server.wait_for, lambda: server.calls == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert pool.committed().total_tokens == hi_estimate


async def test_a_call_waits_for_its_turn(serve, ask, make_pool):
    server = serve([Reply(text="Hello")])
    pool = make_pool(1_100)
    held = pool.reserve(1_000)
    call = asyncio.create_task(wrap(litellm.acompletion, pool, wait=10)(**ask(server)))
    await asyncio.sleep(0)
    assert server.calls == 0
    held.release()
    assert (await call).choices[0].message.content == "Hello"


def test_embeddings_reserve_no_output(serve, pool, ask):
    server = serve(lambda request: Reply(text=""))
    arguments = ask(server, model="openai/embed-x", input=["one", "two words"])
    del arguments["messages"]
    wrap(litellm.embedding, pool)(**arguments)
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"] > 0
    tight = SharedPool(capacity_tokens=20)
    wrap(litellm.embedding, tight)(**arguments)


@needs_mcp_2
@pytest.mark.parametrize("name", ["responses", "aresponses"])
async def test_the_responses_api_is_booked_too(name, serve, ask, pool):
    server = serve([Reply(text="Hello there")] * 2)
    arguments = ask(server, input="Hi")
    del arguments["messages"], arguments["max_retries"]
    await run(wrap(getattr(litellm, name), pool), **arguments)
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"] > 0
    stream = await run(wrap(getattr(litellm, name), pool), stream=True, **arguments)
    kinds = [event.type for event in stream] if name == "responses" else [e.type async for e in stream]
    assert str(kinds[-1]).lower().endswith("completed")
    assert pool.committed().total_tokens == sum(bill["total_tokens"] for bill in server.billed)


def test_the_module_becomes_its_guarded_functions(serve, ask, pool):
    server = serve([Reply(text="Hello")])
    guarded = wrap(litellm, pool)
    guarded.completion(**ask(server))
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]
    with pytest.raises(AttributeError, match="not guarded"):
        _ = guarded.image_generation


def test_what_cannot_be_wrapped_is_refused_with_what_can(pool):
    for target in (litellm.image_generation, object(), print):
        with pytest.raises(PolicyError, match="acompletion"):
            wrap(target, pool)
    with pytest.raises(PolicyError, match="operation"):
        wrap(litellm.completion, pool, operation="")


def test_the_labels_of_a_call_reach_a_users_own_budget(serve, ask):
    asked = []

    class Own:
        def reserve(self, estimate, **labels):
            asked.append((estimate.total_tokens, labels))
            return SharedPool(capacity_tokens=10_000).reserve(estimate)

    server = serve([Reply(text="Hello")])
    wrap(litellm.completion, Own(), agent="scout")(**ask(server))
    assert asked[0][1]["agent"] == "scout"


def test_the_operation_is_weighed(serve, ask):
    server = serve([Reply(text="Hello")])
    budget = AgentTokenBudget.hourly("a", 10_000, operation_costs={"sum": 1})
    wrap(litellm.completion, budget, operation="sum")(**ask(server))
    assert budget.remaining() < 10_000


def test_a_refusal_inside_litellm_is_neither_wrapped_nor_retried(serve, ask, make_pool):
    """A provider of the user's own that calls a guarded function, under LiteLLM's Router with retries."""
    server = serve([])
    inner = wrap(litellm.completion, make_pool(100))
    asked = []

    class Own(litellm.CustomLLM):
        def completion(self, *args, **kwargs):
            asked.append(1)
            return inner(**ask(server))

    litellm.custom_provider_map = [{"provider": "own", "custom_handler": Own()}]
    try:
        parameters = {"model": "own/m", "api_key": "none"}
        router = litellm.Router(
            model_list=[{"model_name": "m", "litellm_params": parameters}], num_retries=3, retry_after=0
        )
        with pytest.raises(BudgetExceeded):
            router.completion(model="m", messages=ask(server)["messages"])
    finally:
        litellm.custom_provider_map = []
    assert (len(asked), server.calls) == (1, 0)


async def test_num_retries_of_litellm_are_one_lease(original, serve, ask, pool):
    server = serve([Reply(status=500, text="down"), Reply(text="Hello")])
    await run(wrap(original, pool), **ask(server, num_retries=1))
    assert server.calls == 2
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]


async def test_a_fallback_of_litellm_is_booked_at_the_price_of_what_answered(original, serve, ask, make_pool):
    usage = {"prompt_tokens": 10, "completion_tokens": 10}
    server = serve([Reply(status=500, text="down"), Reply(text="Hello", usage=usage)])
    pool = make_pool(capacity_cost_micros_usd=1_000_000)
    prices = PRICES | {"gpt-big": {"input": "10.00", "output": "10.00"}}
    await run(wrap(original, pool, prices=prices), **ask(server, fallbacks=["openai/gpt-big"]))
    assert [request["model"] for request in server.requests] == ["gpt-x", "gpt-big"]
    assert pool.committed().cost_micros_usd == 200
