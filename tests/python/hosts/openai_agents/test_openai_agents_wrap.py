"""`outlay.openai_agents.wrap`: every way to ask a model is reserved before and settled after."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading

import httpx2
import openai
import pytest
from agents import (
    Agent,
    AgentsException,
    Model,
    ModelSettings,
    ModelTracing,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    set_tracing_disabled,
)
from agents.exceptions import ModelBehaviorError
from agents.retry import ModelRetrySettings, retry_policies
from agents.testing import ScriptedModel, assistant_message
from agents.tracing import set_trace_processors
from agents.usage import Usage

from outlay import BudgetExceeded, InvalidAmount, PolicyError, WorkflowQuota
from outlay.openai_agents import _errors, _model, wrap
from outlay.testing import Reply


async def drained(run):
    async for _ in run.stream_events():
        pass
    return run.final_output


async def test_run_and_run_sync_book_what_was_billed(real, serve, pool, quiet, billed):
    server = serve([Reply(text="Hello."), Reply(text="And again.")])
    agent = Agent("a", model=wrap(real(server), pool))
    assert (await Runner.run(agent, "Hi", run_config=quiet)).final_output == "Hello."
    run = await asyncio.to_thread(in_a_loop, lambda: Runner.run_sync(agent, "Hi", run_config=quiet))
    assert run.final_output == "And again."
    assert pool.committed().total_tokens == billed(server) > 0


def in_a_loop(function):
    asyncio.set_event_loop(asyncio.new_event_loop())
    try:
        return function()
    finally:
        asyncio.get_event_loop().close()


async def test_stream_books_what_was_billed(real, serve, pool, quiet, billed):
    server = serve([Reply(text="one two three")])
    run = Runner.run_streamed(Agent("a", model=wrap(real(server), pool)), "Hi", run_config=quiet)
    assert await drained(run) == "one two three"
    assert pool.committed().total_tokens == billed(server) > 0


async def test_a06_totals_in_every_chunk_are_booked_once(chat, serve, pool, quiet, billed):
    server = serve([Reply(text="one two three", totals=True)])
    run = Runner.run_streamed(Agent("a", model=wrap(chat(server), pool)), "Hi", run_config=quiet)
    assert await drained(run) == "one two three"
    assert pool.committed().total_tokens == billed(server) > 0


async def test_refusal_asks_no_provider_and_reaches_the_caller(real, serve, make_pool, quiet):
    server, small = serve([]), make_pool(100)
    agent = Agent("a", model=wrap(real(server), small))
    with pytest.raises(AgentsException) as refused:
        await Runner.run(agent, "Hi", run_config=quiet)
    with pytest.raises(BudgetExceeded) as streamed:
        await drained(Runner.run_streamed(agent, "Hi", run_config=quiet))
    for caught in (refused, streamed):
        assert type(caught.value) is _errors.ThresholdExceeded
        # What the host puts on its own errors, it puts on this one.
        assert caught.value.run_data.last_agent is agent
    assert (server.calls, small.committed().total_tokens) == (0, 0)


def test_refusal_pickles(make_pool, quiet):
    agent = Agent("a", model=wrap(ScriptedModel([]), make_pool(1)))
    with pytest.raises(BudgetExceeded) as refused:
        in_a_loop(lambda: Runner.run_sync(agent, "Hi", run_config=quiet))
    refused.value.run_data = None
    copy = pickle.loads(pickle.dumps(refused.value))
    assert type(copy) is type(refused.value)
    assert copy.payload == refused.value.payload
    assert _errors.BudgetExceeded.run_data is None


@pytest.mark.parametrize("streamed", [False, True])
async def test_no_policy_retries_a_refusal(counted, quiet, streamed):
    asked, budget = [], counted()

    def always(context):
        asked.append(context)
        return True

    retry = ModelRetrySettings(max_retries=3, policy=always, backoff={"initial_delay": 0})
    settings = ModelSettings(retry=retry)
    agent = Agent("a", model=wrap(ScriptedModel([]), budget), model_settings=settings)
    run = drained(Runner.run_streamed(agent, "Hi", run_config=quiet)) if streamed else None
    with pytest.raises(BudgetExceeded):
        await (run or Runner.run(agent, "Hi", run_config=quiet))
    assert (asked, budget.asked) == ([], 1)


async def test_retry_of_the_runner_is_a_call_of_its_own(real, serve, make_pool, quiet, billed):
    server, pool = serve([Reply(status=503), Reply(text="x")]), make_pool(on_error="charge")
    policy = retry_policies.http_status([503])
    retry = ModelRetrySettings(max_retries=2, policy=policy, backoff={"initial_delay": 0, "jitter": False})
    settings = ModelSettings(retry=retry)
    agent = Agent("a", model=wrap(real(server), pool, output_tokens=500), model_settings=settings)
    await Runner.run(agent, "Hi", run_config=quiet)
    assert server.calls == 2
    # The estimate of the try that failed ("Hi": 1 + 4), and the answer.
    assert pool.committed().total_tokens == 1 + 4 + 500 + billed(server)


async def test_cancelled_request_is_charged_its_estimate(real, serve, pool, quiet):
    server = serve([Reply(text="one two three", gate=threading.Event())])
    agent = Agent("a", model=wrap(real(server), pool, output_tokens=500))
    task = asyncio.create_task(Runner.run(agent, "Hi", run_config=quiet))
    await asyncio.to_thread(server.wait_for, lambda: server.calls == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.committed().output_tokens == 500


async def test_stream_left_early_is_charged(real, serve, pool, quiet):
    server = serve([Reply(text="one two three", gate=threading.Event())])
    agent = Agent("a", model=wrap(real(server), pool, output_tokens=500))
    run = Runner.run_streamed(agent, "Hi", run_config=quiet)
    async for event in run.stream_events():
        if event.type == "raw_response_event":
            break
    run.cancel()
    await asyncio.gather(run.run_loop_task, return_exceptions=True)
    # The usage comes last and never came: the estimate is booked.
    assert pool.committed().output_tokens == 500


async def test_timeout_of_the_host_is_charged(real, serve, pool, quiet):
    server = serve([Reply(text="late", gate=threading.Event())])
    settings = ModelSettings(timeout=0.2)
    agent = Agent("a", model=wrap(real(server), pool, output_tokens=500), model_settings=settings)
    with pytest.raises(AgentsException):
        await Runner.run(agent, "Hi", run_config=quiet)
    assert pool.committed().output_tokens == 500


async def test_usage_that_never_came_is_the_estimate(real, serve, pool, quiet):
    server = serve([Reply(text="Hello.", usage=None)] * 2)
    agent = Agent("a", model=wrap(real(server), pool, output_tokens=70))
    await Runner.run(agent, "Hi", run_config=quiet)
    await drained(Runner.run_streamed(agent, "Hi", run_config=quiet))
    assert pool.committed().output_tokens == 140


async def test_chat_stream_at_another_address_tells_no_usage(chat, serve, pool):
    """The SDK asks for it only where the address is OpenAI's; `include_usage=True` asks for it anywhere."""
    server = serve([Reply(text="Hello.")])
    agent = Agent("a", model=wrap(chat(server), pool, output_tokens=70))
    await drained(Runner.run_streamed(agent, "Hi", run_config=RunConfig(tracing_disabled=True)))
    assert pool.committed().output_tokens == 70


