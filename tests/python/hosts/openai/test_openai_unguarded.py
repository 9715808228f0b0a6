"""Other requests of a wrapped client: calls in another spelling, and requests that only warn."""

from __future__ import annotations

import logging

import openai
import pytest

from outlay import BudgetExceeded, PolicyError
from outlay.openai import wrap
from outlay.testing import Reply

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
SPELLED = (
    "/chat/completions/.",
    "/x/../chat/completions",
    "/chat/completion%73",
    "/chat/completions;v=1",
    "chat//completions",
    "/Chat/Completions",
)


@pytest.mark.parametrize("method", ["post", "put", "patch"])
@pytest.mark.parametrize("path", SPELLED)
def test_a_call_of_a_model_is_guarded_however_it_is_spelled(serve, plain, make_pool, method, path):
    server = serve()
    client = wrap(plain(server), make_pool(1))
    with pytest.raises(BudgetExceeded):
        getattr(client, method)(path, cast_to=object, body=CHAT)
    assert server.calls == 0


@pytest.mark.parametrize("path", SPELLED)
async def test_an_async_one_too(serve, plain_async, make_pool, path):
    server = serve()
    with pytest.raises(BudgetExceeded):
        await wrap(plain_async(server), make_pool(1)).post(path, cast_to=object, body=CHAT)
    assert server.calls == 0


@pytest.mark.parametrize(
    ("base", "path", "body"),
    [("chat", "/completions", CHAT), ("responses", "", {"model": "m", "input": "Hi"})],
)
def test_a_call_whose_path_begins_in_the_clients_address_is_guarded(serve, make_pool, base, path, body):
    server = serve()
    client = openai.OpenAI(base_url=f"{server.base_url}/{base}", api_key="none", max_retries=0)
    with pytest.raises(BudgetExceeded):
        wrap(client, make_pool(1)).post(path, cast_to=object, body=body)
    assert server.calls == 0


BILLED = {
    "images": lambda client: client.images.generate(model="m", prompt="A cat"),
    "audio": lambda client: client.audio.speech.create(model="m", input="Hi", voice="alloy"),
    "videos": lambda client: client.post("/videos", cast_to=object, body={"model": "m", "prompt": "A cat"}),
    "batches": lambda client: client.batches.create(
        completion_window="24h", endpoint="/v1/chat/completions", input_file_id="f"
    ),
    "fine-tuning": lambda client: client.fine_tuning.jobs.create(model="m", training_file="f"),
    "evals": lambda client: client.evals.runs.create("e", data_source={"type": "jsonl"}),
    "runs": lambda client: client.post("/threads/t/runs", cast_to=object, body={"assistant_id": "a"}),
    "realtime": lambda client: client.post("/realtime/client_secrets", cast_to=object, body={}),
    "vector stores": lambda client: client.vector_stores.create(name="v"),
    "containers": lambda client: client.post("/containers", cast_to=object, body={"name": "c"}),
}


@pytest.mark.parametrize("name", list(BILLED))
def test_what_else_is_billed_is_refused_where_that_is_said(serve, plain, pool, name):
    client = wrap(plain(serve(), max_retries=2), pool, unguarded="refuse")
    with pytest.raises(
        PolicyError, match=rf"outlay\.openai: {name} costs money.*the wrap guards chat\.completions"
    ):
        BILLED[name](client)


async def test_of_an_async_client_too(serve, plain_async, pool):
    client = wrap(plain_async(serve()), pool, unguarded="refuse")
    with pytest.raises(PolicyError, match="images costs money"):
        await client.images.generate(model="m", prompt="A cat")


def test_a_copy_of_the_client_keeps_the_word(serve, plain, pool):
    client = wrap(plain(serve()), pool, unguarded="refuse").with_options(timeout=5)
    with pytest.raises(PolicyError, match="images costs money"):
        client.images.generate(model="m", prompt="A cat")


def test_by_default_it_passes_with_one_warning(serve, plain, pool, caplog, said):
    client = wrap(plain(serve()), pool)
    with caplog.at_level(logging.WARNING, "outlay"):
        for _ in range(3):
            with pytest.raises(openai.NotFoundError):
                client.images.generate(model="m", prompt="A cat")
    assert [record.message.partition(";")[0] for record in caplog.records if record.name == "outlay"] == [
        "outlay.openai: images costs money and no budget guards it"
    ]


def test_what_is_free_has_no_word(serve, plain, pool):
    client = wrap(plain(serve()), pool, unguarded="refuse")
    for free in (
        lambda: client.models.list(),
        lambda: client.files.list(),
        lambda: client.moderations.create(input="Hi"),
        lambda: client.files.create(file=b"{}", purpose="batch"),
        lambda: client.batches.cancel("b"),
        lambda: client.responses.retrieve("r"),
        lambda: client.post("/responses/input_tokens", cast_to=object, body={"model": "m", "input": "Hi"}),
    ):
        with pytest.raises(openai.APIStatusError):
            free()


def test_a_socket_has_a_word_when_it_is_opened(serve, plain, pool):
    pytest.importorskip("websockets")
    client = wrap(plain(serve()), pool, unguarded="refuse")
    connection = client.realtime.connect(model="m")
    with pytest.raises(PolicyError, match="realtime costs money"):
        connection.enter()
    assert (
        wrap(plain(serve(), websocket_base_url="ws://x"), pool).copy().__dict__["websocket_base_url"]
        == "ws://x"
    )


def test_decisions_are_calls_of_a_model(serve, plain, make_pool):
    server = serve()
    client = wrap(plain(server), make_pool(1))
    if not hasattr(client, "decisions"):
        pytest.skip("no decisions in this release")
    with pytest.raises(BudgetExceeded):
        client.decisions.create(
            model="m", input="Hi", questions=[{"type": "predicate", "question": "Is it?"}]
        )
    assert server.calls == 0


def test_a_good_call_is_booked_as_before(serve, plain, pool):
    server = serve(Reply(text="Hello"))
    wrap(plain(server), pool, unguarded="refuse").post("/chat/./completions", cast_to=object, body=CHAT)
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]
