"""Steps: a call of a tool or a turn of an agent, charged to several budgets in one decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlay._budget import Budgets, end_each, release_each, reserve_each
from outlay._core import UsageEstimate, charge_together
from outlay._protocols import Lease

# The longest name that an operation can have.
_NAME_BYTES_MAX = 1024


def operation_of(tool: str) -> str:
    """Return the operation named like the tool; a model may invent a name that no operation can have."""
    size = len(tool.encode(errors="replace"))
    return tool if 0 < size <= _NAME_BYTES_MAX else "tool"


class Step:
    """The leases of one step; a `with` block around the step ends them as the block ends."""

    __slots__ = ("_leases",)

    def __init__(self, leases: list[Lease]) -> None:
        self._leases = leases

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        # Cancelled or interrupted, the step may have done its work all the same.
        failed = kind is not None and issubclass(kind, Exception)
        end_each((lease.close, ()) if failed else (lease.commit, (None,)) for lease in self._leases)


def charge_step(budgets: Budgets, *, operation: str, labels: Mapping[str, str]) -> Step:
    """Charge one step (a tool call, a turn of an agent) in one decision.

    Steps join no outer call: a tool that runs an agent of its own makes steps of its own.

    Args:
        budgets: The budgets of one middleware.
        operation: The name of the tool: the operation of which an `AgentTokenBudget` consumes one.
        labels: Passed to the user's own objects.

    Returns:
        The leases of the user's own objects: run the step in a `with` block of it.

    Raises:
        LimitExceeded: A budget refused; nothing was changed.

    """
    leases: list[Lease] = []
    plain = budgets.accounts
    try:
        for key, guard in budgets.native:
            if key[0] == "guard":
                leases.extend(_guard_step(guard, labels))
        # The core charges at once and for good, so the objects that can still give back come first.
        reserve_each(budgets.own, leases, UsageEstimate(), labels)
        if plain:
            charge_together(plain, operation)
    except BaseException:
        release_each(leases)
        raise
    return Step(leases)


def _guard_step(guard: Any, labels: Mapping[str, str]) -> list[Lease]:
    """Reserve one call of a tool; a turn charges one step to the workflows that match."""
    if "tool" in labels:
        return [guard.reserve(**labels)]
    guard.charge_step(**labels)
    return []
