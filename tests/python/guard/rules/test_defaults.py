"""`[defaults]` for estimates, and the methods of a part beside its requests."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest
from guard_support import budget, figures, listen, names, new_guard, refused

from outlay import Guard, LeaseFinalized, RateLimitExceeded, SharedPool, UsageEstimate, WorkflowQuota
from outlay._core import charge_together, record_together
from outlay._usage.prompt import Prompt
from outlay._wraps.arguments import CallOptions, make_layer

PROMPT = Prompt(model_name="gpt-x", input_tokens=101)


def held(budgets, **keywords):
    """Return what a wrap would reserve for the prompt."""
    estimate = make_layer(budgets, CallOptions(**keywords), made_by="test").estimate(PROMPT)
    return estimate.input_tokens, estimate.output_tokens


def guard_of(**defaults):
    return Guard({"defaults": defaults})


# Estimates.


def test_without_a_word_it_is_a_third_of_the_bytes_and_a_thousand_tokens():
    assert held(guard_of()) == held(SharedPool(capacity_tokens=1)) == (101, 1_024)


def test_strict_is_half_of_the_bytes():
    assert held(guard_of(), estimate="strict") == (152, 1_024)


def test_a_policy_speaks_for_wraps_that_do_not():
    guard = guard_of(estimate="strict", output_tokens=50)
    assert held(guard) == (152, 50)
    assert held(guard, estimate="expected", output_tokens=7) == (101, 7)
    assert held(guard.allot(tokens=1)) == (152, 50)


def test_an_update_speaks_for_wraps_that_are_there():
    guard = guard_of()
    layer = make_layer(guard, made_by="test")
    guard.update({"defaults": {"output_tokens": 9}})
    assert layer.estimate(PROMPT).output_tokens == 9


def test_of_two_guards_the_strictest_and_the_most_hold():
    one, other = guard_of(estimate="expected", output_tokens=50), guard_of(estimate="strict", output_tokens=9)
    assert held([one, other]) == held([other, one]) == (152, 50)


def test_zero_tokens_of_output_are_said():
    assert held(guard_of(output_tokens=0)) == (101, 0)


# Limits by kind.


@pytest.mark.parametrize("kind", ["input_tokens", "output_tokens"])
def test_a_bare_number_counts_for_both_kinds(kind):
    guard = Guard(budget(limit={kind: 10}))
    assert refused(guard.reserve, 11).requested == 11
    guard.reserve(10).commit(25)
    assert figures(guard, "b", kind) == (25, 0)
    said = refused(guard.reserve, UsageEstimate(input_tokens=1, output_tokens=1)).payload
    assert said["details"]["unit"] == kind
    assert said["message"] == f"{kind.split('_')[0].capitalize()} token budget exceeded: b"


def test_what_is_told_by_kind_counts_for_its_kind_alone():
    guard = Guard(budget(limit={"input_tokens": 10, "output_tokens": 10}))
    guard.reserve(UsageEstimate(input_tokens=10, output_tokens=10)).commit()
    assert figures(guard, "b", "input_tokens") == figures(guard, "b", "output_tokens") == (10, 0)


# Parts.


def test_a_part_charges_the_steps_of_its_guard():
    guard = Guard({"workflow": [{"name": "w", "limit": {"steps": 2, "tokens": 100}}]})
    part = guard.allot(tokens=50, workflow="w", run="r")
    part.charge_step()
    guard.charge_step(workflow="w", run="r")
    denied = refused(part.charge_step)
    assert (denied.workflow_id, denied.max_steps, denied.steps_executed) == ("w", 2, 2)
    part.close()
    with pytest.raises(LeaseFinalized):
        part.charge_step()


def test_a_part_checks_without_changing_anything():
    guard = Guard(budget(limit={"tokens": 100}))
    part = guard.allot(tokens=50)
    part.check(50)
    assert refused(part.check, 51).remaining == 50
    assert part.remaining()["tokens"] == 50


def test_a_part_waits_in_a_thread():
    guard = Guard(
        {
            "pool": [{"name": "one", "max_concurrent": 1, "on_limit": {"wait": "30s"}}],
            **budget(limit={"tokens": 100}),
        }
    )
    part = guard.allot(tokens=50)
    first, got = part.reserve(10), []
    waiting = threading.Thread(target=lambda: got.append(part.reserve_blocking(20)))
    waiting.start()
    first.release()
    waiting.join(30)
    assert got[0].reserved.total_tokens == 20


def test_a_part_hears_what_a_provider_says():
    rule = {"name": "tpm", "tokens_per_minute": 100, "adaptive": "headers"}
    guard = Guard({"limiter": [rule], **budget(limit={"tokens": 100})})
    part = guard.allot(tokens=50)
    part.observe({"retry-after": "60"}, 429)
    with pytest.raises(RateLimitExceeded):
        guard.reserve(1)


# Steps of guards and of accounts.


def test_a_step_of_a_guard_and_of_an_account_is_one_decision():
    guard = Guard({"workflow": [{"name": "w", "limit": {"steps": 2}}]})
    token = WorkflowQuota(10, 1, 3_600).begin_workflow("w-1")
    charge_together([guard, token], "turn", labels={"workflow": "w", "run": "r"})
    refused(charge_together, [guard, token], "turn", labels={"workflow": "w", "run": "r"})
    assert figures(guard, "w", "steps", run="r") == (1, 0)
    charge_together([guard], "turn", labels={"workflow": "another"})


# Events.


def test_a_wait_that_may_pass_is_not_told_as_denied():
    guard = Guard({"pool": [{"name": "one", "max_concurrent": 1, "on_limit": {"wait": "30s"}}]})
    events = listen(guard)
    first, got = guard.reserve(), []
    waiting = threading.Thread(target=lambda: got.append(guard.reserve_blocking()))
    waiting.start()
    first.release()
    waiting.join(30)
    got[0].release()
    assert names(events, "denied") == []


def test_a_callback_that_holds_its_guard_is_collected_with_it():
    guard = Guard(budget(limit={"tokens": 1}))

    class Watch:
        def __init__(self, guard):
            self.guard = guard
            self.seen = []

        def __call__(self, event):
            self.seen.append(event["event"])

    watch = Watch(guard)
    guard.events(watch)
    guard.reserve(1).commit()
    assert watch.seen == ["reserved", "decision", "committed"]
    left = [weakref.ref(guard), weakref.ref(watch)]
    del guard, watch
    gc.collect()
    assert [one() for one in left] == [None, None]


def test_a_guard_may_go_before_its_lease_and_its_callback_hears_on():
    guard, seen = Guard(budget(limit={"tokens": 1})), []
    guard.events(lambda event: seen.append(event["event"]))
    lease = guard.reserve(1)
    del guard
    gc.collect()
    lease.commit()
    assert seen == ["reserved", "decision", "committed"]


# Refusals.


def test_a_refused_tool_call_says_that_it_counts_tool_calls(clock):
    guard = new_guard(clock, {"workflow": [{"name": "w", "limit": {"tool_calls": 1}}]})
    guard.reserve(workflow="w", run="r", tool="search").commit()
    denied = refused(guard.reserve, workflow="w", run="r", tool="search")
    assert denied.payload["details"]["unit"] == "tool_calls"
    assert denied.message == "Tool call budget exceeded: w"
    assert denied.scope["workflow"] == "w"


def test_a_budget_that_never_resets_promises_no_reset():
    guard = Guard(budget(limit={"tokens": 1}))
    guard.reserve(1).commit()
    said = refused(guard.reserve, 1)
    assert (said.resets_in, said.suggestion) == (
        None,
        "Finish with what you have or request a higher allocation",
    )


def test_a_full_pool_does_not_speak_of_jobs():
    guard = Guard({"pool": [{"name": "p", "max_concurrent": 1}]})
    first = guard.reserve()
    assert (
        refused(guard.reserve).suggestion == "Wait until one that is running has ended, then start it again"
    )
    first.release()


def test_what_is_spent_already_is_booked_whatever_is_left_and_keeps_no_slot():
    guard = Guard({"pool": [{"name": "p", "max_concurrent": 1}], **budget(limit={"tokens": 100, "calls": 9})})
    pool = SharedPool(capacity_tokens=10)
    first = guard.reserve(90)
    usage = UsageEstimate(input_tokens=400, output_tokens=100)
    record_together([guard, pool], usage, labels={"agent": "a"})
    assert figures(guard, "b") == (500, 90)
    assert figures(guard, "b", "calls") == (1, 1)
    assert figures(guard, "p", "concurrent") == (0, 1)
    assert pool.committed().total_tokens == 500
    first.release()
    refused(guard.check, 1)
