"""Budgets for Anthropic's SDK: `wrap` returns a client whose every request to a model asks them first.

The estimate is reserved before each HTTP attempt: a third of the prompt's UTF-8 bytes, 4 tokens a message and
`max_tokens` in full. What the answer says it used is booked, in streams as they pass; cached input is part of
the input. Token counts, models, files and batches pass untouched.

Example:
    >>> from anthropic import Anthropic
    >>> from outlay import SharedPool
    >>> from outlay.anthropic import wrap
    >>> from outlay.testing import ProviderServer, Reply
    >>> pool = SharedPool(capacity_tokens=10_000)
    >>> with ProviderServer([Reply(text="Hello.")]) as server:
    ...     client = wrap(Anthropic(api_key="none", base_url=server.anthropic_url), pool)
    ...     message = client.messages.create(
    ...         model="claude", max_tokens=100, messages=[{"role": "user", "content": "Hi"}]
    ...     )
    >>> message.content[0].text, pool.committed().total_tokens == server.billed[0]["total_tokens"]
    ('Hello.', True)

"""

from __future__ import annotations

try:
    import httpx2  # noqa: F401
    from anthropic import Middleware  # noqa: F401
except ImportError as missing:
    raise ImportError("outlay.anthropic needs anthropic 2: pip install outlay[anthropic]") from missing

from outlay.anthropic._wrap import wrap

__all__ = ["wrap"]
