"""Counters that say nothing any more are forgotten, and what was spent is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from guard_support import budget, figures, new_guard, refused, spend

from outlay import Guard, ManualClock

DAY = 86_400
RATE = {"name": "u", "scope": {"user": "*"}, "requests_per_minute": 10, "tokens_per_minute": 1_000}
# In a fresh process, so that nothing else moves its memory.
MEASURED = Path(__file__).parent.parent / "forgotten_users.py"


def measured(*arguments):
    """Return the numbers that the program prints."""
    command = [sys.executable, str(MEASURED), *map(str, arguments)]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=3_000).stdout
    return [float(word) for word in out.split()]


@pytest.mark.parametrize(
    "policy",
    [
        {"limiter": [RATE]},
        budget(scope={"user": "*"}, limit={"calls": 9}, window="rolling:1h"),
        budget(scope={"user": "*"}, limit={"calls": 9}, window="fixed:1h"),
        budget(scope={"user": "*"}, limit={"calls": 9}, window="calendar:day"),
    ],
    ids=["limiter", "rolling", "fixed", "calendar"],
)
def test_counters_by_label_are_not_kept_for_ever(policy):
    """It was reported that 50,001 of them were there after 30 days."""
    clock = ManualClock()
    guard = Guard(policy, clock=clock)
    for number in range(2_000):
        guard.reserve(1, user=f"u{number}", model="m").commit(1)
    assert len(guard.snapshot()) == 2_000
    clock.advance(30 * DAY)
    guard.reserve(1, user="new", model="m").commit(1)
    assert [told["values"] for told in guard.snapshot()] == [{"user": "new"}]


def test_users_who_were_only_checked_or_refused_leave_nothing():
    """Also where the window never ends."""
    guard = new_guard(ManualClock(), budget(scope={"user": "*"}, limit={"tokens": 5}))
    for number in range(100):
        guard.check(1, user=f"checked-{number}")
        refused(lambda number=number: guard.reserve(6, user=f"refused-{number}"))
    guard.reserve(1, user="spends").commit(1)
    assert [told["values"] for told in guard.snapshot()] == [{"user": "spends"}]


def test_what_is_held_or_may_be_committed_late_is_kept():
    """A lease keeps its counter for as long as somebody has the lease, also after it has run out."""
    clock = ManualClock()
    policy = budget(limit={"tokens": 100}, window="run")
    guard = new_guard(clock, {**policy, "defaults": {"keep_runs": "1h"}})
    lease = guard.reserve(40, ttl=60, run="r")
    clock.advance(3 * DAY)
    assert figures(guard, "b", run="r") == (40, 0)
    lease.commit(70)
    assert figures(guard, "b", run="r") == (70, 0)
    assert refused(guard.reserve, 31, run="r").used == 70
    del lease
    clock.advance(2 * 3_600)
    assert guard.snapshot() == []
    spend(guard, 100, run="r")


def test_a_counter_of_two_units_takes_at_most_900_bytes():
    """It took 2,200 in 0.1.0."""
    (each,) = measured("bytes", 50_000)
    assert each <= 900


def test_memory_is_back_after_each_midnight():
    """Users with a daily budget and a rate, over three days."""
    users = 1_000_000 if os.environ.get("OUTLAY_SOAK") else 40_000
    start, *midnights = measured("midnights", users)
    assert len(midnights) == 3
    assert all(bytes_now <= 1.1 * start for bytes_now in midnights), (start, midnights)
