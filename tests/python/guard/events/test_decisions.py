"""The event "decision": once for each request, whatever decided it."""

from __future__ import annotations

import asyncio
import threading

import pytest
from guard_support import budget, listen, new_guard, refused

from outlay import Guard, LimitExceeded, PolicyError, WaitTimeout, governed

TWO = {
    "budget": [
        {"name": "user", "scope": {"user": "*"}, "limit": {"tokens": 100}},
        {"name": "all", "limit": {"tokens": 150, "calls": 9}},
    ]
}
WAITING = {"pool": [{"name": "p", "max_concurrent": 1, "on_limit": {"wait": "10s"}}]}


def decisions(events):
    """Return what each decision says."""
    keys = ("allowed", "waited", "rule", "reason")
    return [tuple(event[key] for key in keys) for event in events if event["event"] == "decision"]


def test_a_request_has_one_decision_however_many_rules_it_meets(clock):
    guard = new_guard(clock, TWO)
    events = listen(guard)
    lease = guard.reserve(100, user="ann")
    refused(guard.reserve, 1, user="ann")
    refused(guard.reserve, 51, user="bob")
    lease.commit()
    refused(guard.reserve, 51, user="bob")
    assert decisions(events) == [
        (True, False, None, None),
        (False, False, "user", "held"),
        (False, False, "all", "held"),
        (False, False, "all", "spent"),
    ]
    first, second, *_ = (event for event in events if event["event"] == "decision")
    assert (first["labels"], first["amounts"], first["lease"]) == ({"user": "ann"}, {"tokens": 100}, lease.id)
    assert (second["kind"], second["values"], second["limit"]) == ("budget", {"user": "ann"}, 100)


def test_it_comes_after_the_events_of_the_rules(clock):
    guard = new_guard(clock, TWO)
    events = listen(guard)
    lease = guard.reserve(10, user="ann")
    refused(guard.reserve, 101, user="bob")
    assert lease.state == "open"
    assert [event["event"] for event in events] == ["reserved", "reserved", "decision", "denied", "decision"]


def test_what_decides_nothing_has_none(clock):
    """A check, an advice, a faulty request, a usage that is only recorded."""
    guard = new_guard(clock, {**TWO, "defaults": {"require": ["user"]}})
    events = listen(guard)
    guard.check(10, user="ann")
    refused(guard.check, 101, user="ann")
    guard.explain(user="ann"), guard.advice(user="ann"), guard.snapshot()
    with pytest.raises(PolicyError):
        guard.reserve(1)
    assert events == []


def test_a_request_that_no_rule_is_about_is_decided_too(clock):
    guard = new_guard(clock, {"budget": [TWO["budget"][0]]})
    events = listen(guard)
    guard.reserve(5, agent="a")
    assert decisions(events) == [(True, False, None, None)]
    assert [event["event"] for event in events].count("unmatched") == 1


def test_steps_and_allotments_are_decided(clock):
    guard = new_guard(clock, {"workflow": [{"name": "w", "limit": {"steps": 1, "tokens": 100}}]})
    events = listen(guard)
    labels = {"workflow": "w", "run": "r"}
    guard.charge_step(**labels)
    refused(guard.charge_step, **labels)
    part = guard.allot(tokens=80, **labels)
    refused(guard.allot, tokens=80, **labels)
    part.reserve(10)
    refused(part.reserve, 100)
    assert decisions(events) == [
        (True, False, None, None),
        (False, False, "w", "spent"),
        (True, False, None, None),
        (False, False, "w", "held"),
        (True, False, None, None),
        (False, False, "allotment", "too_large"),
    ]
    asked = [event["amounts"] for event in events if event["event"] == "decision"]
    assert asked[:3] == [{"steps": 1}, {"steps": 1}, {"tokens": 80}]


async def _until_it_waits(guard):
    """Let the other tasks run until a request is in the queue."""
    for _ in range(1_000):
        await asyncio.sleep(0)
        if guard.explain()[0]["limits"]["concurrent"]["reserved"]:
            break
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_wait_that_ends_well_is_one_decision(clock):
    guard = new_guard(clock, WAITING)
    events = listen(guard)

    async def main():
        held = await guard.reserve_wait(user="ann")
        second = asyncio.create_task(guard.reserve_wait(user="bob"))
        await _until_it_waits(guard)
        assert decisions(events) == [(True, False, None, None)]
        held.release()
        return await second

    lease = asyncio.run(main())
    assert decisions(events) == [(True, False, None, None), (True, True, None, None)]
    last = [event for event in events if event["event"] == "decision"][-1]
    assert (last["labels"], last["lease"]) == ({"user": "bob"}, lease.id)


def test_a_wait_in_vain_is_one_refusal(clock):
    guard = new_guard(clock, WAITING)
    events = listen(guard)
    held = guard.reserve()
    with pytest.raises(WaitTimeout):
        asyncio.run(guard.reserve_wait(user="bob", timeout=0))
    with pytest.raises(WaitTimeout):
        guard.reserve_blocking(user="eve", timeout=0)
    held.release()
    assert decisions(events) == [(True, False, None, None), *[(False, True, "p", "held")] * 2]
    told = [event["labels"] for event in events if event["event"] == "denied"]
    assert told == [{"user": "bob"}, {"user": "eve"}]


def test_a_wait_that_is_cancelled_was_left(clock):
    guard = new_guard(clock, WAITING)
    events = listen(guard)

    async def main():
        held = await guard.reserve_wait()
        second = asyncio.create_task(guard.reserve_wait(user="bob"))
        await _until_it_waits(guard)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        held.release()

    asyncio.run(main())
    assert decisions(events) == [(True, False, None, None), (False, True, None, "left")]


def test_a_thread_that_waits_is_one_decision():
    guard = Guard(WAITING)
    events = listen(guard)
    held = guard.reserve()
    got = []
    thread = threading.Thread(target=lambda: got.append(guard.reserve_blocking(user="bob")))
    thread.start()
    held.release()
    thread.join(60)
    assert got[0].state == "open"
    assert [allowed for allowed, *_ in decisions(events)] == [True, True]


def test_each_guard_of_a_call_has_its_own_decision(clock):
    """The one that would have let it pass says that another budget refused: it names no rule."""
    wide, narrow = (
        new_guard(clock, budget("wide", limit={"tokens": 100})),
        new_guard(clock, budget("narrow", limit={"tokens": 5})),
    )
    seen = {"wide": listen(wide), "narrow": listen(narrow)}

    @governed([wide, narrow], estimate=4, usage=lambda _: 4, user="ann")
    def call():
        return "done"

    call()
    with pytest.raises(LimitExceeded):
        call()
    assert decisions(seen["wide"]) == [(True, False, None, None), (False, False, None, "spent")]
    assert decisions(seen["narrow"]) == [(True, False, None, None), (False, False, "narrow", "spent")]
    assert [event["event"] for event in seen["wide"]].count("denied") == 0
    assert [event["event"] for event in seen["narrow"]].count("denied") == 1
    assert seen["wide"][-1]["labels"] == {"user": "ann"}


def test_a_call_inside_a_call_is_decided_once(clock):
    guard = new_guard(clock, budget(limit={"tokens": 100}))
    events = listen(guard)
    inner = governed(guard, estimate=5, usage=lambda _: 5)(lambda: "inner")
    outer = governed(guard, estimate=9, usage=lambda _: 9)(inner)
    outer()
    assert decisions(events) == [(True, False, None, None)]
