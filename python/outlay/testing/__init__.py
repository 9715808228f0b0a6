"""Helpers for tests of code that spends budgets: a clock to move, a scripted model, a loopback server.

Each is imported on first use: a test that needs only the clock needs no framework.

Example:
    >>> from outlay import AgentTokenBudget
    >>> from outlay.testing import ManualClock
    >>> clock = ManualClock()
    >>> budget = AgentTokenBudget.hourly("agent-1", 1_000, clock=clock)
    >>> budget.consume("query", 1_000)
    >>> clock.advance(3600)
    >>> budget.remaining()
    1000

"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlay._core import ManualClock
    from outlay.testing.openai_server import OpenAIServer, Reply
    from outlay.testing.provider_server import ProviderServer
    from outlay.testing.scripted_model import Pause, ScriptedChatModel, ScriptedReply, tool_call

__all__ = [
    "ManualClock",
    "OpenAIServer",
    "Pause",
    "ProviderServer",
    "Reply",
    "ScriptedChatModel",
    "ScriptedReply",
    "tool_call",
]

_HOMES = {
    "ManualClock": "outlay._core",
    "OpenAIServer": "outlay.testing.openai_server",
    "Pause": "outlay.testing.scripted_model",
    "ProviderServer": "outlay.testing.provider_server",
    "Reply": "outlay.testing.openai_server",
    "ScriptedChatModel": "outlay.testing.scripted_model",
    "ScriptedReply": "outlay.testing.scripted_model",
    "tool_call": "outlay.testing.scripted_model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    # What cannot be imported would end `help()` of this module with an ImportError.
    scripted = importlib.util.find_spec("langchain_core") is not None
    return sorted(name for name in __all__ if scripted or not _HOMES[name].endswith("scripted_model"))
