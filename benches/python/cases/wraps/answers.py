"""The answers of the providers' clients, out of memory; nothing is sent."""

from __future__ import annotations

import json
from typing import Any

MESSAGES = [{"role": "user", "content": "Say hello."}]
CHAT = json.dumps(
    {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-x",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    }
).encode()
MESSAGE = json.dumps(
    {
        "id": "m-1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": "Hello."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 2},
    }
).encode()


def transport(library: Any, body: bytes) -> Any:
    """Return a transport of httpx or httpx2 that answers every request with a JSON body."""
    headers = {"content-type": "application/json"}
    return library.MockTransport(lambda _request: library.Response(200, headers=headers, content=body))
