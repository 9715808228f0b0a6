"""Helpers of the guard tests: short ways to make a guard, to fill it and to read it."""

from __future__ import annotations

import pytest

from outlay import Guard, LimitExceeded, Usage, UsageEstimate


def budget(name="b", /, **more):
    """Return a policy of one budget."""
    return {"budget": [{"name": name, **more}]}


def spend(guard, estimate=None, **labels):
    """Reserve and commit the same."""
    lease = guard.reserve(estimate, **labels)
    lease.commit(estimate)
    return lease


def figures(guard, name, unit="tokens", **values):
    """Return used and reserved of one counter. One of labels of which nothing counts is not there."""
    for counter in guard.snapshot():
        if counter["name"] == name and counter["values"] == values:
            limits = counter["limits"][unit]
            return limits["used"], limits["reserved"]
    if values:
        return 0, 0
    raise AssertionError(f"no counter {name}")


def refused(call, *args, **kwargs):
    """Call what must be refused; the refusal."""
    with pytest.raises(LimitExceeded) as caught:
        call(*args, **kwargs)
    return caught.value


def listen(guard):
    """Return the list of events as it grows."""
    events = []
    guard.events(events.append)
    return events


def names(events, kind):
    """Return the names of the events of a kind."""
    return [event["name"] for event in events if event["event"] == kind]


def usage(tokens=0, cost=0, kind=Usage):
    """Return a usage of so many input tokens, and micro-USD."""
    return kind(input_tokens=tokens, cost_micros_usd=cost)


def estimate(tokens=0, cost=0):
    """Return an estimate of so many input tokens, and micro-USD."""
    return usage(tokens, cost, UsageEstimate)


def new_guard(clock, policy):
    """Return a guard of a dict on a clock."""
    return Guard(policy, clock=clock)
