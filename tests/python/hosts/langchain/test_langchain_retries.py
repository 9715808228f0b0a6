"""`with_retry` of a wrapped model: a refusal that waiting does not cure is not tried again."""

from __future__ import annotations

import pickle

import pytest
from langchain_core.runnables import RunnableLambda

from outlay import LimitExceeded, RateLimiter, SharedPool
from outlay.langchain import wrap
from outlay.langchain._retry import _Repeats
from outlay.testing import ScriptedChatModel

QUICK = {"wait_exponential_jitter": False, "stop_after_attempt": 3}


class Counted:
    """A budget that says how often it was asked."""

    def __init__(self, budget):
        self.budget, self.asked = budget, 0

    def reserve(self, estimate, **labels):
        """Count, and ask the budget inside."""
        self.asked += 1
        return self.budget.reserve(estimate)


def model():
    return ScriptedChatModel(script=["a"] * 5)


MADE = {
    "after": lambda budget: wrap(model(), budget).with_retry(**QUICK),
    "before": lambda budget: wrap(model().with_retry(**QUICK), budget),
    "bound": lambda budget: wrap(model(), budget).bind(stop=["x"]).with_retry(**QUICK),
}


@pytest.mark.parametrize("made", MADE)
def test_a_refusal_is_asked_once_and_a_rate_three_times(made):
    for budget, times in ((SharedPool(capacity_tokens=1), 1), (_full(), 3)):
        counted = Counted(budget)
        with pytest.raises(LimitExceeded):
            MADE[made](counted).invoke("Hi")
        assert counted.asked == times


def _full():
    limiter = RateLimiter(5_000)
    limiter.record_usage(5_000)
    return limiter


async def test_it_is_so_in_event_loops_too():
    counted = Counted(SharedPool(capacity_tokens=1))
    with pytest.raises(LimitExceeded):
        await MADE["after"](counted).ainvoke("Hi")
    assert counted.asked == 1


def test_what_fails_in_the_model_is_tried_again_as_it_was_said():
    failing = wrap(ScriptedChatModel(script=[ValueError("once"), "b"]), SharedPool(capacity_tokens=10_000))
    assert failing.with_retry(**QUICK).invoke("Hi").content == "b"
    failing = wrap(ScriptedChatModel(script=[ValueError("once"), "b"]), SharedPool(capacity_tokens=10_000))
    with pytest.raises(ValueError, match="once"):
        failing.with_retry(retry_if_exception_type=(KeyError,), **QUICK).invoke("Hi")
    assert pickle.loads(pickle.dumps(_Repeats((KeyError,))))(KeyError())


def test_a_chain_around_it_tries_again_unless_it_is_given_the_types():
    for types, times in (((Exception,), 3), ((ValueError,), 1)):
        counted = Counted(SharedPool(capacity_tokens=1))
        chain = RunnableLambda(str) | wrap(model(), counted)
        with pytest.raises(LimitExceeded):
            chain.with_retry(retry_if_exception_type=types, **QUICK).invoke("Hi")
        assert counted.asked == times
