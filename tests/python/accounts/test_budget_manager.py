"""BudgetManager and AgentBudget: tokens and calls by agent, each in a window of its own."""

from __future__ import annotations

import pytest
from face_support import MAX, budget_limit

from outlay import BudgetExceeded, BudgetInfo, BudgetManager, FullBudgetInfo, NotConfigured, UsageEstimate


@pytest.fixture
def manager(clock):
    """Return a manager with one agent: 100 tokens and 3 calls in 60 s."""
    manager = BudgetManager(clock=clock)
    manager.set_budget(budget_limit("a", 100, 3, 60))
    return manager


def test_reserve_charges_at_once_and_release_gives_back(manager):
    """Never below zero, and into the current window."""
    manager.reserve("a", 60)
    with pytest.raises(BudgetExceeded) as refused:
        manager.reserve("a", 41)
    assert (refused.value.kind, refused.value.remaining, refused.value.agent_id) == ("token", 40, "a")
    manager.release("a", 10)
    assert manager.full_info("a").tokens_used == 50
    manager.release("a", MAX)
    assert manager.full_info("a").tokens_used == 0
    assert manager.full_info("a").calls_used == 0


def test_calls_are_counted_apart(manager):
    """track_call charges one call and no token."""
    for _ in range(3):
        manager.track_call("a")
    with pytest.raises(BudgetExceeded) as refused:
        manager.track_call("a")
    assert refused.value.kind == "call"
    assert not manager.can_schedule("a")
    assert manager.remaining("a") == BudgetInfo(100, 0, 60.0, True)


def test_an_unknown_agent_is_refused(manager):
    """Fail closed: exhausted zeros, no schedule, NotConfigured."""
    for call in (manager.track_call, manager.agent, manager.reset_window):
        with pytest.raises(NotConfigured, match="No budget configured for agent b"):
            call("b")
    for call in (manager.reserve, manager.release):
        with pytest.raises(KeyError):
            call("b", 0)
    assert manager.remaining("b") == BudgetInfo(0, 0, 0.0, True)
    assert manager.can_schedule("b") is False
    assert manager.full_info("b") is None
    assert manager.remove_budget("b") is False


def test_all_about_an_agent(manager, clock):
    """And about all agents, in the order of their ids."""
    manager.set_budget(budget_limit("0", None, None, None))
    manager.reserve("a", 30)
    manager.track_call("a")
    clock.advance(15)
    full = FullBudgetInfo(
        agent_id="a",
        token_limit=100,
        tokens_used=30,
        tokens_remaining=70,
        calls_limit=3,
        calls_used=1,
        calls_remaining=2,
        window_secs=60.0,
        window_remaining_secs=45.0,
        is_exhausted=False,
    )
    assert manager.full_info("a") == full
    unlimited = FullBudgetInfo("0", None, 0, None, None, 0, None, None, None, False)
    assert manager.all_full_info() == [unlimited, full]
    assert BudgetManager().all_full_info() == []


def test_an_existing_agent_keeps_its_usage_and_its_window(manager, clock):
    """A changed limit counts at once; the window keeps its start."""
    manager.agent("a").charge(90, 2)
    clock.advance(20)
    manager.set_budget(budget_limit("a", 95, 2, 100))
    assert manager.full_info("a").tokens_used == 90
    assert manager.remaining("a") == BudgetInfo(5, 0, 80.0, True)
    manager.set_budget(budget_limit("a", 50, None, 100))
    assert manager.remaining("a") == BudgetInfo(0, None, 80.0, True)
    with pytest.raises(BudgetExceeded) as refused:
        manager.reserve("a", 0)
    assert refused.value.used == 90
    manager.set_budget(budget_limit("a", 100, None, None))
    clock.advance(10**6)
    assert manager.remaining("a") == BudgetInfo(10, None, None, False)


def test_a_shorter_window_does_not_wipe_what_was_used(manager, clock):
    """An existing agent keeps its usage."""
    manager.reserve("a", 100)
    clock.advance(50)
    manager.set_budget(budget_limit("a", 100, 3, 10))
    assert manager.full_info("a").tokens_used == 100


def test_a_window_steps_by_whole_periods(manager, clock):
    """It starts at set_budget; usage starts at zero, limits stay."""
    manager.agent("a").charge(100)
    clock.advance(59)
    assert not manager.can_schedule("a")
    clock.advance(66)
    assert manager.remaining("a") == BudgetInfo(100, 3, 55.0, False)


def test_reset_window_starts_now(manager, clock):
    """Tokens and calls, both."""
    manager.agent("a").charge(100)
    clock.advance(30)
    manager.reset_window("a")
    assert manager.remaining("a") == BudgetInfo(100, 3, 60.0, False)


def test_a_removed_agent_is_unknown_and_begins_anew(manager):
    """Its handles, too; open leases still end."""
    handle = manager.agent("a")
    lease = handle.reserve(50)
    assert manager.remove_budget("a") is True
    assert manager.remove_budget("a") is False
    for call in (handle.track_call, lambda: handle.charge(1), lambda: handle.reserve(1)):
        with pytest.raises(NotConfigured):
            call()
    assert handle.remaining().is_exhausted
    manager.set_budget(budget_limit("a", 10, None))
    lease.commit(50)
    assert manager.full_info("a").tokens_used == 0
    handle.charge(4)
    assert handle.remaining().tokens_remaining == 6


def test_a_lease_of_an_agent_holds_tokens_and_one_call(manager):
    """Both or neither; a commit uses the call, a release returns it."""
    agent = manager.agent("a")
    released, committed = agent.reserve(40), agent.reserve(UsageEstimate(input_tokens=30, output_tokens=10))
    assert agent.remaining() == BudgetInfo(20, 1, 60.0, False)
    with pytest.raises(BudgetExceeded) as refused:
        agent.reserve(21)
    assert (refused.value.kind, refused.value.reserved) == ("token", 80)
    released.release()
    committed.commit(45)
    assert agent.remaining() == BudgetInfo(55, 2, 60.0, False)
    assert manager.full_info("a").calls_used == 1


def test_charge_is_both_or_neither(manager):
    """A refused call costs no tokens, and the other way round."""
    agent = manager.agent("a")
    for tokens, calls in ((101, 1), (1, 4), (MAX, MAX)):
        with pytest.raises(BudgetExceeded):
            agent.charge(tokens, calls)
    assert manager.full_info("a").tokens_used == 0
    assert manager.full_info("a").calls_used == 0
    agent.charge(100, calls=3)
    assert agent.remaining().is_exhausted


def test_an_unlimited_agent_is_counted_and_never_refused():
    """None is no limit; counts stay at the top of 64 bits."""
    manager = BudgetManager()
    manager.set_budget(budget_limit("a", None, None))
    for _ in range(3):
        manager.agent("a").charge(MAX, MAX)
    full = manager.full_info("a")
    assert (full.tokens_used, full.calls_used, full.is_exhausted) == (MAX, MAX, False)
    assert (full.tokens_remaining, full.calls_remaining) == (None, None)


def test_agents_do_not_touch_each_other(clock):
    """A thousand of them, in one manager."""
    manager = BudgetManager(clock=clock)
    for number in range(1000):
        manager.set_budget(budget_limit(f"a{number}", number, None, 60))
        assert manager.can_schedule(f"a{number}") == (number > 0)
        manager.reserve(f"a{number}", number)
    assert [full.tokens_used for full in manager.all_full_info()] == sorted(
        range(1000), key=lambda number: f"a{number}"
    )
    manager.reset_window("a500")
    assert manager.full_info("a501").tokens_used == 501
