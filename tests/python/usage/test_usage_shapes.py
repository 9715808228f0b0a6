"""The names of counts in usages: cache writes for an hour, reasoning beside the output, compaction."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import pytest

from outlay import Guard, PriceTable, SharedPool, Usage, UsageEstimate

CLAUDE = "claude-sonnet-4-5-20250929"
# 10,000 tokens written to a cache, 4,000 of them for an hour, as each of them tells it.
WRITTEN = {
    "anthropic": {
        "input_tokens": 0,
        "output_tokens": 5,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 10_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 6_000, "ephemeral_1h_input_tokens": 4_000},
    },
    "anthropic, the split alone": {
        "input_tokens": 0,
        "output_tokens": 5,
        "cache_creation": {"ephemeral_5m_input_tokens": 6_000, "ephemeral_1h_input_tokens": 4_000},
    },
    "litellm": {
        "prompt_tokens": 10_000,
        "completion_tokens": 5,
        "total_tokens": 10_005,
        "prompt_tokens_details": {
            "cache_write_tokens": 10_000,
            "cache_creation_token_details": {
                "ephemeral_5m_input_tokens": 6_000,
                "ephemeral_1h_input_tokens": 4_000,
            },
        },
    },
    "pydantic-ai": {
        "input_tokens": 10_000,
        "output_tokens": 5,
        "cache_write_tokens": 10_000,
        "cache_write_1h_tokens": 4_000,
    },
}


def as_object(value):
    """Return nested dicts as objects, as the SDKs have them."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_object(inner) for name, inner in value.items()})
    return [as_object(one) for one in value] if isinstance(value, list) else value


def read(usage):
    """Read a usage as it stands in a response, as a dict and as an object, which say the same."""
    told = Usage.from_response({"usage": usage})
    assert Usage.from_response(as_object({"usage": usage})) == told
    return told


def counts(used):
    return used.input_tokens, used.cache_write_tokens, used.cache_write_1h_tokens, used.output_tokens


@pytest.mark.parametrize("name", WRITTEN)
def test_a14_what_is_written_for_an_hour_is_read(name):
    assert counts(read(WRITTEN[name])) == (10_000, 10_000, 4_000, 5)


def test_a14_what_is_written_for_an_hour_is_written():
    """A usage that tells the part alone tells the whole, too."""
    told = {"input_tokens": 10, "output_tokens": 5, "cache_write_1h_tokens": 7}
    assert counts(read(told)) == (10, 7, 7, 5)


@pytest.mark.parametrize("generic", [10_000, 0])
def test_a14_langchains_split_of_what_was_written_is_read(generic):
    details = {
        "cache_creation": generic,
        "ephemeral_5m_input_tokens": 6_000,
        "ephemeral_1h_input_tokens": 4_000,
    }
    message = {
        "usage_metadata": {
            "input_tokens": 10_000,
            "output_tokens": 5,
            "total_tokens": 10_005,
            "input_token_details": details,
        }
    }
    assert counts(Usage.from_response(message)) == (10_000, 10_000, 4_000, 5)


def test_a14_a_write_for_an_hour_costs_twice_the_input():
    pytest.importorskip("genai_prices")
    from outlay.prices import from_genai_prices

    told = {
        "input_tokens": 0,
        "output_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 10_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 10_000},
    }
    row = from_genai_prices(CLAUDE, "anthropic")
    assert (row["input"], row["cache_write"], row["cache_write_1h"]) == ("3", "3.75", "6")
    table = PriceTable({CLAUDE: row})
    assert Usage.from_response({"usage": told}, model=CLAUDE, prices=table).cost_micros_usd == 60_000
    five_minutes = {**told, "cache_creation": {"ephemeral_5m_input_tokens": 10_000}}
    assert Usage.from_response({"usage": five_minutes}, model=CLAUDE, prices=table).cost_micros_usd == 37_500


