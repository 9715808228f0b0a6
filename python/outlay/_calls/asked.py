"""The arguments of a `reserve`: as keywords, and as a record that outlives the call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Required, TypedDict

from outlay._calls.budgets import Budgets
from outlay._core import UsageEstimate
from outlay._guard.scopes import current_labels

if TYPE_CHECKING:
    from datetime import timedelta


class Keywords(TypedDict, total=False):
    """The keywords of a `reserve`, as a wrap gives them for one request."""

    #: The operation that an `AgentTokenBudget` weighs.
    operation: Required[str]
    #: Labels for guards, and for the user's own objects.
    labels: Required[Mapping[str, str]]
    #: How long to wait for a pool or a limiter; None, not at all, unless a guard's policy says so.
    wait: float | timedelta | None
    #: The host's facts about the request, as labels too. `labels` override them.
    facts: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Asked:
    """The arguments of one `reserve` in a call inside another call."""

    budgets: Budgets
    estimate: UsageEstimate
    operation: str
    labels: Mapping[str, str]
    facts: Mapping[str, str]
    #: The labels of the scopes around.
    scope: dict[str, str]


def all_labels(facts: Mapping[str, str] | None, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a request as a guard joins them: its own, and those of the scopes around it.

    The model of an outer scope is not the model of a tool's call.
    """
    own = {**(facts or {}), **labels}
    scope = current_labels()
    if "tool" in own and "model" not in own:
        scope.pop("model", None)
    return {**scope, **own}


def asked_of(budgets: Budgets, estimate: UsageEstimate, keywords: Keywords) -> Asked:
    """Record the arguments of a `reserve`, and the labels of the scopes around it, which may end earlier."""
    facts = keywords.get("facts") or {}
    return Asked(budgets, estimate, keywords["operation"], keywords["labels"], facts, current_labels())
