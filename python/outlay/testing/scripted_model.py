"""A LangChain chat model that plays a script, and counts tokens as a real one does."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

try:
    from langchain_core.language_models import BaseChatModel, LanguageModelInput
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
    from langchain_core.messages.ai import UsageMetadata
    from langchain_core.messages.tool import tool_call_chunk
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
    from langchain_core.runnables import Runnable
    from langchain_core.utils.function_calling import convert_to_openai_tool
except ImportError as missing:
    raise ImportError("ScriptedChatModel needs LangChain: pip install outlay[langchain]") from missing

from pydantic import Field, PrivateAttr
from typing_extensions import override

from outlay.testing._script import count_tokens

_MESSAGE_TOKENS = 3


class Pause:
    """A place where a scripted model waits until the test goes on; for cancellation tests.

    `reached` is set by the model when it arrives, `resume` by the test. Async calls only.

    Example:
        >>> pause = Pause()
        >>> pause.reached.is_set(), pause.resume.is_set()
        (False, False)

    """

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.resume = asyncio.Event()

    async def wait(self) -> None:
        """Say that the model has arrived, and wait for the test."""
        self.reached.set()
        await self.resume.wait()


@dataclass(frozen=True, kw_only=True)
class ScriptedReply:
    """One answer of a `ScriptedChatModel`, where text or a message does not say enough.

    Args:
        message: The answer, text or a message; default "".
        error: Raised instead of the answer, or in the midst of a stream.
        pause: Where the model waits.
        after: The chunks of a stream that come before the error and the pause; default 0.

    Example:
        >>> ScriptedReply(message="one two three", error=ConnectionError("cut"), after=2).after
        2

    """

    message: str | AIMessage = ""
    error: BaseException | None = None
    pause: Pause | None = None
    after: int = 0


Answer: TypeAlias = str | AIMessage | BaseException | ScriptedReply
Script: TypeAlias = Sequence[Answer | Callable[[list[BaseMessage]], Answer]]


@dataclass(frozen=True)
class RecordedCall:
    """One call that reached a `ScriptedChatModel`: its messages, its arguments and whether it streamed."""

    messages: list[BaseMessage]
    kwargs: dict[str, Any]
    streamed: bool


@dataclass
class _Played:
    """How far the script is; shared by all copies of one model, as a provider is."""

    calls: list[RecordedCall] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __deepcopy__(self, memo: dict[int, Any]) -> _Played:
        return self


def tool_call(name: str, /, *, call_id: str | None = None, **args: Any) -> AIMessage:
    """Return an answer that calls one tool.

    Args:
        name: The name of the tool, or of the schema of a structured output.
        call_id: The id of the call; default "call-" and the name.
        **args: The arguments of the tool.

    Example:
        >>> tool_call("add", a=1, b=2).tool_calls[0]["args"]
        {'a': 1, 'b': 2}

    """
    call = {"name": name, "args": args, "id": call_id or f"call-{name}", "type": "tool_call"}
    return AIMessage(content="", tool_calls=[call])


class ScriptedChatModel(BaseChatModel):
    """A chat model that answers from a script, one item a call, in every call mode.

    An item is the text of the answer, an `AIMessage` with tool calls or a usage, an exception to raise, or a
    `ScriptedReply`. It may also be a function of the messages that returns one of these. Usage is counted
    from what is sent and answered (a quarter of the UTF-8 bytes, 3 tokens a message), so it grows with a
    conversation as a provider's does. Copies of a model play one script together; it may be called from many
    threads.

    Args:
        script: The items, in order.
        repeat: Start again after the last item; by default a call too many raises `IndexError`.
        report_usage: Put usage on answers; default True.
        stream_usage: End a stream with a chunk that carries the usage; default True.
        model_name: The name under which prices are looked up; default "scripted".
        max_tokens: The output limit that the model declares, in tokens; default None.

    Example:
        >>> model = ScriptedChatModel(script=["Hello there."])
        >>> answer = model.invoke("Hi")
        >>> answer.content, answer.usage_metadata["output_tokens"]
        ('Hello there.', 3)
        >>> model.calls[0].messages[0].content
        'Hi'

    """

    script: Any = Field(default=())
    repeat: bool = False
    report_usage: bool = True
    stream_usage: bool = True
    model_name: str = "scripted"
    max_tokens: int | None = None

    _played: _Played = PrivateAttr(default_factory=_Played)

    @property
    def calls(self) -> list[RecordedCall]:
        """Every call that reached the model or a copy of it, in order."""
        return list(self._played.calls)

    @property
    def _llm_type(self) -> str:
        return "outlay-scripted"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools in the form of OpenAI's API; the script decides what is called."""
        schemas = [convert_to_openai_tool(tool) for tool in tools]
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        return self.bind(tools=schemas, **kwargs)

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        reply = self._next(messages, kwargs, streamed=False)
        _refuse_pause(reply)
        return self._result(reply, messages, kwargs)

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        reply = self._next(messages, kwargs, streamed=False)
        if reply.pause is not None:
            await reply.pause.wait()
        return self._result(reply, messages, kwargs)

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        reply = self._next(messages, kwargs, streamed=True)
        _refuse_pause(reply)
        for number, chunk in enumerate(self._chunks(reply, messages, kwargs)):
            if reply.error is not None and number >= reply.after:
                raise reply.error
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk
        if reply.error is not None:
            raise reply.error

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        reply = self._next(messages, kwargs, streamed=True)
        for number, chunk in enumerate(self._chunks(reply, messages, kwargs)):
            if reply.pause is not None and number == reply.after:
                await reply.pause.wait()
            if reply.error is not None and number >= reply.after:
                raise reply.error
            if run_manager is not None:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk
        if reply.error is not None:
            raise reply.error

    def _next(self, messages: list[BaseMessage], kwargs: dict[str, Any], *, streamed: bool) -> ScriptedReply:
        script = list(self.script)
        with self._played.lock:
            number = len(self._played.calls)
            self._played.calls.append(RecordedCall(list(messages), dict(kwargs), streamed))
        if number >= len(script) and not (self.repeat and script):
            raise IndexError(f"the script has {len(script)} items, and this is call {number + 1}")
        item = script[number % len(script)]
        if callable(item) and not isinstance(item, type):
            item = item(list(messages))
        if isinstance(item, BaseException):
            return ScriptedReply(error=item)
        return item if isinstance(item, ScriptedReply) else ScriptedReply(message=item)

    def _result(
        self, reply: ScriptedReply, messages: list[BaseMessage], kwargs: dict[str, Any]
    ) -> ChatResult:
        if reply.error is not None:
            raise reply.error
        message = _as_message(reply.message)
        usage = self._usage(message, messages, kwargs) if self.report_usage else None
        metadata = {"model_name": self.model_name, "finish_reason": _finish_reason(message)}
        answer = message.model_copy(update={"usage_metadata": usage, "response_metadata": metadata})
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def _chunks(
        self, reply: ScriptedReply, messages: list[BaseMessage], kwargs: dict[str, Any]
    ) -> Iterator[ChatGenerationChunk]:
        message = _as_message(reply.message)
        for piece in re.findall(r"\S*\s*", message.text)[:-1] or ([""] if not message.tool_calls else []):
            yield _chunk(AIMessageChunk(content=piece))
        for index, call in enumerate(message.tool_calls):
            args = json.dumps(call["args"])
            part = tool_call_chunk(name=call["name"], args=args, id=call["id"], index=index)
            yield _chunk(AIMessageChunk(content="", tool_call_chunks=[part]))
        metadata = {"finish_reason": _finish_reason(message), "model_name": self.model_name}
        yield _chunk(AIMessageChunk(content=""), metadata)
        if self.report_usage and self.stream_usage:
            usage = self._usage(message, messages, kwargs)
            yield _chunk(AIMessageChunk(content="", usage_metadata=usage))

    def _usage(
        self, message: AIMessage, messages: list[BaseMessage], kwargs: dict[str, Any]
    ) -> UsageMetadata:
        if message.usage_metadata is not None:
            return message.usage_metadata
        given = sum(_MESSAGE_TOKENS + _tokens(sent) for sent in messages)
        given += count_tokens(json.dumps(kwargs["tools"])) if kwargs.get("tools") else 0
        made = _tokens(message)
        return UsageMetadata(input_tokens=given, output_tokens=made, total_tokens=given + made)


def _as_message(message: str | AIMessage) -> AIMessage:
    return AIMessage(content=message) if isinstance(message, str) else message


def _chunk(message: AIMessageChunk, info: dict[str, Any] | None = None) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=message, generation_info=info)


def _finish_reason(message: AIMessage) -> str:
    return "tool_calls" if message.tool_calls else "stop"


def _tokens(message: BaseMessage) -> int:
    text = message.content if isinstance(message.content, str) else json.dumps(message.content, default=str)
    calls = getattr(message, "tool_calls", None)
    return count_tokens(text) + (count_tokens(json.dumps(calls, default=str)) if calls else 0)


def _refuse_pause(reply: ScriptedReply) -> None:
    if reply.pause is not None:
        raise RuntimeError("a Pause waits for the event loop: call the model with ainvoke or astream")
