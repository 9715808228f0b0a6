"""`outlay.anthropic.wrap` with the real SDK on loopback: what is guarded, counted and refused."""

from __future__ import annotations

import asyncio
import pickle
from concurrent.futures import ThreadPoolExecutor

import anthropic
import pytest

import outlay
from outlay import BudgetExceeded, PolicyError, RateLimiter, SharedPool
from outlay.anthropic import wrap
from outlay.testing import Reply

CACHED = {
    "prompt_tokens": 127,
    "completion_tokens": 10,
    "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 7},
}
PRICES = {"claude-test": {"input": "3", "output": "15", "cache_read": "0.3", "cache_write": "3.75"}}


def billed(server):
    return sum(usage["total_tokens"] for usage in server.billed)


def test_a_call_books_what_the_provider_bills(serve, client, pool, hi):
    server = serve([Reply(text="Hello")])
    message = wrap(client(server), pool).messages.create(**hi)
    assert message.content[0].text == "Hello"
    assert pool.committed().total_tokens == billed(server) > 0


def test_an_async_call_books_what_the_provider_bills(serve, async_client, pool, hi):
    server = serve([Reply(text="Hello")])

    async def run():
        async with wrap(async_client(server), pool) as client:
            return await client.messages.create(**hi)

    assert asyncio.run(run()).content[0].text == "Hello"
    assert pool.committed().total_tokens == billed(server) > 0


def test_cached_input_is_part_of_the_input_at_its_own_price(serve, client, make_pool, hi):
    server = serve([Reply(text="Hello", usage=CACHED)])
    pool = make_pool(capacity_cost_micros_usd=1_000_000)
    wrap(client(server), pool, prices=PRICES).messages.create(**hi)
    booked = pool.committed()
    assert (booked.input_tokens, booked.output_tokens) == (127, 10)
    assert (booked.cache_read_tokens, booked.cache_write_tokens) == (100, 7)
    # 20 at $3, 100 at $0.30, 7 at $3.75 and 10 at $15 a million: 266.25 micro-USD, rounded up.
    assert booked.cost_micros_usd == 267


def test_a_refused_call_never_reaches_the_provider(serve, client, async_client, make_pool, hi):
    server = serve([])
    pool = make_pool(capacity_tokens=50)
    guarded = wrap(client(server, max_retries=2), pool)
    for call in (guarded.messages.create, guarded.beta.messages.create):
        with pytest.raises(BudgetExceeded) as refused:
            call(**hi)
        assert isinstance(refused.value, anthropic.AnthropicError)
        assert refused.value.limit == 50
    with pytest.raises(BudgetExceeded), guarded.messages.stream(**hi):
        pass
    with pytest.raises(BudgetExceeded):
        asyncio.run(wrap(async_client(server, max_retries=2), pool).messages.create(**hi))
    assert server.calls == 0


def test_a_refusal_pickles_as_what_it_is(serve, client, make_pool, hi):
    with pytest.raises(anthropic.AnthropicError) as refused:
        wrap(client(serve([])), make_pool(capacity_tokens=50)).messages.create(**hi)
    twin = pickle.loads(pickle.dumps(refused.value))
    assert type(twin) is type(refused.value)
    assert twin.payload == refused.value.payload


def test_the_original_stays_unguarded_and_copies_of_the_copy_stay_guarded(serve, client, make_pool, hi):
    server = serve([Reply(text="Hello")])
    original = client(server)
    guarded = wrap(original, make_pool(capacity_tokens=50))
    assert type(guarded) is type(original)
    assert original.messages.create(**hi).content[0].text == "Hello"
    for derived in (guarded.with_options(timeout=5), guarded.copy(max_retries=1)):
        with pytest.raises(BudgetExceeded):
            derived.messages.create(**hi)
    assert server.calls == 1


def test_counting_tokens_costs_nothing(serve, client, make_pool, hi):
    server = serve([])
    guarded = wrap(client(server), make_pool(capacity_tokens=1))
    # The server does not know the path: that it was asked is the point.
    with pytest.raises(anthropic.NotFoundError):
        guarded.messages.count_tokens(model="claude-test", messages=hi["messages"])


def test_tools_and_beta_messages_are_counted(serve, client, pool, hi):
    server = serve([Reply(tool_calls=[{"name": "add", "args": {"a": 1}}]), Reply(text="Two")])
    guarded = wrap(client(server), pool)
    tool = {"name": "add", "description": "Adds.", "input_schema": {"type": "object"}}
    message = guarded.messages.create(**hi, tools=[tool])
    assert message.content[0].name == "add"
    assert guarded.beta.messages.create(**hi).content[0].text == "Two"
    assert pool.committed().total_tokens == billed(server)


