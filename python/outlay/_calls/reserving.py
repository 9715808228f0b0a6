"""`Reserving`: a reserve in progress, in the budgets that no call covers yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from outlay._calls.asked import Keywords, all_labels
from outlay._calls.budgets import Budgets, Key, account_key, accounts_above

if TYPE_CHECKING:
    from outlay._calls.protocols import Budget, Lease
    from outlay._core import BudgetLease
    from outlay._waiting.together import NativeBudget


class Reserving:
    """A reserve in progress: all of its budgets give a lease, or the call releases the leases it has.

    The `with` block asks the core, with or without waiting, and then the user's own objects. What it raises
    releases every lease of the call.
    """

    __slots__ = ("_call", "_cover", "_keywords", "leases", "native", "own")

    def __init__(self, call: Any, budgets: Budgets, keywords: Keywords, cover: bool) -> None:
        self._call = call
        self._keywords = keywords
        self._cover = cover
        self.own: list[tuple[Key, Budget]] = [(key, one) for key, one in budgets.own if not call._covers(key)]
        self.leases: list[Lease] = []
        call._leases.append(self.leases)
        self.native: list[NativeBudget] = [one for key, one in budgets.native if not call._covers(key)]

    def keywords(self) -> dict[str, Any]:
        """Return the keywords of `reserve_together`, and of its twin that waits."""
        labels, facts = self._keywords["labels"], self._keywords.get("facts")
        return {
            "operation": self._keywords["operation"],
            "timeout": self._keywords.get("wait"),
            "labels": {**(facts or {}), **labels},
            "covered": self._call._accounts_covered(),
        }

    def labels(self) -> dict[str, str]:
        """Return the labels that a user's own objects are given: all that a rule of a guard could meet."""
        return all_labels(self._keywords.get("facts"), self._keywords["labels"])

    def hold(self, lease: BudgetLease | None) -> None:
        """Keep the lease of the core's accounts; None if all of them were covered."""
        if lease is not None:
            self.leases.append(lease)
            # An allotment pays for the accounts that it was allotted from.
            numbers = {*lease._accounts(), *accounts_above(self.native)}
            self._call._note(map(account_key, numbers), self._cover)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        if kind is not None:
            self._call.release()
        else:
            self._call._note((key for key, _ in self.own), self._cover)
