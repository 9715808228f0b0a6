"""What stands beside the tokens of an answer: units, how it is billed, and what the provider says it cost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from outlay import Usage
from outlay._usage.stream import StreamUsage

CHAT = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
CLAUDE = {"input_tokens": 100, "output_tokens": 50, "cache_read_input_tokens": 0}
GROUNDED = {
    "candidates": [{"groundingMetadata": {"webSearchQueries": ["a", "b", ""]}}],
    "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 50},
}
RESPONSE = {
    "output": [
        {"type": "web_search_call", "action": {"type": "search", "query": "a"}},
        {"type": "web_search_call", "action": {"type": "open_page", "url": "b"}},
        {"type": "file_search_call"},
        {"type": "message"},
    ],
    "usage": {"input_tokens": 100, "output_tokens": 50, "input_tokens_details": {"cached_tokens": 0}},
}
XAI = {"server_side_tool_usage_details": {"web_search_calls": 2, "x_search_calls": 1, "mcp_calls": 0}}


@pytest.mark.parametrize(
    ("told", "units"),
    [
        (
            {"usage": {**CLAUDE, "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 2}}},
            {"web_search": 3, "web_fetch": 2},
        ),
        ({"usage": {**CHAT, "server_tool_use": {"web_search_requests": 1}}}, {"web_search": 1}),
        ({"usage": {**CHAT, "num_search_queries": 4}}, {"web_search": 4}),
        ({"usage": {**CHAT, "num_sources_used": 7}}, {"source": 7}),
        ({"usage": {**CHAT, **XAI}}, {"web_search": 2, "x_search": 1}),
        ({"usage": {**CHAT, "prompt_audio_seconds": 5}}, {"audio_seconds": 5}),
        (RESPONSE, {"web_search": 1, "file_search": 1}),
        ({**GROUNDED, "modelVersion": "gemini-3-pro"}, {"web_search": 2}),
        ({**GROUNDED, "modelVersion": "gemini-2.5-flash"}, {"web_search": 1}),
        ({"results": [], "meta": {"billed_units": {"search_units": 1}}}, {"search": 1}),
        ({"meta": {"billed_units": {"classifications": 2}}}, {"classification": 2}),
    ],
)
def test_what_is_billed_by_the_piece_is_read(told, units):
    assert Usage.from_response(told).units == units


@pytest.mark.parametrize("tier", ["standard", "default", "auto", "scale", None])
def test_the_usual_way_of_billing_has_no_name(tier):
    assert Usage.from_response({"usage": CHAT, "service_tier": tier}).billed_as == ()


@pytest.mark.parametrize(
    ("told", "ways"),
    [
        ({"usage": CHAT, "service_tier": "priority"}, ("priority",)),
        ({"usage": CHAT, "service_tier": "flex"}, ("flex",)),
        ({"usage": {**CLAUDE, "service_tier": "batch"}}, ("batch",)),
        ({"usage": {**CLAUDE, "speed": "fast", "inference_geo": "us"}}, ("fast", "us")),
        ({"usage": {**CLAUDE, "speed": "standard", "inference_geo": "not_available"}}, ()),
        ({"usageMetadata": {"promptTokenCount": 1, "trafficType": "ON_DEMAND_FLEX"}}, ("flex",)),
        ({"usageMetadata": {"promptTokenCount": 1, "trafficType": "ON_DEMAND"}}, ()),
        ({"usageMetadata": {"promptTokenCount": 1, "trafficType": "PROVISIONED_THROUGHPUT"}}, ()),
        ({"usageMetadata": {"promptTokenCount": 1, "serviceTier": "priority"}}, ("priority",)),
        ({"usage": {"inputTokens": 1}, "serviceTier": {"type": "reserved"}}, ()),
        ({"usage": CHAT, "service_tier": "no name at all"}, ()),
    ],
)
def test_how_an_answer_is_billed_is_read(told, ways):
    assert Usage.from_response(told).billed_as == ways


@pytest.mark.parametrize(
    ("told", "micros"),
    [
        ({"cost": 0.95}, 950_000),
        ({"cost": 0.0000001}, 1),
        ({"cost": 0.1}, 100_000),
        ({"cost": "0.25"}, 250_000),
        ({"cost": Decimal("0.0000015")}, 2),
        ({"cost": 0.05, "cost_details": {"upstream_inference_cost": 0.95}}, 50_000),
        ({"cost": 0.05, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.95}}, 1_000_000),
        ({"cost": {"input_tokens_cost": 0.1, "total_cost": 0.007}}, 7_000),
        ({"cost_in_usd_ticks": 37_756_001}, 3_776),
        ({"estimated_cost": 0.002}, 2_000),
        ({"cost": None}, 0),
        ({"cost": True}, 0),
        ({"cost": -1}, 0),
        ({"cost": "free"}, 0),
        ({"cost": float("nan")}, 0),
        ({"cost": float("inf")}, 0),
    ],
)
def test_what_the_provider_says_it_cost_is_read_to_the_micro_usd(told, micros):
    assert Usage.from_response({"usage": {**CHAT, **told}}).cost_micros_usd == micros


def test_a_picture_that_has_a_cost_and_no_tokens_is_read():
    used = Usage.from_response({"usage": {"cost_in_usd_ticks": 200_000_000}})
    assert (used.total_tokens, used.cost_micros_usd) == (0, 20_000)


def test_a_stream_keeps_what_any_of_its_pieces_says():
    seen = StreamUsage()
    seen.add({"type": "message_start", "message": {"usage": {**CLAUDE, "service_tier": "priority"}}})
    tools = {"web_search_requests": 2}
    for searched in (1, 2):
        tools = {"web_search_requests": searched}
        seen.add({"type": "message_delta", "usage": {"output_tokens": 60, "server_tool_use": tools}})
    fields = seen.fields()
    assert (fields["billed_as"], fields["units"]) == (("priority",), {"web_search": 2})
    assert (fields["input_tokens"], fields["output_tokens"]) == (100, 60)


def test_langchain_keeps_what_the_provider_said_beside_its_counts():
    counts = {"input_tokens": 100, "output_tokens": 50, "total_tokens": 150}
    metadata = {"service_tier": "flex", "token_usage": {**CHAT, "cost": 0.5}}
    message = {"usage_metadata": counts, "response_metadata": metadata}
    used = Usage.from_response(message)
    assert (used.billed_as, used.cost_micros_usd) == (("flex",), 500_000)
    seen = StreamUsage()
    seen.add(message)
    assert (seen.fields()["billed_as"], seen.fields()["cost_micros_usd"]) == (("flex",), 500_000)