def test_raw_and_streaming_responses_are_counted(serve, client, pool, hi):
    server = serve([Reply(text="One"), Reply(text="Two")])
    guarded = wrap(client(server), pool)
    assert guarded.messages.with_raw_response.create(**hi).parse().content[0].text == "One"
    with guarded.messages.with_streaming_response.create(**hi) as response:
        assert response.parse().content[0].text == "Two"
    assert pool.committed().total_tokens == billed(server)


def test_the_limit_in_extra_body_counts(serve, client, make_pool, hi):
    guarded = wrap(client(serve([])), make_pool(capacity_tokens=500))
    with pytest.raises(BudgetExceeded):
        guarded.messages.create(**hi, extra_body={"max_tokens": 600})


@pytest.mark.parametrize("status", [429, 500, 529])
def test_each_retry_of_the_sdk_is_admitted_anew(serve, client, make_pool, hi, hi_estimate, status):
    server = serve([Reply(status=status), Reply(status=status), Reply(text="Hello")])
    # Room for one estimate at a time: a lease that is not released would refuse the retry.
    pool = make_pool(capacity_tokens=hi_estimate)
    assert wrap(client(server, max_retries=2), pool).messages.create(**hi).content[0].text == "Hello"
    assert server.calls == 3
    assert pool.committed().total_tokens == billed(server)


def test_a_retry_that_finds_no_room_is_refused(serve, client, pool, hi):
    server = serve([Reply(status=500), Reply(text="never sent")])

    class Once:
        asked = 0

        def reserve(self, estimate, **labels):
            self.asked += 1
            return pool.reserve(estimate if self.asked == 1 else 10**6)

    with pytest.raises(BudgetExceeded) as refused:
        wrap(client(server, max_retries=2), Once()).messages.create(**hi)
    assert isinstance(refused.value, anthropic.AnthropicError)
    assert server.calls == 1


def test_an_error_of_the_provider_is_left_to_the_budget(serve, client, make_pool, hi, hi_estimate):
    server = serve([Reply(status=400, text="bad"), Reply(status=400, text="bad"), Reply(status=429)])
    free, dear = make_pool(), make_pool(on_error="charge")
    with pytest.raises(anthropic.BadRequestError):
        wrap(client(server), free).messages.create(**hi)
    assert free.committed().total_tokens == 0
    with pytest.raises(anthropic.BadRequestError):
        wrap(client(server), dear).messages.create(**hi)
    assert dear.committed().total_tokens == hi_estimate
    with pytest.raises(anthropic.RateLimitError):
        wrap(client(server), dear).messages.create(**hi)
    assert dear.committed().total_tokens == hi_estimate


def test_a_connection_that_fails_releases_its_lease(serve, client, pool, hi):
    server = serve([])
    guarded = wrap(client(server, max_retries=1), pool)
    server.close()
    with pytest.raises(anthropic.APIConnectionError):
        guarded.messages.create(**hi)
    assert pool.committed().total_tokens == 0


def test_stacked_wraps_charge_an_account_once(serve, client, make_pool, hi):
    server = serve([Reply(text="Hello")])
    shared, own = make_pool(), make_pool()
    wrap(wrap(client(server), shared), [shared, own]).messages.create(**hi)
    assert shared.committed().total_tokens == own.committed().total_tokens == billed(server)


def test_a_refusal_further_in_releases_what_is_further_out(serve, client, make_pool, hi):
    outer, inner = make_pool(on_error="charge"), make_pool(capacity_tokens=50)
    with pytest.raises(BudgetExceeded):
        wrap(wrap(client(serve([])), inner), outer).messages.create(**hi)
    assert outer.committed().total_tokens == 0


def test_an_answer_at_hand_costs_nothing(serve, client, pool, hi):
    server = serve([Reply(text="Hello")])
    kept = []

    def cache(request, call_next):
        if not kept:
            kept.append(call_next(request).parse())
        return kept[0]

    for guarded in (
        wrap(client(server, middleware=[cache]), pool),
        wrap(client(server), pool).with_middleware(cache),
    ):
        assert guarded.messages.create(**hi).content[0].text == "Hello"
    assert pool.committed().total_tokens == billed(server)
    assert server.calls == 1


