"""What a `reserve` is asked with, and the note of it that outlives the call."""

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

    #: What an `AgentTokenBudget` weighs.
    operation: Required[str]
    #: Passed to the user's own objects, and to guards.
    labels: Required[Mapping[str, str]]
    #: How long to wait for a pool or a limiter; None, not at all, unless a guard's policy says so.
    wait: float | timedelta | None
    #: Labels for guards alone, which `labels` overrule: what the host knows of the request.
    facts: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What one `reserve` of a call inside another was given."""

    budgets: Budgets
    estimate: UsageEstimate
    operation: str
    labels: Mapping[str, str]
    facts: Mapping[str, str]


def asked_of(budgets: Budgets, estimate: UsageEstimate, keywords: Keywords) -> Asked:
    """Note what a `reserve` was given, and what the scopes around it say: they may end before the call."""
    facts = {**current_labels(), **(keywords.get("facts") or {})}
    return Asked(budgets, estimate, keywords["operation"], keywords["labels"], facts)
