"""`normalise`: it reads "one budget or a list of them", as every integration takes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlay._calls.budgets import LABELLED, AnyBudget, Budgets, Key
from outlay._calls.protocols import Budget
from outlay._core import BoundGuard, BudgetManager, account_id
from outlay._errors import PolicyError
from outlay._guard.parts import guard_of


def normalise(budget: AnyBudget | Sequence[AnyBudget]) -> Budgets:
    """Read "one budget or a list of them".

    Args:
        budget: One budget, or a list or tuple of them; the same account twice counts once.

    Returns:
        The budgets, each account once, in the order given.

    Raises:
        PolicyError: The list is empty, holds something that is not a budget, or would charge one twice.

    """
    given: Sequence[Any] = budget if isinstance(budget, list | tuple) else (budget,)
    native: dict[Key, Any] = {}
    own: dict[Key, Any] = {}
    for one in given:
        number = _account_number(one)
        if isinstance(one, LABELLED):
            key, kept = ("guard", id(one.guard if isinstance(one, BoundGuard) else one)), native
        elif number is not None:
            key, kept = ("account", number), native
        else:
            key, kept = ("object", id(_checked_own(one))), own
        kept.setdefault(key, one)
    if not native and not own:
        raise PolicyError("budget: the list is empty; give at least one budget")
    _check_parts(given)
    return Budgets(tuple(native.items()), tuple(own.items()))


def _check_parts(given: Sequence[Any]) -> None:
    """Refuse a guard beside a part or a view of it, and two of one guard: it would pay for a call twice."""
    seen: list[tuple[Any, int]] = []
    for place, one in enumerate(given):
        if not isinstance(one, LABELLED) or any(one is other for other in given[:place]):
            continue
        guard = guard_of(one)
        for other, before in seen:
            if other == guard:
                raise PolicyError(
                    f"budget: budget[{before}] and budget[{place}] belong to the same Guard, which would pay "
                    "for each call twice; give one of them: an Allotment or a BoundGuard stands for its guard"
                )
        seen.append((guard, place))


def _account_number(budget: Any) -> int | None:
    try:
        return account_id(budget)
    except TypeError:
        return None


def _checked_own(budget: Any) -> Budget:
    # A manager's reserve() means something else, and would make it look like a user's own object.
    if isinstance(budget, BudgetManager):
        raise PolicyError("budget: a BudgetManager keeps many agents; give manager.agent(agent_id)")
    if isinstance(budget, type) or not callable(getattr(budget, "reserve", None)):
        raise PolicyError(
            f"budget: {type(budget).__name__} is not a budget; allowed are Guard, SharedPool, "
            "AgentTokenBudget, AgentBudget, RateLimiter, WorkflowToken, an object with "
            "reserve(estimate, **labels), or a list of them"
        )
    return budget  # type: ignore[no-any-return]