def test_a_limiter_is_told_the_headers(serve, client, hi):
    headers = {"anthropic-ratelimit-tokens-limit": "1000", "anthropic-ratelimit-tokens-remaining": "40"}
    server = serve([Reply(text="Hello", headers=headers)])
    limiter = RateLimiter(100_000)
    guarded = wrap(client(server), limiter)
    guarded.messages.create(**hi)
    with pytest.raises(outlay.RateLimitExceeded):
        guarded.messages.create(**hi)
    assert server.calls == 1


def test_a_limiter_is_told_of_a_429(serve, client, hi):
    server = serve([Reply(status=429, headers={"retry-after": "60"})])
    limiter = RateLimiter(100_000)
    with pytest.raises(anthropic.RateLimitError):
        wrap(client(server), limiter).messages.create(**hi)
    assert not limiter.try_acquire()
    assert 59 < limiter.retry_after() <= 60


def test_32_threads_never_break_the_limit(serve, client, make_pool, hi, hi_estimate):
    server = serve(lambda request: Reply(text="Hello"))
    pool = make_pool(capacity_tokens=10 * hi_estimate)
    guarded = wrap(client(server), pool)

    def call(_):
        try:
            guarded.messages.create(**hi)
        except BudgetExceeded:
            return False
        return True

    with ThreadPoolExecutor(32) as threads:
        admitted = sum(threads.map(call, range(64)))
    assert admitted == server.calls
    assert pool.committed().total_tokens == billed(server) <= 10 * hi_estimate


def test_a_cost_limit_without_a_price_is_refused(client, serve):
    server = serve([])
    with pytest.raises(PolicyError, match="prices"):
        wrap(client(server), SharedPool(capacity_cost_micros_usd=1_000_000))
    guarded = wrap(client(server), SharedPool(capacity_cost_micros_usd=1_000_000), prices=PRICES)
    with pytest.raises(PolicyError, match="claude-new"):
        guarded.messages.create(model="claude-new", max_tokens=1, messages=[])
    assert server.calls == 0


@pytest.mark.parametrize("unknown", [None, "client", object(), anthropic.Anthropic])
def test_what_is_no_client_is_refused(unknown, pool):
    with pytest.raises(PolicyError, match=r"anthropic\.Anthropic"):
        wrap(unknown, pool)


def test_the_kinds_for_other_clouds_are_guarded(make_pool, hi):
    vertex = anthropic.AnthropicVertex(region="eu", project_id="p", access_token="none")
    bedrock = anthropic.AnthropicBedrock(aws_region="eu-west-1", aws_access_key="a", aws_secret_key="b")
    foundry = anthropic.AnthropicFoundry(api_key="none", resource="r")
    for client in (vertex, bedrock, foundry):
        with pytest.raises(BudgetExceeded):
            wrap(client, make_pool(capacity_tokens=50)).messages.create(**hi)


def test_labels_reach_a_budget_of_the_users_own(serve, client, pool, hi):
    server = serve([Reply(text="Hello")])
    asked = []

    class Own:
        def reserve(self, estimate, **labels):
            asked.append((estimate.total_tokens, labels))
            return pool.reserve(estimate)

    wrap(client(server), Own(), agent="writer").messages.create(**hi)
    assert asked == [(105, {"provider": "anthropic", "model": "claude-test", "agent": "writer"})]


def test_output_tokens_stand_in_for_a_missing_limit(serve, client, make_pool):
    guarded = wrap(client(serve([])), make_pool(capacity_tokens=1_000), output_tokens=2_000)
    with pytest.raises(BudgetExceeded):
        guarded.post("/v1/messages", body={"model": "claude-test", "messages": []}, cast_to=object)


def test_a_call_waits_for_its_turn(serve, client, async_client, make_pool, hi, hi_estimate):
    server = serve([Reply(text="Hello"), Reply(text="Hello")])
    pool = make_pool(capacity_tokens=2 * hi_estimate)

    async def run():
        lease = pool.reserve(2 * hi_estimate)
        async with wrap(async_client(server), pool, wait=60) as guarded:
            task = asyncio.create_task(guarded.messages.create(**hi))
            await asyncio.sleep(0)
            assert not task.done()
            assert server.calls == 0
            lease.release()
            return await task

    assert asyncio.run(run()).content[0].text == "Hello"
    with pool.reserve(pool.remaining().tokens), pytest.raises(outlay.WaitTimeout) as refused:
        wrap(client(server), pool, wait=0.01).messages.create(**hi)
    assert isinstance(refused.value, anthropic.AnthropicError)
    assert server.calls == 1
