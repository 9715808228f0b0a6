"""The wrapped model itself: of the same class, guarded in every copy, priced, and safe among threads."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import pickle
import threading

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelFallbackMiddleware, ModelRetryMiddleware
from langchain_core.exceptions import ModelError
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumpd
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.runnables import ConfigurableField
from langchain_openai import ChatOpenAI

from outlay import BudgetExceeded, InvalidAmount, LimitExceeded, PolicyError
from outlay.langchain import wrap
from outlay.testing import Pause, Reply, ScriptedChatModel, ScriptedReply, tool_call

PRICES = {"gpt-test": {"input": "2.50", "output": "10.00", "cache_read": "0.25"}}
USAGE = {"input_tokens": 30, "output_tokens": 12, "total_tokens": 42}


def estimate_of(pool, model, messages, **kwargs):
    """Return what a call reserves: the model's answer tells no usage, so it is charged."""
    before = pool.committed().total_tokens
    model.invoke(messages, **kwargs)
    return pool.committed().total_tokens - before


@pytest.fixture
def silent(pool):
    """Return a wrapped model that tells no usage."""
    return wrap(ScriptedChatModel(script=["a"], repeat=True, report_usage=False), pool)


def test_wrapped_model_is_of_the_same_class(serve, chat, pool):
    """Names, types and what is serialised are those of the model."""
    model = chat(serve([]))
    guarded = wrap(model, pool)
    assert isinstance(guarded, ChatOpenAI)
    assert (type(guarded).__name__, type(guarded).__module__) == ("ChatOpenAI", type(model).__module__)
    assert type(guarded) is type(wrap(model, pool)) is type(wrap(guarded, pool))
    assert dumpd(guarded) == dumpd(model)
    assert "outlay" not in repr(guarded)
    assert guarded.lc_id() == model.lc_id()


def test_original_stays_unguarded(make_pool):
    """Wrapping changes nothing in the model that was given."""
    model = ScriptedChatModel(script=["a"])
    wrap(model, make_pool(10))
    assert model.invoke("hi").text == "a"


def test_wrap_of_a_class_without_streaming_does_not_claim_it(pool):
    """LangChain asks the class what it implements."""

    class Plain(BaseChatModel):
        @property
        def _llm_type(self):
            return "plain"

        def _generate(self, messages, stop=None, **kwargs):
            return ScriptedChatModel(script=["a"])._generate(messages)

    guarded = wrap(Plain(), pool)
    assert type(guarded)._stream is BaseChatModel._stream
    assert type(guarded)._astream is BaseChatModel._astream
    assert [chunk.text for chunk in guarded.stream("hi")] == ["a"]
    assert pool.committed().total_tokens == 5


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda model: model.model_copy()])
def test_copy_of_a_wrapped_model_spends_from_the_same_budget(duplicate, pool):
    """A copy is no way around the budget."""
    model = ScriptedChatModel(script=[AIMessage("a", usage_metadata=USAGE)])
    duplicate(wrap(model, pool)).invoke("hi")
    assert pool.committed().total_tokens == 42


def test_model_rebuilt_by_configurable_fields_keeps_its_budget(serve, chat, make_pool):
    """LangChain makes a new model out of the fields of the old one."""
    server = serve([])
    field = ConfigurableField(id="t")
    model = wrap(chat(server), make_pool(10)).configurable_fields(temperature=field)
    with pytest.raises(BudgetExceeded):
        model.with_config(configurable={"t": 0.5}).invoke("hi")
    assert server.calls == 0


def test_model_made_from_a_wrapped_models_class_fails_closed(pool):
    """An unguarded model where a guard was meant is an error, not a free ride."""
    guarded = wrap(ScriptedChatModel(script=["a"]), pool)
    with pytest.raises(PolicyError, match="wrap"):
        type(guarded)(script=["a"]).invoke("hi")


def test_bound_model_can_be_wrapped(make_pool):
    """What `bind_tools` returns is wrapped around the model inside."""
    model = ScriptedChatModel(script=["a"])
    with pytest.raises(BudgetExceeded):
        wrap(model.bind_tools([]), make_pool(10)).invoke("hi")
    assert model.calls == []


