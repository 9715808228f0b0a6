"""Answers in every form are booked, those that the caller cannot use too; and retries are one lease."""

from __future__ import annotations

import openai
import pytest
from pydantic import BaseModel, ValidationError

from outlay import Usage, UsageEstimate
from outlay.openai import wrap
from outlay.testing import Reply

MESSAGES = [{"role": "user", "content": "hi"}]


class Sum(BaseModel):
    """What the model shall answer."""

    total: int


class Recorded:
    """A user's own budget that writes down what happens to its leases."""

    def __init__(self):
        self.asked, self.ended = [], []

    def reserve(self, estimate, **labels):
        """Write the request down."""
        self.asked.append(estimate)
        return self

    def commit(self, usage=None):
        """Write the usage down."""
        self.ended.append(("commit", usage and usage.total_tokens))

    def release(self):
        """Write the release down."""
        self.ended.append(("release", None))

    def close(self):
        """Write the end of a failed call down."""
        self.ended.append(("close", None))


def parse_chat(client):
    """Parse a chat completion."""
    answer = client.chat.completions.parse(model="gpt-x", messages=MESSAGES, response_format=Sum)
    return answer.choices[0].message.parsed


def parse_response(client):
    """Parse a response."""
    return client.responses.parse(model="gpt-x", input="hi", text_format=Sum).output_parsed


@pytest.mark.parametrize("parse", [parse_chat, parse_response])
def test_parsed_answers_are_booked(serve, plain, pool, bill, parse):
    """The schema counts in the estimate."""
    server = serve(Reply(text='{"total": 3}'))
    assert parse(wrap(plain(server), pool)).total == 3
    assert pool.committed().total_tokens == bill(server) > 0


@pytest.mark.parametrize("parse", [parse_chat, parse_response])
def test_an_answer_that_does_not_parse_is_paid_for(serve, plain, pool, bill, parse):
    """The client raises after the provider has billed."""
    server = serve(Reply(text='{"sum": 3}'))
    with pytest.raises(ValidationError):
        parse(wrap(plain(server), pool))
    assert pool.committed().total_tokens == bill(server) > 0


async def test_an_async_answer_that_does_not_parse_is_paid_for(serve, plain_async, pool, bill):
    """As the sync one."""
    server = serve(Reply(text='{"sum": 3}'))
    with pytest.raises(ValidationError):
        await parse_awaited(wrap(plain_async(server), pool))
    assert pool.committed().total_tokens == bill(server) > 0


async def parse_awaited(client):
    """Parse a chat completion."""
    return await client.chat.completions.parse(model="gpt-x", messages=MESSAGES, response_format=Sum)


def test_a_raw_response_is_booked_whether_or_not_it_is_parsed(serve, plain, pool, bill):
    """Its body has come."""
    server = serve(Reply(text="a"), Reply(text="b"))
    raw = wrap(plain(server), pool).chat.completions.with_raw_response
    assert raw.create(model="gpt-x", messages=MESSAGES).parse().choices[0].message.content == "a"
    assert pool.committed().total_tokens == bill(server)
    assert raw.create(model="gpt-x", messages=MESSAGES).status_code == 200
    assert pool.committed().total_tokens == bill(server)


def test_a_streaming_response_is_booked_when_it_is_read(serve, plain, pool, bill):
    """As JSON, as text, or parsed; unread, the estimate is booked."""
    server = serve(*[Reply(text="a")] * 4)
    streaming = wrap(plain(server), pool, output_tokens=50).responses.with_streaming_response
    for read in ("json", "text", "parse"):
        with streaming.create(model="gpt-x", input="hi") as response:
            getattr(response, read)()
        assert pool.committed().total_tokens == bill(server)
    before = bill(server)
    with streaming.create(model="gpt-x", input="hi"):
        pass
    assert pool.committed().total_tokens == before + 1 + 4 + 50


async def test_an_async_streaming_response_is_booked(serve, plain_async, pool, bill):
    """As the sync one."""
    server = serve(Reply(text="a"))
    streaming = wrap(plain_async(server), pool).responses.with_streaming_response
    async with streaming.create(model="gpt-x", input="hi") as response:
        assert (await response.parse()).output_text == "a"
    assert pool.committed().total_tokens == bill(server) > 0


def test_two_refusals_and_an_answer_are_three_leases(serve, plain):
    """Each request that the client sends is admitted by itself; one that is refused costs no tokens."""
    busy = Reply(status=429, headers={"retry-after-ms": "1"})
    server, budget = serve(busy, busy, Reply(text="a")), Recorded()
    wrap(plain(server, max_retries=2), budget).responses.create(model="gpt-x", input="hi")
    assert (server.calls, len(budget.asked)) == (3, 3)
    assert budget.ended == [("close", None), ("close", None), ("commit", server.billed[0]["total_tokens"])]


