"""Windows of guards: lifetime, run, fixed, rolling, and the calendar with its long and short days."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from guard_support import budget, figures, new_guard, refused, spend

from outlay import Guard, ManualClock

HOUR = 3600


def at(zone, *moment):
    """Return a clock that stands at a local time."""
    clock = ManualClock()
    clock.set_time(dt.datetime(*moment, tzinfo=ZoneInfo(zone)))
    return clock


def calendar(clock, unit, zone):
    """Return a guard of one call in each such window, which is spent."""
    guard = new_guard(clock, budget(limit={"calls": 1}, window=f"calendar:{unit}", timezone=zone))
    spend(guard)
    return guard


@pytest.mark.parametrize(
    ("unit", "zone", "moment", "hours"),
    [
        ("day", "UTC", (2026, 5, 1), 24),
        ("day", "Europe/Berlin", (2026, 3, 29), 23),
        ("day", "Europe/Berlin", (2026, 10, 25), 25),
        ("day", "America/New_York", (2026, 3, 8), 23),
        ("day", "America/New_York", (2026, 11, 1), 25),
        ("day", "Australia/Lord_Howe", (2026, 4, 5), 24.5),
        ("day", "America/Santiago", (2026, 9, 6, 1), 23),
        ("day", "Asia/Kathmandu", (2026, 1, 1), 24),
        ("week", "UTC", (2026, 1, 5), 7 * 24),
        ("week", "Europe/Berlin", (2026, 3, 23), 7 * 24 - 1),
        ("month", "UTC", (2027, 2, 1), 28 * 24),
        ("month", "UTC", (2028, 2, 1), 29 * 24),
        ("month", "Europe/Berlin", (2026, 10, 1), 31 * 24 + 1),
        ("month", "America/New_York", (2026, 12, 1), 31 * 24),
        ("hour", "Asia/Kathmandu", (2026, 1, 1), 1),
    ],
)
def test_a_calendar_window_is_as_long_as_the_calendar_says(unit, zone, moment, hours):
    """Full until its last second, empty after it."""
    clock = at(zone, *moment)
    guard = calendar(clock, unit, zone)
    (told,) = guard.explain()
    assert told["resets_in"] == hours * HOUR
    denied = refused(guard.reserve)
    assert denied.retry_after == hours * HOUR
    clock.advance(hours * HOUR - 1)
    refused(guard.reserve)
    clock.advance(1)
    spend(guard)
    refused(guard.reserve)


@pytest.mark.parametrize("day", [28, 30, 31])
def test_a_month_ends_at_its_last_day_wherever_it_was_entered(day):
    """Many months later there is one call again, not many."""
    clock = at("Europe/Berlin", 2026, 1, day, 23, 59, 59)
    guard = calendar(clock, "month", "Europe/Berlin")
    clock.advance(1)
    if day == 31:
        spend(guard)
    refused(guard.reserve)
    clock.advance(400 * 24 * HOUR)
    spend(guard)
    refused(guard.reserve)


def test_the_zone_of_the_window_comes_before_that_of_the_rule_and_of_the_defaults():
    """Each says when its midnight is."""
    rules = [
        {"name": "d", "limit": {"calls": 9}, "window": "calendar:day"},
        {"name": "r", "limit": {"calls": 9}, "window": "calendar:day", "timezone": "Asia/Tokyo"},
        {"name": "w", "limit": {"calls": 9}, "window": "calendar:day UTC", "timezone": "Asia/Tokyo"},
    ]
    clock = at("UTC", 2026, 5, 1)
    guard = Guard({"defaults": {"timezone": "America/New_York"}, "budget": rules}, clock=clock)
    resets = [told["resets_in"] / HOUR for told in guard.explain()]
    assert resets == [4, 15, 24]


def test_a_step_of_the_wall_clock_backwards_refills_nothing():
    """The window of yesterday is not a new one."""
    clock = at("UTC", 2026, 5, 2, 12)
    guard = calendar(clock, "day", "UTC")
    clock.set_time(dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC))
    refused(guard.reserve)


def test_a_lease_settles_in_the_window_in_which_it_was_reserved():
    """What it used above its estimate is booked in the next; nothing is given back there."""
    clock = at("UTC", 2026, 5, 1, 23)
    guard = new_guard(clock, budget(limit={"tokens": 100}, window="calendar:day"))
    over, under = guard.reserve(40), guard.reserve(40)
    clock.advance(HOUR)
    assert figures(guard, "b") == (0, 0)
    spend(guard, 30)
    over.commit(50)
    under.commit(0)
    assert figures(guard, "b") == (40, 0)


def test_lifetime_never_ends_and_fixed_begins_with_the_first_use(clock):
    """At whole periods after it."""
    guard = new_guard(clock, {
        "budget": [
            {"name": "l", "limit": {"calls": 3}},
            {"name": "f", "limit": {"calls": 1}, "window": "fixed:1h"},
        ]
    })  # fmt: skip
    clock.advance(1800)
    spend(guard)
    clock.advance(3599)
    assert refused(guard.reserve).retry_after == 1.0
    clock.advance(1)
    spend(guard)
    clock.advance(2 * HOUR + 100)
    spend(guard)
    denied = refused(guard.reserve)
    assert denied.scope == {"budget": "l"}
    assert denied.retry_after is None
    clock.advance(100 * 365 * 24 * HOUR)
    assert refused(guard.reserve).scope == {"budget": "l"}


def test_rolling_never_holds_more_than_the_limit_in_any_period(clock):
    """At each of many moments."""
    guard = new_guard(clock, budget(limit={"tokens": 100}, window="rolling:1h"))
    booked = []
    for number in range(400):
        clock.advance(37)
        amount = 7 + number % 5
        try:
            spend(guard, amount)
        except Exception:
            continue
        booked.append((number * 37, amount))
    for moment, _ in booked:
        assert sum(n for when, n in booked if moment <= when < moment + HOUR) <= 100
    assert sum(amount for _, amount in booked) > 100 * (400 * 37 / HOUR) * 0.8


def test_each_run_has_a_counter_of_its_own(clock):
    """And requests without a run share one."""
    guard = new_guard(clock, budget(limit={"calls": 1}, window="run"))
    with guard.run("r1") as run:
        assert run == "r1"
        spend(guard)
        assert refused(guard.reserve).scope == {"budget": "b", "run": "r1"}
    with guard.run() as first:
        spend(guard)
    with guard.run() as second:
        spend(guard)
    assert first != second
    spend(guard)
    refused(guard.reserve)
