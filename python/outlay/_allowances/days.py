"""The UTC days in which allowances count, in nanoseconds since 1970 and as datetimes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlay._core import AllowanceLedger

DAY_NS = 24 * 3600 * 10**9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_datetime(nanoseconds: int) -> datetime:
    """Return the moment so many nanoseconds after 1970."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def today_of(ledger: AllowanceLedger, name: str) -> int:
    """Return when the day of a ledger began; it is asked by the name of an agent or a model."""
    return ledger.usage(name)[3]


def start_of(record: Any) -> int | None:
    """Return when the day of a record began, in nanoseconds since 1970; None where it does not say."""
    start = getattr(record, "period_start", None)
    if not isinstance(start, datetime):
        return None
    aware = start.replace(tzinfo=UTC) if start.utcoffset() is None else start
    return (aware - _EPOCH) // timedelta(microseconds=1) * 1000
