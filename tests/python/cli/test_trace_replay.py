"""``outlay demo --trace``: outlay's verdicts and totals equal the plain re-computation, to the token."""

import csv
import gzip
import io
import json
import random
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("rich", reason="the demo needs the extra outlay[demo]: rich is not installed")

from outlay.__main__ import main
from outlay._demo.audit import Counter, Limits, PlainBook
from outlay._demo.replay.file import read_trace, schedule
from outlay._demo.replay.run import replay

HEADER = ["agent", "session", "turn", "t_ms", "t_in_session_ms", "in_tokens", "out_tokens", "out_text_empty"]
REAL_TRACE = Path(__file__).parents[4] / "shared" / "traces" / "agent_sessions.csv.gz"


def write(path: Path, rows: list[list[object]]) -> Path:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([HEADER, *rows])
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def generated(seed: int, sessions: int = 30) -> list[list[object]]:
    """Sessions of three agents that overlap, cross windows and vary much in length and output."""
    dice = random.Random(seed)
    rows = []
    for number in range(sessions):
        agent, time, prompt = dice.choice(["planner", "coder", "critic"]), dice.uniform(0, 9e6), 200
        for turn in range(1, dice.randint(1, 30) + 1):
            output = int(dice.lognormvariate(5, 1.5))
            rows.append([agent, f"s{number}", turn, round(time, 3), 0, prompt, output, 0])
            prompt += output + dice.randint(0, 400)
            time += dice.choice([0, 0.001, 500, 5_000, 60_000])
    return rows


def replayed(path: Path, **limits: object):
    calls = read_trace(path)
    chosen = Limits.fitting(calls)
    return replay(calls, Limits(**{**vars(chosen), **limits}), lambda result: None)


@pytest.mark.parametrize("seed", range(8))
def test_generated_traffic_has_no_difference(tmp_path, seed):
    result = replayed(write(tmp_path / "trace.csv", generated(seed)))
    assert result.differences == []
    assert result.compared > 1000
    assert result.refused
    assert result.overruns
    assert result.underruns
    everything = result.tokens_admitted + result.tokens_refused + result.tokens_not_asked
    assert everything == sum(int(row[5]) + int(row[6]) for row in generated(seed))
    assert result.admitted + len(result.refused) + result.not_asked == result.calls


def test_every_kind_of_limit_cuts_sessions(tmp_path):
    path = write(tmp_path / "trace.csv", generated(1))
    agents = ("planner", "coder", "critic")
    cases = {
        "workflows": {"workflows": 3},
        "steps": {"steps": 2},
        "agent tokens": {"agent_tokens": dict.fromkeys(agents, 3_000)},
        "agent calls": {"agent_calls": dict.fromkeys(agents, 5)},
        "pool": {"pool_tokens": 20_000, "pool_stop_threshold": 1_000},
    }
    for name, limits in cases.items():
        result = replayed(path, **limits)
        assert result.differences == []
        assert name in result.refused.values()


def test_an_overrun_is_booked_and_its_debt_blocks_what_follows(tmp_path):
    # One turn of 200 estimated and 5,000 used output tokens, then a small one: it must be refused.
    rows = [["a", "one", 1, 0, 0, 10, 5_000, 0], ["a", "two", 1, 100_000, 0, 10, 10, 0]]
    result = replayed(write(tmp_path / "trace.csv", rows), agent_tokens={"a": 1_000}, pool_tokens=10**6)
    assert result.differences == []
    assert result.tokens_admitted == 5_010
    assert list(result.refused.values()) == ["agent tokens"]


def test_an_overrun_across_a_window_counts_in_the_window_of_its_commit(tmp_path):
    # The first call runs from 590 s to 640.2 s, over the window's end at 600 s. The 4,800 tokens above its
    # estimate land in the second window, where the second session's 5,010 then do not fit.
    rows = [
        ["a", "one", 1, 590_000, 0, 10, 5_000, 0],
        ["a", "two", 1, 700_000, 0, 10, 10, 0],
    ]
    path = write(tmp_path / "trace.csv", rows)
    result = replayed(path, agent_tokens={"a": 9_000}, agent_calls={"a": 9}, pool_tokens=10**6, workflows=9)
    assert result.differences == []
    assert list(result.refused.values()) == ["agent tokens"]


def test_a_wrong_plain_book_would_be_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(Counter, "admits", lambda self, amount: self.used + amount <= self.limit + 5_000)
    assert replayed(write(tmp_path / "trace.csv", generated(1))).differences


def test_the_plain_book_refuses_at_the_limit_by_itself(tmp_path):
    rows = [["a", "one", turn, turn * 1000, 0, 100, 0, 0] for turn in (1, 2, 3)]
    calls = read_trace(write(tmp_path / "trace.csv", rows))
    book = PlainBook(Limits(9, 3600, 2, {"a": 10_000}, {"a": 9}, 600, 10_000, 0))
    verdicts = []
    for event in schedule(calls):
        if event.starts:
            verdicts.append(book.start(event.call, event.time_us))
        else:
            book.end(event.call, event.time_us)
    assert verdicts == [set(), set(), {"steps"}]
    assert book.pool.used == 200


