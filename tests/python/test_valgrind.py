"""A process that reads the system clock runs under valgrind, which hides the kernel's vDSO from it.

So instructions can be counted and memory checked on what users run, and not by a ``ManualClock`` alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings

import pytest

VALGRIND = shutil.which("valgrind")
MISSING = "valgrind is not installed: nothing was run under it"

# One class for each way to read the clock: coarse, precise, and the wall clock of a calendar window.
READ = """
import outlay
outlay.AgentTokenBudget("a", 10, 60).consume("query", 1)
assert outlay.RateLimiter(10).try_acquire()
policy = {"budget": [{"name": "day", "limit": {"calls": 1}, "window": "calendar:day"}]}
outlay.Guard(policy).reserve(outlay.UsageEstimate()).commit(outlay.Usage())
print("read")
"""


def test_the_system_clock_is_read_under_valgrind():
    """Without the C library's list of what the kernel gives a process, its first read ends the process."""
    if VALGRIND is None:
        warnings.warn(MISSING, stacklevel=1)  # pytest shows a warning, and of a skipped test only a letter
        pytest.skip(MISSING)
    environment = {**os.environ, "PYTHONMALLOC": "malloc"}
    command = [VALGRIND, "--tool=none", "--quiet", sys.executable, "-c", READ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    assert (done.returncode, done.stdout) == (0, "read\n"), done.stderr
