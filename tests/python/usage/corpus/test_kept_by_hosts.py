"""What frameworks keep of a provider's own usage beside their own counts: the larger of each is booked."""

from __future__ import annotations

import pytest

from outlay import Usage

COUNTS = {"input_tokens": 2_000, "output_tokens": 100, "total_tokens": 2_100}


def langchain(own, place="response_metadata", name="token_usage"):
    message = {"content": "a", "usage_metadata": COUNTS}
    if place == "response_metadata":
        return {**message, "response_metadata": {name: own, "model_name": "m"}}
    return {"generations": [{"message": message}], "llm_output": {name: own, "model_name": "m"}}


@pytest.mark.parametrize("place", ["response_metadata", "llm_output"])
def test_langchains_counts_are_joined_with_the_caches_of_a_gateway(place):
    """In a message, and inside a model, where LangChain keeps them beside the generations."""
    own = {
        "prompt_tokens": 2_000,
        "completion_tokens": 100,
        "total_tokens": 2_100,
        "cache_read_input_tokens": 1_500,
        "cache_creation_input_tokens": 300,
    }
    used = Usage.from_response(langchain(own, place))
    assert (used.input_tokens, used.cache_read_tokens, used.cache_write_tokens) == (2_000, 1_500, 300)
    assert used.total_tokens == 2_100


def test_langchains_counts_are_joined_with_what_deep_research_is_billed_for():
    own = {
        "prompt_tokens": 2_000,
        "completion_tokens": 100,
        "total_tokens": 2_100,
        "citation_tokens": 7_000,
        "reasoning_tokens": 40_000,
        "num_search_queries": 9,
    }
    used = Usage.from_response(langchain(own))
    assert (used.input_tokens, used.output_tokens, used.reasoning_tokens) == (9_000, 40_100, 40_000)
    assert used.units == {"web_search": 9}


def test_langchains_counts_are_joined_with_the_compaction_of_anthropic():
    own = {
        "input_tokens": 2_000,
        "output_tokens": 100,
        "service_tier": "priority",
        "iterations": [
            {"type": "compaction", "input_tokens": 50_000, "output_tokens": 900},
            {"type": "message", "input_tokens": 2_000, "output_tokens": 100},
        ],
    }
    used = Usage.from_response(langchain(own, name="usage"))
    assert (used.input_tokens, used.output_tokens, used.billed_as) == (52_000, 1_000, ("priority",))


def test_searches_among_the_content_of_langchains_message_are_units():
    search = {"type": "web_search_call", "id": "ws_1", "action": {"type": "search"}}
    opened = {"type": "web_search_call", "id": "ws_2", "action": {"type": "open_page"}}
    message = {"content": [search, opened, search], "usage_metadata": COUNTS, "response_metadata": {}}
    assert Usage.from_response(message).units == {"web_search": 2}


@pytest.mark.parametrize(
    ("details", "read", "written"),
    [
        ({"cached_tokens": 1_500}, 1_500, 0),
        ({"prompt_cache_hit_tokens": 1_500}, 1_500, 0),
        ({"cache_read_input_tokens": 1_500, "cache_creation_input_tokens": 300}, 1_500, 300),
    ],
)
def test_caches_in_the_details_of_pydantic_ai_are_parts_of_the_input(details, read, written):
    usage = pytest.importorskip("pydantic_ai.usage")
    told = usage.RequestUsage(input_tokens=2_000, output_tokens=100, details=details)
    used = Usage.from_response(told)
    assert (used.input_tokens, used.cache_read_tokens, used.cache_write_tokens) == (2_000, read, written)


def test_deep_research_in_the_details_of_pydantic_ai_is_whole():
    usage = pytest.importorskip("pydantic_ai.usage")
    details = {"citation_tokens": 7_000, "reasoning_tokens": 50, "num_search_queries": 9}
    used = Usage.from_response(usage.RequestUsage(input_tokens=2_000, output_tokens=100, details=details))
    assert (used.input_tokens, used.output_tokens, used.reasoning_tokens) == (9_000, 150, 50)
    assert used.units == {"web_search": 9}


def test_tier_of_pydantic_ais_response_is_read():
    messages = pytest.importorskip("pydantic_ai.messages")
    from pydantic_ai.usage import RequestUsage

    response = messages.ModelResponse(
        parts=[], usage=RequestUsage(input_tokens=1), provider_details={"service_tier": "priority"}
    )
    assert Usage.from_response(response).billed_as == ("priority",)


def test_raw_usage_of_the_agents_sdk_is_joined_with_its_own():
    response = {
        "usage": {"input_tokens": 33, "output_tokens": 7, "total_tokens": 40},
        "raw_usage": {"prompt_tokens": 33, "completion_tokens": 7, "total_tokens": 40, "cached_tokens": 30},
    }
    used = Usage.from_response(response)
    assert (used.input_tokens, used.output_tokens, used.cache_read_tokens) == (33, 7, 30)


def test_total_beside_two_zeros_is_input():
    """So LiteLLM passes on a usage that has a total and no more."""
    told = {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 355}}
    assert Usage.from_response(told) == Usage(input_tokens=355)


def test_list_of_tokens_is_no_usage_of_cohere():
    """Servers list the tokens that they have made beside their counts."""
    llama = {"content": "a", "tokens": [1, 2], "tokens_predicted": 12, "tokens_evaluated": 90}
    assert Usage.from_response(llama) == Usage(input_tokens=90, output_tokens=12)
    details = {"generated_tokens": 12, "input_length": 90, "tokens": [{"id": 1}], "prefill": []}
    assert Usage.from_response({"generated_text": "a", "details": details}) == Usage(
        input_tokens=90, output_tokens=12
    )
