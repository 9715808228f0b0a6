"""A loopback server that speaks OpenAI's chat completions, for tests that need a real client and no network.

The server listens on 127.0.0.1 on a free port and answers ``POST /v1/chat/completions`` from a script. It
keeps all requests for the test to read. It counts all answers as a provider would bill them, so that a test
can compare its own accounts with the provider's.
"""

from __future__ import annotations

from typing import Any

from outlay.testing._apis.api import Api, Exchange
from outlay.testing._apis.chat import Chat
from outlay.testing._script import Reply, count_tokens
from outlay.testing._scripted_server import ScriptedServer

__all__ = ["OpenAIServer", "Reply", "count_tokens"]

_CHAT = Chat()


class OpenAIServer(ScriptedServer):
    """An OpenAI-compatible server on loopback whose answers a script decides.

    It serves plain answers and server-sent event streams (the last chunk carries the usage where the client
    asked with ``stream_options.include_usage``), tool calls, and errors with any status and headers. It runs
    in its own thread from ``with`` (or `start`) until the block ends (or `close`).

    With `tokens_per_minute` it has a rate limit, as strict as a provider's can be. A request whose bill would
    break the limit in the exact sliding window gets a status 429. The answer has the provider's error and the
    time to wait. The request is not billed and takes no reply from the script. Every answer then carries the
    ``x-ratelimit-*-tokens`` headers. A request above the whole limit is "too large" and no wait is named.

    Args:
        script: A list of `Reply`, sent in order, or a callable that gets the parsed request and returns a
            `Reply`. Beyond the end of a list, and if the callable raises, the client gets a status 400, which
            no client retries. The exception is kept in `errors`. A callable is asked before the limit
            decides, because its reply decides the bill. If the limit refuses, the same request gets the same
            reply when it comes again, and the callable is not asked.
        tokens_per_minute: The most tokens billed in any window, 1 or more; default None, no limit.
        window: The length of the limit's window in seconds; default 60, the provider's minute.
        clock: Returns the limit's monotonic seconds; default `time.monotonic`. It is called under a lock and
            must not wait.

    Raises:
        ValueError: `tokens_per_minute` is below 1, or `window` below a millisecond or not finite.

    Attributes:
        requests: The parsed body of every chat request, in order of arrival; refused ones too.
        paths: The path of each of them.
        billed: The usage of every request that was answered with status 200, as a provider would bill it,
            whether or not the client saw it. A stream that the client left early is billed whole, a
            ``usage=None`` reply not at all.
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

    def _api(self, path: str) -> Api | None:
        return _CHAT if path == "/v1/chat/completions" else None

    def _bill(self, api: Api, exchange: Exchange, usage: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return usage
