"""Reading by name: from attributes or keys, and counts that are whole numbers."""

from __future__ import annotations

import logging
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from types import FunctionType
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from outlay._errors import InvalidAmount
from outlay._usage.noticed import Noticed

#: Returns what an object has under a name; None where it has nothing.
Reader: TypeAlias = Callable[[str], Any]

_log = logging.getLogger("outlay")
_SHOWN_MAX = 10**20
_MADE = (property, cached_property, FunctionType)
_fractions = Noticed()
# Of the classes of pydantic: what their objects have outside of their own dict.
_made_by: WeakKeyDictionary[type[Any], frozenset[str]] = WeakKeyDictionary()


def reader(obj: Any) -> Reader:
    """Return what reads an object by name, from its attributes or its keys."""
    # The plain dict first: the abstract test is slow.
    if isinstance(obj, dict):
        return obj.get
    if obj is None:
        return _nothing
    if hasattr(type(obj), "__pydantic_fields__"):
        return _pydantic_reader(obj)
    if isinstance(obj, Mapping):
        return obj.get
    return lambda name: getattr(obj, name, None)


def _pydantic_reader(obj: Any) -> Reader:
    """Return what reads a model of pydantic, which takes a microsecond to say that it lacks a name."""
    # getattr: a dataclass of pydantic has the fields, and no extra values.
    beside = getattr(obj, "__pydantic_extra__", None)
    names = {**obj.__dict__, **beside} if beside else obj.__dict__
    made = _made_by.get(type(obj))
    if made is None:
        made = _made_by[type(obj)] = frozenset(
            name
            for each in type(obj).__mro__
            if not each.__module__.startswith("pydantic.")
            for name, value in vars(each).items()
            if isinstance(value, _MADE)
        )
    if not made:
        return names.get
    return lambda name: getattr(obj, name, None) if name in made else names.get(name)


def _nothing(_name: str) -> None:
    return None


def get(obj: Any, name: str) -> Any:
    """Return what an object has under a name, as an attribute or a key; None where it has nothing."""
    return reader(obj)(name)


def has(obj: Any, *names: str) -> bool:
    """Return whether it has anything under one of the names."""
    read = reader(obj)
    return any(read(name) is not None for name in names)


def lacks(read: Reader, names: frozenset[str]) -> bool:
    """Return whether a dict has none of the names, without asking for each; False where it is no dict."""
    return isinstance(own := getattr(read, "__self__", None), dict) and names.isdisjoint(own)


def count(read: Reader, *names: str) -> int:
    """Return the count under the first name that has one, else 0.

    Raises:
        InvalidAmount: It is no number, or negative.

    """
    for name in names:
        value = read(name)
        if value is None:
            continue
        if type(value) is int and value >= 0:
            return value
        return _as_count(name, value)
    return 0


def above_zero(read: Reader, *names: str) -> int:
    """Return the count under the first name that has one above 0, else 0: names for one and the same thing.

    Raises:
        InvalidAmount: A count is no number, or negative.

    """
    for name in names:
        value = read(name)
        if value is None:
            continue
        found = value if type(value) is int and value >= 0 else _as_count(name, value)
        if found:
            return found
    return 0


def listed(value: Any) -> list[Any]:
    """Return the items of a list, none of anything else: what stands beside counts does not lose them."""
    if isinstance(value, list):
        return value
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else []


def _as_count(name: str, value: Any) -> int:
    if isinstance(value, bool):
        raise InvalidAmount(f"{name}: a whole number of tokens is allowed, not {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        number = _rounded(name, value)
    if value < 0:
        # Python writes no int of more than 4,300 digits.
        shown = value if value > -_SHOWN_MAX else "a number far below 0"
        raise InvalidAmount(f"{name}: 0 or more is allowed, not {shown}")
    return number


def _rounded(name: str, value: Any) -> int:
    """Return the next whole number: 12.0 is a count, and a part of a token is charged as one."""
    if not isinstance(value, float | Decimal) or not math.isfinite(value):
        raise InvalidAmount(f"{name}: a whole number of tokens is allowed, not {value!r:.100}")
    number = math.ceil(value)
    if number != value and _fractions.first(name):
        _log.warning("the usage of a response has a part of a token, and is rounded up: %s=%s", name, value)
    return number
