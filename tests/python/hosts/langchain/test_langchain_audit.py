"""`audit`: what no wrap has metered is seen and booked; what one has is left alone."""

from __future__ import annotations

import asyncio
import threading

import httpx2
import openai
import pytest
from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph

from outlay import AgentTokenBudget, Guard, PolicyError, RateLimiter, SharedPool, WorkflowQuota
from outlay.langchain import _audit, audit, wrap
from outlay.testing import Pause, Reply, ScriptedChatModel, ScriptedReply

USAGE = {"input_tokens": 30, "output_tokens": 12, "total_tokens": 42}
USER = {"messages": [("user", "hi")]}
# The third try of a client of an SDK.
RETRIED = httpx2.Request("POST", "http://127.0.0.1/v1", headers={"x-stainless-retry-count": "2"})


def scripted(**keywords):
    """Return a model that answers for ever, 42 tokens each."""
    return ScriptedChatModel(script=[AIMessage("a b", usage_metadata=USAGE)], repeat=True, **keywords)


async def astream(model):
    return [chunk async for chunk in model.astream("hi")]


MODES = {
    "invoke": lambda model: model.invoke("hi"),
    "ainvoke": lambda model: asyncio.run(model.ainvoke("hi")),
    "stream": lambda model: list(model.stream("hi")),
    "astream": lambda model: asyncio.run(astream(model)),
    "batch": lambda model: model.batch(["hi"]),
    "generate": lambda model: model.generate([[HumanMessage("hi")]]),
    "agent": lambda model: create_agent(model, []).invoke(USER),
    "async agent": lambda model: asyncio.run(create_agent(model, []).ainvoke(USER)),
}


@pytest.mark.parametrize("mode", MODES)
def test_a_bare_model_is_seen_and_booked(mode, pool):
    with audit(pool) as seen:
        MODES[mode](scripted())
    assert [(call.model, call.usage.total_tokens) for call in seen.calls] == [("scripted", 42)]
    assert (seen.count, seen.calls[0].booked, seen.calls[0].estimated) == (1, True, False)
    assert pool.committed().total_tokens == 42
    assert seen.unbooked.total_tokens == 0


@pytest.mark.parametrize("mode", MODES)
def test_a_wrapped_model_is_left_alone(mode, pool, make_pool):
    other = make_pool()
    with audit(other) as seen:
        MODES[mode](wrap(scripted(), pool))
    assert (seen.count, other.committed().total_tokens, pool.committed().total_tokens) == (0, 0, 42)


def test_only_the_models_that_were_forgotten_are_seen(pool):
    """An agent whose tool calls a model of its own."""
    helper = scripted(model_name="helper")

    def ask(question: str) -> str:
        """Ask."""
        return helper.invoke(question).text

    script = [AIMessage("", tool_calls=[{"name": "ask", "args": {"question": "q"}, "id": "1"}]), "done"]
    agent = create_agent(wrap(ScriptedChatModel(script=script), pool), [ask], name="coder")
    with audit() as seen:
        agent.invoke(USER)
    assert [(call.model, call.agent, call.booked) for call in seen.calls] == [("helper", "coder", False)]
    assert seen.unbooked.total_tokens == 42


def test_it_may_be_given_as_a_callback(pool):
    watcher = audit(pool)
    scripted().invoke("hi", {"callbacks": [watcher]})
    assert (watcher.count, pool.committed().total_tokens) == (1, 42)


def test_outside_of_its_block_it_sees_nothing(pool):
    with audit(pool) as seen, seen:
        scripted().invoke("hi")
    scripted().invoke("hi")
    assert seen.count == 1


def test_every_budget_of_a_list_is_booked(pool):
    agent, limiter = AgentTokenBudget.daily("a-1", 10_000), RateLimiter(1_000)
    token = WorkflowQuota.hourly(10, 5).begin_workflow("w-1")
    with audit([pool, agent, limiter, token]):
        scripted().invoke("hi")
    assert pool.committed().total_tokens == agent.used() == limiter.current_usage() == 42
    assert token.steps_executed() == 1


