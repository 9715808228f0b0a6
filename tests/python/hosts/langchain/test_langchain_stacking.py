"""Several budgets on one call: a list is one decision, stacked wraps charge an account once."""

from __future__ import annotations

import asyncio
import contextvars

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI

from outlay import (
    AgentTokenBudget,
    Budget,
    BudgetExceeded,
    BudgetLimit,
    BudgetManager,
    Guard,
    PolicyError,
    UsageEstimate,
    WorkflowQuota,
)
from outlay._calls.call import Call
from outlay._calls.listing import normalise
from outlay.langchain import wrap
from outlay.testing import Pause, ScriptedChatModel, ScriptedReply

USAGE = {"input_tokens": 30, "output_tokens": 12, "total_tokens": 42}


def scripted():
    """Return a model that answers for ever, 42 tokens each."""
    return ScriptedChatModel(script=[AIMessage("a b", usage_metadata=USAGE)], repeat=True)


class Recorded:
    """A user's own budget, and what happened to its leases."""

    def __init__(self, refuse=None, fails=False):
        self.refuse, self.fails = refuse, fails
        self.asked, self.ended = [], []

    def reserve(self, estimate, **labels):
        """Write the request down; refuse if told to."""
        self.asked.append((estimate, labels))
        if self.refuse is not None:
            self.refuse.reserve(1_000_000)
        return RecordedLease(self)


class RecordedLease:
    """A lease of `Recorded`."""

    def __init__(self, owner):
        self.owner = owner

    def commit(self, usage=None):
        """Write the usage down; fail if told to."""
        self.owner.ended.append(("commit", usage and usage.total_tokens))
        if self.owner.fails:
            raise ConnectionError("the ledger is away")

    def release(self):
        """Write the release down."""
        self.owner.ended.append(("release", None))

    def close(self):
        """Write the end of a failed call down."""
        self.owner.ended.append(("close", None))


def test_list_is_charged_together(pool):
    """Every budget of a list is charged the usage of the call."""
    agent = AgentTokenBudget.daily("a-1", 100_000)
    token = WorkflowQuota.hourly(10, 5).begin_workflow("w-1")
    wrap(scripted(), [pool, agent, token]).invoke("hi")
    assert (pool.committed().total_tokens, agent.used(), token.steps_executed()) == (42, 42, 1)


def test_refusal_by_the_last_changes_nothing_in_the_first(pool, make_pool):
    """A list is one decision: the first pool never shows what the last refused."""
    agent, model = AgentTokenBudget.daily("a-1", 100_000), scripted()
    with pytest.raises(BudgetExceeded):
        wrap(model, [pool, agent, make_pool(10)]).invoke("hi")
    assert model.calls == []
    assert (pool.committed().total_tokens, pool.reserved().total_tokens) == (0, 0)
    assert (agent.used(), agent.reserved()) == (0, 0)


def test_same_account_twice_in_a_list_counts_once(pool):
    """A list is a set of accounts."""
    wrap(scripted(), [pool, pool]).invoke("hi")
    assert pool.committed().total_tokens == 42


def test_two_handles_of_one_agent_count_once():
    """Handles of the same account are the same account."""
    manager = BudgetManager()
    manager.set_budget(BudgetLimit(agent_id="a", token_budget=100_000, calls_budget=9, window_secs=60))
    wrap(wrap(scripted(), manager.agent("a")), [manager.agent("a"), manager.agent("a")]).invoke("hi")
    assert manager.full_info("a").calls_used == 1


@pytest.mark.parametrize("mode", ["invoke", "ainvoke", "stream", "astream", "batch", "abatch"])
async def test_two_stacked_wraps_charge_once(mode, pool):
    """An account that both layers name is charged once, in every call mode."""
    model = wrap(wrap(scripted(), pool), pool)
    if mode == "invoke":
        model.invoke("hi")
    elif mode == "ainvoke":
        await model.ainvoke("hi")
    elif mode == "stream":
        list(model.stream("hi"))
    elif mode == "astream":
        assert [chunk async for chunk in model.astream("hi")]
    elif mode == "batch":
        model.batch(["hi"])
    else:
        await model.abatch(["hi"])
    assert pool.committed().total_tokens == 42


