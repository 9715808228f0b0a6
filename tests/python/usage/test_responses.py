"""`Usage.from_response` reads what each provider and framework returns, as objects and as dicts.

The shapes are those of the providers' own documentation; `wrapped` gives each of them as an object, too.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from outlay import InvalidAmount, PolicyError, Usage

PRICES = {"m-1": {"input": "2.50", "output": "10.00", "cache_read": "0.25", "cache_write": "3.00"}}

OPENAI_CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "m-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "a"}}],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 30,
        "total_tokens": 130,
        "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 20},
    },
}
OPENAI_RESPONSES = {
    "id": "resp_1",
    "object": "response",
    "model": "m-1",
    "usage": {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 40},
        "output_tokens": 30,
        "output_tokens_details": {"reasoning_tokens": 20},
        "total_tokens": 130,
    },
}
ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "model": "m-1",
    "usage": {
        "input_tokens": 20,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 7,
        "output_tokens": 10,
    },
}
GEMINI = {
    "model_version": "m-1",
    "usage_metadata": {
        "prompt_token_count": 100,
        "cached_content_token_count": 40,
        "candidates_token_count": 10,
        "thoughts_token_count": 20,
        "total_token_count": 130,
    },
}
GEMINI_REST = {
    "modelVersion": "m-1",
    "usageMetadata": {
        "promptTokenCount": 90,
        "toolUsePromptTokenCount": 10,
        "cachedContentTokenCount": 40,
        "candidatesTokenCount": 10,
        "thoughtsTokenCount": 20,
        "totalTokenCount": 130,
    },
}
LANGCHAIN = {
    "content": "a",
    "response_metadata": {"model_name": "m-1"},
    "usage_metadata": {
        "input_tokens": 100,
        "output_tokens": 30,
        "total_tokens": 130,
        "input_token_details": {"cache_read": 40},
        "output_token_details": {"reasoning": 20},
    },
}
PYDANTIC_AI = {
    "model_name": "m-1",
    "usage": {
        "input_tokens": 100,
        "cache_read_tokens": 40,
        "cache_write_tokens": 0,
        "output_tokens": 30,
        "details": {"reasoning_tokens": 20},
        "requests": 1,
    },
}

# 100 in (40 of them read from a cache), 30 out (20 of them reasoning).
COMMON = Usage(input_tokens=100, output_tokens=30, cache_read_tokens=40, reasoning_tokens=20)
SHAPES = {
    "openai chat": (OPENAI_CHAT, COMMON),
    "openai responses": (OPENAI_RESPONSES, COMMON),
    "openai responses event": ({"type": "response.completed", "response": OPENAI_RESPONSES}, COMMON),
    "anthropic": (
        ANTHROPIC,
        Usage(input_tokens=127, output_tokens=10, cache_read_tokens=100, cache_write_tokens=7),
    ),
    "anthropic event": (
        {"type": "message_start", "message": ANTHROPIC},
        Usage(input_tokens=127, output_tokens=10, cache_read_tokens=100, cache_write_tokens=7),
    ),
    "gemini": (GEMINI, COMMON),
    "gemini rest": (GEMINI_REST, COMMON),
    "langchain": (LANGCHAIN, COMMON),
    "langchain generation": ({"message": LANGCHAIN}, COMMON),
    "pydantic-ai": (PYDANTIC_AI, COMMON),
    "embeddings": ({"usage": {"prompt_tokens": 8, "total_tokens": 8}}, Usage(input_tokens=8)),
    "two counts": ({"input_tokens": 8, "output_tokens": 2}, Usage(input_tokens=8, output_tokens=2)),
    "pydantic-ai before 1.0": (
        {"request_tokens": 8, "response_tokens": 2, "total_tokens": 10, "details": None},
        Usage(input_tokens=8, output_tokens=2),
    ),
    "details of null": (
        {"usage": {"prompt_tokens": 8, "completion_tokens": 2, "prompt_tokens_details": None}},
        Usage(input_tokens=8, output_tokens=2),
    ),
    "caches of null": (
        {"usage": {"input_tokens": 8, "cache_read_input_tokens": None, "output_tokens": 2}},
        Usage(input_tokens=8, output_tokens=2),
    ),
}


def wrapped(shape):
    """Turn dicts into objects with attributes, as clients return them."""
    if isinstance(shape, dict):
        return SimpleNamespace(**{name: wrapped(value) for name, value in shape.items()})
    return [wrapped(value) for value in shape] if isinstance(shape, list) else shape


@pytest.mark.parametrize("name", SHAPES)
def test_shape_is_read_as_dict(name):
    """A response that was stored as JSON."""
    response, expected = SHAPES[name]
    assert Usage.from_response(response) == expected


@pytest.mark.parametrize("name", SHAPES)
def test_shape_is_read_as_object(name):
    """A response as the client returns it."""
    response, expected = SHAPES[name]
    assert Usage.from_response(wrapped(response)) == expected


@pytest.mark.parametrize("response", [OPENAI_CHAT, OPENAI_RESPONSES, ANTHROPIC, PYDANTIC_AI])
def test_usage_alone_is_read_like_its_response(response):
    """The usage may be given without what surrounds it."""
    assert Usage.from_response(response["usage"]) == Usage.from_response(response)


def test_usage_of_a_method_is_called():
    """pydantic-ai's results have a method where others have an attribute."""
    result = SimpleNamespace(usage=lambda: wrapped(PYDANTIC_AI["usage"]))
    assert Usage.from_response(result) == COMMON


