"""Retries, fallbacks and caches: each attempt is asked for, each answer is paid once."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TypedDict

import openai
import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    SummarizationMiddleware,
)
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy, default_retry_on

from outlay import (
    AgentTokenBudget,
    BudgetExceeded,
    BudgetLimit,
    BudgetManager,
    LimitExceeded,
    RateLimiter,
    SharedPool,
    WaitTimeout,
    WorkflowQuota,
)
from outlay.langchain import BudgetMiddleware, wrap
from outlay.testing import Reply, ScriptedChatModel

USAGE = {"input_tokens": 30, "output_tokens": 12, "total_tokens": 42}
USER = {"messages": [("user", "hi")]}
# "hi": ceil(2 bytes / 3) + 4 for the message + 1,024 for the output.
HI_ESTIMATE = 1 + 4 + 1024


def billed(server):
    """Return the tokens that the other side bills."""
    return sum(usage["total_tokens"] for usage in server.billed)


def answer(text="ok"):
    """Return an answer of 42 tokens."""
    return AIMessage(text, usage_metadata=USAGE)


def retrying(model, **keywords):
    """Return an agent that calls its model up to four times."""
    retry = ModelRetryMiddleware(max_retries=3, initial_delay=0, jitter=False, **keywords)
    return create_agent(model, [], middleware=[ModelCallLimitMiddleware(run_limit=1), retry])


def agent_budget(calls, **keywords):
    """Return the handle of an agent with so many calls."""
    manager = BudgetManager(**keywords)
    manager.set_budget(BudgetLimit(agent_id="a", token_budget=None, calls_budget=calls, window_secs=60))
    return manager.agent("a")


# A host's limit of one call, and four real calls.


def failing():
    """Return a model that fails three times and then answers."""
    return ScriptedChatModel(script=[ConnectionError("x")] * 3 + [answer()])


def test_a_model_call_limit_of_one_lets_retries_make_four_real_calls():
    """What the host does by itself: its counter does not see what its own retries do."""
    model = failing()
    retrying(model).invoke(USER)
    assert len(model.calls) == 4


@pytest.mark.parametrize(
    "budget",
    [
        lambda: SharedPool(capacity_tokens=HI_ESTIMATE, on_error="charge"),
        lambda: AgentTokenBudget("a", HI_ESTIMATE, 60, on_error="charge"),
        lambda: RateLimiter(HI_ESTIMATE, on_error="charge"),
        lambda: agent_budget(1, on_error="charge"),
    ],
    ids=["pool", "tokens", "limiter", "calls"],
)
@pytest.mark.parametrize("on_failure", ["error", "continue"])
def test_room_for_one_call_is_one_real_call_whatever_retries(budget, on_failure):
    """With errors charged, the second attempt is refused; a limiter's refusal may be tried again, in vain."""
    model = failing()
    with contextlib.suppress(LimitExceeded):
        retrying(wrap(model, budget()), on_failure=on_failure).invoke(USER)
    assert len(model.calls) == 1


def test_with_errors_released_each_attempt_asks_and_only_the_answer_is_paid(make_pool):
    """A failed call gives its room back, so the next attempt finds it; one answer is booked."""
    model, pool = failing(), make_pool(2_000)
    retrying(wrap(model, pool)).invoke(USER)
    assert (len(model.calls), pool.committed().total_tokens) == (4, 42)


def test_an_answered_call_is_counted_whatever_the_agent_does_next():
    """A budget of one call is one answer: the second run is refused before its model is called."""
    model, budget = ScriptedChatModel(script=["a", "b"]), agent_budget(1)
    agent = retrying(wrap(model, budget))
    agent.invoke(USER)
    with pytest.raises(LimitExceeded):
        agent.invoke(USER)
    assert len(model.calls) == 1


# Retries inside and outside of the wrap.


def test_retries_of_the_client_are_one_lease(serve, chat, pool):
    """The SDK's own retries happen under one reservation, and the one answer is booked."""
    busy = Reply(status=429, text="busy", headers={"retry-after-ms": "1"})
    server = serve([busy, busy, Reply(text="ok")])
    model = chat(server)
    model = model.__class__(**{**model.model_dump(exclude_unset=True), "max_retries": 2})
    wrap(model, pool).invoke("hi")
    assert server.calls == 3
    assert pool.committed().total_tokens == billed(server)


async def test_retries_around_the_wrap_ask_each_time(serve, chat, pool):
    """`with_retry` reserves for each attempt; the failed ones are released."""
    server = serve([Reply(status=500, text="x"), Reply(text="ok")] * 2)
    model = wrap(chat(server), pool).with_retry(
        retry_if_exception_type=(openai.APIStatusError,), wait_exponential_jitter=False
    )
    model.invoke("hi")
    await model.ainvoke("hi")
    assert server.calls == 4
    assert pool.committed().total_tokens == billed(server)


def test_a_batch_with_retries_pays_each_answer_once(pool):
    """Of a batch only what failed is asked again."""
    model = ScriptedChatModel(script=[answer(), ConnectionError("x"), answer()])
    wrap(model, pool).with_retry(wait_exponential_jitter=False).batch(["a", "b"], {"max_concurrency": 1})
    assert (len(model.calls), pool.committed().total_tokens) == (3, 84)


class State(TypedDict):
    """What the graph hands on."""

    text: str


def graph(model, policy):
    """Return a LangGraph graph of one node that calls the model."""

    def ask(state):
        return {"text": model.invoke(state["text"]).text}

    async def ask_async(state):
        return {"text": (await model.ainvoke(state["text"])).text}

    built = StateGraph(State)
    built.add_node("ask", RunnableLambda(ask, ask_async), retry_policy=policy)
    built.add_edge(START, "ask")
    built.add_edge("ask", END)
    return built.compile()


