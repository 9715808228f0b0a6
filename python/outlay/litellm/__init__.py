"""Budgets for LiteLLM: `wrap` guards its functions or a `Router`.

Before the call, an estimate is reserved. The input is a third of the prompt's UTF-8 bytes, 4 tokens a message
and 2,000 a picture. The output is the whole limit of the call, else `output_tokens`. After the call, the
usage in the provider's response is booked, or the estimate if it has none. Prices are those of the wrap,
never LiteLLM's own, which are $0 for a model that it does not know. A response out of LiteLLM's cache costs
nothing.

Example:
    >>> import litellm
    >>> from outlay import SharedPool
    >>> from outlay.litellm import wrap
    >>> from outlay.testing import OpenAIServer, Reply
    >>> pool = SharedPool(capacity_tokens=10_000)
    >>> completion = wrap(litellm.completion, pool)
    >>> with OpenAIServer([Reply(text="Hello.")]) as server:
    ...     answer = completion(
    ...         model="openai/gpt-x",
    ...         messages=[{"role": "user", "content": "Say hello."}],
    ...         api_base=server.base_url,
    ...         api_key="none",
    ...     )
    >>> answer.choices[0].message.content, pool.committed().total_tokens == server.billed[0]["total_tokens"]
    ('Hello.', True)

"""

from __future__ import annotations

try:
    import litellm  # noqa: F401
except ImportError as missing:
    raise ImportError("outlay.litellm needs LiteLLM: pip install outlay[litellm]") from missing

from outlay.litellm._wrap import wrap

__all__ = ["wrap"]