def test_stacked_wraps_charge_what_only_one_of_them_names(pool, make_pool):
    """The inner layer pays for its own account, the outer for both."""
    other = make_pool()
    wrap(wrap(scripted(), [pool, other]), pool).invoke("hi")
    assert (pool.committed().total_tokens, other.committed().total_tokens) == (42, 42)


def test_refusal_by_an_inner_wrap_gives_back_the_outer(pool, make_pool):
    """The outer layer has no lease open when the inner one refuses."""
    with pytest.raises(BudgetExceeded):
        wrap(wrap(scripted(), make_pool(10)), pool).invoke("hi")
    assert pool.committed().total_tokens == 0


async def test_stream_closed_from_another_task_leaves_nothing_open(pool, hi_estimate):
    """A generator may be closed in a context in which it never ran."""
    stream = wrap(wrap(scripted(), pool), pool).astream("hi")
    await anext(stream)
    await asyncio.create_task(stream.aclose())
    assert pool.committed().total_tokens == hi_estimate


async def test_call_thrown_away_unfinished_is_charged_and_ends_quietly(pool, hi_estimate):
    """A coroutine may be collected in a context in which it never ran."""
    model = ScriptedChatModel(script=[ScriptedReply(pause=Pause())])
    coroutine = wrap(model, pool)._agenerate([HumanMessage("hi")])
    contextvars.copy_context().run(coroutine.send, None)
    coroutine.close()
    assert pool.committed().total_tokens == hi_estimate


async def test_ended_calls_do_not_pile_up_behind_those_that_follow(pool):
    """A task that goes on making calls keeps none of those that it was started in."""
    inside = asyncio.Event()
    tasks = []

    class Spawning(ScriptedChatModel):
        async def _agenerate(self, *args, **kwargs):
            async def later():
                await inside.wait()
                return Call()

            tasks.append(asyncio.create_task(later()))
            return await super()._agenerate(*args, **kwargs)

    await wrap(Spawning(script=["a"]), pool).ainvoke("hi")
    inside.set()
    assert (await tasks[0])._outer is None


def test_call_whose_outer_call_has_ended_covers_nothing_of_it(pool):
    """A thread that outlives the call it was started in pays for what follows."""
    outer, inner = Call(), None
    budgets, estimate = normalise(pool), UsageEstimate(input_tokens=10)
    outer.reserve(budgets, estimate, operation="query", labels={})
    with outer.entered():
        inner = Call()
        with inner.entered():
            outer.commit(None)
            last = Call()
    last.reserve(budgets, estimate, operation="query", labels={})
    last.commit(None)
    assert pool.committed().total_tokens == 20


async def test_task_started_inside_a_call_pays_for_itself_afterwards(pool):
    """A call that has ended covers nothing, though tasks inherit its context."""
    started = asyncio.Event()
    tasks = []

    class Spawning(ScriptedChatModel):
        async def _agenerate(self, *args, **kwargs):
            async def later():
                await started.wait()
                await wrap(scripted(), pool).ainvoke("hi")

            tasks.append(asyncio.create_task(later()))
            return await super()._agenerate(*args, **kwargs)

    await wrap(Spawning(script=[AIMessage("a", usage_metadata=USAGE)]), pool).ainvoke("hi")
    started.set()
    await asyncio.gather(*tasks)
    assert pool.committed().total_tokens == 84


async def test_call_between_two_chunks_pays_for_itself(pool, hi_estimate):
    """A stream covers its own steps, not what its consumer does between them."""
    model = wrap(scripted(), pool)
    stream = model.astream("hi")
    await anext(stream)
    await model.ainvoke("hi")
    assert pool.committed().total_tokens == 42
    await stream.aclose()
    assert pool.committed().total_tokens == 42 + hi_estimate


def test_own_budget_gets_estimate_labels_and_usage(pool, hi_estimate):
    """A user's own object is reserved after the accounts of outlay, and told what was used."""
    own = Recorded()
    assert isinstance(own, Budget)
    wrap(scripted(), [own, pool], agent="coder", repo="r").invoke("hi")
    ((estimate, labels),) = own.asked
    assert estimate.total_tokens == hi_estimate
    assert labels == {
        "provider": "scriptedchatmodel",
        "model": "scripted",
        "agent": "coder",
        "repo": "r",
    }
    assert own.ended == [("commit", 42)]


