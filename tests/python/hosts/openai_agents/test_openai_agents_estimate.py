"""Estimates of the Agents SDK: input, instructions, tools, handoffs and the output."""

from __future__ import annotations

import pytest
from agents import (
    Agent,
    AgentOutputSchema,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    handoff,
)
from agents.testing import ScriptedModel
from openai import AsyncOpenAI
from pydantic import BaseModel

from outlay import BudgetExceeded, Guard
from outlay.openai_agents import wrap
from outlay.openai_agents._estimate import current_agent, read_prompt

SETTINGS = ModelSettings()


class Answer(BaseModel):
    """A structured output."""

    word: str


@function_tool
def look_up(word: str) -> str:
    """Look a word up."""
    return word


def prompt(items="", *, instructions=None, settings=SETTINGS, tools=(), schema=None, handoffs=(), name="m"):
    model = ScriptedModel([])
    model.model = name
    return read_prompt(model, instructions, items, settings, tools, schema, handoffs)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("abcdef", 2 + 4),
        ([{"role": "user", "content": "abcdef"}], 2 + 4),
        ([{"role": "user", "content": [{"type": "input_image", "image_url": "x" * 9_000}]}], 2_000 + 4),
    ],
)
def test_input_is_counted(items, expected):
    assert prompt(items).input_tokens == expected


def test_all_that_is_sent_is_counted():
    bare = prompt("abc").input_tokens
    assert prompt("abc", instructions="x" * 30).input_tokens == bare + 10 + 4
    assert prompt("abc", tools=[look_up]).input_tokens > bare + 30
    assert prompt("abc", handoffs=[handoff(Agent("other"))]).input_tokens > bare + 20
    assert prompt("abc", schema=AgentOutputSchema(Answer)).input_tokens > bare + 20
    assert prompt("abc", schema=AgentOutputSchema(str)).input_tokens == bare


def test_limit_is_that_of_the_settings():
    assert prompt(settings=ModelSettings(max_tokens=7)).output_limit == 7
    assert prompt().output_limit is None


def test_provider_is_the_prefix_of_the_name():
    assert prompt(name="gpt-x").labels == {"provider": "openai"}
    assert prompt(name="anthropic/claude").labels == {"provider": "anthropic"}
    assert prompt(name=None).model_name is None


def test_outside_a_run_no_agent_is_known():
    assert current_agent() is None


@pytest.mark.parametrize("api", [OpenAIChatCompletionsModel, OpenAIResponsesModel])
@pytest.mark.parametrize(
    ("address", "provider"),
    [("https://api.deepseek.com", "deepseek"), ("https://gateway.example.com/v1", "openai")],
)
async def test_the_label_provider_is_that_of_the_address(api, address, provider, quiet):
    """The limit of a provider refuses its models, before they send anything."""
    rules = [
        {"name": one, "scope": {"provider": one}, "limit": {"calls": 0}} for one in ("openai", "deepseek")
    ]
    model = wrap(api("m", AsyncOpenAI(base_url=address, api_key="k")), Guard({"budget": rules}))
    with pytest.raises(BudgetExceeded) as caught:
        await Runner.run(Agent("a", model=model), "Hi", run_config=quiet)
    assert caught.value.scope["budget"] == provider