@pytest.mark.parametrize(("on_error", "charged"), [("release", 0), ("charge", 70)])
async def test_provider_error_follows_on_error(real, serve, make_pool, quiet, on_error, charged):
    server, one = serve([Reply(status=500)] * 2), make_pool(on_error=on_error)
    agent = Agent("a", model=wrap(real(server), one, output_tokens=70))
    with pytest.raises(openai.InternalServerError):
        await Runner.run(agent, "Hi", run_config=quiet)
    with pytest.raises(openai.InternalServerError):
        await drained(Runner.run_streamed(agent, "Hi", run_config=quiet))
    assert one.committed().output_tokens == 2 * charged


INCOMPLETE = {
    "id": "r-1",
    "object": "response",
    "created_at": 0,
    "model": "gpt-test",
    "status": "incomplete",
    "incomplete_details": {"reason": "max_output_tokens"},
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 70,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 79,
    },
}


def incomplete_model():
    """Return a real model whose provider ends every answer "incomplete", as at the limit of the output."""

    def answer(request):
        if not json.loads(request.content).get("stream"):
            return httpx2.Response(200, json=INCOMPLETE)
        event = {"type": "response.incomplete", "sequence_number": 1, "response": INCOMPLETE}
        lines = f"event: response.incomplete\ndata: {json.dumps(event)}\n\n"
        return httpx2.Response(200, text=lines, headers={"content-type": "text/event-stream"})

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    return OpenAIResponsesModel("gpt-test", openai.AsyncOpenAI(api_key="none", http_client=http))


async def test_answer_that_the_host_throws_away_is_charged(pool, quiet):
    """A response that ended "incomplete" was billed; the SDK raises, and its usage is lost."""
    agent = Agent("a", model=wrap(incomplete_model(), pool, output_tokens=500))
    with pytest.raises(ModelBehaviorError):
        await Runner.run(agent, "Hi", run_config=quiet)
    assert pool.committed().output_tokens == 500


async def test_incomplete_stream_books_its_usage(pool, quiet):
    agent = Agent("a", model=wrap(incomplete_model(), pool, output_tokens=500))
    with pytest.raises(ModelBehaviorError):
        await drained(Runner.run_streamed(agent, "Hi", run_config=quiet))
    assert pool.committed().total_tokens == 79


