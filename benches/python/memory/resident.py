"""The memory of this process that is in use."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from pathlib import Path


def trim() -> None:
    """Give what is free back to the system, where the C library can do that."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return


def resident() -> int:
    """Return the bytes of this process that are in memory, less what is free."""
    trim()
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize()
    # Elsewhere only the peak is to be had: what was freed still counts.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
