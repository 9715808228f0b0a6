"""What a sliding limiter lets through of real traffic, beside an exact log and three usual approximations.

Each request of a trace (input and output tokens, booked at its time) is tried once against a limit of 60 % of
the most tokens that any 60 seconds of the trace hold; what is above the whole limit is left out. The time of
the trace is the time of a ManualClock. The first two figures are the floors of `--check`:

- highest: the most tokens admitted in any span of 60 seconds, as a share of the limit: 1.000 at most;
- tokens, requests admitted: as a share of those that an exact log of all requests admits; tokens 0.98 at
  least.

Beside them, the highest span of a fixed window, of two counters (the last minute's weighted by what of it is
still in the span) and of a token bucket of the same limit.

Run: python benches/python/limiter_traces.py [--check] [--traces FOLDER]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import outlay

TRACES = Path(__file__).parents[3] / "shared" / "traces"
NAMES = (
    "azure_conv_2023",
    "azure_code_2023_part1",
    "mooncake_conversation",
    "arena_clients",
    "agent_sessions",
)
SPAN_US = 60_000_000
LIMIT_PERCENT = 60
HIGHEST_MAX = 1.0
TOKENS_MIN = 0.98

COLUMNS = (
    "trace",
    "requests",
    "limit",
    "highest",
    "tokens",
    "requests admitted",
    "fixed window",
    "two counters",
    "token bucket",
)

#: Time in microseconds, tokens.
Request = tuple[int, int]
#: Whether a limiter lets a request through; it is asked in the order of time.
Limiter = Callable[[int, int], bool]


def read_trace(path: Path) -> list[Request]:
    """Read the times and tokens of a trace (csv.gz) in order of time: some hold several that overlap."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [
            (round(Decimal(row["t_ms"]) * 1000), int(row["in_tokens"]) + int(row["out_tokens"]))
            for row in csv.DictReader(file)
        ]
    return sorted(rows, key=lambda row: row[0])


def highest(log: Sequence[Request]) -> int:
    """Return the most tokens in any span of 60 s, open at its end: the highest begins at some request."""
    most = total = end = 0
    for start in range(len(log)):
        while end < len(log) and log[end][0] < log[start][0] + SPAN_US:
            total += log[end][1]
            end += 1
        most = max(most, total)
        total -= log[start][1]
    return most


def sliding(limit: int) -> Limiter:
    """Make outlay's: a lease over the whole of the request, and its commit."""
    clock, now = outlay.ManualClock(), 0
    limiter = outlay.RateLimiter(limit, clock=clock)

    def lets(time: int, tokens: int) -> bool:
        nonlocal now
        clock.advance(timedelta(microseconds=time - now))
        now = time
        try:
            lease = limiter.reserve(tokens)
        except outlay.RateLimitExceeded:
            return False
        lease.commit(tokens)
        return True

    return lets


def exact_log(limit: int) -> Limiter:
    """Make the yardstick: it keeps every request for 60 s, however many there are."""
    log: deque[Request] = deque()
    used = 0

    def lets(time: int, tokens: int) -> bool:
        nonlocal used
        while log and log[0][0] <= time - SPAN_US:
            used -= log.popleft()[1]
        if used + tokens > limit:
            return False
        log.append((time, tokens))
        used += tokens
        return True

    return lets


def fixed_window(limit: int) -> Limiter:
    """Make a counter that starts at zero with every minute."""
    minute, used = 0, 0

    def lets(time: int, tokens: int) -> bool:
        nonlocal minute, used
        if time // SPAN_US > minute:
            minute, used = time // SPAN_US, 0
        if used + tokens > limit:
            return False
        used += tokens
        return True

    return lets


