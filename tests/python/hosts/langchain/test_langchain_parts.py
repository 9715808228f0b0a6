"""Usage that LangChain's chunks tell in parts, as totals so far, without the input, or not at the end."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGenerationChunk

from outlay import UsageEstimate, governed
from outlay.langchain import audit, wrap
from outlay.testing import Reply, ScriptedChatModel

WORDS = "word " * 5_000
# ceil(25,000 bytes / 3) + 4 for the message.
WORDS_ESTIMATE = 8_334 + 4
PERPLEXITY = Reply(text="w " * 29, usage={"prompt_tokens": 1965, "completion_tokens": 29}, totals=True)


def usage(given, made, total=None):
    return {"input_tokens": given, "output_tokens": made, "total_tokens": total or given + made}


class Chunks(ScriptedChatModel):
    """Streams chunks as they are given, each the keywords of a message."""

    chunks: list = []

    def _stream(self, messages, stop=None, run_manager=None, **kwargs):
        for keywords in self.chunks:
            message = AIMessageChunk(**{"content": "a", **keywords})
            yield ChatGenerationChunk(message=message)


def streamed(pool, *chunks, text="hi", **keywords):
    """Book a stream of these chunks."""
    list(wrap(Chunks(script=["a"], chunks=list(chunks)), pool, **keywords).stream(text))
    used = pool.committed()
    return used.input_tokens, used.output_tokens


def told(*usages):
    return [{"usage_metadata": one} for one in usages]


def test_a06_totals_in_every_chunk_are_not_added_up(serve, chat, pool):
    server = serve([PERPLEXITY])
    chunks = list(wrap(chat(server, stream_usage=True), pool).stream("Hi"))
    assert sum(1 for chunk in chunks if chunk.usage_metadata) >= 29
    assert pool.committed().total_tokens == 1994


async def test_a06_totals_in_every_chunk_are_not_added_up_async(serve, chat, pool):
    model = wrap(chat(serve([PERPLEXITY]), stream_usage=True), pool)
    assert [chunk async for chunk in model.astream("Hi")]
    assert pool.committed().total_tokens == 1994


def test_a06_a_model_that_streams_by_itself_is_booked_once(serve, chat, pool):
    wrap(chat(serve([PERPLEXITY]), streaming=True, stream_usage=True), pool).invoke("Hi")
    assert pool.committed().total_tokens == 1994


def test_a06_a_stream_that_is_left_books_the_totals_so_far(serve, chat, pool):
    stream = wrap(chat(serve([PERPLEXITY]), stream_usage=True), pool).stream("Hi")
    for _, _ in zip(range(10), stream, strict=False):
        pass
    stream.close()
    assert pool.committed().input_tokens == 1965
    assert pool.committed().output_tokens >= 10


@pytest.mark.parametrize("streaming", [False, True])
def test_a06_the_audit_sees_totals_as_totals(serve, chat, pool, streaming):
    model = chat(serve([PERPLEXITY]), stream_usage=True, streaming=streaming)
    with audit(pool) as seen:
        assert model.invoke("Hi") if streaming else list(model.stream("Hi"))
    assert [call.usage.total_tokens for call in seen.calls] == [1994]
    assert pool.committed().total_tokens == 1994


async def test_a06_the_audit_sees_totals_as_totals_async(serve, chat, pool):
    model = chat(serve([PERPLEXITY]), stream_usage=True)
    with audit(pool):
        assert [chunk async for chunk in model.astream("Hi")]
    assert pool.committed().total_tokens == 1994


def test_a06_a_governed_generator_sees_totals_as_totals(serve, chat, pool):
    model = chat(serve([PERPLEXITY]), stream_usage=True)

    @governed(pool, 10_000)
    def stream():
        yield from model.stream("Hi")

    assert list(stream())
    assert pool.committed().total_tokens == 1994


PARTS = {
    "one": ([(30, 12)], (30, 12)),
    "input first": ([(30, 0), (0, 12)], (30, 12)),
    # As langchain-google-genai tells it: the input once, and what each chunk adds.
    "added": ([(30, 1), (0, 4), (0, 7)], (30, 12)),
    # Gemini corrects its input downwards.
    "corrected": ([(30, 1), (-5, 4)], (25, 5)),
    "falling": ([(30, 5), (20, 7)], (50, 12)),
    "totals": ([(30, 1), (30, 5), (30, 12)], (30, 12)),
    "totals that grow": ([(30, 1), (31, 5)], (31, 5)),
    "totals between text": ([(30, 1), None, (30, 5), None], (30, 5)),
    "totals, and zeros": ([(30, 1), (0, 0), (30, 5)], (30, 5)),
    "totals, then the output": ([(30, 1), (30, 5), (0, 12)], (30, 12)),
}


@pytest.mark.parametrize("name", PARTS)
def test_a06_parts_are_added_up_and_totals_are_not(pool, make_pool, name):
    """In a wrapped model and in a governed generator alike."""
    given, expected = PARTS[name]
    chunks = [{} if one is None else {"usage_metadata": usage(*one)} for one in given]
    assert streamed(pool, *chunks) == expected
    other = make_pool()

    @governed(other, 1_000)
    def stream():
        yield from Chunks(script=["a"], chunks=chunks).stream("hi")

    list(stream())
    assert (other.committed().input_tokens, other.committed().output_tokens) == expected


def test_t9_a_later_chunk_without_a_usage_does_not_forget_the_one_before(pool):
    said = {"token_usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}}
    chunks = [{}, {"response_metadata": said}, {"response_metadata": {"finish_reason": "stop"}}]
    assert streamed(pool, *chunks) == (7, 2)
    assert pool.committed().total_tokens == 9


class Events(ScriptedChatModel):
    """Speaks LangChain's event protocol itself."""

    events: list = []

    def _stream_chat_model_events(self, messages, stop=None, run_manager=None, **kwargs):
        yield from self.events


