"""The budgets of one wrap of a server or a client, and the charge of a tool call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlay import LimitExceeded
from outlay._wraps import (
    AnyBudget,
    Budgets,
    Step,
    Unguarded,
    charge_step,
    checked_labels,
    checked_unguarded,
    operation_of,
    step_budgets,
)


@dataclass(frozen=True, eq=False, slots=True)
class StepLayer:
    """The budgets and the labels of one wrap."""

    budgets: Budgets
    labels: Mapping[str, str]
    unguarded: Unguarded = "warn"

    def charge(self, tool: str, about: Any = None) -> Step:
        """Charge one call of a tool; `about` as `charge_step` says.

        Raises:
            LimitExceeded: A budget refused; nothing was changed.

        """
        labels = {**self.labels, "tool": tool}
        return charge_step(self.budgets, operation=operation_of(tool), labels=labels, about=about)

    def without(self, others: Iterable[StepLayer]) -> StepLayer | None:
        """Return the layer without the accounts that others charge already; None if none is left."""
        covered = {key for each in others for key, _ in (*each.budgets.native, *each.budgets.own)}
        native = tuple(one for one in self.budgets.native if one[0] not in covered)
        own = tuple(one for one in self.budgets.own if one[0] not in covered)
        return StepLayer(Budgets(native, own), self.labels, self.unguarded) if native or own else None


def make_step_layer(
    budget: AnyBudget | Sequence[AnyBudget],
    agent: str | None,
    labels: Mapping[str, str] | None,
    named: Mapping[str, str],
    unguarded: Unguarded = "warn",
) -> StepLayer:
    """Check the arguments that everything here takes.

    Raises:
        PolicyError: An argument is not what it should be, or a budget cannot count steps.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    """
    budgets = step_budgets(budget)
    if agent is not None:
        named = {**named, "agent": agent}
    return StepLayer(budgets, checked_labels(labels, named), checked_unguarded(unguarded))


def refused(refusal: LimitExceeded) -> Any:
    """Return the tool result that says so: `isError`, and the refusal's JSON as its text."""
    from mcp.types import CallToolResult

    content = [{"type": "text", "text": str(refusal)}]
    # By its name on the wire, which is the same in every release.
    return CallToolResult.model_validate({"content": content, "isError": True})
