"""Edge cases of transports: odd requests and answers, and errors."""

from __future__ import annotations

import gzip
import json
import pickle

import pytest
from httpx_support import HI_ESTIMATE, hi

from outlay import (
    BudgetExceeded,
    BudgetManager,
    Guard,
    LimitExceeded,
    PolicyError,
    RateLimitExceeded,
    SharedPool,
)
from outlay._http.request import read_request
from outlay.testing import Reply

URL = "http://test/v1/chat/completions"
LONG = "x" * 300
EMBEDDED = {"content": {"parts": [{"text": LONG}]}}


@pytest.mark.parametrize(
    ("path", "body", "given"),
    [
        ("/v1beta/models/g:embedContent", EMBEDDED, 104),
        ("/v1beta/models/g:batchEmbedContents", {"requests": [EMBEDDED, EMBEDDED]}, 208),
        ("/api/generate", {"model": "m", "prompt": LONG}, 104),
        ("/api/embeddings", {"model": "m", "prompt": LONG}, 104),
        ("/v1/rerank", {"model": "m", "query": "q", "documents": [LONG]}, 109),
        ("/v1/responses", {"model": "m", "prompt": {"id": "p"}}, 0),
        ("/v1/responses", {"model": "m", "previous_response_id": "r"}, 0),
        ("/v1/embeddings", {"model": "m", "input": [[1, 2, 3], [4]]}, 12),
    ],
)
def test_what_has_its_prompt_in_another_place_is_counted(hx, guard, make_pool, path, body, given):
    pool = make_pool()
    with guard.client(pool, inner=hx.MockTransport(lambda _: hx.Response(200, json={}))) as client:
        client.post(f"http://test{path}", json=body)
    assert pool.committed().input_tokens == given
    written = path.endswith(("responses", "generate"))
    assert pool.committed().output_tokens == (1_024 if written else 0)


def test_every_prompt_of_a_list_is_answered():
    body = {"model": "m", "prompt": ["a", "b", "c"], "max_tokens": 100, "best_of": 2}
    prompt = read_request("/v1/completions", json.dumps(body).encode(), provider="x")
    assert (prompt.input_tokens, prompt.output_limit * prompt.choices) == (13, 600)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"content-type": "application/json", "content-encoding": "gzip"}, gzip.compress),
        ({}, bytes),
        ({"content-type": "application/vnd.api+json; charset=utf-8"}, bytes),
    ],
    ids=["compressed", "without a type", "another JSON"],
)
def test_a_request_in_another_dress_is_guarded(hx, guard, make_pool, headers, code):
    asked = []
    inner = hx.MockTransport(lambda request: asked.append(request) or hx.Response(200, json={}))
    with guard.client(make_pool(1), inner=inner) as client, pytest.raises(BudgetExceeded):
        client.post(URL, content=code(json.dumps(hi()).encode()), headers=headers)
    assert asked == []


def test_an_answer_of_endless_depth_books_the_estimate(hx, guard, make_pool):
    pool, headers = make_pool(), {"content-type": "application/json"}
    inner = hx.MockTransport(lambda _: hx.Response(200, headers=headers, content=b"[" * 200_000))
    with guard.client(pool, inner=inner) as client:
        assert client.post(URL, json=hi()).status_code == 200
    assert pool.committed().total_tokens == HI_ESTIMATE


@pytest.mark.parametrize("budget", [None, [], "pool", 3, object(), SharedPool, {}, BudgetManager(), [None]])
def test_what_is_no_budget_is_refused(guard, budget):
    for make in (guard.client, guard.async_client):
        with pytest.raises(PolicyError, match="budget"):
            make(budget)


def test_the_adaptive_limiters_of_a_guard_are_told(serve, guard):
    headers = {"x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": "40"}
    rule = {"name": "tpm", "tokens_per_minute": 90_000, "adaptive": "headers", "scope": {"team": "red"}}
    server = serve([Reply(text="Hello", headers=headers)])
    with guard.client(Guard({"limiter": [rule]}), team="red") as client:
        client.post(server.base_url + "/chat/completions", json=hi())
        with pytest.raises(RateLimitExceeded):
            client.post(server.base_url + "/chat/completions", json=hi())


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_a_model_without_a_price_passes_through_the_sdks(hx, faces, serve, make_pool, sdk):
    """At once, and as what it is: an SDK would try again, and tell of a broken connection in the end."""
    module = pytest.importorskip(sdk)
    if not issubclass(module.DefaultHttpxClient, hx.Client):
        pytest.skip(f"{sdk} runs on the other library")
    server = serve([])
    prices = {"priced": {"input": "1", "output": "1"}}
    http = hx.Client(transport=faces.transport(make_pool(capacity_cost_micros_usd=9), prices=prices))
    options = {"api_key": "none", "http_client": http, "max_retries": 2}
    with pytest.raises(PolicyError, match="price") as raised:
        if sdk == "openai":
            module.OpenAI(base_url=server.base_url, **options).chat.completions.create(**hi())
        else:
            module.Anthropic(base_url=server.anthropic_url, **options).messages.create(**hi())
    assert isinstance(raised.value, module.OpenAIError if sdk == "openai" else module.AnthropicError)
    assert type(pickle.loads(pickle.dumps(raised.value))) is PolicyError
    assert server.paths == []


@pytest.mark.parametrize(("spared", "times"), [(False, 3), (True, 1)])
def test_a_retry_of_ones_own_repeats_a_refusal_unless_it_is_told_not_to(hx, guard, counted, spared, times):
    tenacity, budget, sent = pytest.importorskip("tenacity"), counted(), []
    options = {"retry": tenacity.retry_if_not_exception_type(LimitExceeded)} if spared else {}
    inner = hx.MockTransport(sent.append)
    with guard.client(budget, inner=inner) as client, pytest.raises(BudgetExceeded):
        tenacity.Retrying(stop=tenacity.stop_after_attempt(3), reraise=True, **options)(
            client.post, URL, json=hi()
        )
    assert (budget.asked, sent) == (times, [])