@pytest.mark.parametrize(
    "usages", [[usage(7, 2), None], [usage(7, 2), {}], [usage(7, 2), usage(0, 0)], [usage(7, 1), usage(7, 2)]]
)
def test_t9_a_later_event_without_a_usage_does_not_forget_the_one_before(pool, usages):
    events = [{"event": "message-start"}, *({"event": "message-finish", "usage": one} for one in usages)]
    list(wrap(Events(script=["a"], events=events), pool)._stream_chat_model_events([HumanMessage("hi")]))
    assert pool.committed().total_tokens == 9


def test_a02_a_stream_that_tells_the_output_alone_books_the_input_too(pool):
    """Never below what was sent: the estimate of a prompt is above its count."""
    assert streamed(pool, {}, *told(usage(0, 16)), text=WORDS, output_tokens=500) == (WORDS_ESTIMATE, 16)
    assert WORDS_ESTIMATE >= 5_000
    assert pool.committed().total_tokens == WORDS_ESTIMATE + 16


def test_a02_real_anthropic_streams_through_a_gateway_book_the_input(serve, pool):
    """The input is told at the start, which LangChain does not keep, and the output at the end."""
    langchain_anthropic = pytest.importorskip("langchain_anthropic")
    server = serve([Reply(text="a", usage={"prompt_tokens": 0, "completion_tokens": 16})])
    url = server.base_url.removesuffix("/v1")
    model = langchain_anthropic.ChatAnthropic(model="m", base_url=url, api_key="k", max_tokens=500)
    list(wrap(model, pool).stream(WORDS))
    assert (pool.committed().input_tokens, pool.committed().output_tokens) == (WORDS_ESTIMATE, 16)


@pytest.mark.parametrize(("mode", "expected"), [("strict", 12_507), (None, WORDS_ESTIMATE)])
def test_a02_the_input_is_what_was_reserved_for_it(pool, mode, expected):
    """Half of the bytes where the estimate is strict."""
    model = ScriptedChatModel(script=[AIMessage("a", usage_metadata=usage(0, 16))])
    wrap(model, pool, estimate=mode).invoke(WORDS)
    assert (pool.committed().input_tokens, pool.committed().output_tokens) == (expected, 16)


def test_a02_an_expected_input_is_the_one_that_was_reserved_and_learns_nothing_of_zeros(make_pool):
    """Six calls teach that an input is twice the estimate; six without an input do not unteach it."""
    pool, twice = make_pool(10**6), 2 * WORDS_ESTIMATE
    answers = [usage(twice, 16)] * 6 + [usage(0, 16)] * 7
    model = ScriptedChatModel(script=[AIMessage("a", usage_metadata=one) for one in answers])
    guarded = wrap(model, pool, estimate="expected")
    for _ in range(12):
        guarded.invoke(WORDS)
    before = pool.committed().input_tokens
    guarded.invoke(WORDS)
    assert pool.committed().input_tokens - before == twice


def test_a02_the_input_is_priced(make_pool):
    pool = make_pool(capacity_cost_micros_usd=10**9)
    prices = {"scripted": {"input": "1", "output": "10"}}
    model = ScriptedChatModel(script=[AIMessage("a", usage_metadata=usage(0, 16))])
    wrap(model, pool, prices=prices).invoke(WORDS)
    assert pool.committed().cost_micros_usd == WORDS_ESTIMATE + 160


def test_a02_a_total_tells_the_input(pool):
    model = ScriptedChatModel(script=[AIMessage("a", usage_metadata=usage(0, 16, 5_016))])
    wrap(model, pool).invoke("hi")
    assert (pool.committed().input_tokens, pool.committed().output_tokens) == (5_000, 16)
    assert pool.committed().total_tokens == 5_016


def test_a02_the_audit_books_the_estimate_of_the_input(pool):
    model = ScriptedChatModel(script=[AIMessage("a", usage_metadata=usage(0, 16))])
    with audit(pool):
        model.invoke(WORDS)
    assert (pool.committed().input_tokens, pool.committed().output_tokens) == (WORDS_ESTIMATE, 16)


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [(UsageEstimate(input_tokens=70, output_tokens=30), 70), (100, 84), (10, 0), (None, 0)],
)
def test_a02_governed_books_the_input_of_its_estimate(pool, estimate, expected):
    @governed(pool, estimate)
    def ask():
        return {"usage": {"completion_tokens": 16}}

    @governed(pool, estimate)
    def stream():
        yield {"usage": {"prompt_tokens": 0, "completion_tokens": 16}}

    ask()
    list(stream())
    used = pool.committed()
    assert (used.input_tokens, used.output_tokens) == (2 * expected, 32)
