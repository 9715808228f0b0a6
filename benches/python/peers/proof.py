"""Before a call is timed, it must answer as it should: admit what fits, and refuse what does not."""

from __future__ import annotations

import asyncio
import inspect

from .case import REFUSED, Case, Made

ROOM = 3
TURNS = 50  # of the event loop; a call that has no answer by then waits for capacity


async def ask(case: Case, made: Made) -> bool:
    """Make one call and say whether it was admitted. A call that would have to wait was not."""
    try:
        answer = made.loop(1)
        if not inspect.iscoroutine(answer):
            return case.admitted(answer)
        task = asyncio.ensure_future(answer)
        for _ in range(TURNS):
            await asyncio.sleep(0)
            if task.done():
                return case.admitted(task.result())
        task.cancel()
        return False
    except case.refusal:
        return False


async def prove(case: Case) -> Made:
    """Ask four times where there is room for three, and return the limiter, which is used up now.

    Raises:
        AssertionError: The peer's answers are not those of a limit of three.

    """
    made = case.make(ROOM)
    answers = [await ask(case, made) for _ in range(ROOM + 1)]
    expected = [True] * ROOM + [False]
    assert answers == expected, f"{case.group}: {case.name}: {answers} where {expected} was expected"
    if case.group == REFUSED:
        assert not await ask(case, made), f"{case.name} is admitted after it was refused"
    return made
