"""Helpers of the tests of the faces: ids, amounts, snapshots, threads that collide, scripts in processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import jsonschema
import numpy as np

from outlay import LLM_MESSAGE_SCHEMA, BudgetLimit, LimitExceeded

HOUR = 3600
DAY = 24 * HOUR
MAX = 2**64 - 1
#: How many times as often as usual is repeated what only many repetitions find: `make soak`.
SOAK = int(os.environ.get("OUTLAY_SOAK", "1"))

#: Lawful ids that break careless code.
ODD_IDS = {
    "quote": 'a"b',
    "single quote": "it's",
    "backslash": "a\\",
    "braces": "}{",
    "json": '{"error":"none"}',
    "percent": "%s %(x)s {0}",
    "newlines": "a\nb\r\nc",
    "other line ends": "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg",
    "nul": "a\0b",
    "only nul": "\0",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f",
    "right to left": "\u202eabc\u202c \u05d0",
    "emoji": "\U0001f980\U0001f468\u200d\U0001f469",
    "space": " ",
    "path": "../../etc/passwd",
    "long": "x" * 1024,
    "long quotes": '"' * 1024,
    "long nul": "\0" * 1024,
    "long emoji": "\U0001f980" * 256,
    "not normalised": "e\u0301",
}
#: What no id may be.
BAD_IDS = {
    "empty": "",
    "1025 bytes": "x" * 1025,
    "1025 bytes of two": "\u00e9" * 513,
    "1 MB": "x" * 1_000_000,
    "surrogate": "a\ud800",
    "int": 5,
    "bytes": b"a",
    "None": None,
    "list": ["a"],
    "bool": True,
}
#: What no count of tokens, calls, steps or micro-USD may be.
BAD_AMOUNTS = {
    "negative": -1,
    "very negative": -(2**64),
    "2**64": 2**64,
    "10**5000": 10**5000,
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "fraction": 1.5,
    "whole float": 1.0,
    "True": True,
    "False": False,
    "str": "1",
    "bytes": b"1",
    "list": [1],
    "Decimal": Decimal(1),
    "Fraction": Fraction(1),
    "complex": 1j,
    "numpy float": np.float64(1),
    "numpy float32": np.float32(1),
    "numpy bool": np.bool_(True),
    "numpy negative": np.int64(-1),
    "object": object(),
}
#: What no period in seconds may be.
BAD_PERIODS = {
    "zero": 0,
    "negative": -1,
    "tiny": 1e-12,
    "nan": float("nan"),
    "infinity": float("inf"),
    "a hundred and one years": 101 * 366 * 86400,
    "huge": 10**5000,
    "bool": True,
    "str": "60",
    "None": None,
    "complex": 1j,
    "list": [60],
}
#: What counts as the whole number 3.
THREES = [3, np.int8(3), np.int64(3), np.uint8(3), np.uint64(3)]


def budget_limit(
    agent_id: Any = "a", tokens: Any = 100, calls: Any = None, window: Any = None
) -> BudgetLimit:
    """Return the limit of one agent."""
    return BudgetLimit(agent_id=agent_id, token_budget=tokens, calls_budget=calls, window_secs=window)


def checked_message(refused: LimitExceeded) -> dict[str, Any]:
    """Return the payload of a refusal whose message obeys all rules of messages."""
    text = refused.to_llm_message()
    assert str(refused) == text
    assert len(text.splitlines()) == 1
    assert len(text.encode()) <= 1024
    payload = refused.payload
    jsonschema.validate(payload, LLM_MESSAGE_SCHEMA, cls=jsonschema.Draft202012Validator)
    assert payload["message"] == refused.message
    assert payload["suggestion"] == refused.suggestion
    assert payload["retryable"] is refused.retryable
    details = payload["details"]
    numbers = (details["requested"], details["remaining"], details["total"], details["used"])
    assert numbers == (refused.requested, refused.remaining, refused.limit, refused.used)
    assert details["reserved"] == refused.reserved
    wait = payload["retry_after_seconds"]
    assert (wait is None) == (refused.retry_after is None)
    if wait is not None:
        assert 0 <= wait - refused.retry_after <= 0.001001
    return payload


def refusal_of(call: Callable[[], object]) -> Any:
    """Return the refusal that a call raises, or None."""
    try:
        call()
    except LimitExceeded as refused:
        # Its frames would keep leases alive.
        return refused.with_traceback(None)
    return None


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run `work(number)` in threads that start together; the first error is raised here."""
    barrier = threading.Barrier(count)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            barrier.wait(30)
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]


def run_script(source: str, *arguments: str, seconds: int = 30) -> subprocess.CompletedProcess[str]:
    """Run Python source in a process of its own; a hang prints where and ends it."""
    # A forked child has no alarm of its own and sets one where it may hang.
    guard = "import faulthandler, signal; faulthandler.register(signal.SIGALRM, chain=True)\n"
    guard += f"signal.alarm({seconds})\n"
    command = [sys.executable, "-X", "faulthandler", "-c", guard + source, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)


def ran_clean(source: str, *arguments: str, seconds: int = 30) -> str:
    """Run Python source as `run_script` does; it must exit with 0. Return what it printed."""
    done = run_script(source, *arguments, seconds=seconds)
    assert done.returncode == 0, f"exit {done.returncode}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout
