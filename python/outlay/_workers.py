"""The orderly end of workers that do not run `atexit`: those of multiprocessing, billiard and celery."""

import sys
from typing import Any

from outlay._core import at_exit

#: After all finalizers that have a use for a budget.
_LAST = -1_000


class _Ends:
    """Ends what a worker has of its stores, as `atexit` would."""

    __slots__ = ("__weakref__", "_done")

    def __init__(self) -> None:
        self._done: set[str] = set()

    def watch(self) -> None:
        """Find the hosts that are imported, and ask each of them for a call at the end of its workers."""
        for name, ask in (("multiprocessing.util", self._finalize), ("celery.signals", self._connect)):
            module = sys.modules.get(name)
            if module is not None and name not in self._done:
                self._done.add(name)
                ask(module)

    def _finalize(self, util: Any) -> None:
        # A worker forgets the finalizers of its parent before it runs this.
        util.register_after_fork(self, lambda _ends: util.Finalize(None, at_exit, exitpriority=_LAST))
        process = sys.modules.get("multiprocessing.process")
        if process is not None and process.parent_process() is not None:
            util.Finalize(None, at_exit, exitpriority=_LAST)

    def _connect(self, signals: Any) -> None:
        signals.worker_process_shutdown.connect(_end_worker, weak=False)


def _end_worker(**_signal: Any) -> None:
    at_exit()


_ENDS = _Ends()
watch_workers = _ENDS.watch
