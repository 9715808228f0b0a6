"""The handling of forks and of the interpreter's end, and a lock that is new in a forked child."""

import atexit
import os
import threading

from outlay._core import after_fork_in_child, after_fork_in_parent, at_exit, before_fork
from outlay._workers import watch_workers


class ProcessLock:
    """A lock of a module. A forked child gets a new one, even if a thread of its parent held it."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_exception: object) -> None:
        self._lock.release()


def watch_process() -> None:
    """Tell the core about forks, where the system has them, and about the exit."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_fork,
            after_in_parent=after_fork_in_parent,
            after_in_child=after_fork_in_child,
        )
    watch_workers()
    atexit.register(at_exit)


def _before_fork() -> None:
    watch_workers()
    before_fork()