async def test_limit_of_the_settings_is_what_is_reserved(pool, quiet):
    class Watched(ScriptedModel):
        async def get_response(self, *args, **kwargs):
            seen.append(pool.reserved().output_tokens)
            return await super().get_response(*args, **kwargs)

    seen = []
    model = wrap(Watched([[assistant_message("x")]]), pool, output_tokens=9)
    agent = Agent("a", model=model, model_settings=ModelSettings(max_tokens=300))
    await Runner.run(agent, "Hi", run_config=quiet)
    assert seen == [300]


async def test_wraps_stack_and_charge_an_account_once(pool, make_pool, quiet):
    class Between(Model):
        """A wrapper that is none of ours."""

        def __init__(self, inner):
            self.get_response, self.stream_response = inner.get_response, inner.stream_response

        get_response = stream_response = None

    other = make_pool()
    steps = [[assistant_message("x")]] * 2
    inner = wrap(ScriptedModel(steps, default_usage=Usage(1, 20, output_tokens=5)), [pool, other])
    for count, model in enumerate((wrap(inner, pool), wrap(Between(inner), pool)), 1):
        await Runner.run(Agent("a", model=model), "Hi", run_config=quiet)
        assert pool.committed().total_tokens == other.committed().total_tokens == 25 * count


async def test_workflow_takes_one_step_a_request(chat, serve, quiet):
    server = serve([Reply(text="a")])
    token = WorkflowQuota.hourly(10, 1).begin_workflow("w-1")
    agent = Agent("a", model=wrap(chat(server), token))
    await Runner.run(agent, "Hi", run_config=quiet)
    with pytest.raises(AgentsException):
        await Runner.run(agent, "Hi", run_config=quiet)
    assert server.calls == 1


def test_threads_never_overspend(chat, serve, make_pool, quiet, billed):
    server = serve(lambda request: Reply(text="Hello."))
    small = make_pool(3 * 1_035)
    agent = Agent("a", model=wrap(chat(server), small))
    refused = []

    def ask():
        try:
            in_a_loop(lambda: Runner.run_sync(agent, "Hi", run_config=quiet))
        except BudgetExceeded as refusal:
            refused.append(refusal)

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.calls + len(refused) == 32
    assert small.committed().total_tokens == billed(server)


@pytest.mark.parametrize("disabled", [False, True])
async def test_host_knows_the_agent_and_the_provider(chat, serve, pool, monkeypatch, disabled):
    prompts, real_call = [], _model.ModelCall

    def spy(layers, prompt, error):
        prompts.append(prompt)
        return real_call(layers, prompt, error)

    monkeypatch.setattr(_model, "ModelCall", spy)
    server = serve([Reply(text="a")] * 2)
    agent = Agent("reader", model=wrap(chat(server), pool))
    set_tracing_disabled(disabled)
    try:
        # Nothing leaves the machine: no processor of the host may hear of these traces.
        set_trace_processors([])
        await Runner.run(agent, "Hi")
        await drained(Runner.run_streamed(agent, "Hi"))
    finally:
        set_tracing_disabled(True)
    assert [dict(prompt.labels) for prompt in prompts] == [{"provider": "openai", "agent": "reader"}] * 2
    assert {prompt.model_name for prompt in prompts} == {"gpt-test"}


async def test_cost_is_that_of_the_price_table(chat, serve, pool, quiet):
    server = serve([Reply(text="a", usage={"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000})])
    prices = {"gpt-test": {"input": "1", "output": "2"}}
    await Runner.run(Agent("a", model=wrap(chat(server), pool, prices=prices)), "Hi", run_config=quiet)
    assert pool.committed().cost_micros_usd == 3_000_000
    with pytest.raises(PolicyError, match="no price"):
        wrap(chat(server, "gpt-other"), pool, prices=prices)


def test_what_is_no_model_is_refused(pool):
    with pytest.raises(PolicyError, match="BudgetProvider"):
        wrap("gpt-x", pool)
    with pytest.raises(PolicyError, match="budget"):
        wrap(ScriptedModel([]), [])
    with pytest.raises(InvalidAmount):
        wrap(ScriptedModel([]), pool, output_tokens=-1)


def test_wrapped_model_is_otherwise_the_model_inside(chat, serve, pool):
    inner = chat(serve([]))
    model = wrap(inner, pool)
    assert isinstance(model, Model)
    assert model.model == "gpt-test"
    assert model._supports_default_prompt_cache_key() == inner._supports_default_prompt_cache_key()


@pytest.mark.parametrize("keep", [None, True])
async def test_usage_that_the_sdk_does_not_know_is_booked(serve, chat, pool, keep):
    """The SDK is asked to keep it; the caller gets it only where the caller has asked, too."""
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "cached_tokens": 60}
    server = serve(Reply(text="Hi", usage=usage))
    guarded = wrap(chat(server), pool)
    asked = [None, "Hi", ModelSettings(preserve_raw_usage=keep), [], None, [], ModelTracing.DISABLED]
    rest = {"previous_response_id": None, "conversation_id": None, "prompt": None}
    response = await guarded.get_response(*asked, **rest)
    assert (response.raw_usage is not None) == bool(keep)
    assert pool.committed().cache_read_tokens == 60
