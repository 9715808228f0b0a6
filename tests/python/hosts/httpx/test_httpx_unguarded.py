"""Requests that are calls of a model whatever they look like, and those that cost money otherwise."""

from __future__ import annotations

import json
import logging

import pytest
from httpx_support import hi

from outlay import BudgetExceeded, PolicyError

TWICE = b'{"model": "m", "messages": [{"role": "user", "content": "Hi"}], "messages": null}'


def refused(client, *args, **keywords):
    with pytest.raises(BudgetExceeded) as told:
        client.request(*args, **keywords)
    return told.value


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize(
    "path", ["/chat/completions", "/chat/completions/.", "/chat/completion%73", "/x;v=1"]
)
def test_a_prompt_is_guarded_by_any_method_and_path(serve, guard, make_pool, method, path):
    server = serve()
    with guard.client(make_pool(1)) as client:
        refused(client, method, server.base_url + path, json=hi())
    assert server.calls == 0


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "image/png", "nonsense", ""])
def test_json_is_read_whatever_it_says_it_is(serve, guard, make_pool, kind):
    server = serve()
    with guard.client(make_pool(1)) as client:
        body = json.dumps(hi()).encode()
        refused(client, "POST", server.base_url + "/any", content=body, headers={"content-type": kind})
    assert server.calls == 0


def test_a_body_that_is_a_stream_is_read_where_its_path_is_a_models(serve, guard, make_pool):
    server = serve()

    def pieces():
        yield json.dumps(hi()).encode()

    kind = {"content-type": "application/octet-stream"}
    with guard.client(make_pool(1)) as client:
        refused(client, "POST", server.base_url + "/chat/completions", content=pieces(), headers=kind)
    assert server.calls == 0


def test_an_upload_is_not_kept_to_be_read(hx, faces, pool):
    taken = []

    def pieces():
        for number in range(3):
            taken.append(number)
            yield b"x" * 1_000

    class Server(hx.BaseTransport):
        def handle_request(self, request):
            assert taken == []
            request.read()
            return hx.Response(200)

    kind = {"content-type": "application/octet-stream"}
    with hx.Client(transport=faces.transport(pool, inner=Server())) as client:
        client.post("https://files.example/upload", content=pieces(), headers=kind)
    assert taken == [0, 1, 2]


def test_a_key_that_is_there_twice_hides_no_prompt(serve, guard, make_pool):
    server = serve()
    with guard.client(make_pool(1)) as client:
        refused(client, "POST", server.base_url + "/chat/completions", content=TWICE)
    assert server.calls == 0


COHERE = {
    "/v1/chat": {"message": "Hi" * 300, "chat_history": [{"role": "USER", "message": "Hi"}]},
    "/v1/generate": {"prompt": "Hi" * 300, "max_tokens": 70, "num_generations": 2},
    "/v1/embed": {"texts": ["Hi" * 300]},
    "/v1/summarize": {"text": "Hi" * 300},
    "/v1/classify": {"inputs": ["Hi" * 300]},
}


@pytest.mark.parametrize(("path", "output"), zip(COHERE, [1_024, 140, 0, 1_024, 0], strict=True))
def test_coheres_first_api_is_guarded(guard, make_pool, path, output):
    with guard.client(make_pool(1)) as client:
        told = refused(client, "POST", "https://api.cohere.ai" + path, json=COHERE[path])
    # A third of 600 bytes and 4 a message at least, and what the output may be.
    assert 204 + output <= told.requested <= 230 + output


BEDROCK = {
    "amazon.titan-text": {"inputText": "Hi" * 300, "textGenerationConfig": {"maxTokenCount": 70}},
    "meta.llama3": {"prompt": "Hi" * 300, "max_gen_len": 70},
    "cohere.command-r": {"message": "Hi" * 300, "max_tokens": 70},
}


@pytest.mark.parametrize("model", list(BEDROCK))
def test_models_of_bedrock_are_guarded_by_their_own_words(guard, make_pool, model):
    url = f"https://bedrock-runtime.eu-west-1.amazonaws.com/model/{model}/invoke"
    with guard.client(make_pool(1)) as client:
        assert refused(client, "POST", url, json=BEDROCK[model]).requested == 200 + 4 + 70


def test_a_model_in_the_path_can_be_priced(guard, make_pool):
    prices = {"amazon.titan-text": {"input": "1.00", "output": "1.00"}}
    pool = make_pool(capacity_tokens=None, capacity_cost_micros_usd=1)
    url = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/amazon.titan-text/invoke"
    with guard.client(pool, prices=prices) as client:
        assert refused(client, "POST", url, json=BEDROCK["amazon.titan-text"]).kind == "cost"


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/images/generations", {"model": "m", "prompt": "A cat"}, "images"),
        ("/models/imagen:predict", {"instances": [{"prompt": "A cat"}]}, "predict"),
        ("/model/amazon.nova-canvas-v1:0/invoke", {"taskType": "TEXT_IMAGE"}, "models"),
        ("/messages/batches", {"requests": []}, "batches"),
        ("/threads/t/runs", {"assistant_id": "a"}, "runs"),
    ],
)
def test_what_else_is_billed_is_refused_where_that_is_said(serve, guard, pool, hx, path, body, name):
    with (
        guard.client(pool, unguarded="refuse") as client,
        pytest.raises(PolicyError, match=rf"outlay\.{hx.__name__}: {name} costs money"),
    ):
        client.post(serve().base_url + path, json=body)


def test_batches_count_where_the_provider_is_known(serve, guard, pool):
    server = serve()
    with guard.client(pool, unguarded="refuse") as client:
        assert client.post(server.base_url + "/batches", json={"id": 1}).status_code == 404
    with guard.client(pool, unguarded="refuse", provider="openai") as client, pytest.raises(PolicyError):
        client.post(server.base_url + "/batches", json={"id": 1})


async def test_an_async_client_says_it_too(serve, hx, faces, pool):
    transport = faces.async_transport(pool, unguarded="refuse")
    async with hx.AsyncClient(transport=transport) as client:
        with pytest.raises(PolicyError, match="audio costs money"):
            await client.post(serve().base_url + "/audio/transcriptions", files={"file": b"x"})


def test_by_default_it_passes_with_one_warning(serve, guard, pool, caplog, said):
    server = serve()
    with caplog.at_level(logging.WARNING, "outlay"), guard.client(pool) as client:
        for _ in range(2):
            assert client.post(server.base_url + "/images/generations", json={}).status_code == 404
        assert not client.get(server.base_url + "/models").is_success
        assert client.post(server.base_url + "/files", json={}).status_code == 404
    assert [record.name for record in caplog.records].count("outlay") == 1


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("https://bucket.s3.amazonaws.com/videos", {"a": 1}),
        ("https://storage.googleapis.com/batches", {"a": 1}),
        ("https://app.example/v1/sessions", {"user": "ann"}),
        ("https://app.example/model/7/rename", {"text": "new"}),
        ("https://app.example/reports/generate", {"text": "all of them"}),
        ("https://app.example/chat", {"message": "Hi"}),
    ],
)
def test_other_services_are_left_alone(hx, guard, make_pool, url, body):
    class Server(hx.BaseTransport):
        def handle_request(self, request):
            return hx.Response(200)

    with guard.client(make_pool(0), inner=Server(), unguarded="refuse") as client:
        assert client.post(url, json=body).status_code == 200
