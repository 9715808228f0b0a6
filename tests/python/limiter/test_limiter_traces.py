"""The limiter on real traffic: no span above the limit, and hardly less than an exact log lets through."""

from __future__ import annotations

import csv
import gzip
import io
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benches" / "python"))

import limiter_traces
from limiter_traces import (
    SPAN_US,
    TRACES,
    exact_log,
    fixed_window,
    highest,
    measure,
    read_trace,
    token_bucket,
)

SECOND = 1_000_000


def written(path, rows):
    """Write (milliseconds, input, output) as the traces are."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["t_ms", "in_tokens", "out_tokens"], *rows])
    path.write_bytes(gzip.compress(text.getvalue().encode()))
    return path


def bursts(seed, requests=3_000):
    """Return 25 minutes of traffic that comes in bursts, some at one instant, in no order of time."""
    dice = random.Random(seed)
    rows, now = [], 0.0
    for _ in range(requests):
        now += dice.choice([0, 0, 0, 0.001, 200, 500, 3_000])
        rows.append([round(now, 3), int(dice.lognormvariate(6, 1)), dice.randint(0, 800)])
    dice.shuffle(rows)
    return rows


@pytest.mark.parametrize("name", limiter_traces.NAMES)
def test_a_real_trace_stays_below_the_limit_and_gets_its_share(name):
    """The floors of `benches/python/limiter_traces.py --check`; a trace is replayed in full."""
    path = TRACES / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"the real trace is not here: {path.name} is no part of the project")
    figures = measure(name, read_trace(path))
    assert figures.misses() == []
    assert figures.requests > 1_000
    assert figures.request_share >= 0.98
    # The approximations let more through than the limit: that is what the ring is for.
    assert all(share > 1.03 for share in figures.approximations)


@pytest.mark.parametrize("seed", range(5))
def test_a_generated_trace_stays_below_the_limit_and_gets_its_share(tmp_path, seed):
    """So that something is replayed where the real traces are not."""
    requests = read_trace(written(tmp_path / "trace.csv.gz", bursts(seed)))
    assert [time for time, _ in requests] == sorted(time for time, _ in requests)
    figures = measure("generated", requests)
    assert figures.misses() == []
    assert figures.highest > 0.99
    assert figures.admitted < figures.requests


def test_the_command_prints_a_table_and_fails_below_a_floor(tmp_path, capsys, monkeypatch):
    """Traces that are absent are named."""
    written(tmp_path / "arena_clients.csv.gz", bursts(1))
    monkeypatch.setattr(sys, "argv", ["limiter_traces.py", "--check", "--traces", str(tmp_path)])
    assert limiter_traces.main() == 0
    printed = capsys.readouterr()
    assert "| `arena_clients` | 3,000 | " in printed.out
    assert "azure_conv_2023.csv.gz" in printed.err
    monkeypatch.setattr(limiter_traces, "TOKENS_MIN", 1.5)
    assert limiter_traces.main() == 1
    assert "of the tokens of the exact log" in capsys.readouterr().err
    monkeypatch.setattr(limiter_traces, "HIGHEST_MAX", 0.5)
    assert limiter_traces.main() == 1
    assert "of the limit in a span" in capsys.readouterr().err


def test_the_highest_span_is_found_wherever_it_begins():
    """Against all spans, from every request and to every request; it is open at its end."""
    dice = random.Random(5)
    for _ in range(50):
        times = sorted(dice.randrange(0, 5 * 60, 3) * SECOND for _ in range(30))
        log = [(time, dice.randint(1, 9)) for time in times]
        starts = {time + step for time in times for step in (0, 1, -SPAN_US + 1, 1 - SECOND)}
        spans = [sum(n for at, n in log if start <= at < start + SPAN_US) for start in starts]
        assert highest(log) == max(spans)
    assert highest([]) == 0
    assert highest([(0, 5), (SPAN_US, 5)]) == 5
    assert highest([(0, 5), (SPAN_US - 1, 5)]) == 10


def test_the_yardsticks_are_what_they_say():
    """A limit of 10: the exact log for any minute, the others for what they take for one."""
    minute = SPAN_US
    exact, fixed, bucket = (make(10) for make in (exact_log, fixed_window, token_bucket))
    assert [exact(time, 5) for time in (0, 1, 2, minute - 1, minute)] == [True, True, False, False, True]
    assert [fixed(time, 10) for time in (minute - 1, minute, minute + 1)] == [True, True, False]
    assert [bucket(time, 10) for time in (0, minute - 1, minute)] == [True, False, True]
