"""Helpers of the tests of the loopback server: a client that is no more than a socket."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import Any

from outlay.testing.openai_server import OpenAIServer


def post(
    server: OpenAIServer, body: Any, path: str = "/v1/chat/completions"
) -> tuple[int, dict[str, str], Any]:
    port = int(server.base_url.split(":")[2].split("/")[0])
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("POST", path, body if isinstance(body, bytes) else json.dumps(body))
        response = connection.getresponse()
        text = response.read().decode()
        content = text if response.headers["Content-Type"] == "text/event-stream" else json.loads(text)
        return response.status, dict(response.headers), content


def chat(*texts: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text} for text in texts], **more}


def events(stream: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in stream.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]
