"""What is sent beside the messages is estimated: tools, functions, formats and schemas, in every wrap.

Each wrap is asked twice through the real client, with and without, by a pool that has no room: what it
refuses is the estimate, and nothing is sent.
"""

from __future__ import annotations

import asyncio
import importlib
import json

import pytest

from outlay import LimitExceeded, SharedPool
from outlay._usage.prompt import read_body

SCHEMA = {"type": "object", "properties": {"word": {"type": "string", "description": "A wörd."}}}
TOOL = {"type": "function", "function": {"name": "look_up", "description": "Look.", "parameters": SCHEMA}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
PARTS = {
    "tools": [TOOL, TOOL],
    "functions": [TOOL["function"]],
    "response_format": FORMAT,
    "text": {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}},
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
}
GEMINI = {"generationConfig": {"maxOutputTokens": 100, "responseSchema": SCHEMA}}
NOWHERE = "http://127.0.0.1:9/v1"
# Three bytes, so that what is added to them is a whole number of tokens.
MESSAGES = [{"role": "user", "content": "abc"}]


def tokens(*parts):
    """Return the estimate of parts by the rule: a third of their bytes, rounded up."""
    return -(-sum(len(json.dumps(part, ensure_ascii=False).encode()) for part in parts) // 3)


def requested(ask):
    """Return how many tokens a wrap asks for."""
    with pytest.raises(LimitExceeded) as caught:
        ask(SharedPool(capacity_tokens=1))
    return caught.value.requested


def more(ask, **part):
    """Return by how much a part raises what a wrap asks for."""
    return requested(lambda pool: ask(pool, **part)) - requested(ask)


@pytest.mark.parametrize("name", PARTS)
def test_t11_a_body_is_estimated_with_its_schemas(name):
    bare = read_body({"messages": MESSAGES}, provider="openai").input_tokens
    full = read_body({"messages": MESSAGES, name: PARTS[name]}, provider="openai").input_tokens
    assert full - bare == tokens(PARTS[name]) > 20


@pytest.mark.parametrize("name", ["responseSchema", "responseJsonSchema"])
def test_t11_a_body_of_gemini_is_estimated_with_its_schema(name):
    contents = {"contents": [{"parts": [{"text": "abc"}]}]}
    bare = read_body({**contents, "generationConfig": {}}, provider="google").input_tokens
    full = read_body({**contents, "generationConfig": {name: SCHEMA}}, provider="google").input_tokens
    assert full - bare == tokens(SCHEMA)


@pytest.mark.parametrize("name", ["tools", "functions", "response_format"])
def test_t11_openai_chat(name):
    openai = pytest.importorskip("openai")
    from outlay.openai import wrap

    def ask(pool, **part):
        client = wrap(openai.OpenAI(base_url=NOWHERE, api_key="k"), pool)
        client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=100, **part)

    assert more(ask, **{name: PARTS[name]}) == tokens(PARTS[name])


@pytest.mark.parametrize("name", ["tools", "text"])
def test_t11_openai_responses(name):
    openai = pytest.importorskip("openai")
    from outlay.openai import wrap

    def ask(pool, **part):
        client = wrap(openai.OpenAI(base_url=NOWHERE, api_key="k"), pool)
        client.responses.create(model="m", input="abc", max_output_tokens=100, **part)

    assert more(ask, **{name: PARTS[name]}) == tokens(PARTS[name])


@pytest.mark.parametrize("name", ["tools", "output_config", "output_format"])
def test_t11_anthropic(name):
    # Not the bare name: there is a folder of tests of that name.
    pytest.importorskip("anthropic.types")
    import anthropic

    from outlay.anthropic import wrap

    def ask(pool, **part):
        client = wrap(anthropic.Anthropic(base_url=NOWHERE, api_key="k"), pool)
        client.messages.create(model="m", messages=MESSAGES, max_tokens=100, extra_body=part)

    part = PARTS["tools"] if name == "tools" else PARTS["output_config"]
    assert more(ask, **{name: part}) == tokens(part)


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
@pytest.mark.parametrize("name", [*PARTS, "generationConfig"])
def test_t11_transports(library, name):
    hx = pytest.importorskip(library)
    transport = importlib.import_module(f"outlay.{library}").transport

    def ask(pool, **part):
        with hx.Client(transport=transport(pool)) as client:
            client.post(f"{NOWHERE}/chat/completions", json={"max_tokens": 100, "messages": MESSAGES, **part})

    part = {**PARTS, **GEMINI}[name]
    assert more(ask, **{name: part}) == tokens(SCHEMA if name == "generationConfig" else part)


@pytest.mark.parametrize("name", [*PARTS, "response_schema", "response_json_schema", "generation_config"])
@pytest.mark.parametrize("always", [False, True])
def test_t11_langchain(name, always):
    """Given to the call, and to the model for all its calls."""
    pytest.importorskip("langchain_core")
    from outlay.langchain import wrap
    from outlay.testing import ScriptedChatModel

    class Model(ScriptedChatModel):
        model_kwargs: dict = {}

    def ask(pool, **part):
        model = wrap(Model(script=["a"], model_kwargs=part if always else {}), pool)
        model.invoke("abc", max_tokens=100, **({} if always else part))

    part = PARTS.get(name, SCHEMA)
    assert more(ask, **{name: part}) == tokens(*part if isinstance(part, list) else [part])


