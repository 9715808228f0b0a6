"""Every method of a Router that calls a text model is guarded; those that are billed otherwise say so."""

from __future__ import annotations

import inspect
import logging
import sys
from types import ModuleType

import litellm
import pytest

from outlay import BudgetExceeded, PolicyError, governed
from outlay.litellm import wrap
from outlay.litellm._methods import guarded_of
from outlay.testing import Reply

MESSAGES = [{"role": "user", "content": "Hi"}]
CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]
USAGE = {"prompt_tokens": 100, "completion_tokens": 50}
ASKED = {
    "completion": {"messages": MESSAGES},
    "acompletion": {"messages": MESSAGES},
    "schedule_acompletion": {"messages": MESSAGES, "priority": 0},
    "text_completion": {"prompt": "Hi"},
    "atext_completion": {"prompt": "Hi"},
    "embedding": {"input": ["Hi"]},
    "aembedding": {"input": ["Hi"]},
    "responses": {"input": "Hi"},
    "aresponses": {"input": "Hi"},
    "acompact_responses": {"input": "Hi"},
    "anthropic_messages": {"messages": MESSAGES, "max_tokens": 50},
    "aanthropic_messages": {"messages": MESSAGES, "max_tokens": 50},
    "generate_content": {"contents": CONTENTS},
    "agenerate_content": {"contents": CONTENTS},
    "generate_content_stream": {"contents": CONTENTS},
    "agenerate_content_stream": {"contents": CONTENTS},
    "create_interaction": {"input": "Hi"},
    "acreate_interaction": {"input": "Hi"},
    "decisions": {"input": "Hi", "questions": [{"question": "Is it?"}]},
    "adecisions": {"input": "Hi", "questions": [{"question": "Is it?"}]},
    "aadapter_completion": {"messages": MESSAGES, "adapter_id": "none"},
    "aadapter_generate_content": {"contents": CONTENTS, "adapter_id": "none"},
}
# One lease a call, and the whole of it told: what is booked is what the server bills.
TOLD = ("completion", "acompletion", "responses", "aresponses", "anthropic_messages", "aanthropic_messages")
GOOGLES = ("generate_content", "agenerate_content", "generate_content_stream", "agenerate_content_stream")


@pytest.fixture(autouse=True)
def _whole_package(monkeypatch):
    # LiteLLM imports a part of its proxy here, and with it this package, which it does not require.
    if "soundfile" not in sys.modules:
        monkeypatch.setitem(sys.modules, "soundfile", ModuleType("soundfile"))


def router_of(server):
    parameters = {
        "model": "openai/gpt-fast",
        "api_base": server.base_url,
        "api_key": "none",
        "max_retries": 0,
    }
    return litellm.Router(model_list=[{"model_name": "fast", "litellm_params": parameters}], num_retries=0)


async def ask(router, name, **more):
    answer = getattr(router, name)(model="fast", **ASKED[name], **more)
    answer = await answer if inspect.isawaitable(answer) else answer
    if hasattr(answer, "__anext__"):
        return [piece async for piece in answer]
    return list(answer) if hasattr(answer, "__next__") else answer


def test_all_that_a_router_has_is_asked_here(serve):
    assert set(guarded_of(router_of(serve([])))) <= set(ASKED)


@pytest.mark.parametrize("name", list(ASKED))
async def test_no_method_of_a_text_model_passes_by_a_budget(serve, make_pool, name):
    server, pool = serve([]), make_pool(1)
    router = router_of(server)
    if not hasattr(router, name):
        pytest.skip(f"no {name} in this release of LiteLLM")
    with pytest.raises(BudgetExceeded):
        await ask(wrap(router, pool), name)
    assert server.calls == 0


@pytest.mark.parametrize("name", [*TOLD, *GOOGLES])
async def test_what_the_server_bills_is_booked(serve, pool, name):
    server = serve([Reply(text="Hello", usage=USAGE)])
    await ask(wrap(router_of(server), pool), name)
    assert server.calls == 1
    usage = pool.committed()
    assert (usage.input_tokens, usage.output_tokens) == (100, 50)


async def test_a_stream_of_messages_is_booked_by_its_events(serve, pool):
    server = serve([Reply(text="Hello", usage=USAGE)])
    pieces = await ask(wrap(router_of(server), pool), "aanthropic_messages", stream=True)
    assert any(b"message_delta" in piece for piece in pieces)
    assert (pool.committed().input_tokens, pool.committed().output_tokens) == (100, 50)


async def test_a_stream_of_messages_that_is_left_is_charged(serve, pool):
    server = serve([Reply(text="Hello there, friend.", usage=USAGE)])
    router = wrap(router_of(server), pool)
    stream = await router.aanthropic_messages(model="fast", **ASKED["aanthropic_messages"], stream=True)
    await anext(stream)
    await stream.aclose()
    assert pool.committed().output_tokens > 0
    assert pool.open_leases() == []


async def test_a_batch_of_chats_is_as_many_calls(serve, pool):
    server = serve([Reply(text="Hello", usage=USAGE), Reply(text="Hello", usage=USAGE)])
    router = wrap(router_of(server), pool, unguarded="refuse")
    await router.abatch_completion(models=["fast", "fast"], messages=MESSAGES)
    assert server.calls == 2
    assert pool.committed().total_tokens == 300


async def test_googles_config_limits_the_output(serve, make_pool):
    server, pool = serve([]), make_pool(1_000)
    router = wrap(router_of(server), pool)
    with pytest.raises(BudgetExceeded) as refused:
        await router.agenerate_content(model="fast", contents=CONTENTS, config={"max_output_tokens": 5_000})
    assert refused.value.requested > 5_000


@pytest.mark.parametrize("name", ["aimage_generation", "image_generation", "aspeech", "acreate_batch"])
async def test_other_methods_that_are_billed_are_refused_where_that_is_said(serve, pool, name):
    server = serve([])
    router = wrap(router_of(server), pool, unguarded="refuse")
    with pytest.raises(PolicyError, match=rf"Router\.{name} costs money.*the wrap guards completion"):
        answer = getattr(router, name)(model="fast", prompt="A cat")
        await answer if inspect.isawaitable(answer) else answer
    assert server.calls == 0


async def test_they_warn_once(serve, pool, caplog, said):
    server = serve([])
    with caplog.at_level(logging.WARNING, "outlay"):
        for router in (router_of(server), router_of(server)):
            with pytest.raises(litellm.NotFoundError):
                await wrap(router, pool).aimage_generation(model="fast", prompt="A cat")
    assert [record.name for record in caplog.records].count("outlay") == 1


async def test_a_governed_function_pays_for_them(serve, pool):
    server = serve([])
    router = wrap(router_of(server), pool, unguarded="refuse")

    @governed(pool, estimate=2_000)
    async def draw():
        return await router.aimage_generation(model="fast", prompt="A cat")

    with pytest.raises(litellm.NotFoundError):
        await draw()


@pytest.mark.parametrize(
    "name", ["text_completion", "atext_completion", "anthropic_messages", "agenerate_content"]
)
async def test_the_modules_functions_are_guarded_alike(make_pool, name):
    function = getattr(wrap(litellm, make_pool(1)), name)
    with pytest.raises(BudgetExceeded):
        answer = function(**{**ASKED[name], "model": "openai/gpt-fast"})
        await answer if inspect.isawaitable(answer) else answer
