"""The budgets of one wrap, as a call asks them: the core's accounts, and a user's own objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from outlay._calls.protocols import Budget
from outlay._core import Allotment, Guard

if TYPE_CHECKING:
    from outlay._waiting.together import Account, NativeBudget

AnyBudget: TypeAlias = "NativeBudget | Budget"
#: What makes two budgets one: an account by its number, a guard or a user's own object by its identity.
Key: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets of one wrap: the accounts of the core, and the user's own objects after them."""

    native: tuple[tuple[Key, NativeBudget], ...]
    own: tuple[tuple[Key, Budget], ...]

    @property
    def accounts(self) -> list[Account]:
        """The budgets that are one account each: all of the core's but guards and their parts."""
        return [one for _, one in self.native if not isinstance(one, Guard | Allotment)]


def account_key(number: int) -> Key:
    """Return the key of an account of the core."""
    return ("account", number)


def accounts_above(native: Iterable[NativeBudget]) -> Iterator[int]:
    """Return the numbers of the accounts that pay with the parts among these budgets."""
    for one in native:
        if isinstance(one, Allotment):
            yield from one._accounts()