def test_the_estimate_knows_only_earlier_calls(tmp_path):
    rows = [["a", "one", turn, turn * 1000, 0, 0, tokens, 0] for turn, tokens in ((1, 100), (2, 300), (3, 7))]
    calls = read_trace(write(tmp_path / "trace.csv", rows))
    assert [call.output_estimate for call in calls] == [200, 100, 200]


def test_ties_and_disorder_in_a_session_become_one_call_after_the_other(tmp_path):
    rows = [["a", "one", turn, t, 0, 1, 1, 0] for turn, t in ((3, 5), (1, 5), (2, 5), (4, 1))]
    calls = read_trace(write(tmp_path / "trace.csv", rows))
    assert [call.turn for call in calls] == [1, 2, 3, 4]
    assert all(one.start_us < one.end_us <= two.start_us for one, two in pairwise(calls))


@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz"])
def test_the_command_replays_and_names_what_it_cut(tmp_path, capsys, name):
    status = main(["demo", "--plain", "--trace", str(write(tmp_path / name, generated(2)))])
    output = capsys.readouterr().out
    assert status == 0
    assert "Sessions cut" in output
    assert "The audit held" in output
    assert "\x1b" not in output


def test_the_command_replays_as_json(tmp_path, capsys):
    assert main(["demo", "--json", "--trace", str(write(tmp_path / "trace.csv", generated(2)))]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["held"] is True
    assert {"figure": "differences", "number": 0, "tokens": ""} in said["tables"]["Summary"]


def test_a_difference_is_the_exit_status_1(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Counter, "admits", lambda self, amount: True)
    assert main(["demo", "--plain", "--trace", str(write(tmp_path / "trace.csv", generated(2)))]) == 1
    assert "DID NOT HOLD" in capsys.readouterr().out


BAD = {
    "no such column": ("agent,session\na,b\n", "line 1"),
    "not a count": (",".join(HEADER) + "\na,s,1,0,0,x,1,0\n", "line 2: in_tokens"),
    "negative": (",".join(HEADER) + "\na,s,1,0,0,1,1,0\na,s,2,0,0,1,-1,0\n", "line 3: out_tokens"),
    "a fraction": (",".join(HEADER) + "\na,s,1,0,0,1.5,1,0\n", "line 2: in_tokens"),
    "too large": (",".join(HEADER) + f"\na,s,1,0,0,{'9' * 5000},1,0\n", "line 2: in_tokens"),
    "not a time": (",".join(HEADER) + "\na,s,1,NaN,0,1,1,0\n", "line 2: t_ms"),
    "before the start": (",".join(HEADER) + "\na,s,1,-1,0,1,1,0\n", "line 2: t_ms"),
    "no agent": (",".join(HEADER) + "\n,s,1,0,0,1,1,0\n", "line 2: agent"),
    "a short line": (",".join(HEADER) + "\na,s,1\n", "line 2: t_ms"),
    "empty": ("", "line 1"),
    "only a header": (",".join(HEADER) + "\n", "no calls"),
    "half a gzip": (b"\x1f\x8b\x08\x00", "cannot read"),
    "not text": (b"\xff\xfe\xff", "cannot read"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_the_exit_status_2_and_names_the_line(tmp_path, capsys, case):
    content, expected = BAD[case]
    path = tmp_path / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["demo", "--plain", "--trace", str(path)]) == 2
    assert expected in capsys.readouterr().err


def test_a_missing_file_is_the_exit_status_2(tmp_path, capsys):
    assert main(["demo", "--plain", "--trace", str(tmp_path / "none.csv")]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_odd_ids_are_replayed_and_printed(tmp_path, capsys):
    ids = ['qu"ote', "{brace}", "[bold]", "new\nline", "\u202eright", "\U0001f980"]
    rows = [[name, name, turn, turn * 10, 0, 100, 10, 0] for name in ids for turn in (1, 2, 3)]
    assert main(["demo", "--plain", "--trace", str(write(tmp_path / "trace.csv", rows))]) == 0
    assert "[bold]" in capsys.readouterr().out


def test_the_real_agent_sessions_have_no_difference():
    if not REAL_TRACE.exists():
        pytest.skip(f"the real trace is not here: {REAL_TRACE.name} is no part of the project")
    result = replayed(REAL_TRACE)
    assert result.differences == []
    assert (result.calls, result.sessions) == (1181, 47)
    assert set(result.refused.values()) >= {"steps", "agent tokens", "workflows"}
    assert 0 < len(result.refused) < result.sessions
    assert result.tokens_admitted + result.tokens_refused + result.tokens_not_asked == 2_914_408
