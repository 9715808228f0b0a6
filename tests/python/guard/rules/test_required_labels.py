"""`[defaults] require`: a request without one of these labels is refused, and changes nothing."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from guard_support import budget, figures, listen, new_guard, refused, spend

from outlay import BudgetExceeded, Guard, PolicyError, UsageEstimate, governed, in_scope
from outlay._calls.steps import charge_step, step_budgets
from outlay._core import record_together
from outlay.openai import wrap
from outlay.testing import ProviderServer, Reply

EACH = budget("per-agent", scope={"agent": "*"}, limit={"calls": 3})
MISSING = r'the label "agent" must be given: .* require = \["agent"\]'


def requiring(*labels):
    """Return the policy with required labels."""
    return {**EACH, "defaults": {"require": list(labels)}}


def in_threads(guard, call):
    """L04: 50 calls of the labels of a scope, in an executor and in that of an event loop."""
    with guard.scope(agent="x"), ThreadPoolExecutor(4) as pool:
        mapped = sum(pool.map(call(), range(50)))

    async def main():
        loop = asyncio.get_running_loop()
        with guard.scope(agent="y"):
            one = call()
            return sum(await asyncio.gather(*(loop.run_in_executor(None, one, 0) for _ in range(50))))

    return mapped, asyncio.run(main())


def counting(guard, error):
    """Return a call that says whether it passed."""

    def call(_):
        try:
            guard.reserve().commit()
        except error:
            return 0
        return 1

    return call


def test_l04_threads_that_are_handed_their_scope_keep_to_the_limit(clock):
    """With `in_scope`."""
    guard = new_guard(clock, requiring("agent"))
    assert in_threads(guard, lambda: in_scope(counting(guard, BudgetExceeded))) == (3, 3)
    assert [figures(guard, "per-agent", "calls", agent=agent) for agent in "xy"] == [(3, 0), (3, 0)]


def test_l04_threads_without_their_scope_are_refused_where_the_label_is_required(clock):
    """And nothing is counted."""
    guard = new_guard(clock, requiring("agent"))
    assert in_threads(guard, lambda: counting(guard, PolicyError)) == (0, 0)
    assert guard.snapshot() == []


def test_u03_a_forgotten_label_is_refused(clock):
    """A dependency of a web framework that runs in a thread, in a copy of the context, sets no label."""
    guard = new_guard(clock, budget("u", scope={"user": "*"}, limit={"calls": 1}))
    guard.update({**budget("u", scope={"user": "*"}, limit={"calls": 1}), "defaults": {"require": ["user"]}})

    def request(depend):
        scope = guard.scope(user="ann")
        depend(scope.__enter__)
        try:
            guard.reserve(1).commit()
        finally:
            depend(lambda: scope.__exit__(None, None, None))

    def in_a_thread(enter):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(enter,))
        thread.start()
        thread.join(10)

    with pytest.raises(PolicyError, match='the label "user" must be given'):
        request(in_a_thread)
    request(lambda enter: enter())
    refused(request, lambda enter: enter())


def faces(guard):
    """Return every request that has no label."""

    async def wait():
        await guard.reserve_wait(1)

    function = governed(guard, estimate=1)(lambda: None)
    steps = step_budgets(guard)
    return {
        "reserve": lambda: guard.reserve(1),
        "reserve_blocking": lambda: guard.reserve_blocking(1),
        "reserve_wait": lambda: asyncio.run(wait()),
        "check": lambda: guard.check(1),
        "allot": lambda: guard.allot(calls=1),
        "charge_step": guard.charge_step,
        "governed": function,
        "a step of a wrap": lambda: charge_step(steps, operation="t", labels={}),
        "a tool of a wrap": lambda: charge_step(steps, operation="t", labels={"tool": "t"}),
    }


@pytest.mark.parametrize("name", faces(Guard(EACH)))
def test_every_request_without_a_required_label_is_refused(name, clock):
    """Also where what applies to its labels was found before."""
    guard = new_guard(clock, requiring("agent"))
    events = listen(guard)
    for _ in range(2):
        with pytest.raises(PolicyError, match=MISSING):
            faces(guard)[name]()
        assert guard.explain() == []
    assert (guard.snapshot(), events) == ([], [])


@pytest.mark.parametrize(
    "name", ["reserve", "reserve_blocking", "reserve_wait", "check", "allot", "charge_step"]
)
def test_every_request_of_a_part_too(name, clock):
    """Its own labels are those of the part and of the request."""
    guard = new_guard(clock, EACH)
    with guard.allot(calls=2, agent="a", team="t") as part, guard.allot(calls=2, team="t") as bare:
        guard.update(requiring("agent", "team"))
        part.reserve(1).commit()
        with pytest.raises(PolicyError, match=r'the label "agent" must be given: .* are team'):
            faces(bare)[name]()


def test_the_labels_of_scopes_count_and_so_do_those_that_say_nothing_else(clock):
    """Wherever a label comes from."""
    guard = new_guard(clock, requiring("agent", "user"))
    with guard.scope(user="ann"), guard.run("r"):
        spend(guard, agent="a")
        with pytest.raises(PolicyError, match=r'"agent" must be given: .* around it are .*user'):
            spend(guard)
    with pytest.raises(PolicyError, match=r'"user" must be given: .* around it are agent$'):
        spend(guard, agent="a")


def test_what_only_looks_is_answered(clock):
    """They ask for nothing."""
    guard = new_guard(clock, {**requiring("agent"), "limiter": [{"name": "l", "requests_per_minute": 1}]})
    assert [counter["name"] for counter in guard.explain()] == ["l"]
    assert guard.advice()["landing"] is False
    guard.observe({"x-ratelimit-remaining-requests": "5"})


def test_an_update_may_require_a_label_and_take_that_back(clock):
    """For labels that were asked before."""
    guard = new_guard(clock, EACH)
    spend(guard)
    guard.update(requiring("agent"))
    with pytest.raises(PolicyError):
        spend(guard)
    guard.update(EACH)
    spend(guard)


def test_what_is_spent_already_is_booked_all_the_same(clock):
    """A late call has no scope around it any more."""
    guard = new_guard(clock, {**budget(limit={"tokens": 10}), "defaults": {"require": ["agent"]}})
    record_together([guard], UsageEstimate(input_tokens=7))
    assert figures(guard, "b") == (7, 0)


def test_the_error_passes_through_a_wrapped_client(clock):
    """As every PolicyError does; nothing is sent."""
    guard = new_guard(clock, requiring("user"))
    with ProviderServer([Reply(text="a")]) as server:
        client = wrap(openai.OpenAI(base_url=server.base_url, api_key="k", max_retries=0), guard, agent="a")
        ask = {"model": "gpt-x", "messages": [{"role": "user", "content": "Hi"}]}
        with pytest.raises(PolicyError, match='the label "user" must be given'):
            client.chat.completions.create(**ask)
        assert server.calls == 0
        with guard.scope(user="ann"):
            client.chat.completions.create(**ask)
        assert server.calls == 1
