"""Edge cases of OpenAI's client: odd paths, many prompts, streams that break at once."""

from __future__ import annotations

import importlib

import openai
import pytest

from outlay import BudgetExceeded, BudgetManager, PolicyError, SharedPool
from outlay.openai import wrap
from outlay.testing import Reply

ASK = {"model": "gpt-x", "messages": [{"role": "user", "content": "hi"}]}
HI_ESTIMATE = 1 + 4 + 1_024


@pytest.mark.parametrize("budget", [None, [], "pool", 3, object(), SharedPool, {}, BudgetManager(), [None]])
def test_what_is_no_budget_is_refused(serve, plain, budget):
    """Each with a word of what is allowed."""
    with pytest.raises(PolicyError, match="budget"):
        wrap(openai.OpenAI(api_key="none"), budget)


@pytest.mark.parametrize("path", ["/chat/completions/", "/chat/completions?a=b"])
def test_a_path_with_an_end_of_its_own_is_guarded(serve, plain, make_pool, path):
    """Servers take them for the same."""
    server = serve(Reply())
    with pytest.raises(BudgetExceeded):
        wrap(plain(server), make_pool(10)).post(path, body=ASK, cast_to=object)
    assert server.paths == []


@pytest.mark.parametrize(
    ("prompt", "times", "given"),
    [
        ("hi", 1, 5),
        (["hi", "hi", "hi"], 3, 14),
        ([1, 2, 3], 1, 7),
        ([[1, 2], [3]], 2, 11),
        ([], 1, 0),
    ],
)
def test_every_prompt_of_a_list_is_answered(serve, plain, pool, prompt, times, given):
    """The older completions take many prompts, each with the whole output, `n` times."""
    asked = []

    class Own:
        def reserve(self, estimate, **labels):
            asked.append((estimate.input_tokens, estimate.output_tokens))
            return pool.reserve(estimate)

    client = wrap(plain(serve(Reply())), Own())
    with pytest.raises(openai.NotFoundError):  # the server does not speak it
        client.completions.create(model="gpt-x", prompt=prompt, max_tokens=100, n=2)
    assert asked == [(given, 200 * times)]


def breaking(error, pieces=()):
    """Return a client whose provider answers with a good status, and then breaks the connection."""
    http = importlib.import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])

    class Body(http.SyncByteStream):
        def __iter__(self):
            yield from pieces
            raise getattr(http, error)("gone")

    def answer(request):
        kind = "text/event-stream" if b'"stream":true' in request.content else "application/json"
        return http.Response(200, headers={"content-type": kind}, stream=Body())

    client = openai.DefaultHttpxClient(transport=http.MockTransport(answer))
    return openai.OpenAI(base_url="http://provider/v1", api_key="none", http_client=client, max_retries=0)


@pytest.mark.parametrize("error", ["ReadTimeout", "ReadError", "RemoteProtocolError"])
def test_a_stream_that_breaks_before_its_first_piece_is_charged(pool, error):
    """The provider has said yes and begins to think, which is billed."""
    client = wrap(breaking(error), pool)
    stream = client.chat.completions.create(**ASK, stream=True)
    with pytest.raises(Exception, match=r"\w") as raised:
        list(stream)
    assert isinstance(raised.value, openai.APIError) or type(raised.value).__name__ == error
    assert pool.committed().total_tokens == HI_ESTIMATE


def test_a_body_that_breaks_while_it_is_read_is_charged(pool):
    """A streaming response is JSON, of which a part has come."""
    client = wrap(breaking("ReadError", [b'{"usage": {"prompt_tok']), pool)
    with (
        client.chat.completions.with_streaming_response.create(**ASK) as response,
        pytest.raises(Exception, match="gone"),
    ):
        response.read()
    assert pool.committed().total_tokens == HI_ESTIMATE


def test_an_answer_of_endless_depth_books_the_estimate(pool):
    """JSON that Python cannot read is an answer without a usage."""
    http = importlib.import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
    headers = {"content-type": "application/json"}
    transport = http.MockTransport(lambda _: http.Response(200, headers=headers, content=b"[" * 200_000))
    http_client = openai.DefaultHttpxClient(transport=transport)
    client = wrap(openai.OpenAI(base_url="http://p/v1", api_key="none", http_client=http_client), pool)
    client.chat.completions.with_raw_response.create(**ASK)
    assert pool.committed().total_tokens == HI_ESTIMATE