def test_a_response_without_usage_is_booked_at_the_estimate(pool, hi_estimate):
    with audit(pool) as seen:
        scripted(report_usage=False).invoke("hi")
    assert seen.calls[0].estimated
    assert pool.committed().total_tokens == hi_estimate


def test_a_cached_answer_costs_nothing(pool):
    model = scripted(cache=InMemoryCache())
    with audit(pool) as seen:
        assert model.invoke("hi").text == model.invoke("hi").text
    assert (seen.count, pool.committed().total_tokens) == (1, 42)


def test_a_call_that_fails_costs_nothing(pool):
    with audit(pool) as seen, pytest.raises(ConnectionError):
        ScriptedChatModel(script=[ConnectionError("x")]).invoke("hi")
    assert seen.count == 0


def test_a_call_that_failed_is_booked_by_what_is_known_of_it(hi_estimate):
    """Refused, it is a request; unanswered or of no use, it is charged at its estimate."""

    class Refused(Exception):
        status_code = 529

    guard = Guard({"budget": [{"name": "b", "limit": {"tokens": 10_000, "calls": 10}}]})
    for error, tokens, calls in (
        (Refused("busy"), 0, 1),
        (TimeoutError("late"), hi_estimate, 2),
        (ValueError("not what was asked for"), 2 * hi_estimate, 3),
    ):
        with audit(guard), pytest.raises(type(error)):
            ScriptedChatModel(script=[error]).invoke("hi")
        booked = guard.snapshot()[0]["limits"]
        assert (booked["tokens"]["used"], booked["calls"]["used"]) == (tokens, calls)


@pytest.mark.parametrize(
    ("error", "estimates"),
    [
        (openai.APITimeoutError(RETRIED), 3),
        (openai.InternalServerError("no", response=httpx2.Response(500, request=RETRIED), body=None), 0),
        (openai.APIResponseValidationError(httpx2.Response(200, request=RETRIED), None), 1),
    ],
    ids=["unanswered", "refused", "answered"],
)
def test_the_clients_own_retries_are_requests_where_the_error_counts_them(error, estimates, hi_estimate):
    guard = Guard({"budget": [{"name": "b", "limit": {"tokens": 10_000, "calls": 10}}]})
    with audit(guard), pytest.raises(type(error)):
        ScriptedChatModel(script=[error]).invoke("hi")
    booked = guard.snapshot()[0]["limits"]
    assert (booked["tokens"]["used"], booked["calls"]["used"]) == (estimates * hi_estimate, 3)


def test_a_stream_that_fails_after_its_first_piece_is_booked(pool, hi_estimate):
    reply = ScriptedReply(message="one two three", error=ConnectionError("cut"), after=2)
    with audit(pool), pytest.raises(ConnectionError):
        list(ScriptedChatModel(script=[reply]).stream("hi"))
    assert pool.committed().total_tokens == hi_estimate


async def test_a_cancelled_call_is_booked_when_the_block_ends(pool, hi_estimate):
    pause = Pause()
    model = ScriptedChatModel(script=[ScriptedReply(message="a", pause=pause)])
    with audit(pool) as seen:
        task = asyncio.ensure_future(model.ainvoke("hi"))
        await pause.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (seen.count, pool.committed().total_tokens) == (1, hi_estimate)


def test_a_budget_in_debt_refuses_and_what_it_refused_is_added_up(caplog):
    small = SharedPool(capacity_tokens=40)
    with audit(small) as seen:
        for _ in range(3):
            scripted().invoke("hi")
    assert [call.booked for call in seen.calls] == [True, False, False]
    assert (small.committed().total_tokens, seen.unbooked.total_tokens) == (42, 84)
    assert "could not be booked" in caplog.text


def test_prices_are_booked_and_what_has_none_is_not():
    capped = SharedPool(capacity_cost_micros_usd=1_000)
    with audit(capped, prices={"scripted": {"input": "1", "output": "10"}}) as seen:
        scripted().invoke("hi")
        scripted(model_name="unknown").invoke("hi")
    assert capped.committed().cost_micros_usd == 30 + 120
    assert [(call.booked, call.usage.cost_micros_usd) for call in seen.calls] == [(True, 150), (False, 0)]
    with audit(capped) as seen:
        scripted().invoke("hi")
    assert not seen.calls[0].booked