def two_counters(limit: int) -> Limiter:
    """Make the usual estimate: this minute's count, and the last one's as if it had been steady."""
    minute, used, last = 0, 0, 0

    def lets(time: int, tokens: int) -> bool:
        nonlocal minute, used, last
        if (passed := time // SPAN_US - minute) > 0:
            minute, used, last = minute + passed, 0, used if passed == 1 else 0
        if used + last * (SPAN_US - time % SPAN_US) // SPAN_US + tokens > limit:
            return False
        used += tokens
        return True

    return lets


def token_bucket(limit: int) -> Limiter:
    """Make a bucket of one limit, which fills up at a limit a minute."""
    level, then = limit * SPAN_US, 0

    def lets(time: int, tokens: int) -> bool:
        nonlocal level, then
        level, then = min(level + (time - then) * limit, limit * SPAN_US), time
        if tokens * SPAN_US > level:
            return False
        level -= tokens * SPAN_US
        return True

    return lets


APPROXIMATIONS = (fixed_window, two_counters, token_bucket)


@dataclass(frozen=True)
class Figures:
    """One line of the table."""

    name: str
    requests: int
    limit: int
    highest: float
    tokens: int
    tokens_exact: int
    admitted: int
    admitted_exact: int
    approximations: tuple[float, ...]

    @property
    def token_share(self) -> float:
        """The tokens admitted, as a share of what the exact log admits."""
        return self.tokens / self.tokens_exact

    @property
    def request_share(self) -> float:
        """The requests admitted, as a share of what the exact log admits."""
        return self.admitted / self.admitted_exact

    def misses(self) -> list[str]:
        """Say which floors are missed."""
        missed = []
        if self.highest > HIGHEST_MAX:
            missed.append(f"{self.name}: {self.highest:.4f} of the limit in a span")
        if self.token_share < TOKENS_MIN:
            missed.append(f"{self.name}: {self.token_share:.4f} of the tokens of the exact log")
        if self.request_share < TOKENS_MIN:
            missed.append(f"{self.name}: {self.request_share:.4f} of the requests of the exact log")
        return missed


def measure(name: str, requests: Sequence[Request]) -> Figures:
    """Replay one trace through all limiters."""
    limit = highest(requests) * LIMIT_PERCENT // 100
    tried = [request for request in requests if request[1] <= limit]

    def replay(make: Callable[[int], Limiter]) -> list[Request]:
        lets = make(limit)
        return [request for request in tried if lets(*request)]

    ours, exact = replay(sliding), replay(exact_log)
    return Figures(
        name=name,
        requests=len(tried),
        limit=limit,
        highest=highest(ours) / limit,
        tokens=sum(tokens for _, tokens in ours),
        tokens_exact=sum(tokens for _, tokens in exact),
        admitted=len(ours),
        admitted_exact=len(exact),
        approximations=tuple(highest(replay(make)) / limit for make in APPROXIMATIONS),
    )


def table(measured: Iterable[Figures]) -> str:
    """Return the figures as a table in Markdown."""
    lines = [" | ".join(COLUMNS).join(("| ", " |")), "| --- |" + " ---: |" * (len(COLUMNS) - 1)]
    for row in measured:
        shares = [row.highest, row.token_share, row.request_share]
        numbers = [f"{share:.3f}" for share in shares]
        numbers += [f"{share:.2f}" for share in row.approximations]
        lines.append(f"| `{row.name}` | {row.requests:,} | {row.limit:,} | " + " | ".join(numbers) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--traces", type=Path, default=TRACES, help="the folder of the traces")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a floor is missed")
    options = parser.parse_args()
    paths = [options.traces / f"{name}.csv.gz" for name in NAMES]
    if absent := [path.name for path in paths if not path.exists()]:
        print(f"not in {options.traces}, left out: {', '.join(absent)}", file=sys.stderr)
    there = [path for path in paths if path.exists()]
    measured = [measure(path.name.removesuffix(".csv.gz"), read_trace(path)) for path in there]
    print(table(measured))
    missed = [miss for row in measured for miss in row.misses()]
    print(*missed, sep="\n", end="\n" if missed else "", file=sys.stderr)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
