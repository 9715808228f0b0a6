"""Budgets for Pydantic AI: `wrap` guards a model, `BudgetCapability` every model call and tool of an agent.

Before a request, an estimate is reserved. The input is a third of the prompt's UTF-8 bytes, 4 tokens a
message and 2,000 a picture. The output is the whole limit of the settings, else `output_tokens`. After the
request, the usage in the response is booked, or the estimate if it has none. A stream that is left early, is
cancelled or times out is billed, so it is charged. A provider's error gives the tokens back, unless the
budget says `on_error="charge"`, and counts as a request. A refusal is also a
`pydantic_ai.UsageLimitExceeded`, the error with which Pydantic AI ends a run; no fallback tries another model
after it.

Example:
    >>> from pydantic_ai import Agent
    >>> from pydantic_ai.models.test import TestModel
    >>> from outlay import SharedPool
    >>> from outlay.pydantic_ai import wrap
    >>> pool = SharedPool(capacity_tokens=10_000)
    >>> agent = Agent(wrap(TestModel(custom_output_text="Hello."), pool))
    >>> agent.run_sync("Say hello.").output
    'Hello.'
    >>> pool.committed().total_tokens > 0
    True

"""

from __future__ import annotations

try:
    import pydantic_ai  # noqa: F401
except ImportError as missing:
    raise ImportError("outlay.pydantic_ai needs Pydantic AI: pip install outlay[pydantic-ai]") from missing

from outlay.pydantic_ai._capability import BudgetCapability
from outlay.pydantic_ai._wrap import wrap

__all__ = ["BudgetCapability", "wrap"]
