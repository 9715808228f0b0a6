"""Reads a trace of agent sessions and lays its calls out in time."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO

__all__ = ["TraceError", "TraceEvent", "TracedCall", "read_trace", "schedule"]

_COLUMNS = ("agent", "session", "turn", "t_ms", "in_tokens", "out_tokens")
_TIME_MS_MAX = 10**12
_COUNT_MAX = 10**12
_ID_BYTES_MAX = 500

# How long a call takes is not in the trace: as a service that starts after 200 ms and writes 100 tokens a
# second.
_LATENCY_US = 200_000
_US_PER_OUTPUT_TOKEN = 10_000
_CALL_US_MAX = 600_000_000
_FIRST_OUTPUT_ESTIMATE = 200


class TraceError(ValueError):
    """The file is no such trace; the message names the line."""


@dataclass(frozen=True, slots=True)
class TracedCall:
    """One model call of the trace, from `start_us` to `end_us`, in microseconds of the replay."""

    agent: str
    session: str
    turn: int
    start_us: int
    end_us: int
    input_tokens: int
    output_tokens: int
    output_estimate: int

    @property
    def workflow(self) -> str:
        """The id of the session's workflow."""
        return f"{self.agent}/{self.session}"

    @property
    def estimate(self) -> int:
        """The tokens to reserve: the input is known, the output is a guess."""
        return self.input_tokens + self.output_estimate

    @property
    def actual(self) -> int:
        """The tokens that the call really used."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """The start or the end of a call."""

    time_us: int
    starts: bool
    call: TracedCall


@dataclass(frozen=True, slots=True)
class _Row:
    agent: str
    session: str
    turn: int
    time_us: int
    input_tokens: int
    output_tokens: int


def read_trace(path: Path) -> list[TracedCall]:
    """Read a trace (csv, or csv.gz by its first bytes) into calls in order of time.

    Raises:
        TraceError: The file cannot be read, or a line is not as it should be.

    """
    try:
        with _opened(path) as file:
            rows = list(_rows(file))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise TraceError(f"cannot read {path}: {reason}") from error
    if not rows:
        raise TraceError(f"{path} has no calls")
    return _scheduled(rows)


def schedule(calls: list[TracedCall]) -> list[TraceEvent]:
    """List the starts and ends of all calls in order of time; at one time, ends come before starts."""
    events = [TraceEvent(call.start_us, True, call) for call in calls]
    events += [TraceEvent(call.end_us, False, call) for call in calls]
    return sorted(events, key=lambda event: (event.time_us, event.starts))


def _opened(path: Path) -> IO[str]:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    if packed:
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _rows(file: IO[str]) -> Iterator[_Row]:
    reader = csv.DictReader(file)
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise TraceError(f"line 1: the header has no column {', '.join(missing)}")
    for record in reader:
        line = reader.line_num
        yield _Row(
            agent=_identifier(record, "agent", line),
            session=_identifier(record, "session", line),
            turn=_count(record, "turn", line),
            time_us=_microseconds(record, "t_ms", line),
            input_tokens=_count(record, "in_tokens", line),
            output_tokens=_count(record, "out_tokens", line),
        )


def _identifier(record: dict[str, str | None], column: str, line: int) -> str:
    text = record[column] or ""
    # Agent and session together are the id of a workflow, which has 1,024 bytes at most.
    if not 0 < len(text.encode()) <= _ID_BYTES_MAX:
        raise TraceError(
            f"line {line}: {column} must have 1 to {_ID_BYTES_MAX} bytes, not {len(text.encode())}"
        )
    return text


def _count(record: dict[str, str | None], column: str, line: int) -> int:
    text = (record[column] or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _COUNT_MAX):
        raise TraceError(
            f"line {line}: {column} must be a whole number up to {_COUNT_MAX}, not {text[:40]!r}"
        )
    return int(text)


def _microseconds(record: dict[str, str | None], column: str, line: int) -> int:
    text = (record[column] or "").strip()
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not (value.is_finite() and 0 <= value <= _TIME_MS_MAX):
        raise TraceError(
            f"line {line}: {column} must be milliseconds up to {_TIME_MS_MAX}, not {text[:40]!r}"
        )
    return round(value * 1000)


def _scheduled(rows: list[_Row]) -> list[TracedCall]:
    """Give each call its end and an estimate of its output that knows only the agent's earlier calls."""
    spans = _spans(rows)
    seen: dict[str, tuple[int, int]] = {}
    calls = []
    for number in sorted(range(len(rows)), key=lambda number: (spans[number][0], number)):
        row = rows[number]
        total, count = seen.get(row.agent, (0, 0))
        estimate = total // count if count else _FIRST_OUTPUT_ESTIMATE
        seen[row.agent] = (total + row.output_tokens, count + 1)
        outputs = (row.input_tokens, row.output_tokens, estimate)
        calls.append(TracedCall(row.agent, row.session, row.turn, *spans[number], *outputs))
    return calls


def _spans(rows: list[_Row]) -> list[tuple[int, int]]:
    spans = [(0, 0)] * len(rows)
    sessions: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        sessions[row.agent, row.session].append(number)
    for numbers in sessions.values():
        numbers.sort(key=lambda number: rows[number].turn)
        free_at = 0
        for place, number in enumerate(numbers):
            start = max(rows[number].time_us, free_at)
            took = min(_LATENCY_US + rows[number].output_tokens * _US_PER_OUTPUT_TOKEN, _CALL_US_MAX)
            if place + 1 < len(numbers):
                # An agent waits for its answer before its next turn, so a call ends before the next begins.
                took = min(took, rows[numbers[place + 1]].time_us - start)
            free_at = start + max(took, 1)
            spans[number] = (start, free_at)
    return spans
