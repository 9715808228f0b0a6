"""Paths made plain, what of them is billed, and the one word for what is not guarded."""

from __future__ import annotations

import logging

import pytest

from outlay import Guard, PolicyError, SharedPool, governed
from outlay._wraps.arguments import CallOptions, make_layer
from outlay._wraps.endpoints import billed, may_cost, plain_path
from outlay._wraps.unguarded import pass_by


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/chat/completions", "/chat/completions"),
        ("chat/completions/", "/chat/completions"),
        ("/chat/completions/.", "/chat/completions"),
        ("/x/../chat/completions", "/chat/completions"),
        ("/x/%2e%2e/chat//completions", "/chat/completions"),
        ("/chat/completion%73", "/chat/completions"),
        ("/chat/completions;v=1", "/chat/completions"),
        ("/chat/completions/;v=1?beta=true#x", "/chat/completions"),
        ("https://host:81/v1/messages?x=/files", "/v1/messages"),
        ("/../..", "/"),
        ("", "/"),
    ],
)
def test_a_path_is_read_as_servers_read_it(url, path):
    assert plain_path(url) == path


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/v1/images/generations", "images"),
        ("put", "/v1/images/edits", "images"),
        ("POST", "/openai/deployments/d/audio/speech", "audio"),
        ("POST", "/v1/audio/transcriptions", "audio"),
        ("POST", "/v1/videos", "videos"),
        ("POST", "/v1/videos/v-1/remix", "videos"),
        ("POST", "/v1/batches", "batches"),
        ("POST", "/v1/messages/batches", "batches"),
        ("POST", "/v1beta/models/m:batchGenerateContent", "batches"),
        ("POST", "/v1/fine_tuning/jobs", "fine-tuning"),
        ("POST", "/v1/evals/e-1/runs", "evals"),
        ("POST", "/v1/threads/runs", "runs"),
        ("POST", "/v1/threads/t-1/runs", "runs"),
        ("POST", "/v1/threads/t-1/runs/r-1/submit_tool_outputs", "runs"),
        ("POST", "/v1/realtime/client_secrets", "realtime"),
        ("POST", "/v1/realtime/calls/c-1/accept", "realtime"),
        ("POST", "/v1/sessions/s-1/events", "agents"),
        ("POST", "/v1beta/models/imagen:predict", "predict"),
        ("POST", "/model/amazon.nova-canvas-v1:0/invoke", "models"),
        # Free: they list, read, store, count, check or end something.
        ("GET", "/v1/images/generations", None),
        ("DELETE", "/v1/videos/v-1", None),
        ("POST", "/v1/files", None),
        ("POST", "/v1/uploads", None),
        ("POST", "/v1/moderations", None),
        ("POST", "/v1/messages/count_tokens", None),
        ("POST", "/v1/responses/input_tokens", None),
        ("POST", "/v1/responses/r-1/cancel", None),
        ("POST", "/v1/batches/b-1/cancel", None),
        ("POST", "/v1/assistants", None),
        ("POST", "/v1/threads/t-1/messages", None),
        ("POST", "/v1/threads/t-1/runs/r-1/cancel", None),
        ("POST", "/v1/conversations", None),
        ("POST", "/v1/evals", None),
    ],
)
def test_what_is_billed_has_a_name(method, path, name):
    assert billed(method, path) == name


def test_words_of_other_services_are_not_taken_for_a_providers():
    assert billed("POST", "/batches", known=False) is None
    assert billed("POST", "/v1/sessions", known=False) is None
    assert billed("POST", "/v1/images/generations", known=False) == "images"


def test_what_has_no_body_asks_for_nothing():
    assert [may_cost(method) for method in ("GET", "head", "DELETE", "OPTIONS")] == [False] * 4
    assert [may_cost(method) for method in ("POST", "put", "PATCH", "query")] == [True] * 4


def layer(word, budget=None):
    return make_layer(budget or SharedPool(capacity_tokens=1), CallOptions(unguarded=word), made_by="test")


@pytest.mark.parametrize("word", ["Warn", "", None, True, ["warn"]])
def test_a_bad_word_is_refused_with_the_good_ones(word):
    with pytest.raises(PolicyError, match="unguarded: 'warn', 'refuse' or 'allow' is allowed, not"):
        layer(word)


def test_a_wrap_that_has_nothing_unguarded_does_not_take_it_for_a_label():
    with pytest.raises(PolicyError, match="unguarded: everything here that costs money is guarded"):
        governed(SharedPool(capacity_tokens=1), unguarded="refuse")


def test_a_warning_comes_once_for_each_method_of_a_host(caplog, said):
    with caplog.at_level(logging.WARNING, "outlay"):
        for method in ("images", "images", "audio"):
            pass_by([layer("warn")], "outlay.openai", method, "chat")
        pass_by([layer("warn")], "outlay.httpx", "images", "chat")
        pass_by([layer("allow")], "outlay.httpx", "audio", "chat")
    assert [record.message.partition(" costs")[0] for record in caplog.records] == [
        "outlay.openai: images",
        "outlay.openai: audio",
        "outlay.httpx: images",
    ]


def test_of_two_wraps_the_stricter_word_counts(caplog, said):
    with pytest.raises(
        PolicyError, match=r"outlay\.openai: images costs money .*the wrap guards chat\. .*governed"
    ):
        pass_by([layer("allow"), layer("refuse")], "outlay.openai", "images", "chat")
    with caplog.at_level(logging.WARNING, "outlay"):
        pass_by([layer("allow"), layer("allow")], "outlay.openai", "images", "chat")
        assert caplog.records == []
        pass_by([layer("allow"), layer("warn")], "outlay.openai", "images", "chat")
    assert len(caplog.records) == 1


def test_what_a_governed_function_pays_for_is_guarded():
    pool, other = SharedPool(capacity_tokens=1_000), SharedPool(capacity_tokens=1_000)

    @governed(pool, estimate=100)
    def paid(one):
        pass_by([one], "outlay.openai", "images", "chat")

    @governed(pool)
    def unpaid(one):
        pass_by([one], "outlay.openai", "images", "chat")

    paid(layer("refuse", pool))
    with pytest.raises(PolicyError):
        paid(layer("refuse", other))
    with pytest.raises(PolicyError):
        # One of its budgets is paid for, the other is asked by nobody.
        paid(layer("refuse", [pool, other]))
    with pytest.raises(PolicyError):
        unpaid(layer("refuse", pool))
    with pytest.raises(PolicyError):
        pass_by([layer("refuse", pool)], "outlay.openai", "images", "chat")


def test_a_guard_is_paid_for_by_a_governed_function_too():
    guard = Guard.from_dict({"budget": [{"name": "all", "limit": {"tokens": 1_000}}]})

    @governed(guard, estimate=100)
    def paid():
        pass_by([layer("refuse", guard)], "outlay.openai", "images", "chat")

    paid()
    with pytest.raises(PolicyError):
        pass_by([layer("refuse", guard)], "outlay.openai", "images", "chat")