def test_real_objects_of_the_clients_are_read():
    """The classes of openai and LangChain, not only their shapes."""
    chat = pytest.importorskip("openai.types.chat")
    messages = pytest.importorskip("langchain_core.messages")
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a"}}
    completion = chat.ChatCompletion.model_validate({**OPENAI_CHAT, "created": 0, "choices": [choice]})
    assert Usage.from_response(completion) == COMMON
    message = messages.AIMessage("a", usage_metadata=LANGCHAIN["usage_metadata"])
    assert Usage.from_response(message) == COMMON
    chunk = messages.AIMessageChunk("a", usage_metadata=LANGCHAIN["usage_metadata"])
    assert Usage.from_response(chunk) == COMMON


def test_langchain_results_are_summed_over_prompts_not_choices():
    """Choices repeat the usage of their response; prompts are responses of their own."""
    outputs = pytest.importorskip("langchain_core.outputs")
    messages = pytest.importorskip("langchain_core.messages")
    message = messages.AIMessage("a", usage_metadata=LANGCHAIN["usage_metadata"])
    generation = outputs.ChatGeneration(message=message)
    assert Usage.from_response(outputs.ChatResult(generations=[generation, generation])) == COMMON
    result = outputs.LLMResult(generations=[[generation], [generation, generation]])
    assert Usage.from_response(result) == COMMON + COMMON


def test_langchain_output_without_usage_metadata_falls_back_to_the_providers_own():
    """Older integrations keep the provider's dict in `llm_output` or `response_metadata`."""
    usage = {"token_usage": OPENAI_CHAT["usage"], "model_name": "m-1"}
    assert Usage.from_response({"content": "a", "response_metadata": usage}) == COMMON
    result = {"generations": [[{"message": {"content": "a"}}]], "llm_output": usage}
    assert Usage.from_response(result, prices=PRICES).total_tokens == 130


def test_service_tier_of_langchain_openai_is_read():
    """The details of a priority call are prefixed."""
    usage = {
        **LANGCHAIN["usage_metadata"],
        "input_token_details": {"priority": 60, "priority_cache_read": 40},
    }
    read = Usage.from_response({"usage_metadata": usage})
    assert read.billed_as == ("priority",)
    assert (read.input_tokens, read.cache_read_tokens) == (COMMON.input_tokens, COMMON.cache_read_tokens)


