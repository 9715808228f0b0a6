"""The scripted model that users get for their own tests."""

from __future__ import annotations

import asyncio

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel

from outlay.testing import Pause, ScriptedChatModel, ScriptedReply, tool_call


class Sum(BaseModel):
    """The sum of two numbers."""

    value: int


def merged(chunks):
    """Add the chunks of a stream up."""
    total = chunks[0]
    for chunk in chunks[1:]:
        total = total + chunk
    return total


async def test_every_mode_tells_the_same_answer_and_usage():
    """Plain or streamed, waited for or not: one text, one usage."""
    model = ScriptedChatModel(script=["one two  three "], repeat=True)
    answers = [
        model.invoke("hi"),
        await model.ainvoke("hi"),
        merged(list(model.stream("hi"))),
        merged([chunk async for chunk in model.astream("hi")]),
    ]
    assert {answer.text for answer in answers} == {"one two  three "}
    usages = [answer.usage_metadata for answer in answers]
    assert usages == [usages[0]] * 4
    assert [call.streamed for call in model.calls] == [False, False, True, True]


def test_stream_comes_in_pieces():
    """A text is streamed word by word."""
    pieces = [chunk.text for chunk in ScriptedChatModel(script=["one two"]).stream("hi")]
    assert [piece for piece in pieces if piece] == ["one ", "two"]


def test_usage_grows_with_the_conversation():
    """As a provider's does."""
    model = ScriptedChatModel(script=["a"], repeat=True)
    short, long = model.invoke("hi"), model.invoke([HumanMessage("hi" * 50), AIMessage("a" * 50)])
    assert short.usage_metadata["input_tokens"] == 3 + 1
    assert long.usage_metadata["input_tokens"] == 3 + 25 + 3 + 13


def test_usage_is_left_out_on_request():
    """Providers that tell no usage, at all or in streams."""
    model = ScriptedChatModel(script=["a"], repeat=True, stream_usage=False)
    assert merged(list(model.stream("hi"))).usage_metadata is None
    assert model.invoke("hi").usage_metadata is not None
    assert ScriptedChatModel(script=["a"], report_usage=False).invoke("hi").usage_metadata is None


def test_tool_calls_are_answered_and_streamed():
    """A call comes whole in both modes."""
    model = ScriptedChatModel(script=[tool_call("add", a=1)], repeat=True)
    bound = model.bind_tools([Sum], tool_choice="any")
    for answer in (bound.invoke("hi"), merged(list(bound.stream("hi")))):
        assert answer.tool_calls == [{"name": "add", "args": {"a": 1}, "id": "call-add", "type": "tool_call"}]
    assert model.calls[0].kwargs["tools"][0]["function"]["name"] == "Sum"


def test_structured_output_parses_the_call():
    """`with_structured_output` works by a tool call of the schema's name."""
    model = ScriptedChatModel(script=[tool_call("Sum", value=4)])
    assert model.with_structured_output(Sum).invoke("hi") == Sum(value=4)


def test_script_may_answer_from_the_messages():
    """An item may be a function."""
    model = ScriptedChatModel(script=[lambda messages: messages[-1].text.upper()])
    assert model.invoke("hi").text == "HI"


def test_call_beyond_the_script_says_so():
    """A test learns of the call that it did not expect."""
    model = ScriptedChatModel(script=["a"])
    model.invoke("hi")
    with pytest.raises(IndexError, match="call 2"):
        model.invoke("hi")


def test_error_comes_after_as_many_chunks_as_asked():
    """A stream can break in its midst, or after its end."""
    reply = ScriptedReply(message="a b c", error=ConnectionError("cut"), after=2)
    stream = ScriptedChatModel(script=[reply]).stream("hi")
    assert [next(stream).text, next(stream).text] == ["a ", "b "]
    with pytest.raises(ConnectionError):
        next(stream)
    late = ScriptedReply(message="a", error=ConnectionError("cut"), after=99)
    with pytest.raises(ConnectionError):
        list(ScriptedChatModel(script=[late]).stream("hi"))


async def test_pause_waits_for_the_test():
    """The model says that it has arrived, and goes on when told."""
    pause = Pause()
    model = ScriptedChatModel(script=[ScriptedReply(message="a", pause=pause)])
    task = asyncio.ensure_future(model.ainvoke("hi"))
    await pause.reached.wait()
    assert not task.done()
    pause.resume.set()
    assert (await task).text == "a"


def test_pause_needs_an_event_loop():
    """A thread would wait for ever."""
    model = ScriptedChatModel(script=[ScriptedReply(pause=Pause())])
    with pytest.raises(RuntimeError, match="ainvoke"):
        model.invoke("hi")


def test_copies_play_one_script():
    """A copy records its calls where the original does."""
    model = ScriptedChatModel(script=["a", "b"])
    twin = model.model_copy()
    assert (model.invoke("hi").text, twin.invoke("hi").text) == ("a", "b")
    assert len(model.calls) == len(twin.calls) == 2