def test_t11_langchain_takes_a_class_for_its_schema():
    pytest.importorskip("langchain_core")
    from langchain_core.utils.function_calling import convert_to_openai_tool
    from pydantic import BaseModel

    from outlay.langchain import wrap
    from outlay.testing import ScriptedChatModel

    class Answer(BaseModel):
        """An answer."""

        word: str

    def ask(pool, **part):
        wrap(ScriptedChatModel(script=["a"]), pool).invoke("abc", max_tokens=100, **part)

    assert more(ask, response_format=Answer) == tokens(convert_to_openai_tool(Answer)) > 20


@pytest.mark.parametrize("name", [*PARTS, "generationConfig"])
@pytest.mark.parametrize("extra", [False, True])
def test_t11_litellm(name, extra, monkeypatch):
    """Given as an argument, and in the extra body."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    litellm = pytest.importorskip("litellm")
    from outlay.litellm import wrap

    def ask(pool, **part):
        sent = {"extra_body": part} if extra else part
        wrap(litellm.completion, pool)("openai/m", MESSAGES, max_tokens=100, api_base=NOWHERE, **sent)

    part = {**PARTS, **GEMINI}[name]
    assert more(ask, **{name: part}) == tokens(SCHEMA if name == "generationConfig" else part)


def test_t11_litellm_takes_a_class_for_its_schema(monkeypatch):
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    litellm = pytest.importorskip("litellm")
    from pydantic import BaseModel

    from outlay.litellm import wrap

    class Answer(BaseModel):
        word: str

    def ask(pool, **part):
        wrap(litellm.completion, pool)("openai/m", MESSAGES, max_tokens=100, api_base=NOWHERE, **part)

    assert more(ask, response_format=Answer) == tokens(Answer.model_json_schema()) > 20


def test_t11_pydantic_ai():
    pytest.importorskip("pydantic_ai.models")
    from pydantic_ai import ModelRequest
    from pydantic_ai.messages import UserPromptPart
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.models.test import TestModel
    from pydantic_ai.output import OutputObjectDefinition
    from pydantic_ai.tools import ToolDefinition

    from outlay.pydantic_ai import wrap

    def ask(pool, **part):
        model = wrap(TestModel(), pool)
        messages = [ModelRequest(parts=[UserPromptPart("abc")])]
        asyncio.run(model.request(messages, {"max_tokens": 100}, ModelRequestParameters(**part)))

    tool = ToolDefinition(name="look_up", parameters_json_schema=SCHEMA, description="Look.")
    # The name and the description are 12 bytes, the schema is as JSON.
    assert more(ask, function_tools=[tool]) == tokens(SCHEMA) + 4
    assert more(ask, output_tools=[tool]) == tokens(SCHEMA) + 4
    assert more(ask, output_object=OutputObjectDefinition(json_schema=SCHEMA)) == tokens(SCHEMA)


def test_t11_openai_agents():
    pytest.importorskip("agents.models.interface")
    from agents import Agent, AgentOutputSchema, ModelSettings, ModelTracing, function_tool, handoff
    from agents.testing import ScriptedModel
    from pydantic import BaseModel

    from outlay.openai_agents import wrap

    class Answer(BaseModel):
        word: str

    @function_tool
    def look_up(word: str) -> str:
        """Look a word up."""
        return word

    def ask(pool, **part):
        given = {"tools": [], "output_schema": None, "handoffs": [], **part}
        settings = ModelSettings(max_tokens=100)
        asked = {"system_instructions": None, "input": "abc", "model_settings": settings, **given}
        rest = {"previous_response_id": None, "conversation_id": None, "prompt": None}
        model = wrap(ScriptedModel([]), pool)
        asyncio.run(model.get_response(**asked, tracing=ModelTracing.DISABLED, **rest))

    def named(name, description, parameters):
        return [{"name": name, "description": description, "parameters": parameters}]

    tool = named("look_up", look_up.description, look_up.params_json_schema)
    assert more(ask, tools=[look_up]) == tokens(tool) > 20
    other = handoff(Agent("other"))
    handed = named(other.tool_name, other.tool_description, other.input_json_schema)
    assert more(ask, handoffs=[other]) == tokens(handed) > 20
    schema = AgentOutputSchema(Answer)
    assert more(ask, output_schema=schema) == tokens(schema.json_schema()) > 20


def test_t11_mcp_sampling():
    types = pytest.importorskip("mcp.types")
    if not hasattr(types, "SamplingMessage") or "tools" not in types.CreateMessageRequestParams.model_fields:
        pytest.skip("this MCP has no tools in what a server asks of a model")
    from outlay.mcp import wrap_sampling

    def ask(pool, **part):
        question = {"role": "user", "content": {"type": "text", "text": "abc"}}
        asked = {"messages": [question], "maxTokens": 100, **part}
        params = types.CreateMessageRequestParams.model_validate(asked)
        answer = asyncio.run(wrap_sampling(lambda context, params: None, pool)(None, params))
        refused.append(json.loads(answer.message)["details"]["requested"])

    refused = []
    tool = {"name": "look_up", "description": "Look.", "inputSchema": SCHEMA}
    pool = SharedPool(capacity_tokens=1)
    ask(pool)
    ask(pool, tools=[tool])
    assert refused[1] - refused[0] == tokens([tool])
