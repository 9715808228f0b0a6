"""`outlay.pydantic_ai.wrap`: every way to ask a model is reserved before and settled after."""

from __future__ import annotations

import asyncio
import pickle
import threading

import pytest
from pydantic_ai import Agent, UsageLimitExceeded
from pydantic_ai.direct import model_request, model_request_sync
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError
from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart
from pydantic_ai.models import ModelRequestContext, ModelRequestParameters
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.instrumented import InstrumentedModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.usage import RequestUsage

from outlay import BudgetExceeded, Guard, InvalidAmount, PolicyError, Usage, WorkflowQuota
from outlay.pydantic_ai import _errors, wrap
from outlay.testing import Reply


async def test_run_and_run_sync_book_what_was_billed(real, serve, pool, billed):
    server = serve([Reply(text="Hello."), Reply(text="And again.")])
    agent = Agent(wrap(real(server), pool))
    assert (await agent.run("Hi")).output == "Hello."
    answer = await asyncio.to_thread(agent.run_sync, "Hi")
    assert answer.output == "And again."
    assert pool.committed().total_tokens == billed(server) > 0


async def test_stream_books_what_was_billed(real, serve, pool, billed):
    server = serve([Reply(text="one two three")])
    async with Agent(wrap(real(server), pool)).run_stream("Hi") as run:
        pieces = [piece async for piece in run.stream_text(delta=True, debounce_by=None)]
    assert "".join(pieces) == "one two three"
    assert pool.committed().total_tokens == billed(server) > 0


async def test_iter_and_direct_requests_are_guarded(real, serve, pool, billed):
    server = serve([Reply(text="a"), Reply(text="b"), Reply(text="c")])
    model = wrap(real(server), pool)
    async with Agent(model).iter("Hi") as run:
        async for _ in run:
            pass
    await model_request(model, [ModelRequest.user_text_prompt("Hi")])
    await asyncio.to_thread(model_request_sync, model, [ModelRequest.user_text_prompt("Hi")])
    assert server.calls == 3
    assert pool.committed().total_tokens == billed(server)


async def test_refusal_asks_no_provider_and_is_the_hosts_own_error(real, serve, make_pool, counted):
    server, small = serve([]), make_pool(100)
    asked = counted(small)
    agent = Agent(wrap(real(server), asked), retries=3)
    with pytest.raises(BudgetExceeded) as refused:
        await agent.run("Hi")
    with pytest.raises(UsageLimitExceeded):
        async with agent.run_stream("Hi"):
            pass
    assert type(refused.value) is _errors.ThresholdExceeded
    assert (asked.asked, server.calls, small.committed().total_tokens) == (2, 0, 0)


async def test_refusal_pickles_and_reads_as_json(make_pool):
    with pytest.raises(BudgetExceeded) as refused:
        await Agent(wrap(TestModel(), make_pool(1))).run("Hi")
    copy = pickle.loads(pickle.dumps(refused.value))
    assert type(copy) is type(refused.value)
    assert copy.payload == refused.value.payload
    assert str(copy) == str(refused.value).strip()
    assert isinstance(copy.message, str)


async def test_stream_left_early_is_charged(chat, serve, pool):
    gate = threading.Event()
    server = serve([Reply(text="one two three", gate=gate)])
    async with Agent(wrap(chat(server), pool, output_tokens=500)).run_stream("Hi") as run:
        async for _ in run.stream_text(delta=True, debounce_by=None):
            break
        await run.cancel()
    # The usage comes last and never came: the estimate is booked.
    assert pool.committed().output_tokens == 500


