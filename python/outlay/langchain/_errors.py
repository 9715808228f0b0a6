"""Refusals that LangChain does not retry: each is both outlay's class and LangChain's own error.

LangChain's retries look at `ModelError.is_retryable` and would try any other exception again.
"""

from __future__ import annotations

from outlay import LimitExceeded
from outlay._wraps import host_errors

try:
    from langchain_core.exceptions import ModelError
except ImportError:  # LangChain before it classified errors: nothing there to recognise
    ModelError = Exception  # type: ignore[misc,assignment]


def _is_retryable(self: LimitExceeded) -> bool:
    """Whether waiting is the cure, as the refusal itself says."""
    return bool(self.retryable)


as_model_error = host_errors(globals(), ModelError, is_retryable=property(_is_retryable))
