"""Estimates of Pydantic AI: bytes, messages, media, tools and instructions."""

from __future__ import annotations

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import (
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.test import TestModel
from pydantic_ai.tools import ToolDefinition

from outlay.pydantic_ai import _model, wrap
from outlay.pydantic_ai._estimate import read_prompt

MODEL = TestModel(model_name="m", settings={"max_tokens": 7})


def tokens(*parts, parameters=None):
    return read_prompt(MODEL, [ModelRequest(parts=list(parts))], None, parameters, None).input_tokens


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (UserPromptPart("abcdef"), 2 + 4),
        (UserPromptPart("日本"), 2 + 4),
        (SystemPromptPart("abc"), 1 + 4),
        (UserPromptPart(["abc", "def"]), 2 + 4),
        (UserPromptPart([ImageUrl("https://x/y.png")]), 2_000 + 4),
        (UserPromptPart([BinaryContent(b"x" * 90_000, media_type="image/png")]), 2_000 + 4),
        (UserPromptPart([DocumentUrl("https://x/y.pdf")]), 2_000 + 4),
        # 120,000 characters of base64.
        (UserPromptPart([BinaryContent(b"x" * 90_000, media_type="application/pdf")]), 7_500 + 4),
        (ToolReturnPart("look_up", "abcde", tool_call_id="c-1"), 4 + 4),
        (ToolReturnPart("look_up", {"a": 1}, tool_call_id="c-1"), 5 + 4),
    ],
)
def test_part_is_counted(part, expected):
    assert tokens(part) == expected


def test_answers_of_the_model_and_its_tool_calls_are_counted():
    answer = ModelResponse(parts=[TextPart("abc"), ToolCallPart("look_up", {"word": "a"})])
    # 3 bytes, 7 of the name and 13 of the arguments, in two parts.
    assert read_prompt(MODEL, [answer], None, None, None).input_tokens == 8 + 8


def test_tools_and_instructions_are_counted():
    tool = ToolDefinition(
        name="look_up", parameters_json_schema={"type": "object"}, description="Look a word up."
    )
    bare = tokens(UserPromptPart("abc"))
    with_tool = tokens(UserPromptPart("abc"), parameters=ModelRequestParameters(function_tools=[tool]))
    # 3 bytes, and 7 of the name, 18 of the schema, 15 of the description.
    assert with_tool - bare == 15 - 1
    request = ModelRequest(parts=[UserPromptPart("abc")], instructions="x" * 30)
    assert read_prompt(MODEL, [request], None, None, None).input_tokens - bare == 10


def test_limit_is_that_of_the_request_then_of_the_model():
    def limit(settings):
        return read_prompt(MODEL, [], settings, None, None).output_limit

    assert (limit(None), limit({}), limit({"max_tokens": 3})) == (7, 7, 3)


async def test_instructions_of_an_agent_are_counted(pool, monkeypatch):
    prompts, real_call = [], _model.ModelCall

    def spy(layers, prompt, error):
        prompts.append(prompt)
        return real_call(layers, prompt, error)

    monkeypatch.setattr(_model, "ModelCall", spy)
    model = wrap(TestModel(), pool)
    await Agent(model).run("Hi")
    await Agent(model, instructions="x" * 300).run("Hi")
    assert prompts[1].input_tokens - prompts[0].input_tokens == 100
