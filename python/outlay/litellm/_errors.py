"""Refusals that LiteLLM neither retries nor re-wraps: each is both outlay's class and LiteLLM's own error.

LiteLLM turns unknown errors into `APIConnectionError`. Its Router retries every status of 408, 409, 429, 500
and above, and errors without a status.
"""

from __future__ import annotations

from typing import Any

from litellm.exceptions import OpenAIError

from outlay import LimitExceeded
from outlay._wraps import host_errors


def _message(self: LimitExceeded) -> str:
    """Say what ran out; and what LiteLLM's Router wrote behind it."""
    written: str = self.__dict__.get("_message") or self._denial.message
    return written


def _write_message(self: Any, text: str) -> None:
    self.__dict__["_message"] = text


as_litellm_error = host_errors(
    globals(),
    OpenAIError,
    # That of LiteLLM's own BudgetExceededError, which its exception mapping does not know.
    status_code=422,
    llm_provider="",
    model="",
    # The Router adds to the message of an error that passes through it.
    message=property(_message, _write_message),
)
