"""`policy_text`: the values of a policy's dict that JSON has no form for."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID


def policy_text(value: object) -> str:
    """Return an amount of money or an identifier as text, as a TOML file has it.

    The text of anything else, such as bytes, a set or a member of an Enum, is the value of no label: a rule
    with it would match nothing.

    Raises:
        TypeError: It is something else.

    """
    if isinstance(value, Decimal | UUID):
        return str(value)
    raise TypeError(f"{value!r:.100} is a {type(value).__name__}")