async def run(compiled, asynchronous):
    """Run a graph to its end."""
    return await compiled.ainvoke({"text": "hi"}) if asynchronous else compiled.invoke({"text": "hi"})


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_graph_does_not_retry_a_refusal(asynchronous, make_pool):
    """A refusal is a `RuntimeError`, which LangGraph's own rule leaves alone."""
    model, asked = ScriptedChatModel(script=[]), []

    class Counted:
        def reserve(self, estimate, **labels):
            asked.append(estimate)
            return make_pool(10).reserve(estimate)

    compiled = graph(wrap(model, Counted()), RetryPolicy(initial_interval=0, jitter=False, max_attempts=4))
    with pytest.raises(BudgetExceeded):
        await run(compiled, asynchronous)
    assert (len(asked), model.calls) == (1, [])


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_graph_that_retries_pays_for_the_answer(asynchronous, pool):
    """The failed attempt of the node is released."""
    model = ScriptedChatModel(script=[ConnectionError("x"), answer()])
    compiled = graph(wrap(model, pool), RetryPolicy(initial_interval=0, jitter=False, max_attempts=4))
    await run(compiled, asynchronous)
    assert (len(model.calls), pool.committed().total_tokens) == (2, 42)


def test_no_refusal_is_what_langgraph_retries(make_pool):
    """Those that waiting would cure neither: the host would wait for no answer."""
    limiter = RateLimiter(10)
    limiter.record_usage(10)
    token = WorkflowQuota.hourly(1, 0).begin_workflow("w")
    for budget, wait in [(make_pool(10), None), (token, None), (limiter, None), (RateLimiter(10_000), 0)]:
        if wait is not None:
            budget.record_usage(10_000)
        with pytest.raises((LimitExceeded, WaitTimeout)) as refusal:
            wrap(ScriptedChatModel(script=[]), budget, wait=wait).invoke("hi")
        assert not default_retry_on(refusal.value)


# Fallbacks.


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_fallback_after_an_error_is_paid_alone(asynchronous, serve, chat, pool):
    """The model that failed is released, the one that answered is booked."""
    server = serve([Reply(status=500, text="x"), Reply(text="second")])
    model = wrap(chat(server), pool).with_fallbacks([wrap(chat(server), pool)])
    message = await model.ainvoke("hi") if asynchronous else model.invoke("hi")
    assert message.text == "second"
    assert pool.committed().total_tokens == billed(server)


def test_a_refusal_falls_back_only_where_another_budget_has_room(pool, make_pool):
    """A fallback on the same spent budget is refused as well, and nobody is called."""
    small = make_pool(10)
    cheap = ScriptedChatModel(script=[answer("cheap")])
    dear = wrap(ScriptedChatModel(script=[]), small)
    assert dear.with_fallbacks([wrap(cheap, pool)]).invoke("hi").text == "cheap"
    with pytest.raises(BudgetExceeded):
        dear.with_fallbacks([wrap(cheap, small)]).invoke("hi")
    assert len(cheap.calls) == 1


def test_a_fallback_middleware_under_a_spent_budget_calls_nobody(make_pool):
    """`ModelFallbackMiddleware` catches everything: each model of its list is asked for, and refused."""
    small, other = make_pool(10), ScriptedChatModel(script=[])
    agent = create_agent(
        wrap(ScriptedChatModel(script=[]), small),
        [],
        middleware=[ModelFallbackMiddleware(wrap(other, small), wrap(other, small))],
    )
    with pytest.raises(BudgetExceeded):
        agent.invoke(USER)
    assert other.calls == []


# Caches, and calls that the framework makes by itself.


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_cached_answer_of_an_agent_costs_nothing(asynchronous, serve, chat, pool):
    """The wrap is below the cache: what is not asked of the provider is not asked of the budget."""
    server = serve([Reply(text="ok")])
    agent = create_agent(wrap(chat(server, cache=InMemoryCache()), pool), [])
    for _ in range(2):
        if asynchronous:
            await agent.ainvoke(USER)
        else:
            agent.invoke(USER)
    assert (server.calls, pool.committed().total_tokens) == (1, billed(server))


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_summariser_is_seen_by_the_wrap_and_not_by_middleware(asynchronous, pool):
    """The framework's own calls go past `wrap_model_call`, and never past a wrapped model."""
    summariser = ScriptedChatModel(script=[answer("summary")])
    turns = agent_budget(1)
    agent = create_agent(
        wrap(ScriptedChatModel(script=[answer()]), pool),
        [],
        middleware=[
            SummarizationMiddleware(wrap(summariser, pool), trigger=("messages", 3), keep=("messages", 1)),
            BudgetMiddleware(turns, steps="turns"),
        ],
    )
    conversation = {"messages": [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]}
    if asynchronous:
        await agent.ainvoke(conversation)
    else:
        agent.invoke(conversation)
    assert len(summariser.calls) == 1
    assert pool.committed().total_tokens == 84  # the summary and the turn
    assert turns.remaining().calls_remaining == 0  # the turn alone


async def test_32_tasks_on_one_agent_never_overspend(make_pool):
    """Agents that share a budget admit what fits and no more, at any moment."""
    pool = make_pool(10 * HI_ESTIMATE)
    model = ScriptedChatModel(script=[answer()], repeat=True)
    agent = create_agent(wrap(model, pool), [])

    async def run():
        try:
            await agent.ainvoke(USER)
        except BudgetExceeded:
            return 0
        return 42

    spent = sum(await asyncio.gather(*(run() for _ in range(32))))
    assert pool.committed().total_tokens == spent <= 10 * HI_ESTIMATE
