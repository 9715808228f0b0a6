"""What the core has to know about its process: forks, and the end of the interpreter."""

import atexit
import os

from . import _core


def watch_process() -> None:
    """Tell the core about forks, where the system has them, and about the exit."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_core.after_fork_in_child)
    atexit.register(_core.at_exit)
