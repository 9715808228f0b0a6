"""Edge cases of Anthropic's SDK: other middleware, and usage that stands apart."""

from __future__ import annotations

import copy

import pytest
from anthropic import DefaultHttpxClient, not_given

from outlay import BudgetExceeded, BudgetManager, Guard, PolicyError, RateLimitExceeded, SharedPool, Usage
from outlay.anthropic import wrap
from outlay.testing import Reply


def passing(request, call_next):
    """Do nothing."""
    return call_next(request)


COPIES = {
    "copy": lambda client: client.copy(),
    "with_options": lambda client: client.with_options(timeout=5),
    "copy.copy": copy.copy,
    "no middleware": lambda client: client.with_options(middleware=[]),
    "middleware of None": lambda client: client.copy(middleware=None),
    "middleware not given": lambda client: client.copy(middleware=not_given),
    "other middleware": lambda client: client.with_options(middleware=(passing,)),
    "more middleware": lambda client: client.with_middleware(passing),
    "a copy of a copy": lambda client: client.with_options(middleware=[]).copy(middleware=[passing]),
    "another http client": lambda client: client.with_options(http_client=DefaultHttpxClient()),
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_every_copy_of_a_guarded_client_is_guarded(serve, client, make_pool, hi, copied):
    server = serve([])
    guarded = copied(wrap(wrap(client(server), make_pool()), make_pool(1)))
    with pytest.raises(BudgetExceeded):
        guarded.messages.create(**hi)
    assert server.calls == 0


def test_other_middleware_runs_and_each_budget_is_asked_once(serve, client, make_pool, hi):
    server, pool, seen = serve([Reply(text="Hello")]), make_pool(), []

    def note(request, call_next):
        seen.append(request.url)
        return call_next(request)

    guarded = wrap(client(server, middleware=[passing]), pool)
    guarded = guarded.with_options(middleware=[note, *guarded.middleware])
    guarded.messages.create(**hi)
    assert len(seen) == 1
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]


@pytest.mark.parametrize("budget", [None, [], "pool", 3, object(), SharedPool, {}, BudgetManager(), [None]])
def test_what_is_no_budget_is_refused(client, serve, budget):
    with pytest.raises(PolicyError, match="budget"):
        wrap(client(serve([])), budget)


def test_the_adaptive_limiters_of_a_guard_are_told(serve, client, hi):
    headers = {"anthropic-ratelimit-tokens-limit": "1000", "anthropic-ratelimit-tokens-remaining": "40"}
    rule = {"name": "tpm", "tokens_per_minute": 90_000, "adaptive": "headers"}
    for more in ({}, {"stream": True}):
        guard = Guard({"limiter": [{**rule, "scope": {"team": "red", "model": "claude-*"}}]})
        server = serve([Reply(text="Hello", headers=headers)])
        guarded = wrap(client(server), guard, team="red")
        answer = guarded.messages.create(**hi, **more)
        if more:
            list(answer)
        with pytest.raises(RateLimitExceeded):
            guarded.messages.create(**hi)


def test_usage_that_the_service_counts_apart_is_booked():
    """Compactions and advisors are billed, and are in `iterations` alone; the rest is in the sums."""

    def counts(given, made, read=0, written=0):
        cache = {"cache_read_input_tokens": read, "cache_creation_input_tokens": written}
        return {"input_tokens": given, "output_tokens": made, **cache}

    iterations = [
        {"type": "message", **counts(20, 10)},
        {"type": "compaction", **counts(300, 40, 5, 6)},
        {"type": "advisor_message", "model": "claude-big", **counts(7, 8)},
    ]
    booked = Usage.from_response({"usage": {**counts(20, 10, 1, 2), "iterations": iterations}})
    assert booked == Usage(
        input_tokens=20 + 3 + 311 + 7, output_tokens=58, cache_read_tokens=6, cache_write_tokens=8
    )
    assert Usage.from_response({"usage": {**counts(20, 10), "iterations": None}}).total_tokens == 30
