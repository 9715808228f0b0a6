"""The retries of LangChain and LangGraph: a refusal that waiting does not cure is not tried again."""

from __future__ import annotations

import pickle

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, StateGraph
from langgraph.types import RetryPolicy

from outlay import LimitExceeded, RateLimiter, SharedPool, governed
from outlay.langchain import wrap
from outlay.langchain._retry import _Repeats
from outlay.testing import ScriptedChatModel

QUICK = {"wait_exponential_jitter": False, "stop_after_attempt": 3}


def model():
    return ScriptedChatModel(script=["a"] * 5)


MADE = {
    "after": lambda budget: wrap(model(), budget).with_retry(**QUICK),
    "before": lambda budget: wrap(model().with_retry(**QUICK), budget),
    "bound": lambda budget: wrap(model(), budget).bind(stop=["x"]).with_retry(**QUICK),
}


@pytest.mark.parametrize("made", MADE)
def test_a_refusal_is_asked_once_and_a_rate_three_times(made, counted):
    for budget, times in ((counted(), 1), (counted(_full()), 3)):
        with pytest.raises(LimitExceeded):
            MADE[made](budget).invoke("Hi")
        assert budget.asked == times


def _full():
    limiter = RateLimiter(5_000)
    limiter.record_usage(5_000)
    return limiter


async def test_it_is_so_in_event_loops_too(counted):
    budget = counted()
    with pytest.raises(LimitExceeded):
        await MADE["after"](budget).ainvoke("Hi")
    assert budget.asked == 1


def test_what_fails_in_the_model_is_tried_again_as_it_was_said():
    failing = wrap(ScriptedChatModel(script=[ValueError("once"), "b"]), SharedPool(capacity_tokens=10_000))
    assert failing.with_retry(**QUICK).invoke("Hi").content == "b"
    failing = wrap(ScriptedChatModel(script=[ValueError("once"), "b"]), SharedPool(capacity_tokens=10_000))
    with pytest.raises(ValueError, match="once"):
        failing.with_retry(retry_if_exception_type=(KeyError,), **QUICK).invoke("Hi")
    assert pickle.loads(pickle.dumps(_Repeats((KeyError,))))(KeyError())


def test_a_chain_around_it_tries_again_unless_it_is_given_the_types(counted):
    for types, times in (((Exception,), 3), ((ValueError,), 1)):
        budget = counted()
        chain = RunnableLambda(str) | wrap(model(), budget)
        with pytest.raises(LimitExceeded):
            chain.with_retry(retry_if_exception_type=types, **QUICK).invoke("Hi")
        assert budget.asked == times


def test_fallbacks_ask_once_for_each_model_unless_they_are_given_the_types(counted):
    for types, times in (((Exception,), 3), ((ConnectionError,), 1)):
        budget = counted()
        first, *others = (wrap(model(), budget) for _ in range(3))
        with pytest.raises(LimitExceeded):
            first.with_fallbacks(others, exceptions_to_handle=types).invoke("Hi")
        assert budget.asked == times


@pytest.mark.parametrize(("policy", "times"), [({}, 1), ({"retry_on": Exception}, 3)])
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_node_of_langgraph_repeats_no_refusal_unless_it_is_told_to(counted, policy, times, wrapped):
    budget = counted()
    ask = wrap(model(), budget).invoke if wrapped else governed(budget, estimate=9)(lambda text: text)
    retry = RetryPolicy(max_attempts=3, initial_interval=0, jitter=False, **policy)
    graph = StateGraph(dict).add_node("a", lambda state: ask("Hi"), retry_policy=retry)
    with pytest.raises(LimitExceeded):
        graph.add_edge(START, "a").compile().invoke({})
    assert budget.asked == times
