"""A loopback server that speaks OpenAI's chat completions, for tests that need a real client and no network.

The server listens on 127.0.0.1 on a free port and answers ``POST /v1/chat/completions`` from a script.
Everything a client sends is kept for the test to look at, and everything answered is counted as a provider
would bill it, so that a test can compare its own accounts with the other side's.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

from outlay.testing._http import Answer, LoopbackServer
from outlay.testing._rate_limit import RateLimit, Verdict

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

    With `tokens_per_minute` it has a rate limit, as strict as a provider's can be: a request whose bill would
    break the limit in the exact sliding window gets a status 429 with the provider's error and the time to
    wait, is not billed and takes no reply from the script. Every answer then carries the
    ``x-ratelimit-*-tokens`` headers. A request above the whole limit is "too large" and no wait is named.

    Args:
        script: A list of `Reply`, sent in order, or a callable that gets the parsed request and returns a
            `Reply`. Beyond the end of a list, and where the callable raises, the client gets a status 400
            (which no client retries) that says so, and the exception is kept in `errors`. A callable is
            asked before the limit decides, as only its reply says what would be billed; if that is refused,
            the same request gets the same reply when it comes again, and the callable is not asked.
        tokens_per_minute: The most tokens billed in any window, 1 or more; default None, no limit.
        window: The length of the limit's window in seconds; default 60, the provider's minute.
        clock: Returns the limit's monotonic seconds; default `time.monotonic`. It is called under a lock and
            must not wait.

    Raises:
        ValueError: `tokens_per_minute` is below 1, or `window` below a millisecond or not finite.

    Attributes:
        requests: The parsed body of every chat request, in order of arrival; refused ones too.
        billed: The usage of every request answered with status 200 as a provider would bill it, whether or
            not the client saw it; a stream that the client left early is billed whole, a ``usage=None`` reply
            not at all.
        refused: How many requests the rate limit refused; errors of the script do not count.
        errors: Exceptions of the script, oldest first; a test should end with none.

    Example:
        >>> import json, urllib.request
        >>> with OpenAIServer([Reply(text="Hello")]) as server:
        ...     body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).encode()
        ...     with urllib.request.urlopen(server.base_url + "/chat/completions", body) as response:
        ...         answer = json.load(response)
        >>> answer["choices"][0]["message"]["content"], answer["usage"]["total_tokens"], server.calls
        ('Hello', 7, 1)

        With a limit of 10 tokens a minute, the same request does not fit twice; a minute later it does:

        >>> now = 0.0
        >>> def ask(server):
        ...     try:
        ...         response = urllib.request.urlopen(server.base_url + "/chat/completions", body)
        ...     except urllib.error.HTTPError as error:
        ...         response = error
        ...     with response:
        ...         return response.status, response.headers["retry-after"]
        >>> with OpenAIServer([Reply(text="Hello")] * 2, tokens_per_minute=10, clock=lambda: now) as server:
        ...     ask(server), ask(server)
        ...     now += 60
        ...     ask(server), server.refused, len(server.billed)
        ((200, None), (429, '60'))
        ((200, None), 1, 2)

    """

    def __init__(
        self,
        script: Script,
        *,
        tokens_per_minute: int | None = None,
        window: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._script: Script = script if callable(script) else list(script)
        self._taken = 0
        self._kept: dict[str, list[Reply]] = {}
        self._limit = None if tokens_per_minute is None else RateLimit(tokens_per_minute, window, clock)
        self._changed = threading.Condition()
        self._http = LoopbackServer(self._handle, self._changed)
        self.requests: list[dict[str, Any]] = []
        self.billed: list[dict[str, Any]] = []
        self.errors: list[Exception] = []
        self.refused = 0

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

        It is asked again whenever a request arrives or is decided or a client goes away; none needs a sleep:
        ``server.wait_for(lambda: server.calls == 2)``.
        """
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    def _handle(self, path: str, body: bytes) -> Answer:
        if path != _PATH:
            return _error(404, f"no such path: {path}", self._limit_headers())
        try:
            request = json.loads(body)
        except ValueError as error:
            return _error(400, f"the body is not JSON: {error}", self._limit_headers())
        if not isinstance(request, dict):
            return _error(400, "the body is not a JSON object", self._limit_headers())
        if callable(self._script):
            number = self._arrive(request)
            # Without the lock: a script may wait for other requests.
            return self._decide(request, number, self._ask(self._script, request))
        with self._changed:  # The order of the requests is the order of the replies.
            number = self._arrive(request)
            return self._decide(request, number, self._listed(self._script))

    def _limit_headers(self) -> dict[str, str]:
        with self._changed:
            return self._limit.headers() if self._limit else {}

    def _arrive(self, request: dict[str, Any]) -> int:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            return len(self.requests)

    def _ask(self, script: Callable[[dict[str, Any]], Reply], request: dict[str, Any]) -> Reply:
        with self._changed:
            kept = self._kept.get(_key(request))
            if kept:
                return kept.pop(0)
        try:
            return script(request)
        except Exception as error:
            return self._script_failed(error)

    def _listed(self, script: Sequence[Reply]) -> Reply:
        if self._taken < len(script):
            return script[self._taken]
        text = f"the script has {len(script)} replies and this request needs number {self._taken + 1}"
        return self._script_failed(IndexError(text))

    def _script_failed(self, error: Exception) -> Reply:
        self.errors.append(error)
        return Reply(status=400, text=f"the server's script failed: {error!r}")

    def _decide(self, request: dict[str, Any], number: int, reply: Reply) -> Answer:
        calls = _tool_calls(reply, number)
        usage = _usage(request, reply, calls) if reply.status == 200 else None
        with self._changed:  # To decide, to book and to take the reply is one step.
            self._changed.notify_all()
            verdict = self._charge(request, usage)
            if verdict.error is not None:
                self.refused += 1
                if callable(self._script):
                    self._kept.setdefault(_key(request), []).append(reply)
                return Answer(429, verdict.headers, body=verdict.error)
            self._taken += 1
            if usage is not None:
                self.billed.append(usage)
        headers = _overlaid(verdict.headers, reply.headers)
        if reply.status != 200:
            return _error(reply.status, reply.text, headers, reply.gate)
        head = {"id": f"chatcmpl-{number}", "created": 0, "model": str(request.get("model", ""))}
        if not request.get("stream"):
            body = _completion(head, reply, calls, usage)
            return Answer(200, headers, body=body, gate=reply.gate)
        options = request.get("stream_options") or {}
        shown = usage if options.get("include_usage") else None
        head["object"] = "chat.completion.chunk"
        return Answer(200, headers, events=_chunks(head, reply, calls, shown), gate=reply.gate)

    def _charge(self, request: dict[str, Any], usage: dict[str, Any] | None) -> Verdict:
        if self._limit is None:
            return Verdict({})
        tokens = usage["total_tokens"] if usage is not None else 0
        return self._limit.charge(tokens, str(request.get("model", "")))


def _key(request: dict[str, Any]) -> str:
    return json.dumps(request, sort_keys=True)


def _overlaid(headers: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with a reply's own ones in their place, whatever their case."""
    named = {name.lower() for name in own}
    return {name: value for name, value in headers.items() if name not in named} | dict(own)


def _error(status: int, text: str, headers: Mapping[str, str], gate: threading.Event | None = None) -> Answer:
    kind = {429: "rate_limit_error"}.get(status, "invalid_request_error" if status < 500 else "server_error")
    body = {"error": {"message": text or f"status {status}", "type": kind, "param": None, "code": None}}
    return Answer(status, headers, body=body, gate=gate)


def _completion(
    head: dict[str, Any], reply: Reply, calls: list[dict[str, Any]], usage: dict[str, Any] | None
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": _finish(reply), "logprobs": None}
    body = {**head, "object": "chat.completion", "choices": [choice]}
    return body if usage is None else {**body, "usage": usage}


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
