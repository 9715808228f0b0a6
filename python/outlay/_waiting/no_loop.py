"""What is said where no asyncio event loop runs, under trio for example: waiting needs one."""

from __future__ import annotations

import sys
import warnings

_OUT = "a thread can wait with reserve_blocking or acquire_slot_blocking"
_OUT_OF_TRIO = f"{_OUT}: await trio.to_thread.run_sync(...)"


def trio_runs() -> bool:
    """Return whether this is called from a task of trio."""
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


def no_loop_error() -> RuntimeError:
    """Return the error of a call that must wait where nothing of asyncio runs."""
    here, out = ("trio runs here", _OUT_OF_TRIO) if trio_runs() else ("none runs here", _OUT)
    return RuntimeError(f"waiting needs an asyncio event loop, and {here}; {out}")


class FirstCall:
    """The first call of the process that might wait. It warns under trio: only calls that find room pass."""

    __slots__ = ("comes",)

    def __init__(self) -> None:
        self.comes = True

    def came(self) -> None:
        """Look once for trio."""
        self.comes = False
        if trio_runs():
            warnings.warn(
                "outlay waits with asyncio, and trio runs here: a call that finds no room at once will raise "
                f"RuntimeError; {_OUT_OF_TRIO}",
                RuntimeWarning,
                stacklevel=3,
            )


first_call = FirstCall()
