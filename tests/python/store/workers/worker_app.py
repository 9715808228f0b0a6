"""What all hosts of workers import: a budget, a pool and a guard of one store, made at import.

The address of the store is in the environment. Each function uses up what is left and returns how much
that was, so that a test can add up what the workers got.
"""

from __future__ import annotations

import os
import time

import outlay

LIMIT = 300
#: For how long a call is tried again, in seconds.
DEADLINE = 5
POLICY = {
    "budget": [
        {"name": "all", "limit": {"tokens": LIMIT}},
        {"name": "mine", "scope": {"user": "*"}, "limit": {"calls": 20}},
    ]
}
#: A machine that is busy with other tests may take longer to answer than a user would wait.
store = outlay.Store(os.environ["OUTLAY_TEST_STORE"], timeout=5)

budget = outlay.AgentTokenBudget.daily("researcher", LIMIT, store=store)
pool = outlay.SharedPool(capacity_tokens=LIMIT, store=store)
guard = outlay.Guard(POLICY, store=store)
bound = guard.bind(user="u-1")


def use_budget(_number=0):
    """Use up what is left of the budget."""
    return _until_refused(lambda: budget.consume("query", 1))


def use_pool(_number=0):
    """Use up what is left of the pool."""
    return _until_refused(lambda: pool.reserve(1).commit(1))


def use_guard(_number=0):
    """Make calls of one user until they are refused."""
    return _until_refused(lambda: bound.reserve(1).commit(1))


def use_all(_number=0):
    """Use up everything. Return what this process got of each."""
    return [use_budget(), use_pool(), use_guard()]


def _until_refused(act):
    for done in range(LIMIT + 1):
        if not _passes(act):
            return done
    raise AssertionError("no limit")


def _passes(act):
    """Act, again and again while other processes hold what is left. Return whether it passed."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            act()
        except outlay.LimitExceeded as refused:
            if not refused.retryable or refused.retry_after is not None:
                return False
        else:
            return True
    return False


def one_of_each():
    """Use one of each, if there is one. Return what this process got."""
    ways = (
        lambda: budget.consume("query", 1),
        lambda: pool.reserve(1).commit(1),
        lambda: bound.reserve(1).commit(1),
    )
    return [int(_passes(act)) for act in ways]


def wsgi(_environ, start_response):
    """Answer each request with the process and with what it got."""
    body = f"{os.getpid()} {' '.join(map(str, one_of_each()))}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    """Do the same for a host that is async."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = f"{os.getpid()} {' '.join(map(str, one_of_each()))}".encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": body})
