"""The cases of settling: calls that failed, were never answered, or got a useless answer."""

from __future__ import annotations

import contextlib
import threading

from kit import ROOM, Recorded, billed

from cases.base import ALL, OWN, PLAIN, _raised, case
from outlay import Guard, LimitExceeded, ManualClock
from outlay.testing import Reply

RETRIES = 1


def counting(requests=100, clock=None):
    """Return a guard that counts tokens, calls, and requests a minute."""
    policy = {
        "budget": [{"name": "all", "limit": {"tokens": ROOM, "calls": 100}}],
        "limiter": [{"name": "rpm", "requests_per_minute": requests}],
    }
    return Guard(policy, clock=clock or ManualClock())


def used(guard):
    """Return the tokens and the calls that a guard has booked, and the requests of its limiter."""
    limits = {one["name"]: one["limits"] for one in guard.snapshot()}
    assert not any(figures["reserved"] for one in limits.values() for figures in one.values())
    return limits["all"]["tokens"]["used"], limits["all"]["calls"]["used"], limits["rpm"]["calls"]["used"]


@case("A request that times out is charged at its estimate, once for each that was sent.", PLAIN)
def timed_out(world):
    for retries in (0, RETRIES):
        server = world.serve_same(Reply(text="late", gate=threading.Event()))
        guard, own = counting(), Recorded(world.pool())
        raised = _raised(world, world.hurried(server, [guard, own], retries))
        assert raised is not None
        assert not isinstance(raised, LimitExceeded)
        requests = 1 + retries
        # On a busy machine a request may arrive after its client has given it up.
        assert server.wait_for(lambda: server.calls == requests), server.calls  # noqa: B023
        estimate = own.estimates[0].total_tokens
        assert estimate > 0
        assert own.pool.committed().total_tokens == requests * estimate
        assert used(guard) == (requests * estimate, requests, requests)


@case("A request that is answered with an error costs no tokens, and counts as a request.", ALL)
def error_counts_request(world):
    server, guard = world.serve_same(Reply(status=500, text="out of order")), counting(3)
    client = world.make(server, guard)
    raised = [_raised(world, client) for _ in range(5)]
    assert server.calls == 3
    assert [isinstance(error, LimitExceeded) for error in raised] == [False] * 3 + [True] * 2
    assert used(guard) == (0, 3, 3)


@case("An error in the body of a 200 costs no tokens, and counts as a request.", PLAIN)
def error_in_body(world):
    server, guard = world.serve_same(Reply(status=502, in_body=True, text="upstream failed")), counting(3)
    client = world.make(server, guard)
    raised = [_raised(world, client) for _ in range(5)]
    assert server.calls == 3
    assert all(isinstance(error, LimitExceeded) for error in raised[3:])
    assert used(guard) == (0, 3, 3)


@case("An answer that is billed and cannot be used is booked: as billed where it is told, never less.", OWN)
def unparsed_answer(world):
    usage = {"prompt_tokens": 10, "completion_tokens": 500}
    server, pool = world.serve_same(Reply(text='{"word":', usage=usage)), world.pool()
    with contextlib.suppress(Exception):
        world.own(server, pool)
    assert server.calls > 0
    if getattr(world.driver, "unparsed_is_told", True):
        assert pool.committed().total_tokens == billed(server)[2]
    else:
        assert pool.committed().output_tokens == billed(server)[1]
        assert pool.committed().input_tokens > 0
