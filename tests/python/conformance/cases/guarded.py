"""The cases of what wraps do beside their calls: methods that they cannot guard, refusals inside tools."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from kit import TEXT, World

from cases.base import OWN, case
from outlay import PolicyError, SharedPool, WorkflowQuota
from outlay._wraps import unguarded as _unguarded
from outlay.testing import Reply


@case("What costs money and is not guarded passes, warns once or is refused, as `unguarded` says.", OWN)
def unguarded_method(world):
    server, pool = world.serve(), world.pool()
    with _warnings() as told:
        allowed = _said(world, server, pool, "allow")
        assert "costs money" not in allowed, allowed
        assert told == []
        for _ in range(2):
            assert _said(world, server, pool, "warn") == allowed
        assert len(told) == 1
        assert "costs money and no budget guards it; the wrap guards" in told[0]
        refused = _said(world, server, pool, "refuse")
        assert refused.startswith("refused: "), refused
        assert refused.removeprefix("refused: ") == told[0]
    assert server.calls == 0
    assert pool.committed().total_tokens == 0


@case("A refusal that a tool raises is the tool's answer, and the caller's run goes on.", OWN)
def refused_inside_tool(world):
    token, inner = WorkflowQuota.hourly(10, 5).begin_workflow("inside"), SharedPool(capacity_tokens=100)

    def look_up(word: str) -> str:
        """Look a word up."""
        inner.reserve(500)
        return "found " + word

    calls = [{"name": "look_up", "args": {"word": "a"}, "id": "call-a"}]
    server = world.serve_case([Reply(tool_calls=calls), Reply(text=TEXT)])
    told, answer = _run(world, world.driver.refused_inside_tool(server, token, look_up))
    assert answer == TEXT
    assert json.loads(told)["error"] == "threshold_exceeded"
    assert json.loads(told)["details"]["requested"] == 500
    assert token.steps_executed() == 1
    assert inner.committed().total_tokens == 0


def _said(world: World, server: Any, pool: Any, word: str) -> str:
    """Return how a call of what is not guarded ended: its refusal, or what came of it."""
    try:
        return str(_run(world, world.driver.unguarded_method(server, pool, word)))
    except PolicyError as error:
        return f"refused: {error}"
    except Exception as error:
        # The server has no such path: the call has reached it.
        return type(error).__name__


def _run(world: World, result: Any) -> Any:
    async def awaited():
        return await result

    return world.loop.run(awaited()) if inspect.isawaitable(result) else result


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect what is warned of in the block, as in a process that has not been warned yet."""
    told: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record):
            told.append(record.getMessage())

    handler, log = Kept(level=logging.WARNING), logging.getLogger("outlay")
    log.addHandler(handler)
    try:
        with patch.dict(_unguarded._said, clear=True):
            yield told
    finally:
        log.removeHandler(handler)
