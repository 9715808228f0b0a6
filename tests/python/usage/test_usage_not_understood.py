"""Usages that are not understood are logged once for each shape and model; odd counts are never lost."""

from __future__ import annotations

import logging
from decimal import Decimal
from types import SimpleNamespace

import pytest

from outlay import InvalidAmount, SharedPool, Usage, governed
from outlay._usage import unread
from outlay._usage.noticed import Noticed
from outlay._usage.outcome import error_in, refusal_in
from outlay._usage.responses import known_fields
from outlay._usage.shapes import reading
from outlay._usage.stream import StreamUsage


@pytest.fixture(autouse=True)
def nothing_noticed(monkeypatch):
    """Forget what other tests have made it log."""
    monkeypatch.setattr(unread, "_noticed", Noticed())
    monkeypatch.setattr(reading, "_fractions", Noticed())


def strange(model="m", **usage):
    return {"model": model, "usage": usage or {"glyphs_in": 3, "glyphs_out": 4}}


def test_a_shape_that_is_not_known_is_logged_once_for_each_shape_and_model(caplog):
    caplog.set_level(logging.WARNING, "outlay")
    for _ in range(3):
        for answer in (
            strange(),
            strange("n"),
            strange(runes=5),
            {"model": "m", "usageMetadata": {"runes": 5}},
        ):
            assert known_fields(answer) is None
    assert [record.getMessage() for record in caplog.records] == [
        f"a usage is not understood, so the estimate of its call is booked: model {told}"
        for told in ("m, names glyphs_in, glyphs_out", "n, names glyphs_in, glyphs_out", "m, names runes")
    ]


def test_counts_that_make_no_sense_are_logged_once_for_each_shape_and_model(caplog):
    caplog.set_level(logging.WARNING, "outlay")
    for given in (-1, -2, True, "12"):
        assert known_fields(strange(prompt_tokens=given, completion_tokens=1)) is None
    assert known_fields(strange("n", prompt_tokens=-1, completion_tokens=1)) is None
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "model m, prompt_tokens: 0 or more is allowed, not -1",
        "model n, prompt_tokens: 0 or more is allowed, not -1",
    ]


@pytest.mark.parametrize(
    "answer",
    [{"choices": []}, {"usage": None}, {"usage": {}}, {"usage": {"prompt_tokens": None}}, "text", 5, None],
)
def test_an_answer_without_a_usage_is_not_logged(answer, caplog):
    assert known_fields(answer) is None
    assert caplog.records == []


def test_a_call_whose_usage_is_not_understood_is_booked_at_its_estimate(caplog):
    pool = SharedPool(capacity_tokens=10_000)

    @governed(pool, estimate=600)
    def ask():
        return SimpleNamespace(model="m", usage=SimpleNamespace(glyphs_in=3))

    for _ in range(2):
        ask()
    assert pool.committed().total_tokens == 1_200
    assert caplog.text.count("is not understood") == 1


def test_what_was_logged_takes_no_more_memory_than_1024_shapes():
    noticed = Noticed()
    assert all(noticed.first(number) for number in range(5_000))
    assert len(noticed._seen) == 1_024
    assert not noticed.first(4_999)
    assert noticed.first(0)


@pytest.mark.parametrize("count", [12.0, Decimal(12), Decimal("12.00")])
def test_a_whole_number_with_a_point_is_a_count(count, caplog):
    assert (
        Usage.from_response({"usage": {"prompt_tokens": count, "completion_tokens": 3.0}}).total_tokens == 15
    )
    assert caplog.records == []


@pytest.mark.parametrize("count", [14_417.92, Decimal("14417.01")])
def test_a_part_of_a_token_is_rounded_up_and_logged_once(count, caplog):
    told = {"usage": {"prompt_tokens": count, "completion_tokens": 3}}
    for _ in range(3):
        assert Usage.from_response(told).input_tokens == 14_418
    assert [record.getMessage() for record in caplog.records] == [
        f"the usage of a response has a part of a token, and is rounded up: prompt_tokens={count}"
    ]


def no_list():
    return [True, -1, 2.5, Decimal("1.5"), "text", {"a": 1}, object()]


@pytest.mark.parametrize("odd", no_list())
def test_what_stands_beside_the_counts_and_is_no_list_loses_no_count(odd):
    claude = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 1, "iterations": odd}
    assert Usage.from_response({"usage": claude}).total_tokens == 16
    nova = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "cacheDetails": odd}
    assert Usage.from_response({"usage": nova}).total_tokens == 15
    gemini = {
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15},
        "candidates": [{"groundingMetadata": {"webSearchQueries": odd}}],
    }
    assert Usage.from_response(gemini).total_tokens == 15


@pytest.mark.parametrize("name", ["", "_requests", "a b_requests", "\ud800_requests", "x" * 99 + "_requests"])
def test_a_tool_whose_name_no_price_can_have_loses_no_count(name):
    usage = {"input_tokens": 10, "output_tokens": 5, "server_tool_use": {name: 3, "Web_search_requests": 2}}
    told = Usage.from_response({"usage": usage})
    assert (told.total_tokens, told.units) == (15, {"web_search": 2})


def test_a_count_of_thousands_of_digits_is_a_clear_error():
    for count in (10**5_000, -(10**5_000)):
        with pytest.raises(InvalidAmount):
            Usage.from_response({"usage": {"prompt_tokens": count, "completion_tokens": 1}})


ERRORS = {
    "openai": {"error": {"code": 502, "message": "upstream failed"}},
    "ollama": {"error": "model not found"},
    "anthropic": {"type": "error", "error": {"type": "overloaded_error", "message": "a"}},
    "anthropic, the kind alone": {"type": "error"},
    "vllm": {"object": "error", "message": "a", "code": 400},
    "openrouter": {"choices": [{"error": {"code": 502, "message": "a"}, "finish_reason": "error"}]},
    "minimax": {"base_resp": {"status_code": 1004, "status_msg": "a"}},
    "baidu": {"error_code": 17, "error_msg": "a"},
    "aws": {"Output": {"__type": "com.amazon.coral.service#UnknownOperationException"}, "Version": "1.0"},
}
ANSWERS = (
    {"choices": [{"message": {"content": "a"}}], "error": None},
    {"choices": [{"error": {"code": 1}}, {"message": {"content": "a"}}]},
    {"choices": []},
    {"base_resp": {"status_code": 0, "status_msg": "success"}},
    {"error_code": 0, "error_msg": ""},
    {"Output": {"text": "a"}},
    "error",
    None,
)


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_in_the_body_of_a_200_is_known_in_every_shape(name):
    told = ERRORS[name]
    assert refusal_in(told)
    first = StreamUsage()
    first.add(told)
    assert (first.refused, first.started) == (True, False)
    # After a first piece the provider bills, and a usage beside the error says how much.
    later = StreamUsage()
    later.add({"choices": [{"delta": {"content": "a"}}]})
    later.add(told)
    assert (later.refused, later.started) == (False, True)
    paid = {**told, "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    assert error_in(paid)
    assert not refusal_in(paid)


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_is_no_error(answer):
    assert not error_in(answer)
