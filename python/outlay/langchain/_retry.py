"""`Runnable.with_retry` of guarded models: it does not repeat a refusal that waiting does not cure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables.retry import RunnableRetry

from outlay import LimitExceeded

_FIELD = "retry_exception_types"
#: Whether this LangChain asks a function, or knows types alone. Then it repeats every refusal.
_ASKS = "Callable" in str(RunnableRetry.model_fields[_FIELD].annotation)


def spare_refusals(retry: Any) -> Any:
    """Return what `with_retry` made, so that it repeats only what another try may cure."""
    if not (_ASKS and isinstance(retry, RunnableRetry)):
        return retry
    return retry.model_copy(update={_FIELD: _Repeats(retry.retry_exception_types)})


class _Repeats:
    """Whether an error is tried again: as LangChain says, but no refusal that says "not retryable"."""

    def __init__(self, wanted: Any) -> None:
        self.wanted = wanted

    def __call__(self, error: BaseException) -> bool:
        if isinstance(error, LimitExceeded) and not error.retryable:
            return False
        if isinstance(self.wanted, tuple):
            return isinstance(error, self.wanted)
        return bool(self.wanted(error))


def with_retry(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method `with_retry` of a guarded class."""

    def repeating(self: BaseChatModel, **kwargs: Any) -> Any:
        return spare_refusals(original(self, **kwargs))

    repeating.__name__, repeating.__doc__ = original.__name__, original.__doc__
    return repeating
