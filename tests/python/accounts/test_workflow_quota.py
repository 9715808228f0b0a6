"""WorkflowQuota and WorkflowToken: so many workflows in a period, so many steps in each."""

from __future__ import annotations

import gc

import pytest
from face_support import HOUR, MAX

from outlay import StepLimitExceeded, WorkflowLimitExceeded, WorkflowQuota


def test_workflows_are_counted_by_period_and_steps_by_workflow(clock):
    """Ending a workflow gives no slot back: the quota counts what began."""
    quota = WorkflowQuota.hourly(2, 3, clock=clock)
    assert (quota.max_workflows, quota.max_steps, quota.period) == (2, 3, HOUR)
    first = quota.begin_workflow("a")
    first.execute_step()
    first.execute_step(2)
    with pytest.raises(StepLimitExceeded):
        first.execute_step()
    assert quota.end_workflow("a")
    quota.begin_workflow("b")
    with pytest.raises(WorkflowLimitExceeded):
        quota.begin_workflow("c")
    assert (quota.period_count(), quota.active_count(), quota.remaining()) == (2, 1, 0)
    clock.advance(HOUR)
    assert (quota.period_count(), quota.active_count(), quota.remaining()) == (0, 1, 2)
    assert quota.time_until_reset() == HOUR
    quota.begin_workflow("c")


def test_the_callers_token_and_the_quotas_entry_are_one_counter():
    """PEERS: a workflow token whose steps the quota cannot see."""
    quota = WorkflowQuota(1, 5, 60)
    token = quota.begin_workflow("w")
    token.execute_step(2)
    seen = quota.get("w")
    assert seen == token
    assert hash(seen) == hash(token)
    assert seen.steps_executed() == 2
    seen.execute_step()
    resumed = quota.begin_workflow("w", resume=True)
    assert (resumed, resumed.steps_executed()) == (token, 3)
    del token
    gc.collect()
    assert quota.get("w").remaining_steps() == 2


def test_a_step_counter_does_not_wrap_below_zero():
    """PEERS: stepped below zero it wraps, and everyone is let through."""
    quota = WorkflowQuota(9, 2, 60)
    token = quota.begin_workflow("w")
    token.execute_step(2)
    for steps in (1, 2, 3, MAX, MAX - 1):
        with pytest.raises(StepLimitExceeded):
            token.execute_step(steps)
    assert (token.remaining_steps(), token.steps_executed(), token.can_continue()) == (0, 2, False)
    none = WorkflowQuota(9, 0, 60).begin_workflow("w")
    with pytest.raises(StepLimitExceeded):
        none.execute_step()
    assert (none.remaining_steps(), none.can_continue()) == (0, False)


def test_too_many_steps_at_once_are_refused_whole():
    """All or nothing."""
    token = WorkflowQuota(1, 5, 60).begin_workflow("w")
    token.execute_step(3)
    with pytest.raises(StepLimitExceeded) as refused:
        token.execute_step(3)
    assert (refused.value.remaining, refused.value.requested) == (2, 3)
    token.execute_step(2)
    token.execute_step(0)


def test_an_active_id_is_refused_or_resumed_and_costs_nothing():
    """Also when the quota is exhausted."""
    quota = WorkflowQuota(1, 5, 60)
    token = quota.begin_workflow("w")
    with pytest.raises(ValueError, match="active already"):
        quota.begin_workflow("w")
    assert quota.begin_workflow("w", resume=True) == token
    assert quota.period_count() == 1
    with pytest.raises(WorkflowLimitExceeded):
        quota.begin_workflow("v", resume=True)
    assert quota.active_count() == 1


