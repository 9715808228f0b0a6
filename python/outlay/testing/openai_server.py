"""A loopback server that speaks OpenAI's chat completions, for tests that need a real client and no network.

The server listens on 127.0.0.1 on a free port and answers ``POST /v1/chat/completions`` from a script.
Everything a client sends is kept for the test to look at, and everything answered is counted as a provider
would bill it, so that a test can compare its own accounts with the other side's.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

from outlay.testing._http import Answer, LoopbackServer

__all__ = ["OpenAIServer", "Reply", "count_tokens"]

Script = Callable[[dict[str, Any]], "Reply"] | Sequence["Reply"]

_BYTES_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4
_PATH = "/v1/chat/completions"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer of the scripted model.

    Args:
        text: What the model says; for an error status, the error's message.
        tool_calls: The tools it asks for, each ``{"name": str, "args": dict, "id": str}``; without an ``id``
            one is made.
        usage: ``"count"`` (default) counts the request and the answer with `count_tokens`; a mapping is
            reported as it stands (``prompt_tokens`` and ``completion_tokens``; total and details are filled
            in where missing); None reports no usage at all, as some compatible servers do.
        status: The HTTP status; anything but 200 sends an OpenAI error object.
        headers: Headers added to the response, of an error or of an answer.
        gate: Holds a plain answer before it is sent, and a stream after its first piece, until the event is
            set, the client goes away or the server closes.

    Example:
        >>> Reply(text="Hello", usage={"prompt_tokens": 9, "completion_tokens": 1}).status
        200

    """

    text: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    usage: Mapping[str, Any] | Literal["count"] | None = "count"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    gate: threading.Event | None = None


def count_tokens(text: str) -> int:
    """Count the tokens of a text as this server does: one for every 4 bytes of UTF-8, rounded up.

    It is no tokenizer: it is made to grow as a real count does and to be the same on every machine.

    Example:
        >>> count_tokens("twelve bytes"), count_tokens("")
        (3, 0)

    """
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)


class OpenAIServer:
    """An OpenAI-compatible server on loopback whose answers a script decides.

    It serves plain answers and server-sent event streams (the last chunk carries the usage where the client
    asked with ``stream_options.include_usage``), tool calls, and errors with any status and headers. It runs
    in its own thread from ``with`` (or `start`) until the block ends (or `close`).

    Args:
        script: A list of `Reply`, sent in order, or a callable that gets the parsed request and returns a
            `Reply`. Beyond the end of a list, and where the callable raises, the client gets a status 400
            (which no client retries) that says so, and the exception is kept in `errors`.

    Attributes:
        requests: The parsed body of every chat request, in order of arrival.
        billed: The usage of every request answered with status 200 as a provider would bill it, whether or
            not the client saw it; a stream that the client left early is billed whole, a ``usage=None`` reply
            not at all.
        errors: Exceptions of the script, oldest first; a test should end with none.

    Example:
        >>> import json, urllib.request
        >>> with OpenAIServer([Reply(text="Hello")]) as server:
        ...     body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).encode()
        ...     with urllib.request.urlopen(server.base_url + "/chat/completions", body) as response:
        ...         answer = json.load(response)
        >>> answer["choices"][0]["message"]["content"], answer["usage"]["total_tokens"], server.calls
        ('Hello', 7, 1)

    """

    def __init__(self, script: Script) -> None:
        self._script: Script = script if callable(script) else list(script)
        self._changed = threading.Condition()
        self._http = LoopbackServer(self._handle, self._changed)
        self.requests: list[dict[str, Any]] = []
        self.billed: list[dict[str, Any]] = []
        self.errors: list[Exception] = []

    def start(self) -> OpenAIServer:
        """Start serving; ``with`` does it for you."""
        self._http.start()
        return self

    def close(self) -> None:
        """Stop serving: held answers end, connections are cut, the port is free. Twice is harmless."""
        self._http.close()

    def __enter__(self) -> OpenAIServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def base_url(self) -> str:
        """What to give a client as its ``base_url``, such as ``http://127.0.0.1:49152/v1``."""
        return f"http://127.0.0.1:{self._http.port}/v1"

    @property
    def calls(self) -> int:
        """How many chat requests have arrived."""
        return len(self.requests)

    @property
    def aborted(self) -> int:
        """How many answers the client left before their end."""
        return self._http.aborted

    def wait_for(self, condition: Callable[[], bool], timeout: float = 10.0) -> bool:
        """Wait until `condition()` holds, at most `timeout` seconds, and say whether it does.

        It is asked again whenever a request arrives or a client goes away; neither needs a sleep:
        ``server.wait_for(lambda: server.calls == 2)``.
        """
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    def _handle(self, path: str, body: bytes) -> Answer:
        if path != _PATH:
            return _error(404, f"no such path: {path}", {})
        try:
            request = json.loads(body)
        except ValueError as error:
            return _error(400, f"the body is not JSON: {error}", {})
        if not isinstance(request, dict):
            return _error(400, "the body is not a JSON object", {})
        with self._changed:
            self.requests.append(request)
            number = len(self.requests)
            self._changed.notify_all()
        reply = self._reply_to(request, number)
        if reply.status != 200:
            return _error(reply.status, reply.text, reply.headers, reply.gate)
        return self._answer(request, reply, number)

    def _reply_to(self, request: dict[str, Any], number: int) -> Reply:
        # The one place that decides what a request gets: whoever wants to refuse some before the script sees
        # them (a rate limit, an outage) decides here.
        try:
            if callable(self._script):
                return self._script(request)
            if number > len(self._script):
                raise IndexError(f"the script has {len(self._script)} replies and this is request {number}")
            return self._script[number - 1]
        except Exception as error:
            self.errors.append(error)
            return Reply(status=400, text=f"the server's script failed: {error!r}")

    def _answer(self, request: dict[str, Any], reply: Reply, number: int) -> Answer:
        calls = _tool_calls(reply, number)
        usage = _usage(request, reply, calls)
        if usage is not None:
            with self._changed:
                self.billed.append(usage)
        head = {"id": f"chatcmpl-{number}", "created": 0, "model": str(request.get("model", ""))}
        if not request.get("stream"):
            message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
            if calls:
                message["tool_calls"] = calls
            choice = {"index": 0, "message": message, "finish_reason": _finish(reply), "logprobs": None}
            body = {**head, "object": "chat.completion", "choices": [choice]}
            if usage is not None:
                body["usage"] = usage
            return Answer(200, reply.headers, body=body, gate=reply.gate)
        options = request.get("stream_options") or {}
        shown = usage if options.get("include_usage") else None
        head["object"] = "chat.completion.chunk"
        return Answer(200, reply.headers, events=_chunks(head, reply, calls, shown), gate=reply.gate)


