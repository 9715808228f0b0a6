"""Bound views of a guard: labels that need no context."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import threading
import weakref

import pytest
from guard_support import budget, figures, new_guard, refused, spend

from outlay import (
    BoundGuard,
    BudgetExceeded,
    Guard,
    InvalidId,
    PolicyError,
    SharedPool,
    StepLimitExceeded,
    WaitTimeout,
    governed,
)
from outlay._calls.listing import normalise

EACH = budget(scope={"user": "*"}, limit={"calls": 100, "tokens": 1_000})
RUNS = budget(limit={"calls": 9}, window="run")


def counts(guard, label, unit="calls"):
    """Return what each value of a label has used; None is the counter without it."""
    return {one["values"].get(label): one["limits"][unit]["used"] for one in guard.snapshot()}


async def test_generators_that_take_turns_count_in_their_own_runs(clock):
    """Neither counts for the other, and neither for the code that takes their items."""
    guard = new_guard(clock, RUNS)

    async def conversation(view):
        with view:
            while True:
                view.reserve().commit()
                yield

    one, two = conversation(guard.bind(run="r1")), conversation(guard.bind(run="r2"))
    for stream in (one, two, one, one):
        await anext(stream)
    await one.aclose()
    await two.aclose()
    guard.reserve().commit()
    assert counts(guard, "run") == {"r1": 3, "r2": 1, None: 1}


def test_the_nearest_label_counts(clock):
    """Those of the call, then those that are bound, then those of the scopes around."""
    guard = new_guard(clock, EACH)
    view = guard.bind(user="bound")
    with guard.scope(user="scope", team="t"):
        view.reserve().commit()
        view.reserve(user="own").commit()
        guard.reserve().commit()
        view.bind(user="again").reserve().commit()
    assert counts(guard, "user") == {"bound": 1, "own": 1, "scope": 1, "again": 1}


def test_a_tool_of_the_request_is_not_of_the_bound_model(clock):
    """As with the model of a scope."""
    rules = {
        "pool": [{"name": "llm", "limit": {"tokens": 10}}],
        "tool": [{"name": "t", "limit": {"calls": 5}}],
    }
    guard = new_guard(clock, rules)
    guard.bind(model="m").reserve(tool="t").commit()
    assert figures(guard, "t", "calls") == (1, 0)
    refused(guard.bind(model="m", tool="t").reserve, 11)


def test_every_method_has_the_bound_labels(clock):
    """None of them needs a scope."""
    rules = {
        **budget(scope={"user": "ann"}, limit={"tokens": 100, "calls": 5}, landing={"tokens": 10}),
        "limiter": [
            {"name": "rate", "scope": {"user": "ann"}, "requests_per_minute": 9, "adaptive": "headers"},
        ],
        "workflow": [{"name": "w", "limit": {"steps": 1, "tokens": 50}, "step": {"s": {"tokens": 5}}}],
        "defaults": {"require": ["user"]},
    }
    guard = new_guard(clock, rules)
    view = guard.bind(user="ann")
    assert view.guard is guard
    refused(view.check, 91)
    refused(view.reserve_blocking, 91)
    view.landing().check(100)
    assert view.advice(model="m")["remaining"] == {"tokens": 90, "calls": 5}
    assert [one["name"] for one in view.explain(model="m")] == ["b", "rate"]
    with view.allot(tokens=50) as part:
        refused(view.reserve, 41)
        part.reserve(50, user="ann").release()
    run = view.run(workflow="w")
    with run.step("s") as step:
        refused(step.reserve, 6)
        step.reserve(5).commit()
    with pytest.raises(StepLimitExceeded):
        run.step("s")
    with pytest.raises(StepLimitExceeded):
        run.charge_step()
    run.bind(run="another").charge_step()
    view.observe({"retry-after": "60"}, 429)
    refused(view.check, 1, model="m")


async def test_a_view_waits():
    """For its own turn, in loops and in threads."""
    rule = {"name": "one", "scope": {"user": "*"}, "max_concurrent": 1, "on_limit": {"wait": "5s"}}
    guard = Guard({"pool": [rule]})
    ann, bob = guard.bind(user="ann"), guard.bind(user="bob")
    held = await ann.reserve_wait(model="m")
    (await bob.reserve_wait(model="m")).release()
    waiting = asyncio.create_task(ann.reserve_wait(model="m"))
    await asyncio.sleep(0)
    assert not waiting.done()
    held.release()
    (await waiting).release()
    with bob.reserve_blocking(model="m"), pytest.raises(WaitTimeout):
        bob.reserve_blocking(model="m", timeout=0.001)


def test_a_view_of_a_run_has_a_run_of_its_own(clock):
    """A new one each time, or the one that is named."""
    guard = new_guard(clock, RUNS)
    view = guard.bind(user="ann")
    with view.run() as one, view.run() as two:
        spend(one)
        spend(two)
    assert len({one.labels["run"], two.labels["run"]}) == 2
    assert view.run("r", team="t").labels == {"user": "ann", "run": "r", "team": "t"}
    assert view.labels == {"user": "ann"}


def test_a_list_with_a_guard_and_a_view_of_it_is_refused(clock):
    """The guard would pay twice; one view named twice is one budget."""
    guard = new_guard(clock, EACH)
    view = guard.bind(user="ann")
    pairs = ([guard, view], [view, guard.bind(user="bob")], [view, guard.allot(tokens=1, user="ann")])
    for pair in pairs:
        with pytest.raises(PolicyError, match=r"budget\[1\] and budget\[2\] belong to the same Guard"):
            normalise([SharedPool(), *pair])
    assert len(normalise([view, view]).native) == 1


def test_functions_around_each_other_pay_once(clock):
    """Whether they are given the guard or a view of it."""
    guard = new_guard(clock, EACH)

    @governed(guard.bind(user="ann"), 10)
    def inner():
        return "an answer"

    @governed(guard, 10, user="ann")
    def outer():
        return inner()

    outer()
    assert figures(guard, "b", "calls", user="ann") == (1, 0)
    inner()
    assert figures(guard, "b", "calls", user="ann") == (2, 0)


def test_a_call_that_outlives_its_scope_is_booked_to_the_bound_label(clock):
    """The scope of its start comes after what is bound."""
    guard = new_guard(clock, EACH)
    go = threading.Event()
    threads = []

    @governed(guard.bind(user="ann"), 10, usage=lambda _: 30)
    def inner():
        go.wait(10)
        return "late"

    @governed(guard.bind(user="ann"), 10, usage=lambda _: 10)
    def outer():
        import contextvars

        context = contextvars.copy_context()
        threads.append(threading.Thread(target=context.run, args=(inner,)))
        threads[0].start()
        return "early"

    with guard.scope(user="scope"):
        outer()
    go.set()
    threads[0].join()
    assert set(counts(guard, "user")) == {"ann"}
    assert counts(guard, "user", "tokens")["ann"] == 10 + 30


def test_a_view_is_copied_as_itself_and_never_pickled(clock):
    """A copy with a limit of its own would be a hole."""
    view = new_guard(clock, EACH).bind(user="ann")
    assert copy.copy(view) is view
    assert copy.deepcopy({"view": [view]})["view"][0] is view
    with pytest.raises(TypeError, match="BoundGuard can not be pickled"):
        pickle.dumps(view)
    assert repr(view.bind(odd="\x1b[31m'")) == "<BoundGuard user='ann' odd=\"\\x1b[31m'\">"


def test_a_view_is_collected_with_its_guard():
    """Also where a listener of the guard holds it."""
    guard = Guard(EACH)
    view = guard.bind(user="ann")
    guard.events(lambda event, view=view: view)
    gone = weakref.ref(view)
    del guard, view
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"user": ""}, InvalidId, "user must be"),
        ({"user": "x" * 1025}, InvalidId, "user must be"),
        ({"user": 5}, InvalidId, "user must be"),
        ({"labels": [("user", "ann")]}, PolicyError, "labels must be a mapping"),
        ({"labels": {5: "x"}}, InvalidId, "a name in labels must be"),
        ({"labels": {"": "x"}}, InvalidId, "a name in labels must be"),
        ({"labels": {" landing": "yes"}}, InvalidId, "a name in labels must be"),
        ({"labels": {"user": "bob"}, "user": "ann"}, PolicyError, 'the label "user" is given twice'),
    ],
)
def test_a_label_that_no_request_can_have_is_refused(clock, given, error, text):
    """When it is bound, and when a request gives it."""
    guard = new_guard(clock, EACH)
    for call in (guard.bind, guard.bind().bind, guard.bind(team="t").reserve, guard.reserve):
        with pytest.raises(error, match=text):
            call(**given)
    assert guard.snapshot() == [] or counts(guard, "user") == {}


def test_a_view_is_a_class_of_the_package():
    """Made by `bind` alone."""
    assert BoundGuard.__module__ == "outlay"
    with pytest.raises(TypeError):
        BoundGuard()
    assert isinstance(BudgetExceeded, type)