def test_on_call_is_told_and_may_fail(pool, caplog):
    told = []

    def fail(call):
        told.append(call)
        raise RuntimeError("x")

    with audit(on_call=fail) as seen:
        scripted().invoke("hi")
    assert told == list(seen.calls)
    assert "on_call" in caplog.text


def test_inside_a_call_that_pays_for_the_account_it_books_nothing(pool):
    from outlay import governed

    @governed(pool, 100)
    def ask():
        scripted().invoke("hi")

    with audit(pool):
        ask()
    assert pool.committed().total_tokens == 100


def test_a_graph_and_its_threads_are_seen(pool):
    def ask(state):
        return {"messages": [scripted().invoke("hi")]}

    graph = StateGraph(MessagesState)
    for name in ("a", "b", "c"):
        graph.add_node(name, ask)
        graph.add_edge(START, name)
        graph.add_edge(name, END)
    with audit(pool) as seen:
        graph.compile().invoke(USER)
    assert (seen.count, pool.committed().total_tokens) == (3, 126)


def test_a_bare_thread_is_not_seen(pool):
    """It has no context; documented, and the reason to wrap the model."""
    with audit(pool) as seen:
        thread = threading.Thread(target=lambda: scripted().invoke("hi"))
        thread.start()
        thread.join()
    assert seen.count == 0


def test_memory_is_bounded(pool, monkeypatch, hi_estimate):
    monkeypatch.setattr(_audit, "OPEN_MAX", 1)
    with audit(pool) as seen:
        for number in range(3):
            seen.on_llm_start({}, ["hi"], run_id=number)
        assert (seen.count, len(seen._open)) == (2, 1)
    assert (seen.count, pool.committed().total_tokens) == (3, 3 * hi_estimate)
    assert seen.calls.maxlen == _audit.CALLS_KEPT


def test_a_real_client_is_booked_what_it_is_billed(serve, chat, pool):
    server = serve([Reply(text="ok"), Reply(text="ok")])
    with audit(pool):
        chat(server).invoke("hi")
        list(chat(server, stream_usage=True).stream("hi"))
    assert pool.committed().total_tokens == sum(usage["total_tokens"] for usage in server.billed)


@pytest.mark.parametrize("mode", ["invoke", "ainvoke", "stream", "astream"])
def test_a_real_client_that_is_refused_is_booked_its_requests_and_no_token(mode, serve):
    """LangChain hands the error's HTTP response on as if it were an answer."""
    guard = Guard({"budget": [{"name": "b", "limit": {"tokens": 10_000, "calls": 10}}]})
    server = serve(*[Reply(status=500, headers={"retry-after-ms": "1"})] * 3)
    with audit(guard) as seen, pytest.raises(openai.APIStatusError):
        MODES[mode](ChatOpenAI(model="m", base_url=server.base_url, api_key="none", max_retries=2))
    booked = guard.snapshot()[0]["limits"]
    assert (seen.count, server.calls) == (0, 3)
    assert (booked["tokens"]["used"], booked["calls"]["used"]) == (0, 3)


def test_a_piece_before_the_error_of_a_client_is_billed_by_what_was_told(pool):
    """What the error's response says beside it hides nothing of the pieces."""
    refused = openai.InternalServerError("no", response=httpx2.Response(500, request=RETRIED), body=None)
    piece = ChatGenerationChunk(message=AIMessageChunk("a", usage_metadata=USAGE))
    beside = ChatGeneration(message=AIMessage("", response_metadata={"status_code": 500}))
    with audit(pool) as seen:
        seen.on_chat_model_start({}, [[HumanMessage("hi")]], run_id=1)
        seen.on_llm_error(refused, run_id=1, response=LLMResult(generations=[[piece], [beside]]))
    assert pool.committed().total_tokens == 42


def test_bad_arguments_are_named():
    with pytest.raises(PolicyError, match="budget"):
        audit(5)
    with pytest.raises(PolicyError, match="label"):
        audit(agent=5)