def test_split_cache_of_langchain_anthropic_is_summed():
    """What was written is split by lifetime, and its sum may be 0."""
    details = {"cache_creation": 0, "ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 2}
    usage = {"input_tokens": 100, "output_tokens": 1, "total_tokens": 101, "input_token_details": details}
    assert Usage.from_response({"usage_metadata": usage}).cache_write_tokens == 7


def test_total_above_the_sum_is_kept():
    """Some providers leave reasoning out of the output, but not out of the total."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40}
    assert Usage.from_response({"usage": usage}).total_tokens == 40


def test_total_below_the_sum_is_not_believed():
    """A slip of the provider does not undercount."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 3}
    assert Usage.from_response({"usage": usage}).total_tokens == 15


def test_usage_of_outlay_is_read_back():
    """Its own class is one of the shapes."""
    usage = Usage(input_tokens=100, output_tokens=30, cost_micros_usd=9, cache_read_tokens=40)
    assert Usage.from_response(usage) == usage


@pytest.mark.parametrize(
    "response",
    [None, "text", 5, {}, [], object(), {"usage": None}, {"usage": {}}, {"content": "a"}, {"usage": "no"}],
)
def test_object_without_usage_names_what_is_accepted(response):
    """The error says what may be given."""
    with pytest.raises(InvalidAmount, match=r"OpenAI.*Anthropic.*Gemini.*LangChain.*pydantic-ai"):
        Usage.from_response(response)


@pytest.mark.parametrize("count", [-1, -0.5, "12", True, float("nan"), [1]])
def test_count_that_is_no_whole_number_is_refused_by_name(count):
    """A response that cannot be booked says which count is wrong."""
    with pytest.raises(InvalidAmount, match="completion_tokens"):
        Usage.from_response({"usage": {"prompt_tokens": 1, "completion_tokens": count}})


def test_numpy_integers_are_integers():
    """Counts out of a data frame."""
    numpy = pytest.importorskip("numpy")
    usage = {"input_tokens": numpy.int64(8), "output_tokens": numpy.int32(2)}
    assert Usage.from_response(usage) == Usage(input_tokens=8, output_tokens=2)


@pytest.mark.parametrize(
    "name", ["openai chat", "openai responses", "gemini", "gemini rest", "langchain", "pydantic-ai"]
)
def test_cost_is_of_the_model_that_the_response_names(name):
    """60 x 2.50 + 40 x 0.25 + 30 x 10 = 460 micro-USD."""
    assert Usage.from_response(SHAPES[name][0], prices=PRICES).cost_micros_usd == 460
    assert Usage.from_response(wrapped(SHAPES[name][0]), prices=PRICES).cost_micros_usd == 460


def test_cost_counts_cache_writes_at_their_own_price():
    """20 x 2.50 + 100 x 0.25 + 7 x 3 + 10 x 10 = 196 micro-USD."""
    assert Usage.from_response(ANTHROPIC, prices=PRICES).cost_micros_usd == 196


def test_model_argument_stands_above_the_response():
    """A response may name a dated version that has no price of its own."""
    dated = {**OPENAI_CHAT, "model": "m-1-2026-10-01"}
    assert Usage.from_response(dated, model="m-1", prices=PRICES).cost_micros_usd == 460


def test_prices_without_the_model_are_an_error():
    """An unknown model never costs $0."""
    with pytest.raises(PolicyError, match="m-2"):
        Usage.from_response({**OPENAI_CHAT, "model": "m-2"}, prices=PRICES)
    with pytest.raises(PolicyError, match="model"):
        Usage.from_response(OPENAI_CHAT["usage"], prices=PRICES)


def test_without_prices_the_cost_is_left_at_zero():
    """Tokens alone, where nobody asks for the cost."""
    assert Usage.from_response(OPENAI_CHAT, model="m-1").cost_micros_usd == 0


_SOUND = {"input_token_details": {"audio_tokens": 10}, "total_tokens": 59}
_CHAT = {"prompt_tokens_details": {"audio_tokens": 12}, "completion_tokens_details": {"audio_tokens": 25}}
_APART = {"prompt_audio_seconds": 5, "total_tokens": 409}
_LIVE = {"prompt_token_count": 10, "response_token_count": 100, "total_token_count": 110}


@pytest.mark.parametrize(
    ("usage", "given", "made", "total"),
    [
        ({"input_tokens": 14, "output_tokens": 45, **_SOUND}, 14, 45, 59),
        ({"input_tokens": 9, "output_tokens": 80, "input_tokens_details": {"image_tokens": 7}}, 9, 80, 89),
        ({"prompt_tokens": 20, "completion_tokens": 30, **_CHAT}, 20, 30, 50),
        ({"prompt_tokens": 4, "completion_tokens": 30, **_APART}, 4, 30, 409),
        (_LIVE, 10, 100, 110),
    ],
    ids=["transcription", "image", "audio-chat", "audio-apart", "live"],
)
def test_sound_and_images_count_as_the_provider_bills_them(usage, given, made, total):
    """They are parts of the two counts; what only the total has is counted with it."""
    read = Usage.from_response({"usage": usage})
    assert (read.input_tokens, read.output_tokens, read.total_tokens) == (given, made, total)
