"""The usage of each provider and gateway, as its own page shows it; the numbers are ours."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from outlay import Usage

BEDROCK_HEADERS = {
    "x-amzn-bedrock-input-token-count": "40",
    "x-amzn-bedrock-output-token-count": "7",
    "x-amzn-bedrock-service-tier": "priority",
}
CONVERSE = {
    "inputTokens": 30,
    "outputTokens": 28,
    "totalTokens": 11_158,
    "cacheReadInputTokens": 11_000,
    "cacheWriteInputTokens": 100,
    "cacheDetails": [{"ttl": "5m", "inputTokens": 40}, {"ttl": "1h", "inputTokens": 60}],
}
COHERE = {
    "billed_units": {"input_tokens": 5, "output_tokens": 418},
    "tokens": {"input_tokens": 71, "output_tokens": 418},
}
CHAT = {"prompt_tokens": 19, "completion_tokens": 13, "total_tokens": 32}
REALTIME = {
    "total_tokens": 253,
    "input_tokens": 132,
    "output_tokens": 121,
    "input_token_details": {
        "text_tokens": 90,
        "audio_tokens": 42,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 54, "audio_tokens": 10},
    },
    "output_token_details": {"text_tokens": 21, "audio_tokens": 100},
}
GEMINI = {
    "promptTokenCount": 1_000,
    "candidatesTokenCount": 200,
    "thoughtsTokenCount": 50,
    "toolUsePromptTokenCount": 30,
    "cachedContentTokenCount": 400,
    "totalTokenCount": 1_280,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 700},
        {"modality": "AUDIO", "tokenCount": 300},
    ],
    "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 100}],
    "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 150}],
}
INTERACTION = {
    "total_input_tokens": 100,
    "total_output_tokens": 40,
    "total_thought_tokens": 25,
    "total_tool_use_tokens": 10,
    "total_cached_tokens": 60,
    "total_tokens": 175,
}
# What each says, and what is read: input, output, and what else is not 0.
READ = {
    "bedrock converse": (
        {"output": {}, "usage": CONVERSE, "serviceTier": {"type": "flex"}},
        (11_130, 28, 11_000, 100, 60, "flex"),
    ),
    "bedrock converse stream": ({"metadata": {"usage": CONVERSE}}, (11_130, 28, 11_000, 100, 60)),
    "bedrock invoke, by headers": (
        {"ResponseMetadata": {"HTTPHeaders": BEDROCK_HEADERS}, "body": object()},
        (40, 7, "priority"),
    ),
    "bedrock invoke stream": (
        {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 40, "outputTokenCount": 7}},
        (40, 7),
    ),
    "bedrock titan": ({"inputTextTokenCount": 9, "results": [{"tokenCount": 4, "outputText": "a"}]}, (9, 4)),
    "bedrock llama": (
        {"generation": "a", "prompt_token_count": 9, "generation_token_count": 4},
        (9, 4),
    ),
    "cohere v2": ({"usage": COHERE}, (5, 418)),
    "cohere v2 stream": ({"type": "message-end", "delta": {"usage": COHERE}}, (5, 418)),
    "cohere v1": ({"text": "a", "meta": COHERE}, (5, 418)),
    "cohere, what it saw alone": ({"usage": {"tokens": COHERE["tokens"]}}, (71, 418)),
    "voyage": ({"object": "list", "model": "m", "usage": {"total_tokens": 355}}, (355, 0)),
    "jina": ({"usage": {"total_tokens": 38, "prompt_tokens": 38}}, (38, 0)),
    "kimi": ({"choices": [{"index": 0, "delta": {}, "usage": CHAT}]}, (19, 13)),
    "groq": ({"choices": [{"index": 0}], "x_groq": {"id": "r", "usage": CHAT}}, (19, 13)),
    "deepseek": (
        {
            "usage": {
                "prompt_tokens": 90,
                "completion_tokens": 5,
                "prompt_cache_hit_tokens": 64,
                "prompt_cache_miss_tokens": 26,
            }
        },
        (90, 5, 64),
    ),
    "mistral": ({"usage": {**CHAT, "prompt_token_details": {"cached_tokens": 16}}}, (19, 13, 16)),
    "sglang": ({"usage": {**CHAT, "reasoning_tokens": 6}}, (19, 13, 0, 0, 0, 6)),
    "dashscope": (
        {"usage": {"input_tokens": 19, "output_tokens": 13, "prompt_tokens_details": {"cached_tokens": 8}}},
        (19, 13, 8),
    ),
    "ollama": ({"done": True, "prompt_eval_count": 26, "eval_count": 290}, (26, 290)),
    "llama.cpp": ({"content": "a", "tokens_evaluated": 26, "tokens_predicted": 29}, (26, 29)),
    "text generation inference": (
        {"generated_text": "a", "details": {"generated_tokens": 12, "input_length": 8}},
        (8, 12),
    ),
    "lm studio": (
        {"stats": {"input_tokens": 20, "total_output_tokens": 80, "reasoning_output_tokens": 70}},
        (20, 80, 0, 0, 0, 70),
    ),
    "watsonx": ({"results": [{"input_token_count": 8, "generated_token_count": 20}]}, (8, 20)),
    "replicate": (
        {"status": "succeeded", "metrics": {"input_token_count": 8, "output_token_count": 20}},
        (8, 20),
    ),
    "cloudflare": ({"result": {"response": "a", "usage": CHAT}, "success": True}, (19, 13)),
    "interactions": ({"usage": INTERACTION}, (110, 65, 60, 0, 0, 25)),
    "batch of openai": (
        {"custom_id": "1", "response": {"status_code": 200, "body": {"model": "m", "usage": CHAT}}},
        (19, 13, "batch"),
    ),
    "batch of anthropic": (
        {
            "custom_id": "1",
            "result": {
                "type": "succeeded",
                "message": {
                    "usage": {
                        "input_tokens": 4,
                        "output_tokens": 3,
                        "service_tier": "batch",
                        "cache_creation": {},
                    }
                },
            },
        },
        (4, 3, "batch"),
    ),
    "batch of anthropic whose usage does not say so": (
        {
            "custom_id": "1",
            "result": {"type": "succeeded", "message": {"usage": {"input_tokens": 4, "output_tokens": 3}}},
        },
        (4, 3, "batch"),
    ),
    "batch of gemini": (
        {"key": "1", "response": {"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 3}}},
        (5, 3, "batch"),
    ),
}


def as_object(value):
    """Return nested dicts as objects, where their names can be attributes."""
    if isinstance(value, dict) and all(name.isidentifier() for name in value):
        return SimpleNamespace(**{name: as_object(inner) for name, inner in value.items()})
    return [as_object(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", READ)
def test_a_provider_is_read_as_it_bills(name):
    told, (given, made, *beside) = READ[name]
    ways = tuple(one for one in beside if isinstance(one, str))
    counts = [one for one in beside if not isinstance(one, str)]
    names = ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens")
    whole = Usage(
        input_tokens=given, output_tokens=made, billed_as=ways, **dict(zip(names, counts, strict=False))
    )
    assert Usage.from_response(told) == whole
    assert Usage.from_response(as_object(told)) == whole


def test_the_sound_of_a_realtime_answer_is_read_without_what_was_cached():
    used = Usage.from_response({"type": "response.done", "response": {"usage": REALTIME}})
    assert (used.input_tokens, used.output_tokens, used.cache_read_tokens) == (132, 121, 64)
    assert (used.audio_input_tokens, used.audio_output_tokens) == (32, 100)


def test_what_was_cached_in_a_realtime_answer_has_its_price():
    """68 x 4 + 64 x 0.4 + 121 x 16 = 2,233.6 micro-USD."""
    details = {"text_tokens": 119, "audio_tokens": 13, "cached_tokens": 64}
    told = {"total_tokens": 253, "input_tokens": 132, "output_tokens": 121, "input_token_details": details}
    prices = {"m": {"input": "4", "output": "16", "cache_read": "0.4"}}
    event = {"type": "response.done", "response": {"usage": told}}
    used = Usage.from_response(event, model="m", prices=prices)
    assert (used.cache_read_tokens, used.cost_micros_usd) == (64, 2_234)


def test_the_sound_of_gemini_is_read_without_what_was_cached():
    used = Usage.from_response({"usageMetadata": GEMINI})
    assert (used.input_tokens, used.output_tokens, used.total_tokens) == (1_030, 250, 1_280)
    assert (used.audio_input_tokens, used.audio_output_tokens) == (200, 150)
    assert (used.cache_read_tokens, used.reasoning_tokens) == (400, 50)


def test_the_sound_of_chat_and_of_pydantic_ai_is_read():
    details = {"prompt_tokens_details": {"audio_tokens": 7}, "completion_tokens_details": {"audio_tokens": 9}}
    pydantic = {
        "input_tokens": 19,
        "output_tokens": 13,
        "input_audio_tokens": 10,
        "cache_audio_read_tokens": 3,
        "output_audio_tokens": 9,
        "output_reasoning_tokens": 2,
    }
    langchain = {
        "input_tokens": 19,
        "output_tokens": 13,
        "input_token_details": {"audio": 7},
        "output_token_details": {"audio": 9},
    }
    for told in ({"usage": {**CHAT, **details}}, {"usage": pydantic}, {"usage_metadata": langchain}):
        used = Usage.from_response(told)
        assert (used.audio_input_tokens, used.audio_output_tokens) == (7, 9)


def test_reasoning_of_pydantic_ai_is_read_for_every_model():
    """54,236 x 1 is wrong: 55,021 x 1 + 923 x 10 + 785 x 3 = 66,606 micro-USD."""
    told = {
        "input_tokens": 55_021,
        "output_tokens": 1_708,
        "output_reasoning_tokens": 785,
        "details": {"thoughts_tokens": 785},
    }
    prices = {"m": {"input": "1", "output": "10", "reasoning": "3"}}
    used = Usage.from_response(told, model="m", prices=prices)
    assert (used.reasoning_tokens, used.cost_micros_usd) == (785, 66_606)


def test_a_cache_hit_in_pydantic_ais_details_is_read():
    told = {"input_tokens": 90, "output_tokens": 5, "details": {"prompt_cache_hit_tokens": 64}}
    assert Usage.from_response(told).cache_read_tokens == 64


def test_a_transcription_by_the_second_has_seconds_and_no_tokens():
    used = Usage.from_response({"text": "a", "usage": {"type": "duration", "seconds": 12.2}})
    assert (used.total_tokens, used.units) == (0, {"audio_seconds": 13})
