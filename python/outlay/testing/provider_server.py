"""A loopback server that speaks the APIs of OpenAI, Anthropic and Gemini, for tests with the real clients.

It is `OpenAIServer` with more paths: one script answers them all, each in the shape of its API.
"""

from __future__ import annotations

import re
from typing import Any

from outlay.testing._apis.api import Api, Exchange
from outlay.testing._apis.chat import Chat
from outlay.testing._apis.gemini import Gemini
from outlay.testing._apis.messages import Messages
from outlay.testing._apis.responses import Embeddings, Responses
from outlay.testing._script import Reply, count_tokens
from outlay.testing._scripted_server import ScriptedServer

__all__ = ["ProviderServer", "Reply", "count_tokens"]

_ROUTES: tuple[tuple[re.Pattern[str], Api], ...] = (
    # Azure's paths name a deployment before the same endings.
    (re.compile(r"/chat/completions$"), Chat()),
    (re.compile(r"/responses$"), Responses()),
    (re.compile(r"/embeddings$"), Embeddings()),
    (re.compile(r"/v1/messages$"), Messages()),
    (re.compile(r"/models/[^/:]+:(generateContent|streamGenerateContent)$"), Gemini()),
)


class ProviderServer(ScriptedServer):
    """A server on loopback that answers the clients of OpenAI, Anthropic and Google from one script.

    It has the attributes of `OpenAIServer`. It serves

    - ``/v1/chat/completions``, ``/v1/responses`` and ``/v1/embeddings`` (OpenAI; Azure's paths too),
    - ``/v1/messages`` (Anthropic),
    - ``/v1beta/models/{model}:generateContent`` and ``:streamGenerateContent`` (Gemini),

    plain and as streams, with tool calls, and errors in the shape of each. A `Reply.usage` has the names of
    chat completions: ``cached_tokens`` and ``cache_write_tokens`` under ``prompt_tokens_details``,
    ``reasoning_tokens`` under ``completion_tokens_details``. It is reported in the names of the API:
    Anthropic's ``input_tokens`` is without the cache, Gemini's ``candidatesTokenCount`` without thoughts.
    Anthropic's API always tells a usage, so one that is None is all zeros there. Embeddings are reported
    without an output.

    Args:
        script: A list of `Reply`, sent in order, or a callable that gets the parsed request and returns one,
            as of `OpenAIServer`.
        tokens_per_minute: The most tokens billed in any window, 1 or more; default None, no limit.
        window: The length of the limit's window in seconds; default 60.
        clock: Returns the limit's monotonic seconds; default `time.monotonic`.

    Raises:
        ValueError: `tokens_per_minute` is below 1, or `window` below a millisecond or not finite.

    Attributes:
        requests: The parsed body of every request, in order of arrival; refused ones too.
        paths: The path of each of them.
        billed: As in `OpenAIServer`, in the names of chat completions whatever the API, and with ``"model"``
            and ``"api"``: "chat", "responses", "embeddings", "messages" or "gemini".
        refused: How many requests the rate limit refused.
        errors: Exceptions of the script, oldest first; a test should end with none.

    Example:
        >>> import json, urllib.request
        >>> with ProviderServer([Reply(text="Hello")]) as server:
        ...     body = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
        ...     url = server.anthropic_url + "/v1/messages"
        ...     with urllib.request.urlopen(url, json.dumps(body).encode()) as response:
        ...         answer = json.load(response)
        >>> answer["content"][0]["text"], answer["usage"]["input_tokens"]
        ('Hello', 5)
        >>> server.billed[0]["api"], server.billed[0]["total_tokens"]
        ('messages', 7)

    """

    @property
    def anthropic_url(self) -> str:
        """What to give an Anthropic client as its ``base_url``, such as ``http://127.0.0.1:49152``."""
        return f"http://127.0.0.1:{self._http.port}"

    @property
    def gemini_url(self) -> str:
        """What to give a Gemini client as the ``base_url`` of its HTTP options."""
        return self.anthropic_url

    def _api(self, path: str) -> Api | None:
        return next((api for route, api in _ROUTES if route.search(path)), None)

    def _bill(self, api: Api, exchange: Exchange, usage: dict[str, Any]) -> dict[str, Any]:
        return {**usage, "model": exchange.model, "api": api.name}
