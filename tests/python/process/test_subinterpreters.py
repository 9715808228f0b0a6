"""Subinterpreters: the import is refused with a clear error, whichever interpreter is first."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

NAME = next((n for n in ("_interpreters", "_xxsubinterpreters") if importlib.util.find_spec(n)), None)

pytestmark = pytest.mark.skipif(NAME is None, reason="this Python is built without subinterpreters")

PROGRAM = """
import sys
import {name} as interpreters
first, isolated = sys.argv[1] == "main", sys.argv[2] == "isolated"
if first:
    import outlay
new = sys.version_info >= (3, 13)
made = interpreters.create(sys.argv[2]) if new else interpreters.create(isolated=isolated)
inside = f'''
import sys
sys.path[:] = {{sys.path!r}}
for _ in range(2):
    try:
        import outlay
        print("imported")
    except ImportError as error:
        print(error)
'''
failed = interpreters.run_string(made, inside)
assert failed is None, failed
import outlay
try:
    outlay.SharedPool(capacity_tokens=1).reserve(2)
except outlay.LimitExceeded:
    print("the main interpreter works")
"""


@pytest.mark.parametrize("kind", ["isolated", "legacy"])
@pytest.mark.parametrize("first", ["main", "sub"])
def test_a_subinterpreter_is_refused(first, kind):
    """On CPython 3.11, and in legacy ones of any version, refusals were of another interpreter's classes."""
    command = [sys.executable, "-c", PROGRAM.format(name=NAME), first, kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    *refused, last = done.stdout.splitlines()
    assert last == "the main interpreter works"
    assert len(refused) == 2
    for line in refused:
        assert "outlay" in line
        assert "subinterpreter" in line
        assert line != "imported"