@pytest.mark.parametrize(
    ("keywords", "error", "named"),
    [
        ({"operation": ""}, PolicyError, "operation"),
        ({"operation": None}, PolicyError, "operation"),
        ({"output_tokens": -1}, InvalidAmount, "output_tokens"),
        ({"output_tokens": 1.5}, InvalidAmount, "output_tokens"),
        ({"output_tokens": True}, InvalidAmount, "output_tokens"),
        ({"agent": 7}, PolicyError, "agent"),
    ],
)
def test_bad_arguments_are_named(keywords, error, named, pool):
    """The error names the argument and what is allowed."""
    with pytest.raises(error, match=named):
        wrap(ScriptedChatModel(script=[]), pool, **keywords)


def test_what_is_no_chat_model_is_refused(pool):
    """Only chat models are guarded, and nobody is left to believe otherwise."""
    with pytest.raises(PolicyError, match="model"):
        wrap("gpt-test", pool)


# The estimate.


def test_estimate_counts_bytes_messages_and_output(pool, silent):
    """A third of the UTF-8 bytes, 4 a message, and the output."""
    assert estimate_of(pool, silent, "hi") == 1 + 4 + 1024
    assert estimate_of(pool, silent, "\u4f60\u597d") == 2 + 4 + 1024
    prompt = [SystemMessage("abc"), HumanMessage("abcd")]
    assert estimate_of(pool, silent, prompt) == 3 + 8 + 1024


def test_output_limit_of_the_call_is_reserved_in_full(pool, silent):
    """The limit of the call stands above the default."""
    assert estimate_of(pool, silent, "hi", max_tokens=64_000) == 1 + 4 + 64_000
    assert estimate_of(pool, silent, "hi", max_completion_tokens=50) == 1 + 4 + 50


def test_output_limit_of_the_model_is_reserved_in_full(pool):
    """The limit of the model stands above `output_tokens`."""
    model = ScriptedChatModel(script=["a"], report_usage=False, max_tokens=300)
    assert estimate_of(pool, wrap(model, pool, output_tokens=10), "hi") == 1 + 4 + 300


def test_output_tokens_is_reserved_where_nothing_limits_the_output(pool):
    """`output_tokens` replaces the default."""
    model = ScriptedChatModel(script=["a"], report_usage=False)
    assert estimate_of(pool, wrap(model, pool, output_tokens=10), "hi") == 1 + 4 + 10


def test_every_choice_reserves_its_output(pool, silent):
    """Three choices of one prompt are three outputs."""
    assert estimate_of(pool, silent, "hi", n=3) == 1 + 4 + 3 * 1024


def test_estimate_counts_the_tool_calls_of_the_conversation(pool, silent):
    """Arguments that the model wrote are sent back to it."""
    wrote = tool_call("save", text="x" * 3_000)
    assert estimate_of(pool, silent, [HumanMessage("hi"), wrote]) > 1 + 8 + 1024 + 1_000


def test_estimate_counts_tools_and_pictures(pool, silent):
    """Schemas are sent with every call; a picture is not its base64 text."""
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    assert estimate_of(pool, silent, "hi", tools=[tool]) > 1 + 4 + 1024 + 20
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 90_000}}
    message = HumanMessage([{"type": "text", "text": "hi"}, picture])
    assert estimate_of(pool, silent, [message]) == 1 + 4 + 1024 + 2_000


def test_estimate_is_above_the_usage_that_the_server_bills(serve, chat, pool):
    """The fence holds for a conversation with tools."""
    server = serve([Reply(text="a", usage=None), Reply(text="a")])
    model = wrap(chat(server), pool, output_tokens=1).bind_tools([estimate_of])
    messages = [SystemMessage("Be brief."), HumanMessage("What is the sum? " * 20)]
    model.invoke(messages)
    estimate = pool.committed().total_tokens
    model.invoke(messages)
    assert estimate >= server.billed[0]["total_tokens"]


# Prices.


