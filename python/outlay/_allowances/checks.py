"""The checks of the value classes. An error names the argument and says what was given."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NoReturn, SupportsIndex, TypeAlias, TypeVar
from uuid import UUID

from outlay._core import check_amount, check_id
from outlay._errors import PolicyError

Id: TypeAlias = str | UUID
Period: TypeAlias = float | timedelta
_Kind = TypeVar("_Kind")
_Name = TypeVar("_Name", bound=StrEnum)


def set_fields(value: Any, **fields: Any) -> None:
    """Set the fields of a frozen value that is being made."""
    for name, field in fields.items():
        object.__setattr__(value, name, field)


def checked_model(value: Id) -> str:
    """Return the name of a model, "" for none."""
    return "" if isinstance(value, str) and not value else check_id(value, "model")


def ids(values: Iterable[Id], argument: str) -> tuple[str, ...]:
    """Return several identifiers."""
    # A text is an iterable of texts, too: of its letters.
    if isinstance(values, str | bytes | bytearray) or not isinstance(values, Iterable):
        raise PolicyError(f"{argument} must be a list of names, not {given(values)}")
    return tuple(check_id(value, argument) for value in values)


def instance(kind: type[_Kind], value: object, argument: str) -> _Kind:
    """Return an object of that class."""
    if not isinstance(value, kind):
        raise PolicyError(f"{argument} must be a {kind.__name__}, not {given(value)}")
    return value


def left(value: SupportsIndex, argument: str) -> int:
    """Return a whole number, or -1 for no limit."""
    return -1 if type(value) is int and value == -1 else check_amount(value, argument)


def clamped(count: int) -> int:
    """Return a sum that ends at 0 and at 2**64 - 1."""
    return min(max(count, 0), 2**64 - 1)


def moment(value: datetime | None, argument: str) -> datetime | None:
    """Return an aware datetime; a naive one is taken as UTC."""
    if value is None:
        return None
    instance(datetime, value, argument)
    return value.replace(tzinfo=UTC) if value.utcoffset() is None else value


def named(names: type[_Name], value: object, argument: str) -> _Name:
    """Return the member of an enumeration that has that text."""
    if isinstance(value, str):
        for name in names:
            if name == value:
                return name
    allowed = ", ".join(f'"{name}"' for name in names)
    shown = repr(value[:100]) if isinstance(value, str) else given(value)
    raise PolicyError(f"{argument} must be one of {allowed}, not {shown}")


def given(value: object) -> str:
    """Return what kind of thing was given."""
    return f"a {type(value).__name__}"


def no_copies(account: object) -> NoReturn:
    """Refuse to pickle an account: it holds what was spent, what is unpickled would be a second one."""
    raise TypeError(
        f"{type(account).__name__} can not be pickled: what is unpickled would have a limit of its own; "
        "create it where it is used"
    )