def test_an_ended_workflow_refuses_steps_and_its_id_is_free(clock):
    """The old token stays ended when the id begins anew."""
    quota = WorkflowQuota(3, 5, 60, clock=clock)
    old = quota.begin_workflow("w")
    old.execute_step()
    clock.advance(2.5)
    assert quota.end_workflow("w") is True
    assert quota.end_workflow("w") is False
    assert quota.get("w") is None
    with pytest.raises(StepLimitExceeded, match="ended"):
        old.execute_step()
    assert (old.can_continue(), old.remaining_steps(), old.steps_executed()) == (False, 0, 1)
    clock.advance(10)
    assert old.duration() == 2.5
    new = quota.begin_workflow("w")
    assert new != old
    with old:
        pass
    assert quota.get("w") == new
    new.execute_step(5)
    assert new.duration() == 0.0


def test_leaving_the_block_ends_the_workflow():
    """Also by an exception, which goes on."""
    quota = WorkflowQuota(3, 5, 60)
    with quota.begin_workflow("w") as token:
        token.execute_step()
    assert quota.active_count() == 0
    with pytest.raises(KeyError), quota.begin_workflow("w"):
        raise KeyError
    assert quota.active_count() == 0
    assert quota.period_count() == 2


def test_a_period_that_ends_leaves_running_workflows_alone(clock):
    """Their steps are theirs, whatever the period; reset() likewise."""
    quota = WorkflowQuota(1, 3, 60, clock=clock)
    token = quota.begin_workflow("w")
    token.execute_step(2)
    clock.advance(60)
    quota.reset()
    assert (token.remaining_steps(), token.duration()) == (1, 60.0)
    quota.begin_workflow("v")
    assert quota.active_count() == 2


def test_a_refused_workflow_is_not_active_and_not_counted():
    """A refusal never costs."""
    quota = WorkflowQuota(0, 5, 60)
    for _ in range(3):
        with pytest.raises(WorkflowLimitExceeded):
            quota.begin_workflow("w")
    assert (quota.period_count(), quota.active_count(), quota.get("w")) == (0, 0, None)


def test_a_workflow_that_nobody_ends_is_forgotten_a_day_after_its_last_token_is_gone(clock):
    """One whose token somebody has is kept, and so is one that was asked for since."""
    quota = WorkflowQuota(10_000, 5, 60, clock=clock)
    for number in range(1_000):
        quota.begin_workflow(f"w-{number}").execute_step()
    held = quota.begin_workflow("held")
    clock.advance(23 * HOUR)
    assert quota.active_count() == 1_001
    quota.get("w-7").execute_step()
    clock.advance(HOUR)
    quota.begin_workflow("new")
    assert [quota.get(name) is None for name in ("w-0", "w-7", "held", "new")] == [True, False, False, False]
    assert quota.get("w-7").steps_executed() == 2
    clock.advance(24 * HOUR)
    assert quota.active_count() == 1
    held.execute_step()
    assert quota.get("held") == held
    assert quota.begin_workflow("w-7").steps_executed() == 0


def test_a_workflow_that_nobody_ends_is_kept_for_its_period(clock):
    """Where that is longer than a day."""
    quota = WorkflowQuota(1, 5, 48 * HOUR, clock=clock)
    quota.begin_workflow("w")
    clock.advance(47 * HOUR)
    assert quota.active_count() == 1
    clock.advance(HOUR)
    assert quota.active_count() == 0


def test_a_token_outlives_its_quota():
    """It keeps counting."""
    token = WorkflowQuota(1, 2, 60).begin_workflow("w")
    gc.collect()
    token.execute_step()
    assert token.remaining_steps() == 1


def test_the_refusal_names_the_time_of_the_next_period(clock):
    """Waiting helps a workflow; it never helps a step."""
    quota = WorkflowQuota(1, 0, 60, clock=clock)
    token = quota.begin_workflow("w")
    clock.advance(15)
    with pytest.raises(WorkflowLimitExceeded) as refused:
        quota.begin_workflow("v")
    assert (refused.value.retry_after, refused.value.resets_in, refused.value.workflow_id) == (
        45.0,
        45.0,
        "v",
    )
    with pytest.raises(StepLimitExceeded) as refused:
        token.execute_step()
    assert refused.value.retry_after is None
