"""The requests of a wrapped client beside its messages."""

from __future__ import annotations

import anthropic
import pytest

from outlay import BudgetExceeded, PolicyError
from outlay.anthropic import wrap

HI = {"model": "claude", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
BATCH = [{"custom_id": "a", "params": HI}]


@pytest.mark.parametrize("method", ["post", "put", "patch"])
@pytest.mark.parametrize(
    "path", ["/v1/messages/.", "/v1/message%73", "/v1/x/../messages", "/v1//messages", "/v1/messages;v=1"]
)
def test_messages_are_guarded_however_they_are_spelled(serve, client, make_pool, method, path):
    server = serve()
    with pytest.raises(BudgetExceeded):
        getattr(wrap(client(server), make_pool(1)), method)(path, cast_to=object, body=HI)
    assert server.calls == 0


def test_batches_are_refused_where_that_is_said_and_not_tried_again(serve, client, pool):
    guarded = wrap(client(serve(), max_retries=2), pool, unguarded="refuse")
    with pytest.raises(PolicyError, match=r"outlay\.anthropic: batches costs money") as refused:
        guarded.messages.batches.create(requests=BATCH)
    assert isinstance(refused.value, anthropic.AnthropicError)


async def test_of_an_async_client_too(serve, async_client, pool):
    guarded = wrap(async_client(serve()), pool, unguarded="refuse")
    with pytest.raises(PolicyError, match="batches costs money"):
        await guarded.messages.batches.create(requests=BATCH)


def test_what_is_free_has_no_word(serve, client, pool):
    guarded = wrap(client(serve()), pool, unguarded="refuse")
    for free in (
        lambda: guarded.models.list(),
        lambda: guarded.messages.batches.list(),
        lambda: guarded.messages.batches.cancel("b"),
        lambda: guarded.messages.count_tokens(model="claude", messages=HI["messages"]),
    ):
        with pytest.raises(anthropic.APIStatusError):
            free()
