"""Forked children refuse the accounts of their parent."""

import os

from . import _core


def watch_forks() -> None:
    """Tell the core about forks, where the system has them."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_core.after_fork_in_child)
