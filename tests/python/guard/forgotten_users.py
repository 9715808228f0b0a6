"""Measures what users of a guard take: `bytes N` prints the bytes of each, `midnights N` the memory.

Of `midnights` the first number is the memory before the first user, the others that after each of three
midnights. It is what the allocator has given out, where the C library says that (glibc 2.33). What it keeps
of free pages is its own decision. Elsewhere it is what is in memory.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from pathlib import Path

import outlay

PRICES = {"m": {"input": "1.00", "output": "2.00"}}
LIMIT = {"usd": "5.00", "tokens": 10_000}
DAILY = {"name": "d", "scope": {"user": "*"}, "limit": LIMIT, "window": "calendar:day"}
RATE = {"name": "r", "scope": {"user": "*"}, "requests_per_minute": 10}
DAY = 86_400


OTHERS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks")


class Allocated(ctypes.Structure):
    """What `mallinfo2` returns."""

    _fields_ = [(name, ctypes.c_size_t) for name in (*OTHERS, "given_out", "free", "keepcost")]


def in_use() -> int:
    """Return the bytes that are given out, in small pieces and in pages of their own."""
    gc.collect()
    library = ctypes.CDLL(None)
    library.malloc_trim(0)
    if not hasattr(library, "mallinfo2"):
        return in_memory()
    library.mallinfo2.restype = Allocated
    found = library.mallinfo2()
    return found.given_out + found.hblkhd


def in_memory() -> int:
    """Return the bytes that are in memory."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def spend(guard: outlay.Guard, users: int) -> None:
    for number in range(users):
        guard.reserve(10, user=f"user-{number}", model="m").commit(10)


def main() -> None:
    what, users = sys.argv[1], int(sys.argv[2])
    clock = outlay.ManualClock()
    if what == "bytes":
        guard = outlay.Guard({"budget": [DAILY], "prices": PRICES}, clock=clock)
        before = in_memory()
        spend(guard, users)
        print((in_memory() - before) / users)
        return
    guard = outlay.Guard({"budget": [DAILY], "limiter": [RATE], "prices": PRICES}, clock=clock)
    # What is made once is made now.
    spend(guard, 2_000)
    clock.advance(DAY)
    guard.snapshot()
    print(in_use())
    for _ in range(3):
        spend(guard, users)
        clock.advance(DAY)
        guard.snapshot()
        print(in_use())


if __name__ == "__main__":
    main()
