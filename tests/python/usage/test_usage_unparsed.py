"""A structured answer that does not parse is booked as the provider reports it, also in a stream."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("langchain_openai", reason="needs LangChain's models of OpenAI")

import openai
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from outlay import BudgetExceeded, SharedPool
from outlay.langchain import wrap
from outlay.testing import ProviderServer, Reply

# It reserves 59 tokens of input for the prompt and its schema, and 500 of output.
USAGE = {"prompt_tokens": 10, "completion_tokens": 300}


class Answer(BaseModel):
    """What is asked for."""

    x: int


async def read(chunks):
    return [chunk async for chunk in chunks]


ASK = {
    "invoke": lambda model: model.invoke("Hi"),
    "ainvoke": lambda model: asyncio.run(model.ainvoke("Hi")),
    "stream": lambda model: list(model.stream("Hi")),
    "astream": lambda model: asyncio.run(read(model.astream("Hi"))),
}


def structured(server, pool, *, responses=False):
    """Make a guarded model with HTTP clients of its own.

    LangChain keeps one for each address, with connections of one event loop, and ports are used again.
    """
    bare = ChatOpenAI(
        model="gpt-x",
        base_url=server.base_url,
        api_key="k",
        max_tokens=500,
        max_retries=0,
        stream_usage=True,
        use_responses_api=responses,
        http_client=openai.DefaultHttpxClient(),
        http_async_client=openai.DefaultAsyncHttpxClient(),
    )
    return wrap(bare, pool).with_structured_output(Answer)


@pytest.mark.parametrize("responses", [False, True], ids=["chat", "responses"])
@pytest.mark.parametrize("way", ASK)
@pytest.mark.parametrize("text", ['{"x":', '{"y": 1}'], ids=["cut", "another"])
def test_a_structured_answer_that_does_not_parse_is_booked_as_reported(way, responses, text):
    pool, calls = SharedPool(capacity_tokens=1_000), []
    for refused in (False, False, True):
        with ProviderServer([Reply(text=text, usage=USAGE)]) as server:
            error = BudgetExceeded if refused else ValueError
            with pytest.raises(error, match=r"validation error|pars|exceeded"):
                ASK[way](structured(server, pool, responses=responses))
            calls.append(server.calls)
    assert (calls, pool.committed().total_tokens, pool.open_leases()) == ([1, 1, 0], 2 * 310, [])


@pytest.mark.parametrize("way", ["stream", "astream"])
def test_a_structured_stream_that_parses_is_read_as_before(way):
    pool = SharedPool(capacity_tokens=1_000)
    with ProviderServer([Reply(text='{"x": 4}', usage=USAGE)]) as server:
        answers = ASK[way](structured(server, pool))
    assert answers[-1] == Answer(x=4)
    assert pool.committed().total_tokens == 310
