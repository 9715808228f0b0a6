"""Budgets for OpenAI's own client, version 2 and 3: `wrap` guards `OpenAI`, `AsyncOpenAI` and Azure's.

Chat completions, responses, embeddings and the older completions are guarded, plain, parsed, streamed and as
raw responses. Before the call, an estimate is reserved. The input is a third of the prompt's UTF-8 bytes, 4
tokens a message and 2,000 a picture. The output is the whole limit of the call, else `output_tokens`. After
the call, the usage in the response is booked, or the estimate if it has none. Each request of the client's
own retries is a lease of its own. A stream of chat completions is asked for its usage; the caller sees that
chunk only if it asked for it. A stream that is left early is billed, so it is charged; so is a request that
times out. A provider's error gives the tokens back, unless the budget says `on_error="charge"`, and counts as
a request.

Example:
    >>> from openai import OpenAI
    >>> from outlay import SharedPool
    >>> from outlay.openai import wrap
    >>> from outlay.testing import ProviderServer, Reply
    >>> pool = SharedPool(capacity_tokens=10_000)
    >>> with ProviderServer([Reply(text="Hello.")]) as server:
    ...     client = wrap(OpenAI(base_url=server.base_url, api_key="none"), pool)
    ...     client.responses.create(model="gpt-x", input="Say hello.").output_text
    'Hello.'
    >>> pool.committed().total_tokens == server.billed[0]["total_tokens"]
    True

"""

from __future__ import annotations

try:
    import openai  # noqa: F401
except ImportError as missing:
    raise ImportError("outlay.openai needs OpenAI's client: pip install outlay[openai]") from missing

from outlay.openai._wrap import wrap

__all__ = ["wrap"]
