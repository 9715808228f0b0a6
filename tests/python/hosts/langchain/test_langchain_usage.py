"""The booking at the end of a call: the usage if it is reported, else the estimate."""

from __future__ import annotations

import asyncio
import threading

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from outlay import AgentTokenBudget, BudgetLimit, BudgetManager, WorkflowQuota
from outlay.langchain import wrap
from outlay.testing import Pause, Reply, ScriptedChatModel, ScriptedReply

USAGE = {"input_tokens": 30, "output_tokens": 12, "total_tokens": 42}
MODEL_USAGE = {"prompt_tokens": 30, "completion_tokens": 12}


def test_stream_without_usage_is_charged_the_estimate(serve, chat, pool, hi_estimate):
    """A server that tells no usage in a stream is charged the estimate, never 0."""
    server = serve([Reply(text="a b c", usage=MODEL_USAGE)])
    assert "".join(chunk.text for chunk in wrap(chat(server), pool).stream("hi")) == "a b c"
    assert server.requests[0].get("stream_options") is None
    assert pool.committed().total_tokens == hi_estimate


async def test_async_stream_without_usage_is_charged_the_estimate(serve, chat, pool, hi_estimate):
    """The same in asyncio."""
    server = serve([Reply(text="a b c", usage=MODEL_USAGE)])
    assert [chunk async for chunk in wrap(chat(server), pool).astream("hi")]
    assert pool.committed().total_tokens == hi_estimate


def test_answer_without_usage_is_charged_the_estimate(serve, chat, pool, hi_estimate):
    """A compatible server that reports no usage at all is charged the estimate."""
    server = serve([Reply(text="a b c", usage=None)])
    wrap(chat(server), pool).invoke("hi")
    assert pool.committed().total_tokens == hi_estimate


def test_usage_of_zeros_is_charged_the_estimate(pool, hi_estimate):
    """No real call uses nothing: zeros are a provider that does not count."""
    zeros = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    wrap(ScriptedChatModel(script=[AIMessage("a", usage_metadata=zeros)]), pool).invoke("hi")
    assert pool.committed().total_tokens == hi_estimate


def test_usage_above_the_estimate_is_booked_in_full(serve, chat, make_pool):
    """Money already spent is never lost, even where it breaks the limit."""
    pool = make_pool(2_000)
    server = serve([Reply(text="a", usage={"prompt_tokens": 30, "completion_tokens": 5_000})])
    wrap(chat(server), pool).invoke("hi")
    assert pool.committed().total_tokens == 5_030


class TwoChoices(ScriptedChatModel):
    """Returns two choices, each of which repeats the usage of the response."""

    def _generate(self, *args, **kwargs):
        result = super()._generate(*args, **kwargs)
        return ChatResult(generations=[*result.generations, *result.generations])


def test_several_choices_are_charged_once(pool):
    """Choices of one response are one call."""
    model = TwoChoices(script=[AIMessage("a", usage_metadata=USAGE)])
    wrap(model, pool).generate([[HumanMessage("hi")]])
    assert pool.committed().total_tokens == 42


def test_cached_answer_costs_nothing(serve, chat, pool):
    """The guard is below LangChain's cache: a hit makes no request and no lease."""
    server = serve([Reply(text="a", usage=MODEL_USAGE)])
    model = wrap(chat(server, cache=InMemoryCache()), pool)
    assert [model.invoke("hi").text, model.invoke("hi").text] == ["a", "a"]
    assert server.calls == 1
    assert pool.committed().total_tokens == 42


def test_stream_left_early_is_charged_the_estimate(serve, chat, pool, hi_estimate):
    """What was generated until the consumer left is billed, and unknown."""
    server = serve([Reply(text="a b c d e", usage=MODEL_USAGE)])
    stream = wrap(chat(server, stream_usage=True), pool).stream("hi")
    assert next(stream).text == "a "
    stream.close()
    assert pool.committed().total_tokens == hi_estimate


