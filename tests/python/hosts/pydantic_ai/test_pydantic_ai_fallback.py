"""Fallback models: each try is a call of its own, and a refusal is no reason to try another model."""

from __future__ import annotations

import pytest
from pydantic_ai import Agent, UsageLimitExceeded
from pydantic_ai.capabilities import ModelFallback
from pydantic_ai.exceptions import FallbackExceptionGroup
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models.fallback import FallbackModel

from outlay import BudgetExceeded, PolicyError
from outlay.pydantic_ai import BudgetCapability, wrap
from outlay.testing import Reply


def both(real, server, **keywords):
    return FallbackModel(real(server, "first"), real(server, "second"), **keywords)


async def test_second_model_answers_and_only_its_answer_is_charged(real, serve, pool, billed):
    server = serve([Reply(status=503), Reply(text="second"), Reply(status=503), Reply(text="second")])
    agent = Agent(wrap(both(real, server), pool))
    assert (await agent.run("Hi")).output == "second"
    async with agent.run_stream("Hi") as run:
        assert await run.get_output() == "second"
    assert [request["model"] for request in server.requests] == ["first", "second"] * 2
    assert pool.committed().total_tokens == billed(server) > 0


async def test_each_try_is_charged_where_errors_cost(chat, serve, make_pool, billed):
    server, pool = serve([Reply(status=503), Reply(text="second")]), make_pool(on_error="charge")
    await Agent(wrap(both(chat, server), pool, output_tokens=500)).run("Hi")
    # The estimate of the try that failed ("Hi": 1 + 4), and the answer.
    assert pool.committed().total_tokens == 1 + 4 + 500 + billed(server)


async def test_rejected_answer_is_charged(chat, serve, pool, billed):
    """An answer that the host throws away was billed."""
    server = serve([Reply(text="no"), Reply(text="yes")])

    def is_no(response: ModelResponse) -> bool:
        return response.text == "no"

    agent = Agent(wrap(both(chat, server, fallback_on=is_no), pool))
    assert (await agent.run("Hi")).output == "yes"
    assert len(server.billed) == 2
    assert pool.committed().total_tokens == billed(server)


async def test_refusal_is_not_fallen_back_from(real, serve, counted):
    server, small = serve([]), counted()
    with pytest.raises(BudgetExceeded):
        await Agent(wrap(both(real, server), small)).run("Hi")
    with pytest.raises(BudgetExceeded):
        async with Agent(wrap(both(real, server), small)).run_stream("Hi"):
            pass
    # The same where the host wraps the wrapped.
    chain = FallbackModel(wrap(real(server), small), real(server))
    with pytest.raises(BudgetExceeded):
        await Agent(chain).run("Hi")
    assert (small.asked, server.calls) == (3, 0)


async def test_fallback_on_everything_asks_once_for_each_model_and_no_provider(chat, serve, counted):
    server, small = serve([]), counted()
    agent = Agent(wrap(both(chat, server, fallback_on=Exception), small))
    with pytest.raises(FallbackExceptionGroup) as group:
        await agent.run("Hi")
    assert all(isinstance(error, BudgetExceeded) for error in group.value.exceptions)
    assert (small.asked, server.calls) == (2, 0)


async def test_capability_of_the_host_never_falls_back_from_a_refusal(chat, serve, counted):
    server, small = serve([]), counted()
    other = ModelFallback(chat(server, "second"), fallback_on=Exception)
    agent = Agent(chat(server), capabilities=[BudgetCapability(small), other])
    with pytest.raises(UsageLimitExceeded) as refused:
        await agent.run("Hi")
    assert isinstance(refused.value, BudgetExceeded)
    assert (small.asked, server.calls) == (1, 0)


async def test_capability_guards_every_try(chat, serve, pool, billed):
    server = serve([Reply(status=503), Reply(text="second")])
    other = ModelFallback(chat(server, "second"))
    agent = Agent(chat(server, "first"), capabilities=[BudgetCapability(pool), other])
    assert (await agent.run("Hi")).output == "second"
    assert pool.committed().total_tokens == billed(server) > 0


async def test_capability_guards_inside_a_fallback_model(chat, serve, pool, billed):
    server = serve([Reply(status=503), Reply(text="second")])
    async with Agent(both(chat, server), capabilities=[BudgetCapability(pool)]) as agent:
        assert (await agent.run("Hi")).output == "second"
    assert pool.committed().total_tokens == billed(server) > 0


async def test_every_model_of_the_chain_needs_a_price(chat, serve, pool):
    server = serve([Reply(text="a")])
    price = {"input": "1", "output": "2"}
    with pytest.raises(PolicyError, match="second"):
        wrap(both(chat, server), pool, prices={"first": price})
    await Agent(wrap(both(chat, server), pool, prices={"first": price, "second": price})).run("Hi")
    (bill,) = server.billed
    assert pool.committed().cost_micros_usd == bill["prompt_tokens"] + 2 * bill["completion_tokens"] == 7


async def test_chain_wrapped_twice_charges_once(chat, serve, pool, make_pool, billed):
    server, other = serve([Reply(text="a")]), make_pool()
    await Agent(wrap(wrap(both(chat, server), pool), [pool, other])).run("Hi")
    assert pool.committed().total_tokens == other.committed().total_tokens == billed(server)
