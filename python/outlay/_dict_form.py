"""`to_dict` and `from_dict` of the value classes: their fields in plain types of JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from inspect import Parameter, signature
from typing import Any, Self, TypeVar

from outlay._attach import attach
from outlay._core import (
    BudgetInfo,
    BudgetLimit,
    FullBudgetInfo,
    Remaining,
    RequestBudget,
    Usage,
    UsageEstimate,
)
from outlay._errors import PolicyError

_SECOND = 1_000_000  # in microseconds
_Value = TypeVar("_Value")


class DictForm:
    """The base of the value classes that are dataclasses."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in plain types of JSON, as `from_dict` takes them."""
        return fields_to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Make a value of a dict, such as `to_dict` gives.

        Args:
            data: The fields by name. What is left out has the default of the class.

        Raises:
            PolicyError: A field is unknown or missing, or this is no dict.
            InvalidAmount: A count is not allowed.
            InvalidId: An identifier is not allowed.

        """
        return read_fields(cls, data)


def fields_to_dict(value: Any) -> dict[str, Any]:
    """Return the fields of a value in plain types of JSON."""
    return {name: _plain(field) for name, field in _fields(value).items()}


def read_fields(kind: type[_Value], data: Any) -> _Value:
    """Make a value of that class of its fields."""
    if not isinstance(data, Mapping):
        raise PolicyError(f"{kind.__name__}.from_dict takes a dict, not a {type(data).__name__}")
    known = signature(kind).parameters
    for name in data:
        if name not in known:
            raise PolicyError(f"{kind.__name__} has no field {str(name)[:100]!r}; it has {', '.join(known)}")
    for name, parameter in known.items():
        if parameter.default is Parameter.empty and name not in data:
            raise PolicyError(f"{kind.__name__}.from_dict needs the field {name!r}")
    return kind(**{name: _read(name, field) for name, field in data.items()})


def _fields(value: Any) -> Mapping[str, Any]:
    """Return what makes the value again. Natively that is what a pickle has: it is exact."""
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "__getnewargs_ex__"):
        keywords: dict[str, Any] = value.__getnewargs_ex__()[1]
        return keywords
    return dict(zip(signature(type(value)).parameters, value.__getnewargs__(), strict=True))


def _plain(field: Any) -> Any:
    match field:
        case StrEnum():
            return str(field)
        case tuple() | list():
            return [_plain(item) for item in field]
        case dict():
            return {name: _plain(item) for name, item in field.items()}
        case datetime():
            return field.isoformat()
        case timedelta():
            # Only a duration that no float has exactly comes as one.
            whole, part = divmod(field // timedelta(microseconds=1), _SECOND)
            return f"{whole}.{part:06d}"
        case _:
            return field


def _seconds(text: str) -> timedelta:
    return timedelta(microseconds=int(Decimal(text) * _SECOND))


_READERS: dict[str, Callable[[str], Any]] = {
    "timestamp": datetime.fromisoformat,
    "period_start": datetime.fromisoformat,
    "window_secs": _seconds,
    "window_remaining_secs": _seconds,
}


def _read(name: str, field: Any) -> Any:
    reader = _READERS.get(name)
    if reader is None or not isinstance(field, str):
        return field
    try:
        return reader(field)
    except (ValueError, InvalidOperation, OverflowError) as error:
        raise PolicyError(f"{name} can not be read: {field[:100]!r}") from error


def _attach_to(kind: type) -> None:
    """Give both methods to a native class."""

    def to_dict(self: Any) -> dict[str, Any]:
        return fields_to_dict(self)

    def from_dict(cls: type, data: Mapping[str, Any]) -> Any:
        return read_fields(cls, data)

    attach(kind, "to_dict", to_dict)
    attach(kind, "from_dict", from_dict, classmethod)


for _kind in (Usage, UsageEstimate, RequestBudget, Remaining, BudgetLimit, BudgetInfo, FullBudgetInfo):
    _attach_to(_kind)
