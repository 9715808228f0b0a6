"""Budgets for LangChain: `wrap` guards a chat model, `BudgetMiddleware` the steps of an agent.

`audit` sees the calls of models that were not wrapped.

Before the call, an estimate is reserved. The input is a third of the prompt's UTF-8 bytes, 4 tokens a message
and 2,000 a picture. The output is the whole limit of the call or the model, else `output_tokens`. After the
call, the usage in the response is booked, or the estimate if it has none. A stream that is left early or
cancelled is billed, so it is charged: its usage if it was reported, else the estimate. A call that times out
is charged, and so is an answer that does not parse. A provider's error gives the tokens back, unless the
budget says `on_error="charge"`, and counts as a request. A response out of LangChain's cache costs nothing.

Example:
    >>> from outlay import SharedPool
    >>> from outlay.langchain import wrap
    >>> from outlay.testing import ScriptedChatModel
    >>> pool = SharedPool(capacity_tokens=10_000)
    >>> model = wrap(ScriptedChatModel(script=["Hello."]), pool)
    >>> model.invoke("Say hello.").content
    'Hello.'
    >>> pool.committed().total_tokens > 0
    True

"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    import langchain  # noqa: F401
    import langchain_core  # noqa: F401
except ImportError as missing:
    raise ImportError("outlay.langchain needs LangChain: pip install outlay[langchain]") from missing

from outlay.langchain._audit import Audit, UnmeteredCall, audit
from outlay.langchain._wrap import wrap

if TYPE_CHECKING:
    from outlay.langchain._middleware import BudgetMiddleware

__all__ = ["Audit", "BudgetMiddleware", "UnmeteredCall", "audit", "wrap"]


def __getattr__(name: str) -> Any:
    # langchain.agents takes seconds to import, and a wrapped model does without it.
    if name == "BudgetMiddleware":
        from outlay.langchain._middleware import BudgetMiddleware

        return BudgetMiddleware
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