def _error(status: int, text: str, headers: Mapping[str, str], gate: threading.Event | None = None) -> Answer:
    kind = {429: "rate_limit_error"}.get(status, "invalid_request_error" if status < 500 else "server_error")
    body = {"error": {"message": text or f"status {status}", "type": kind, "param": None, "code": None}}
    return Answer(status, headers, body=body, gate=gate)


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.tool_calls else "stop"


def _tool_calls(reply: Reply, number: int) -> list[dict[str, Any]]:
    return [
        {
            "id": str(call.get("id") or f"call_{number}_{index}"),
            "type": "function",
            "function": {"name": call["name"], "arguments": json.dumps(call.get("args", {}))},
        }
        for index, call in enumerate(reply.tool_calls)
    ]


def _usage(request: dict[str, Any], reply: Reply, calls: list[dict[str, Any]]) -> dict[str, Any] | None:
    if reply.usage is None:
        return None
    given = dict(reply.usage) if reply.usage != "count" else _counted(request, reply.text, calls)
    prompt, completion = given.get("prompt_tokens", 0), given.get("completion_tokens", 0)
    defaults = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
    return defaults | given


def _counted(request: dict[str, Any], text: str, calls: list[dict[str, Any]]) -> dict[str, int]:
    prompt = count_tokens(json.dumps(request["tools"])) if request.get("tools") else 0
    for message in request.get("messages", ()):
        prompt += _TOKENS_PER_MESSAGE + sum(count_tokens(part) for part in _texts(message))
    completion = count_tokens(text) + sum(count_tokens(json.dumps(call["function"])) for call in calls)
    return {"prompt_tokens": prompt, "completion_tokens": completion}


def _texts(message: dict[str, Any]) -> Iterator[str]:
    content = message.get("content")
    if isinstance(content, str):
        yield content
    elif content:
        yield json.dumps(content)
    for call in message.get("tool_calls") or ():
        yield json.dumps(call.get("function"))


def _chunks(
    head: dict[str, Any], reply: Reply, calls: list[dict[str, Any]], usage: dict[str, Any] | None
) -> Iterator[dict[str, Any]]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]}

    pieces = re.findall(r"\s*\S+\s*", reply.text) or ([reply.text] if reply.text else [])
    yield chunk({"role": "assistant", "content": pieces[0] if pieces else ""})
    for piece in pieces[1:]:
        yield chunk({"content": piece})
    for index, call in enumerate(calls):
        # As the real service does: the name comes first, the arguments follow in pieces.
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        opening = {"id": call["id"], "type": "function", "function": {"name": name, "arguments": ""}}
        yield chunk({"tool_calls": [{"index": index, **opening}]})
        half = len(arguments) // 2
        for part in (arguments[:half], arguments[half:]):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    yield chunk({}, _finish(reply))
    if usage is not None:
        yield {**head, "choices": [], "usage": usage}
