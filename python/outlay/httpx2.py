"""Budgets for any provider that is reached by httpx2: a transport for its client, or a guarded client.

Each POST of JSON with `messages`, `input` or `contents` (chat, responses, messages, generateContent,
embeddings) is one call. An estimate is reserved before it is sent. The usage in the answer, JSON or
server-sent events, is booked as the body passes. All other requests pass untouched.

Example:
    >>> import httpx2
    >>> from outlay import SharedPool
    >>> from outlay.httpx2 import transport
    >>> from outlay.testing import OpenAIServer, Reply
    >>> pool = SharedPool(capacity_tokens=10_000)
    >>> client = httpx2.Client(transport=transport(pool))
    >>> body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    >>> with OpenAIServer([Reply(text="Hello.")]) as server, client:
    ...     answer = client.post(server.base_url + "/chat/completions", json=body).json()
    >>> answer["usage"]["total_tokens"] == pool.committed().total_tokens
    True

"""

from __future__ import annotations

try:
    import httpx2
except ImportError as missing:
    raise ImportError("outlay.httpx2 needs httpx2: pip install outlay[httpx2]") from missing

from outlay._http import Faces

__all__ = ["async_transport", "transport", "wrap"]

_faces: Faces[httpx2.BaseTransport, httpx2.AsyncBaseTransport] = Faces(httpx2)
transport = _faces.transport
async_transport = _faces.async_transport
wrap = _faces.wrap
