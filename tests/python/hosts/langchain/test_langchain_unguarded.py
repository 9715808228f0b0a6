"""Calls that bypass a guarded model: bare models beside it, and the client inside it."""

from __future__ import annotations

import logging

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField

from outlay import PolicyError
from outlay.langchain import wrap
from outlay.testing import Reply, ScriptedChatModel

FIELD = ConfigurableField(id="llm")
CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def bare():
    return ScriptedChatModel(script=["Hi."])


def chain():
    return ChatPromptTemplate.from_messages([("user", "{text}")]) | bare().bind(stop=["."])


@pytest.mark.parametrize("other", [bare(), bare().bind(stop=["."]), chain(), bare().with_retry()])
def test_a_bare_alternative_is_refused_where_that_is_said(pool, other):
    model = wrap(bare(), pool, unguarded="refuse")
    with pytest.raises(
        PolicyError, match=r"outlay\.langchain: a bare model in configurable_alternatives costs"
    ):
        model.configurable_alternatives(FIELD, default_key="mine", other=other)
    with pytest.raises(PolicyError, match="a bare model in with_fallbacks costs"):
        model.with_fallbacks([other])


def test_a_bare_model_behind_a_guarded_one_is_seen(pool):
    """Among the fallbacks of what is given, and within a chain."""
    model = wrap(bare(), pool, unguarded="refuse")
    spare = wrap(bare(), pool, unguarded="allow").with_fallbacks([bare()])
    prompt = ChatPromptTemplate.from_messages([("user", "{text}")])
    for other in (spare, prompt | spare, spare.with_retry()):
        with pytest.raises(PolicyError, match="a bare model in with_fallbacks costs"):
            model.with_fallbacks([wrap(bare(), pool), other])


def test_an_alternative_that_is_made_later_is_refused_then(pool):
    model = wrap(bare(), pool, unguarded="refuse").configurable_alternatives(FIELD, other=bare)
    assert model.invoke("Hi").text == "Hi."
    with pytest.raises(PolicyError, match="a bare model in configurable_alternatives"):
        model.with_config(configurable={"llm": "other"}).invoke("Hi")


def test_guarded_ones_are_welcome(pool):
    model = wrap(bare(), pool, unguarded="refuse")
    both = model.configurable_alternatives(FIELD, other=wrap(bare(), pool), later=lambda: wrap(bare(), pool))
    for chosen in ("other", "later"):
        before = pool.committed().total_tokens
        assert both.with_config(configurable={"llm": chosen}).invoke("Hi").text == "Hi."
        assert pool.committed().total_tokens > before
    assert model.with_fallbacks([wrap(bare(), pool)]).invoke("Hi").text == "Hi."


def test_by_default_a_bare_one_passes_with_one_warning(pool, caplog, said):
    with caplog.at_level(logging.WARNING, "outlay"):
        for _ in range(2):
            model = wrap(bare(), pool).configurable_alternatives(FIELD, other=bare())
            assert model.with_config(configurable={"llm": "other"}).invoke("Hi").text == "Hi."
    assert len([record for record in caplog.records if record.name == "outlay"]) == 1


def test_the_client_inside_speaks_where_it_is_asked_past_the_model(serve, chat, pool):
    server = serve()
    model = wrap(chat(server), pool, unguarded="refuse")
    for past in (
        lambda: model.root_client.chat.completions.create(**CHAT),
        lambda: model.root_client.with_options(timeout=5).images.generate(model="m", prompt="A cat"),
        lambda: model.client.create(**CHAT),
    ):
        with pytest.raises(PolicyError, match=r"model\.root_client costs money and no budget guards it"):
            past()
    assert server.calls == 0


async def test_so_does_the_async_one(serve, chat, pool):
    model = wrap(chat(serve()), pool, unguarded="refuse")
    with pytest.raises(PolicyError, match=r"model\.root_async_client costs money"):
        await model.async_client.create(**CHAT)


async def test_the_models_own_calls_pass_through_it(serve, chat, pool):
    replies = [Reply(text="Hello") for _ in range(4)]
    server = serve(*replies)
    model = wrap(chat(server), pool, unguarded="refuse")
    model.invoke("Hi")
    await model.ainvoke("Hi")
    assert [*model.stream("Hi")]
    assert [piece async for piece in model.astream("Hi")]
    assert server.calls == 4


def test_the_original_has_no_word(serve, chat, pool):
    original = chat(serve(Reply(text="Hello")))
    wrap(original, pool, unguarded="refuse")
    assert original.root_client.chat.completions.create(**CHAT).choices[0].message.content == "Hello"