async def test_cancelled_request_is_charged_its_estimate(real, serve, pool):
    gate = threading.Event()
    server = serve([Reply(text="one two three", gate=gate)])
    task = asyncio.create_task(Agent(wrap(real(server), pool, output_tokens=500)).run("Hi"))
    await asyncio.to_thread(server.wait_for, lambda: server.calls == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.committed().output_tokens == 500


async def test_usage_that_never_came_is_the_estimate(real, serve, pool):
    server = serve([Reply(text="Hello.", usage=None)] * 2)
    agent = Agent(wrap(real(server), pool, output_tokens=70))
    await agent.run("Hi")
    async with agent.run_stream("Hi") as run:
        await run.get_output()
    assert pool.committed().output_tokens == 140


@pytest.mark.parametrize("error", [ConnectionError, TimeoutError, ValueError])
async def test_a_stream_that_breaks_after_its_first_piece_is_charged(pool, error):
    async def pieces(messages, info):
        yield "one "
        raise error("cut")

    agent = Agent(wrap(FunctionModel(stream_function=pieces), pool, output_tokens=70))
    seen = []
    with pytest.raises(error):
        async with agent.run_stream("Hi") as run:
            async for piece in run.stream_text(delta=True, debounce_by=None):
                seen.append(piece)
    assert seen == ["one "]
    # The host's model of functions counts for itself: 50 for any prompt, 1 for the word.
    assert pool.committed() == Usage(input_tokens=50, output_tokens=1)
    assert pool.open_leases() == []


@pytest.mark.parametrize(("on_error", "charged"), [("release", 0), ("charge", 70)])
async def test_provider_error_follows_on_error(real, serve, make_pool, on_error, charged):
    server, one = serve([Reply(status=500)] * 2), make_pool(on_error=on_error)
    agent = Agent(wrap(real(server), one, output_tokens=70))
    with pytest.raises(ModelHTTPError):
        await agent.run("Hi")
    with pytest.raises(ModelHTTPError):
        async with agent.run_stream("Hi"):
            pass
    assert one.committed().output_tokens == 2 * charged


async def test_limit_of_the_settings_is_what_is_reserved(pool, make_pool):
    seen = []

    async def answer(messages, info):
        seen.append(pool.reserved().output_tokens)
        return await TestModel(custom_output_text="x").request(messages, None, info.model_request_parameters)

    model = FunctionModel(answer, settings={"max_tokens": 300})
    agent = Agent(wrap(model, pool, output_tokens=9))
    await agent.run("Hi")
    await agent.run("Hi", model_settings={"max_tokens": 40})
    assert seen == [300, 40]


async def test_name_of_a_model_is_enough(pool):
    agent = Agent(wrap("test", pool))
    told = (await agent.run("Hi")).usage
    assert (told.input_tokens, told.output_tokens) == (51, 4)
    assert pool.committed() == Usage(input_tokens=51, output_tokens=4)


async def test_wraps_stack_and_charge_an_account_once(pool, make_pool):
    other = make_pool()
    inner = wrap(TestModel(custom_output_text="Hi."), [pool, other])
    # One on the other, and with a wrapper of the host between them.
    for model in (wrap(inner, pool), wrap(InstrumentedModel(inner), pool)):
        before = pool.committed().total_tokens, other.committed().total_tokens
        usage = (await Agent(model).run("Hi")).usage
        assert pool.committed().total_tokens - before[0] == usage.total_tokens
        assert other.committed().total_tokens - before[1] == usage.total_tokens


async def test_refusal_by_a_layer_inside_leaves_the_outer_account_free(make_pool):
    outer, small = make_pool(on_error="charge"), make_pool(1)
    inside = InstrumentedModel(wrap(TestModel(), small))
    with pytest.raises(BudgetExceeded):
        await Agent(wrap(inside, outer)).run("Hi")
    assert outer.committed().total_tokens == 0


def test_threads_never_overspend(real, serve, make_pool, billed):
    server = serve(lambda request: Reply(text="Hello."))
    small = make_pool(3 * 1_035)
    agent = Agent(wrap(real(server), small))
    refused = []

    def ask():
        try:
            agent.run_sync("Hi")
        except BudgetExceeded as refusal:
            refused.append(refusal)

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.calls + len(refused) == 32
    assert small.committed().total_tokens == billed(server)


async def test_list_is_one_decision(make_pool):
    pool, calls = make_pool(), WorkflowQuota.hourly(10, 1).begin_workflow("w-1")
    agent = Agent(wrap(TestModel(), [pool, calls]))
    await agent.run("Hi")
    before = pool.committed().total_tokens
    with pytest.raises(UsageLimitExceeded):
        await agent.run("Hi")
    assert pool.committed().total_tokens == before


async def test_workflow_takes_one_step_a_request(chat, serve):
    server = serve([Reply(text="a")])
    token = WorkflowQuota.hourly(10, 1).begin_workflow("w-1")
    agent = Agent(wrap(chat(server), token))
    await agent.run("Hi")
    with pytest.raises(UsageLimitExceeded):
        await agent.run("Hi")
    assert server.calls == 1


def test_priced_model_without_a_price_is_refused(make_pool):
    prices = {"gpt-x": {"input": "1", "output": "2"}}
    with pytest.raises(PolicyError, match="no price"):
        wrap(TestModel(), make_pool(), prices=prices)
    with pytest.raises(PolicyError, match="prices"):
        wrap(TestModel(), make_pool(capacity_cost_micros_usd=5))


async def test_cost_is_that_of_the_price_table(chat, serve, pool):
    server = serve([Reply(text="a", usage={"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000})])
    prices = {"gpt-test": {"input": "1", "output": "2"}}
    await Agent(wrap(chat(server), pool, prices=prices)).run("Hi")
    assert pool.committed().cost_micros_usd == 3_000_000


def test_what_is_no_model_is_refused(pool):
    with pytest.raises(PolicyError, match="model of Pydantic AI"):
        wrap(object(), pool)
    with pytest.raises(PolicyError, match="budget"):
        wrap(TestModel(), [])
    with pytest.raises(InvalidAmount):
        wrap(TestModel(), pool, output_tokens=-1)


def test_wrapped_model_is_the_hosts_wrapper(pool):
    inner = TestModel(settings={"max_tokens": 5})
    model = wrap(inner, pool)
    assert isinstance(model, WrapperModel)
    assert (model.wrapped, model.model_name, model.settings) == (inner, "test", {"max_tokens": 5})


async def test_batches_are_refused_where_that_is_said(pool):
    with pytest.raises(PolicyError, match="batch"):
        await wrap(TestModel(), pool, unguarded="refuse").batch_create([])


async def test_compaction_is_a_call_too(pool):
    class Compacting(TestModel):
        async def compact_messages(self, request_context, *, instructions=None):
            return ModelResponse(parts=[], usage=RequestUsage(input_tokens=30, output_tokens=12))

    model = wrap(Compacting(), pool)
    context = ModelRequestContext(
        model=model,
        messages=[ModelRequest.user_text_prompt("Hi")],
        model_settings=None,
        model_request_parameters=ModelRequestParameters(),
    )
    await model.compact_messages(context)
    assert pool.committed().total_tokens == 42


async def test_suspended_answer_is_charged_when_it_has_come():
    """A background job is asked for until it is done; only its last answer carries the usage.

    It is no error, so that no `on_error` charges it.
    """
    policy = {
        "defaults": {"on_error": "charge"},
        "budget": [{"name": "b", "limit": {"tokens": 9_000, "calls": 9}}],
    }
    guard = Guard(policy)
    states = iter(["suspended", "suspended", "complete"])

    class Background(WrapperModel):
        async def request(self, *args):
            state = next(states)
            usage = RequestUsage() if state == "suspended" else RequestUsage(input_tokens=5, output_tokens=6)
            return ModelResponse(parts=[TextPart("x")], state=state, usage=usage)

        def continuation_delay(self, response):
            return 0

    model = wrap(Background(TestModel()), guard)
    for calls, charged in enumerate((0, 0, 11), 1):
        await model_request(model, [ModelRequest.user_text_prompt("Hi")])
        limits = guard.snapshot()[0]["limits"]
        assert (limits["tokens"]["used"], limits["calls"]["used"]) == (charged, calls)


async def test_error_of_the_host_is_not_changed(serve, chat, pool):
    server = serve([Reply(status=429)])
    with pytest.raises(ModelAPIError):
        await Agent(wrap(chat(server), pool)).run("Hi")