def test_cost_is_booked_from_prices_and_rounded_up_once(serve, chat, make_pool):
    """30 in, of which 10 cached, and 12 out: 20 x 2.50 + 10 x 0.25 + 12 x 10 = 172.5 micro-USD."""
    pool = make_pool(capacity_cost_micros_usd=1_000_000)
    details = {"prompt_tokens_details": {"cached_tokens": 10}}
    server = serve([Reply(text="a", usage={"prompt_tokens": 30, "completion_tokens": 12, **details})])
    wrap(chat(server), pool, prices=PRICES).invoke("hi")
    assert pool.committed().cost_micros_usd == 173


def test_estimated_cost_is_refused_before_the_call(serve, chat, make_pool):
    """A thousand tokens of output cost 10,240 micro-USD, which a pool of 10,000 does not have."""
    server = serve([])
    model = wrap(chat(server), make_pool(capacity_cost_micros_usd=10_000), prices=PRICES)
    with pytest.raises(BudgetExceeded) as caught:
        model.invoke("hi")
    assert caught.value.kind == "cost"
    assert server.calls == 0


def test_cost_cap_without_prices_is_an_error_at_wrap(serve, chat, make_pool):
    """An unknown price is never $0."""
    with pytest.raises(PolicyError, match="prices"):
        wrap(chat(serve([])), make_pool(capacity_cost_micros_usd=1_000))


def test_cost_cap_without_a_price_for_the_model_is_an_error_at_wrap(serve, chat, make_pool):
    """The error names the model."""
    prices = {"another": {"input": "1", "output": "1"}}
    with pytest.raises(PolicyError, match="gpt-test"):
        wrap(chat(serve([])), [make_pool(), make_pool(capacity_cost_micros_usd=1_000)], prices=prices)


def test_model_named_by_the_call_without_a_price_is_an_error_at_the_call(serve, chat, make_pool):
    """A call that names another model is checked again, before the provider is touched."""
    server = serve([])
    model = wrap(chat(server), make_pool(capacity_cost_micros_usd=100_000_000), prices=PRICES)
    with pytest.raises(PolicyError, match="gpt-other"):
        model.invoke("hi", model="gpt-other")
    assert server.calls == 0


def test_model_without_a_name_is_an_error_at_the_call(make_pool):
    """A model that nobody can price is refused when it is called."""
    model = ScriptedChatModel(script=["a"], model_name="")
    guarded = wrap(model, make_pool(capacity_cost_micros_usd=100_000_000), prices=PRICES)
    with pytest.raises(PolicyError, match="name"):
        guarded.invoke("hi")
    assert model.calls == []


# Refusals among LangChain's retries.


def refused(pool):
    """Return the refusal of a wrapped model."""
    with pytest.raises(BudgetExceeded) as caught:
        wrap(ScriptedChatModel(script=[]), pool).invoke("hi")
    return caught.value


def test_refusal_is_of_outlay_and_of_langchain(make_pool):
    """One exception, recognised by both."""
    refusal = refused(make_pool(10))
    assert isinstance(refusal, LimitExceeded)
    assert isinstance(refusal, ModelError)
    assert refusal.is_retryable is False
    assert refusal.payload["retryable"] is False


def test_refusal_pickles_and_copies(make_pool):
    """The type, the text and the payload survive."""
    refusal = refused(make_pool(10))
    for twin in (pickle.loads(pickle.dumps(refusal)), copy.copy(refusal)):
        assert type(twin) is type(refusal)
        assert (str(twin), twin.payload) == (str(refusal), refusal.payload)


class Counted:
    """A user's own budget that refuses, and counts how often it was asked."""

    def __init__(self, pool):
        self.pool, self.asked = pool, 0

    def reserve(self, estimate, **labels):
        """Count, and ask the pool."""
        self.asked += 1
        return self.pool.reserve(estimate)


def test_refusal_survives_an_agent(make_pool):
    """The type is what the caller of the agent catches."""
    agent = create_agent(wrap(ScriptedChatModel(script=[]), make_pool(10)), [])
    with pytest.raises(BudgetExceeded) as caught:
        agent.invoke({"messages": [("user", "hi")]})
    assert caught.value.payload["error"] == "threshold_exceeded"


