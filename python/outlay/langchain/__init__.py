"""Budgets for LangChain: `wrap` guards a chat model, `BudgetMiddleware` the steps of an agent.

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

from outlay.langchain._wrap import wrap

if TYPE_CHECKING:
    from outlay.langchain._middleware import BudgetMiddleware

__all__ = ["BudgetMiddleware", "wrap"]


def __getattr__(name: str) -> Any:
    # langchain.agents takes seconds to import, and a wrapped model does without it.
    if name == "BudgetMiddleware":
        from outlay.langchain._middleware import BudgetMiddleware

        return BudgetMiddleware
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
