"""Refusals that Pydantic AI passes on: each is the class of outlay and `UsageLimitExceeded` in one.

`FallbackModel` falls back on `ModelAPIError` only, and the `ModelFallback` capability never on
`UsageLimitExceeded`, whatever its `fallback_on` says.
"""

from __future__ import annotations

from typing import Any

from pydantic_ai.exceptions import UsageLimitExceeded

from outlay._wraps import host_errors


def _init(self: RuntimeError, *args: Any) -> None:
    """Keep the arguments: the host's own `__init__` would set a message that outlay makes when it is read."""
    RuntimeError.__init__(self, *args)


as_pydantic_error = host_errors(globals(), UsageLimitExceeded, __init__=_init)