def test_model_retry_middleware_does_not_retry_a_refusal(make_pool):
    """A refusal is no passing fault: it is asked once and raised at once."""
    own = Counted(make_pool(10))
    retry = ModelRetryMiddleware(max_retries=3, initial_delay=0, on_failure="continue")
    agent = create_agent(wrap(ScriptedChatModel(script=[]), own), [], middleware=[retry])
    with pytest.raises(BudgetExceeded):
        agent.invoke({"messages": [("user", "hi")]})
    assert own.asked == 1


def test_model_retry_middleware_charges_each_attempt(pool):
    """A retried call is a call: the failed attempt is released, the good one charged."""
    model = ScriptedChatModel(script=[ConnectionError("x"), AIMessage("a", usage_metadata=USAGE)])
    retry = ModelRetryMiddleware(max_retries=3, initial_delay=0, jitter=False)
    agent = create_agent(wrap(model, pool), [], middleware=[retry])
    agent.invoke({"messages": [("user", "hi")]})
    assert len(model.calls) == 2
    assert pool.committed().total_tokens == 42


def test_fallback_middleware_reaches_the_cheaper_model(pool, make_pool):
    """A refusal may be answered by another model with another budget."""
    cheap = ScriptedChatModel(script=[AIMessage("cheap", usage_metadata=USAGE)])
    dear = wrap(ScriptedChatModel(script=[]), make_pool(10))
    agent = create_agent(dear, [], middleware=[ModelFallbackMiddleware(wrap(cheap, pool))])
    assert agent.invoke({"messages": [("user", "hi")]})["messages"][-1].text == "cheap"
    assert pool.committed().total_tokens == 42


def test_with_retry_is_told_what_to_retry(make_pool):
    """`with_retry` retries any exception unless told; told, it does not."""
    own = Counted(make_pool(10))
    model = wrap(ScriptedChatModel(script=[]), own)
    retrying = model.with_retry(retry_if_exception_type=(ConnectionError,), wait_exponential_jitter=False)
    with pytest.raises(BudgetExceeded):
        retrying.invoke("hi")
    assert own.asked == 1


# Threads.


def test_32_threads_on_one_wrapped_model_never_overspend(make_pool, hi_estimate):
    """Room for ten estimates admits exactly ten of 320 calls."""
    pool = make_pool(10 * hi_estimate + 5)
    model = ScriptedChatModel(script=["a"], repeat=True, report_usage=False)
    guarded = wrap(model, pool)
    start, refusals = threading.Barrier(32), []

    def work():
        start.wait()
        for _ in range(10):
            try:
                guarded.invoke("hi")
            except BudgetExceeded as refusal:
                refusals.append(refusal)

    threads = [threading.Thread(target=work) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(model.calls), len(refusals)) == (10, 310)
    assert pool.committed().total_tokens == 10 * hi_estimate


def test_32_threads_with_real_usage_never_exceed_the_limit(make_pool, hi_estimate):
    """Usage below the estimate makes room for more calls, never for more than the limit."""
    pool = make_pool(3 * hi_estimate)
    model = ScriptedChatModel(script=["a b c"], repeat=True)
    guarded, start = wrap(model, pool), threading.Barrier(32)

    def work():
        start.wait()
        for _ in range(10):
            with contextlib.suppress(BudgetExceeded):
                guarded.invoke("hi")

    threads = [threading.Thread(target=work) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # 3 for the message and 1 for its text in, 2 out.
    assert pool.committed().total_tokens == 6 * len(model.calls) <= 3 * hi_estimate


async def test_1000_tasks_on_one_wrapped_model_admit_exactly_what_fits(make_pool, hi_estimate):
    """Room for ten estimates: ten calls are under way at once, 990 are refused."""
    pool, pause = make_pool(10 * hi_estimate), Pause()
    model = ScriptedChatModel(script=[ScriptedReply(message="a", pause=pause)], repeat=True)
    guarded = wrap(model, pool)
    tasks = {asyncio.create_task(guarded.ainvoke("hi")) for _ in range(1_000)}
    refused = 0
    while refused < 990:
        done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        refused += sum(isinstance(task.exception(), BudgetExceeded) for task in done)
    assert (len(tasks), len(model.calls), len(pool.open_leases())) == (10, 10, 10)
    pause.resume.set()
    assert {answer.text for answer in await asyncio.gather(*tasks)} == {"a"}
