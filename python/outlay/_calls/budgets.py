"""`Budgets`: the budgets of one wrap, the core's accounts first and a user's own objects after them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from outlay._calls.protocols import Budget
from outlay._core import Allotment, BoundGuard, Guard

if TYPE_CHECKING:
    from outlay._waiting.together import Account, NativeBudget

AnyBudget: TypeAlias = "NativeBudget | Budget"
#: Two budgets with one key are the same. The key is an account's number, or the identity of another object.
Key: TypeAlias = tuple[str, int]
#: The budgets that are asked by labels.
LABELLED = (Guard, BoundGuard, Allotment)


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets of one wrap: the accounts of the core, and the user's own objects after them."""

    native: tuple[tuple[Key, NativeBudget], ...]
    own: tuple[tuple[Key, Budget], ...]

    @property
    def accounts(self) -> list[Account]:
        """The budgets that are one account each: all but guards, their views and their parts."""
        return [one for _, one in self.native if not isinstance(one, Guard | BoundGuard | Allotment)]


def account_key(number: int) -> Key:
    """Return the key of an account of the core."""
    return ("account", number)


def accounts_above(native: Iterable[NativeBudget]) -> Iterator[int]:
    """Return the numbers of the accounts that pay with the parts among these budgets."""
    for one in native:
        if isinstance(one, Allotment):
            yield from one._accounts()