def test_a_providers_error_is_left_to_the_budget(serve, plain, make_pool):
    """Released by default, charged where the budget says so."""
    server, pool = serve(*[Reply(status=500)] * 2), make_pool(on_error="charge")
    with pytest.raises(openai.InternalServerError):
        wrap(plain(server), pool, output_tokens=50).responses.create(model="gpt-x", input="hi")
    assert pool.committed().total_tokens == 1 + 4 + 50
    budget = Recorded()
    with pytest.raises(openai.InternalServerError):
        wrap(plain(server), budget).responses.create(model="gpt-x", input="hi")
    assert budget.ended == [("close", None)]


def test_limits_and_choices_of_the_call_are_estimated(serve, plain):
    """The limit of the call replaces output_tokens, and each choice may use it whole."""
    server, budget = serve(*[Reply(text="a")] * 3), Recorded()
    client = wrap(plain(server), budget, output_tokens=50)
    client.chat.completions.create(model="gpt-x", messages=MESSAGES, max_completion_tokens=7, n=3)
    client.responses.create(model="gpt-x", input="hi", max_output_tokens=9)
    client.responses.create(model="gpt-x", input="hi", extra_body={"max_output_tokens": 11})
    assert [estimate.output_tokens for estimate in budget.asked] == [21, 9, 11]


def test_embeddings_have_no_output(serve, plain, pool, bill):
    """Texts are estimated by their bytes, token ids counted."""
    server, budget = serve(*[Reply()] * 3), Recorded()
    client = wrap(plain(server), [pool, budget])
    client.embeddings.create(model="gpt-x", input=["one two", "three"])
    client.embeddings.create(model="gpt-x", input=[1, 2, 3])
    client.embeddings.create(model="gpt-x", input=[[1, 2, 3], [4]])
    assert budget.asked == [UsageEstimate(input_tokens=count) for count in (4 + 4 + 4, 4 + 3, 4 + 3 + 4 + 1)]
    assert pool.committed().total_tokens == bill(server)


def test_the_older_completions_are_guarded(serve, plain, make_pool):
    """Their prompt is estimated, and best_of multiplies the output."""
    server, budget = serve(Reply()), Recorded()
    with pytest.raises(openai.OpenAIError):
        wrap(plain(server), make_pool(100), output_tokens=50).completions.create(
            model="gpt-x", prompt="hi", best_of=2
        )
    assert server.calls == 0
    with pytest.raises(openai.NotFoundError):  # the server does not speak it
        wrap(plain(server), budget, output_tokens=50).completions.create(
            model="gpt-x", prompt="hi", best_of=2
        )
    assert budget.asked == [UsageEstimate(input_tokens=5, output_tokens=100)]
    assert budget.ended == [("close", None)]


async def test_async_calls_of_every_kind_are_booked(serve, plain_async, pool, bill):
    """Chat, responses and embeddings."""
    server = serve(*[Reply(text="a")] * 3)
    client = wrap(plain_async(server), pool)
    await client.chat.completions.create(model="gpt-x", messages=MESSAGES)
    await client.responses.create(model="gpt-x", input="hi")
    await client.embeddings.create(model="gpt-x", input="hi")
    assert [usage["api"] for usage in server.billed] == ["chat", "responses", "embeddings"]
    assert pool.committed().total_tokens == bill(server)


def test_a_response_in_the_background_books_the_estimate(serve, plain, pool):
    """It is answered before it has run; what it will use is not known."""
    server = serve(Reply(text="a", usage=None))
    wrap(plain(server), pool, output_tokens=50).responses.create(model="gpt-x", input="hi", background=True)
    assert pool.committed().total_tokens == 1 + 4 + 50


UNREADABLE = Reply(text="a", usage={"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": "some"})


def _strict(make, server, pool):
    return wrap(make(server, _strict_response_validation=True), pool, output_tokens=50)


def test_an_answer_that_the_client_cannot_validate_is_charged(serve, plain, pool):
    """It came, so it is billed; what it cost is not readable, so the estimate is booked."""
    client = _strict(plain, serve(*[UNREADABLE] * 2), pool)
    with pytest.raises(openai.APIResponseValidationError):
        client.chat.completions.create(model="gpt-x", messages=MESSAGES)
    assert pool.committed() == Usage(input_tokens=1 + 4, output_tokens=50)
    with pytest.raises(openai.APIResponseValidationError):
        client.responses.create(model="gpt-x", input="hi")
    assert pool.committed() == Usage(input_tokens=2 * (1 + 4), output_tokens=2 * 50)


async def test_an_async_answer_that_the_client_cannot_validate_is_charged(serve, plain_async, pool):
    """As the sync one."""
    with pytest.raises(openai.APIResponseValidationError):
        client = _strict(plain_async, serve(UNREADABLE), pool)
        await client.chat.completions.create(model="gpt-x", messages=MESSAGES)
    assert pool.committed() == Usage(input_tokens=1 + 4, output_tokens=50)