@pytest.mark.parametrize(
    ("model", "provider", "more", "cost"),
    [
        ("claude-x", None, {}, 6_000 * 3.75 + 4_000 * 6),
        ("Claude-X", None, {}, 6_000 * 3.75 + 4_000 * 6),
        ("eu.anthropic.x-v1:0", "bedrock", {}, 6_000 * 3.75 + 4_000 * 6),
        ("x", "anthropic", {}, 6_000 * 3.75 + 4_000 * 6),
        ("x", "openai", {}, 10_000 * 3.75),
        ("x", None, {}, 10_000 * 3.75),
        ("claude-x", "anthropic", {"cache_write_1h": "5"}, 6_000 * 3.75 + 4_000 * 5),
        ("x", "openai", {"cache_write_1h": "5"}, 6_000 * 3.75 + 4_000 * 5),
    ],
)
def test_a14_what_an_hour_costs_where_no_price_names_it_is_what_its_maker_asks(model, provider, more, cost):
    """In a table and in a guard alike."""
    row = {"input": "3", "output": "15", "cache_write": "3.75", **more}
    used = Usage(input_tokens=10_000, cache_write_tokens=10_000, cache_write_1h_tokens=4_000)
    assert PriceTable({model: row}).cost(model, used, provider=provider) == cost
    labels = {"model": model} | ({} if provider is None else {"provider": provider})
    limit = {"name": "all", "limit": {"usd": "10"}}
    for policy in (
        {"prices": {model: row}},
        {"defaults": {"on_unknown_price": "fallback", "fallback_price": row}},
    ):
        guard = Guard({**policy, "budget": [limit]})
        guard.reserve(10, **labels).commit(used)
        assert guard.snapshot()[0]["limits"]["cost_micros_usd"]["used"] == cost


def test_a14_a_tier_has_its_own_price_of_an_hour():
    tiers = [{"above_input_tokens": 5_000, "input": "4", "output": "20"}]
    row = {"input": "3", "output": "15", "cache_write_1h": "5", "tiers": tiers}
    table = PriceTable({"claude-x": row})
    short = Usage(input_tokens=5_000, cache_write_tokens=5_000, cache_write_1h_tokens=5_000)
    long = Usage(input_tokens=5_001, cache_write_tokens=5_001, cache_write_1h_tokens=5_001)
    assert table.cost("claude-x", short) == 25_000
    assert table.cost("claude-x", long) == 5_001 * 8


@pytest.mark.parametrize("cls", [Usage, UsageEstimate])
def test_what_was_written_for_an_hour_is_a_count_as_the_others(cls):
    one = cls(input_tokens=10, cache_write_tokens=7, cache_write_1h_tokens=5)
    assert one != cls(input_tokens=10, cache_write_tokens=7)
    assert (one + one).cache_write_1h_tokens == 10
    assert pickle.loads(pickle.dumps(one)) == one
    assert "cache_write_1h_tokens=5" in repr(one)
    pool = SharedPool(capacity_tokens=100)
    pool.reserve(UsageEstimate(total_tokens=10, cache_write_1h_tokens=5)).commit()
    assert pool.committed().cache_write_1h_tokens == 5
    assert Usage.from_response(Usage(input_tokens=7, cache_write_tokens=7, cache_write_1h_tokens=5)) == Usage(
        input_tokens=7, cache_write_tokens=7, cache_write_1h_tokens=5
    )


def test_a04_reasoning_beside_the_output_is_a_part_of_the_output():
    told = {
        "prompt_tokens": 10_120,
        "completion_tokens": 1_499,
        "total_tokens": 14_428,
        "completion_tokens_details": {"reasoning_tokens": 2_809},
    }
    guard = Guard({"budget": [{"name": "in", "limit": {"input_tokens": 1_000_000}}]})
    used = Usage.from_response({"usage": told})
    guard.reserve(UsageEstimate(input_tokens=1, output_tokens=1)).commit(used)
    assert (used.output_tokens, used.reasoning_tokens) == (4_308, 2_809)
    assert guard.snapshot()[0]["limits"]["input_tokens"]["used"] == 10_120
    prices = {"m": {"input": "1", "output": "10", "reasoning": "3"}}
    cost = Usage.from_response({"usage": told}, model="m", prices=prices).cost_micros_usd
    assert cost == 10_120 + 14_990 + 3 * 2_809 == 33_537


