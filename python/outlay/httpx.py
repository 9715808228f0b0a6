"""Budgets for any provider that is reached by httpx: a transport for its client, or a guarded client.

Each POST of JSON with `messages`, `input` or `contents` (chat, responses, messages, generateContent,
embeddings) is one call. An estimate is reserved before it is sent. The usage in the answer, JSON or
server-sent events, is booked as the body passes. All other requests pass untouched.

Example:
    >>> import httpx
    >>> from outlay import SharedPool
    >>> from outlay.httpx import transport
    >>> from outlay.testing import OpenAIServer, Reply
    >>> pool = SharedPool(capacity_tokens=10_000)
    >>> client = httpx.Client(transport=transport(pool))
    >>> body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    >>> with OpenAIServer([Reply(text="Hello.")]) as server, client:
    ...     answer = client.post(server.base_url + "/chat/completions", json=body).json()
    >>> answer["usage"]["total_tokens"] == pool.committed().total_tokens
    True

"""

from __future__ import annotations

try:
    import httpx
except ImportError as missing:
    raise ImportError("outlay.httpx needs httpx: pip install outlay[httpx]") from missing

from outlay._http import Faces

__all__ = ["async_transport", "transport", "wrap"]

_faces: Faces[httpx.BaseTransport, httpx.AsyncBaseTransport] = Faces(httpx)
transport = _faces.transport
async_transport = _faces.async_transport
wrap = _faces.wrap
