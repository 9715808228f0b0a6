"""A loopback server whose answers a script decides: its requests, its bill and its limit, but no API."""

from __future__ import annotations

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from outlay.testing._apis.api import Api, Exchange, StreamingApi, tool_calls, usage_of
from outlay.testing._http import Answer, LoopbackServer
from outlay.testing._rate_limit import RateLimit, Verdict
from outlay.testing._script import Reply, Script


class ScriptedServer(ABC):
    """Serves the APIs of a subclass from a script; `OpenAIServer` and `ProviderServer` say the rest."""

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
        self.paths: list[str] = []
        self.billed: list[dict[str, Any]] = []
        self.errors: list[Exception] = []
        self.refused = 0

    def start(self) -> Self:
        """Start serving; ``with`` does it for you.

        Returns:
            The server itself.

        """
        self._http.start()
        return self

    def close(self) -> None:
        """Stop serving: held answers end, connections are cut, the port is free. Twice is harmless."""
        self._http.close()

    def __enter__(self) -> Self:
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
        """Wait until a condition holds.

        It is asked again whenever a request arrives or is decided or a client goes away; none needs a sleep:
        ``server.wait_for(lambda: server.calls == 2)``.

        Args:
            condition: Takes nothing and returns whether it holds.
            timeout: How many seconds to wait at most; default 10.

        Returns:
            Whether it holds.

        """
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    @abstractmethod
    def _api(self, path: str) -> Api | None:
        """Return what serves a path, without its query; None: there is no such path."""

    @abstractmethod
    def _bill(self, api: Api, exchange: Exchange, usage: dict[str, Any]) -> dict[str, Any]:
        """Return what `billed` keeps of an answer."""

    def _handle(self, target: str, body: bytes) -> Answer:
        path = target.partition("?")[0]
        api = self._api(path)
        if api is None:
            text = f"no such path: {path}"
            error = {"message": text, "type": "invalid_request_error", "param": None, "code": None}
            return Answer(404, self._limit_headers(None), body={"error": error})
        try:
            request = json.loads(body)
        except ValueError as error:
            return self._error(api, 400, f"the body is not JSON: {error}")
        if not isinstance(request, dict):
            return self._error(api, 400, "the body is not a JSON object")
        if callable(self._script):
            number = self._arrive(path, request)
            # Without the lock: a script may wait for other requests.
            return self._decide(api, path, request, number, self._ask(self._script, path, request))
        with self._changed:  # The order of the requests is the order of the replies.
            number = self._arrive(path, request)
            return self._decide(api, path, request, number, self._listed(self._script))

    def _error(self, api: Api, status: int, text: str) -> Answer:
        return Answer(status, self._limit_headers(api), body=api.error(status, text))

    def _limit_headers(self, api: Api | None) -> dict[str, str]:
        with self._changed:
            headers = self._limit.headers() if self._limit else {}
        return headers if api is None else api.limit_headers(headers)

    def _arrive(self, path: str, request: dict[str, Any]) -> int:
        with self._changed:
            self.requests.append(request)
            self.paths.append(path)
            self._changed.notify_all()
            return len(self.requests)

    def _ask(self, script: Callable[[dict[str, Any]], Reply], path: str, request: dict[str, Any]) -> Reply:
        with self._changed:
            kept = self._kept.get(_key(path, request))
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

    def _decide(self, api: Api, path: str, request: dict[str, Any], number: int, reply: Reply) -> Answer:
        calls = tool_calls(reply, number)
        usage = usage_of(api, request, reply, calls) if reply.status == 200 else None
        streaming = api if isinstance(api, StreamingApi) and api.streamed(path, request) else None
        exchange = Exchange(
            request, reply, number, api.model(path, request), streaming is not None, calls, usage
        )
        with self._changed:  # To decide, to book and to take the reply is one step.
            self._changed.notify_all()
            verdict = self._charge(exchange)
            if verdict.error is not None:
                self.refused += 1
                if callable(self._script):
                    self._kept.setdefault(_key(path, request), []).append(reply)
                headers = api.limit_headers(verdict.headers)
                return Answer(429, headers, body=api.refusal(verdict.error, verdict.headers))
            self._taken += 1
            if usage is not None:
                self.billed.append(self._bill(api, exchange, usage))
        headers = _overlaid(api.limit_headers(verdict.headers), reply.headers)
        if reply.status != 200:
            error = api.error(reply.status, reply.text or f"status {reply.status}")
            status = 200 if reply.in_body else reply.status
            return Answer(status, headers, body=error, gate=reply.gate, disconnect=reply.disconnect)
        if streaming is None:
            return Answer(200, headers, body=api.body(exchange), gate=reply.gate, disconnect=reply.disconnect)
        return Answer(
            200,
            headers,
            events=streaming.events(exchange),
            event_names=streaming.event_names,
            done=streaming.done,
            hold_after=streaming.first_piece,
            gate=reply.gate,
            disconnect=reply.disconnect,
        )

    def _charge(self, exchange: Exchange) -> Verdict:
        if self._limit is None:
            return Verdict({})
        tokens = exchange.usage["total_tokens"] if exchange.usage is not None else 0
        return self._limit.charge(tokens, exchange.model)


def _key(path: str, request: dict[str, Any]) -> str:
    return path + json.dumps(request, sort_keys=True)


def _overlaid(headers: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with a reply's own ones in their place, whatever their case."""
    named = {name.lower() for name in own}
    return {name: value for name, value in headers.items() if name not in named} | dict(own)