async def test_async_stream_left_early_is_charged_the_estimate(serve, chat, pool, hi_estimate):
    """The same in asyncio."""
    server = serve([Reply(text="a b c d e", usage=MODEL_USAGE)])
    stream = wrap(chat(server, stream_usage=True), pool).astream("hi")
    assert (await anext(stream)).text == "a "
    await stream.aclose()
    assert pool.committed().total_tokens == hi_estimate


def test_stream_that_is_never_started_costs_nothing(serve, chat, pool):
    """A stream that nobody iterates makes no request and no lease."""
    server = serve([])
    wrap(chat(server), pool).stream("hi").close()
    assert server.calls == 0
    assert pool.committed().total_tokens == 0


class InputFirst(ScriptedChatModel):
    """Tells the input with the first chunk and the output with the last, as some providers do."""

    def _stream(self, messages, stop=None, run_manager=None, **kwargs):
        chunks = super()._stream(messages, stop=stop, run_manager=run_manager, **kwargs)
        for number, chunk in enumerate(chunks):
            usage = chunk.message.usage_metadata
            if number == 0:
                given = {"input_tokens": 30, "output_tokens": 0, "total_tokens": 30}
                chunk.message.usage_metadata = given
            elif usage:
                made = usage["output_tokens"]
                chunk.message.usage_metadata = {**usage, "input_tokens": 0, "total_tokens": made}
            yield chunk


def test_usage_told_in_parts_is_added_up(pool):
    """What the first and the last chunk tell is the usage of the stream."""
    list(wrap(InputFirst(script=[AIMessage("a b", usage_metadata=USAGE)]), pool).stream("hi"))
    assert pool.committed().total_tokens == 30 + 12


def test_stream_left_before_its_output_is_told_charges_the_output_reserved(pool):
    """A usage with no output yet is half a usage: the estimate stands in for the other half."""
    stream = wrap(InputFirst(script=["a b c"]), pool, output_tokens=500).stream("hi")
    next(stream)
    stream.close()
    assert pool.committed().total_tokens == 30 + 500


def test_stream_left_after_its_usage_is_charged_the_usage(pool):
    """A consumer that leaves once the usage was told pays the usage."""
    stream = wrap(ScriptedChatModel(script=[AIMessage("a b", usage_metadata=USAGE)]), pool).stream("hi")
    for chunk in stream:
        if chunk.usage_metadata:
            break
    stream.close()
    assert pool.committed().total_tokens == 42


def test_provider_error_releases(serve, chat, pool):
    """A refused request costs nothing, and its lease is gone."""
    server = serve([Reply(status=500, text="down")])
    with pytest.raises(Exception, match="down"):
        wrap(chat(server), pool).invoke("hi")
    assert server.calls == 1
    assert pool.committed().total_tokens == 0


async def test_async_provider_error_releases(serve, chat, pool):
    """The same in asyncio."""
    server = serve([Reply(status=429, text="slow down")])
    with pytest.raises(Exception, match="slow down"):
        await wrap(chat(server), pool).ainvoke("hi")
    assert pool.committed().total_tokens == 0


def test_provider_error_before_the_first_chunk_releases(serve, chat, pool):
    """A stream that the provider refused costs nothing."""
    server = serve([Reply(status=500, text="down")])
    with pytest.raises(Exception, match="down"):
        list(wrap(chat(server), pool).stream("hi"))
    assert pool.committed().total_tokens == 0


def test_provider_error_is_charged_where_the_pool_says_so(serve, chat, make_pool, hi_estimate):
    """`on_error="charge"` is obeyed."""
    pool = make_pool(on_error="charge")
    server = serve([Reply(status=500, text="down")])
    with pytest.raises(Exception, match="down"):
        wrap(chat(server), pool).invoke("hi")
    assert pool.committed().total_tokens == hi_estimate


