"""Retries below and beside a model: which of them ask a budget that refuses again."""

from __future__ import annotations

import httpx2
import pytest
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers.openai import OpenAIProvider

from outlay import BudgetExceeded, LimitExceeded
from outlay.httpx2 import async_transport
from outlay.pydantic_ai import wrap

tenacity = pytest.importorskip("tenacity")
retries = pytest.importorskip("pydantic_ai.retries")

EACH = {"reraise": True, "stop": tenacity.stop_after_attempt(3)}
SPARED = {"retry": tenacity.retry_if_not_exception_type(LimitExceeded)}


def model_over(server, transport, **options):
    config = retries.RetryConfig(**EACH, **options)
    http = httpx2.AsyncClient(
        transport=retries.AsyncHTTPX2TenacityTransport(config=config, wrapped=transport)
    )
    return OpenAIChatModel(
        "m", provider=OpenAIProvider(base_url=server.base_url, api_key="none", http_client=http)
    )


async def test_a_wrapped_model_asks_once_above_the_retries_of_its_transport(serve, counted):
    server, budget = serve([]), counted()
    with pytest.raises(BudgetExceeded):
        await Agent(wrap(model_over(server, httpx2.AsyncHTTPTransport()), budget)).run("Hi")
    assert (budget.asked, server.calls) == (1, 0)


@pytest.mark.parametrize(("options", "times"), [({}, 3), (SPARED, 1)])
async def test_a_guarded_transport_below_them_is_asked_each_time(serve, counted, options, times):
    server, budget = serve([]), counted()
    with pytest.raises(BudgetExceeded):
        await Agent(model_over(server, async_transport(budget), **options)).run("Hi")
    assert (budget.asked, server.calls) == (times, 0)


async def test_a_tool_with_retries_is_not_run_again_after_a_refusal(counted):
    budget, agent = counted(), Agent(TestModel())

    @agent.tool_plain(retries=3)
    def look_up(word: str) -> str:
        budget.reserve(9)
        return word

    with pytest.raises(BudgetExceeded):
        await agent.run("Hi")
    assert budget.asked == 1