def test_refused_pool_never_asks_the_own_budget(make_pool):
    """The accounts of outlay decide first."""
    own = Recorded()
    with pytest.raises(BudgetExceeded):
        wrap(scripted(), [own, make_pool(10)]).invoke("hi")
    assert own.asked == []


def test_own_budget_that_refuses_releases_those_before_it(pool, make_pool):
    """A refusal by the last object releases the leases before it; the provider is not touched."""
    first, last, model = Recorded(), Recorded(refuse=make_pool(10)), scripted()
    with pytest.raises(BudgetExceeded):
        wrap(model, [pool, first, last]).invoke("hi")
    assert model.calls == []
    assert first.ended == [("release", None)]
    assert (pool.committed().total_tokens, pool.reserved().total_tokens) == (0, 0)


def test_own_lease_is_closed_on_a_provider_error():
    """A failed call is the budget's own affair."""
    own = Recorded()
    with pytest.raises(ConnectionError):
        wrap(ScriptedChatModel(script=[ConnectionError("down")]), own).invoke("hi")
    assert own.ended == [("close", None)]


async def test_own_lease_is_committed_on_cancellation():
    """None says that the usage is unknown."""
    own, pause = Recorded(), Pause()
    model = wrap(ScriptedChatModel(script=[ScriptedReply(pause=pause)]), own)
    task = asyncio.ensure_future(model.ainvoke("hi"))
    await pause.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert own.ended == [("commit", None)]


def test_own_lease_that_fails_to_commit_does_not_keep_the_others_open(pool):
    """Every lease is ended before the failure is raised."""
    first, second = Recorded(fails=True), Recorded()
    with pytest.raises(ConnectionError, match="ledger"):
        wrap(scripted(), [first, second, pool]).invoke("hi")
    assert second.ended == [("commit", 42)]
    assert pool.committed().total_tokens == 42


@pytest.mark.parametrize("stacked", [False, True])
def test_own_budget_in_two_wraps_is_asked_once(stacked):
    """A user's own object is an account like any other."""
    own = Recorded()
    model = wrap(wrap(scripted(), own), own) if stacked else wrap(scripted(), [own, own])
    model.invoke("hi")
    assert len(own.asked) == 1


@pytest.mark.parametrize("budget", [[], None, "pool", 5, object(), Recorded, [None]])
def test_what_is_no_budget_is_refused_by_name(budget):
    """The error names the argument and what is allowed."""
    with pytest.raises(PolicyError, match="budget"):
        wrap(scripted(), budget)


def test_manager_is_refused_with_the_way_out():
    """A manager has a `reserve` of another meaning."""
    with pytest.raises(PolicyError, match=r"manager\.agent"):
        wrap(scripted(), BudgetManager())


def anthropic(**keywords):
    return pytest.importorskip("langchain_anthropic").ChatAnthropic(**keywords)


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
@pytest.mark.parametrize(
    ("model", "address", "provider"),
    [
        (ChatOpenAI, "https://api.deepseek.com", "deepseek"),
        (ChatOpenAI, "https://gateway.example.com/v1", "openai"),
        (ChatOpenAI, None, "openai"),
        (anthropic, "https://api.moonshot.ai/anthropic", "moonshotai"),
        (anthropic, None, "anthropic"),
    ],
)
async def test_the_label_provider_is_that_of_the_address(model, address, provider, mode):
    """The limit of a provider refuses its models, before they send anything."""
    names = ("openai", "anthropic", "deepseek", "moonshotai")
    rules = [{"name": one, "scope": {"provider": one}, "limit": {"calls": 0}} for one in names]
    made = wrap(model(model="m", base_url=address, api_key="k", max_retries=0), Guard({"budget": rules}))
    with pytest.raises(BudgetExceeded) as caught:
        made.invoke("Hi") if mode == "invoke" else await made.ainvoke("Hi")
    assert caught.value.scope["budget"] == provider
