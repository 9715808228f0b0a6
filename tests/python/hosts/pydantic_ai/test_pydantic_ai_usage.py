"""Unusual usages of Pydantic AI: reasoning beside the output, totals so far."""

from __future__ import annotations

import pytest
from host_support import async_openai
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
from pydantic_ai.providers.openai import OpenAIProvider

from outlay.pydantic_ai import wrap
from outlay.testing import Reply

XAI = {
    "prompt_tokens": 12,
    "completion_tokens": 1,
    "total_tokens": 399,
    "completion_tokens_details": {"reasoning_tokens": 386},
}
PERPLEXITY = Reply(text="w " * 29, usage={"prompt_tokens": 1965, "completion_tokens": 29}, totals=True)


def agent(server, pool, **keywords):
    provider = OpenAIProvider(openai_client=async_openai(server))
    return Agent(wrap(OpenAIChatModel("m", provider=provider), pool), **keywords)


async def test_a03_reasoning_beside_the_output_is_booked(serve, pool):
    await agent(serve([Reply(text="a", usage=XAI)]), pool).run("Hi")
    assert (pool.committed().output_tokens, pool.committed().total_tokens) == (387, 399)


async def test_a03_reasoning_beside_the_output_of_a_stream_is_booked(serve, pool):
    async with agent(serve([Reply(text="a", usage=XAI)]), pool).run_stream("Hi") as run:
        await run.get_output()
    assert (pool.committed().output_tokens, pool.committed().total_tokens) == (387, 399)


@pytest.mark.parametrize("settings", [None, OpenAIChatModelSettings(openai_continuous_usage_stats=True)])
async def test_a06_totals_in_every_chunk_are_booked_once(serve, pool, settings):
    """With the host's own setting for them, and without, where the host adds them up."""
    async with agent(serve([PERPLEXITY]), pool, model_settings=settings).run_stream("Hi") as run:
        await run.get_output()
        assert run.usage.output_tokens == (29 if settings else sum(range(1, 30)) + 29)
    assert (pool.committed().input_tokens, pool.committed().output_tokens) == (1965, 29)


async def test_a06_a_stream_that_is_left_books_the_totals_so_far(serve, pool):
    async with agent(serve([PERPLEXITY]), pool).run_stream("Hi") as run:
        async for _ in run.stream_text(delta=True, debounce_by=None):
            break
    assert pool.committed().input_tokens == 1965
    assert pool.committed().output_tokens >= 1


async def test_a02_an_answer_without_an_input_books_its_estimate(serve, pool):
    server = serve([Reply(text="a", usage={"prompt_tokens": 0, "completion_tokens": 16})])
    await agent(server, pool).run("word " * 5_000)
    assert (pool.committed().input_tokens, pool.committed().output_tokens) == (8_334 + 4, 16)