def test_provider_error_in_a_stream_is_charged(pool, hi_estimate):
    """A stream that broke after its first chunk is billed."""
    broken = ScriptedReply(message="a b c", error=ConnectionError("cut"), after=1)
    with pytest.raises(ConnectionError):
        list(wrap(ScriptedChatModel(script=[broken]), pool).stream("hi"))
    assert pool.committed().total_tokens == hi_estimate


async def cancelled_at(pause, coroutine):
    """Run until the model waits, then cancel."""
    task = asyncio.ensure_future(coroutine)
    await pause.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def drain(stream):
    """Read a stream to its end."""
    return [chunk async for chunk in stream]


async def test_cancelled_call_is_charged_the_estimate(pool, hi_estimate):
    """A cancelled call may be under way at the provider."""
    pause = Pause()
    model = wrap(ScriptedChatModel(script=[ScriptedReply(message="a", pause=pause)]), pool)
    await cancelled_at(pause, model.ainvoke("hi"))
    assert pool.committed().total_tokens == hi_estimate


async def test_cancelled_before_the_first_chunk_is_charged_the_estimate(pool, hi_estimate):
    """The request is out, so it counts."""
    pause = Pause()
    model = wrap(ScriptedChatModel(script=[ScriptedReply(message="a b", pause=pause)]), pool)
    await cancelled_at(pause, drain(model.astream("hi")))
    assert pool.committed().total_tokens == hi_estimate


async def test_cancelled_in_a_stream_is_charged_the_estimate(pool, hi_estimate):
    """What came until then is billed, and unknown."""
    pause = Pause()
    reply = ScriptedReply(message="a b c", pause=pause, after=2)
    model = wrap(ScriptedChatModel(script=[reply]), pool)
    await cancelled_at(pause, drain(model.astream("hi")))
    assert pool.committed().total_tokens == hi_estimate


async def test_cancelled_batch_leaves_nothing_open(pool, hi_estimate):
    """Every call of a cancelled batch is charged, none is left open."""
    pauses = [Pause(), Pause(), Pause()]
    script = [ScriptedReply(message="a", pause=pause) for pause in pauses]
    task = asyncio.ensure_future(wrap(ScriptedChatModel(script=script), pool).abatch(["hi"] * 3))
    for pause in pauses:
        await pause.reached.wait()
    assert pool.reserved().total_tokens == 3 * hi_estimate
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.committed().total_tokens == 3 * hi_estimate