def chat(given, made, reasoning, total):
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "completion_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": total,
    }


def responses(given, made, reasoning, total):
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": total,
    }


def langchain(given, made, reasoning, total):
    return {
        "input_tokens": given,
        "output_tokens": made,
        "output_token_details": {"reasoning": reasoning},
        "total_tokens": total,
    }


def plain(given, made, reasoning, total):
    details = {"reasoning_tokens": reasoning}
    return {"input_tokens": given, "output_tokens": made, "details": details, "total_tokens": total}


@pytest.mark.parametrize("shape", [chat, responses, langchain, plain])
@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # Inside the output, as OpenAI has it: nothing changes.
        ((100, 30, 20, 130), (100, 30, 130)),
        ((100, 30, 30, 130), (100, 30, 130)),
        ((100, 30, 0, 130), (100, 30, 130)),
        # A total that is above for another reason.
        ((100, 30, 20, 190), (100, 30, 190)),
        # Beside it: the total has it on top, or there is more of it than there is output.
        ((100, 30, 20, 150), (100, 50, 150)),
        ((12, 1, 386, 399), (12, 387, 399)),
        ((12, 1, 386, 13), (12, 387, 399)),
        ((12, 0, 386, 398), (12, 386, 398)),
    ],
)
def test_a04_where_reasoning_stands_is_seen_in_every_shape(shape, told, expected):
    used = read(shape(*told))
    assert (used.input_tokens, used.output_tokens, used.total_tokens) == expected
    assert used.reasoning_tokens == told[2]


def test_a03_reasoning_of_xai_is_booked_through_pydantic_ais_usage():
    usage = pytest.importorskip("pydantic_ai.usage")
    told = usage.RequestUsage(input_tokens=12, output_tokens=1, details={"reasoning_tokens": 386})
    used = Usage.from_response(told)
    assert (used.output_tokens, used.total_tokens) == (387, 399)


COMPACTED = {
    "input_tokens": 23_000,
    "output_tokens": 1_000,
    "iterations": [
        {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
        {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
    ],
}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"cache_read_input_tokens": 0},
        {"cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}},
        {"server_tool_use": {"web_search_requests": 1}},
        {"cache_creation": None, "server_tool_use": None, "output_tokens_details": {"thinking_tokens": 3}},
    ],
)
def test_a05_compaction_is_read_whatever_stands_beside_it(more):
    used = read({**COMPACTED, **more})
    assert (used.input_tokens, used.output_tokens, used.total_tokens) == (203_000, 4_500, 207_500)


def test_a05_an_event_that_tells_the_turns_in_its_iterations_alone_is_whole():
    told = {name: value for name, value in COMPACTED.items() if name != "input_tokens"}
    assert read(told).total_tokens == 207_500


def test_a05_a_write_for_an_hour_by_the_compaction_is_counted():
    split = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 100}
    compaction = {"type": "compaction", "input_tokens": 10, "output_tokens": 1}
    written = {**compaction, "cache_creation_input_tokens": 100, "cache_creation": split}
    used = read({"input_tokens": 1, "output_tokens": 1, "iterations": [written]})
    assert counts(used) == (111, 100, 100, 2)


def test_usage_of_responses_with_searches_of_the_server_is_not_taken_for_anthropics():
    """LiteLLM has `server_tool_use` beside details of the input, which then holds the cached part."""
    told = {**responses(100, 30, 0, 130), "server_tool_use": {"web_search_requests": 1}}
    assert read({**told, "input_tokens_details": {"cached_tokens": 40}}).total_tokens == 130
