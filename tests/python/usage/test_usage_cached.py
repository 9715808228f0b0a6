"""Cached counts under every name: nested before flat, never both; parts that stand beside the whole."""

from __future__ import annotations

import pytest

from outlay import Usage

PRICES = {"m": {"input": "3", "output": "15", "cache_read": "0.30", "cache_write": "3.75"}}
N = 25_600
#: 12 x 3 + 25,600 x 3.75 + 10 x 15, and 12 x 3 + 25,600 x 0.30 + 10 x 15, in micro-USD.
WRITE, READ = 96_186, 7_866


def cost(**told):
    """Return what 25,612 tokens of input and 10 of output cost."""
    usage = {"prompt_tokens": 25_612, "completion_tokens": 10, "total_tokens": 25_622, **told}
    return Usage.from_response({"usage": usage}, model="m", prices=PRICES).cost_micros_usd


@pytest.mark.parametrize(
    "told",
    [
        {"prompt_tokens_details": {"cache_write_tokens": N}},
        {"cache_creation_input_tokens": N, "cache_read_input_tokens": 0},
        {"prompt_tokens_details": {"cached_tokens": 0, "cache_creation_tokens": N}},
        {"prompt_tokens_details": {"cache_write_tokens": N}, "cache_creation_input_tokens": N},
        {"prompt_tokens_details": {"cached_tokens": 0}, "cache_creation_input_tokens": N},
    ],
)
def test_a_cache_write_is_read_under_each_name_once(told):
    assert cost(**told) == WRITE


@pytest.mark.parametrize(
    "told",
    [
        {"prompt_tokens_details": {"cached_tokens": N}},
        {"prompt_cache_hit_tokens": N, "prompt_cache_miss_tokens": 12},
        {"cached_tokens": N},
        {"num_cached_tokens": N},
        {"cache_read_input_tokens": N, "cache_creation_input_tokens": 0},
        {"prompt_tokens_details": {"cached_tokens": N}, "prompt_cache_hit_tokens": N, "cached_tokens": N},
        {"prompt_tokens_details": {"cached_tokens": 0}, "cached_tokens": N},
    ],
)
def test_a_cache_read_is_read_under_each_name_once(told):
    assert cost(**told) == READ


def test_a_write_for_12_hours_is_one_that_is_kept_long():
    split = {"ttl_30m_tokens": 60, "ttl_12h_tokens": 40}
    details = {"cached_tokens": 0, "cache_write_tokens": 100, "cache_write_tokens_details": split}
    told = {"input_tokens": 200, "output_tokens": 5, "input_tokens_details": details}
    used = Usage.from_response({"usage": told})
    assert (used.cache_write_tokens, used.cache_write_1h_tokens) == (100, 40)


def test_what_was_cached_and_is_above_the_prompt_stands_beside_it():
    told = {"prompt_tokens": 12, "completion_tokens": 10, "cache_read_input_tokens": 600}
    used = Usage.from_response({"usage": told})
    assert (used.input_tokens, used.cache_read_tokens, used.total_tokens) == (612, 600, 622)


def test_what_deep_research_reads_and_thinks_is_billed_beside_its_total():
    """7,407 x 2 + 3,256 x 8 + 73,248 x 3 = 260,606 micro-USD, and 74 searches."""
    told = {
        "prompt_tokens": 108,
        "completion_tokens": 3_256,
        "total_tokens": 3_364,
        "citation_tokens": 7_299,
        "num_search_queries": 74,
        "reasoning_tokens": 73_248,
    }
    prices = {"m": {"input": "2", "output": "8", "reasoning": "3"}}
    used = Usage.from_response({"usage": told}, model="m", prices=prices)
    assert (used.input_tokens, used.output_tokens, used.total_tokens) == (7_407, 76_504, 83_911)
    assert (used.reasoning_tokens, used.units) == (73_248, {"web_search": 74})
    assert used.cost_micros_usd == 260_606


def test_short_reasoning_of_deep_research_is_beside_its_answer_too():
    told = {"prompt_tokens": 10, "completion_tokens": 500, "total_tokens": 510, "citation_tokens": 40}
    used = Usage.from_response({"usage": {**told, "reasoning_tokens": 200}})
    assert (used.input_tokens, used.output_tokens, used.total_tokens) == (50, 700, 750)
    counted = Usage.from_response({"usage": {**told, "reasoning_tokens": 200, "total_tokens": 710}})
    assert (counted.output_tokens, counted.total_tokens) == (700, 750)