async def test_cancelled_http_call_is_charged_the_estimate(serve, chat, pool, hi_estimate):
    """The real client, cancelled while the server holds its answer."""
    server = serve([Reply(text="a", gate=threading.Event())])
    task = asyncio.ensure_future(wrap(chat(server), pool).ainvoke("hi"))
    assert await asyncio.to_thread(server.wait_for, lambda: server.calls == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.committed().total_tokens == hi_estimate


async def test_cancelled_http_stream_is_charged_the_estimate(serve, chat, pool, hi_estimate):
    """The real client, cancelled between two chunks."""
    server = serve([Reply(text="a b c", gate=threading.Event())])
    first = asyncio.Event()

    async def read():
        async for _ in wrap(chat(server, stream_usage=True), pool).astream("hi"):
            first.set()

    task = asyncio.ensure_future(read())
    await first.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.committed().total_tokens == hi_estimate


async def test_cancelled_before_it_starts_costs_nothing(serve, chat, pool):
    """A task that never ran made no lease."""
    server = serve([])
    task = asyncio.ensure_future(wrap(chat(server), pool).ainvoke("hi"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.calls == 0
    assert pool.committed().total_tokens == 0


def test_keyboard_interrupt_is_charged_the_estimate(pool, hi_estimate):
    """Ctrl-C in the midst of a call does not give the tokens back."""
    with pytest.raises(KeyboardInterrupt):
        wrap(ScriptedChatModel(script=[KeyboardInterrupt()]), pool).invoke("hi")
    assert pool.committed().total_tokens == hi_estimate


def test_token_budget_weighs_the_operation():
    """The cost of the operation multiplies the usage as it did the estimate."""
    budget = AgentTokenBudget.daily("a-1", 100_000, operation_costs={"review": 3})
    model = ScriptedChatModel(script=[AIMessage("a", usage_metadata=USAGE)])
    wrap(model, budget, operation="review").invoke("hi")
    assert (budget.used(), budget.reserved()) == (3 * 42, 0)


def test_agent_budget_counts_tokens_and_one_call():
    """An agent of a manager is charged its tokens and one call."""
    manager = BudgetManager()
    limit = BudgetLimit(agent_id="a-1", token_budget=100_000, calls_budget=5, window_secs=60)
    manager.set_budget(limit)
    model = ScriptedChatModel(script=[AIMessage("a", usage_metadata=USAGE)])
    wrap(model, manager.agent("a-1")).invoke("hi")
    info = manager.full_info("a-1")
    assert (info.tokens_used, info.calls_used) == (42, 1)


def test_workflow_token_executes_one_step_a_call():
    """A call is a step, also one that the provider refused: it was made."""
    token = WorkflowQuota.hourly(10, 5).begin_workflow("w-1")
    model = wrap(ScriptedChatModel(script=["a", ConnectionError("down"), "b"]), token)
    model.invoke("hi")
    with pytest.raises(ConnectionError):
        model.invoke("hi")
    model.invoke("hi")
    assert token.steps_executed() == 3


class ThroughItsStream(ScriptedChatModel):
    """Generates by way of its own stream, as some integrations do."""

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        return generate_from_stream(self._stream(messages, stop=stop, **kwargs))


def test_model_that_generates_through_its_own_stream_is_charged_once(pool):
    """The inner stream joins the lease of the call."""
    model = ThroughItsStream(script=[AIMessage("a b", usage_metadata=USAGE)])
    wrap(model, pool).invoke("hi")
    assert pool.committed().total_tokens == 42


class SpeaksEvents(ScriptedChatModel):
    """Speaks LangChain's event protocol itself, past its `_stream`."""

    def _stream_chat_model_events(self, messages, stop=None, run_manager=None, **kwargs):
        self._played.calls.append(messages)
        yield {"event": "message-start", "role": "ai"}
        yield {"event": "message-finish", "usage": USAGE}


def test_model_that_speaks_the_event_protocol_is_guarded(pool, make_pool):
    """The protocol's own hook is one of the ways to the provider."""
    model = SpeaksEvents(script=["a"])
    list(wrap(model, pool)._stream_chat_model_events([HumanMessage("hi")]))
    assert pool.committed().total_tokens == 42
    with pytest.raises(Exception, match="exceeded"):
        list(wrap(model, make_pool(10))._stream_chat_model_events([HumanMessage("hi")]))
    assert len(model.calls) == 1


class LateUsage(ScriptedChatModel):
    """Keeps the provider's usage in the metadata of the last chunk alone."""

    def _stream(self, messages, stop=None, run_manager=None, **kwargs):
        yield ChatGenerationChunk(message=AIMessageChunk(content="a"))
        metadata = {"token_usage": {"prompt_tokens": 30, "completion_tokens": 12}}
        yield ChatGenerationChunk(message=AIMessageChunk(content="", response_metadata=metadata))


def test_usage_in_the_metadata_of_a_chunk_is_found(pool):
    """Integrations without `usage_metadata` are charged exactly all the same."""
    list(wrap(LateUsage(script=[]), pool)._stream([HumanMessage("hi")]))
    assert pool.committed().total_tokens == 42


@pytest.mark.parametrize("count", [-5, 10**30])
def test_usage_that_cannot_be_booked_is_charged_the_estimate(count, pool, hi_estimate, caplog):
    """A provider's slip loses neither the answer nor the charge, and is logged."""
    slip = AIMessage("a").model_copy(update={"usage_metadata": {**USAGE, "input_tokens": count}})
    assert wrap(ScriptedChatModel(script=[slip]), pool).invoke("hi").text == "a"
    assert pool.committed().total_tokens == hi_estimate
    assert "cannot be booked" in caplog.text
