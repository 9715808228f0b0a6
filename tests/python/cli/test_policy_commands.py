"""`outlay check` and `explain`: what they warn of, what they print where, and as JSON."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
import time

import pytest

import outlay
from outlay import Guard, PolicyError
from outlay.__main__ import main
from outlay._cli.doubts import one_off

HEAD = '[[budget]]\nname = "b"\nlimit = { calls = 5 }\n'
# Tables over several lines, as TOML 1.1 has them and the guard reads them.
LINES = """\
[[budget]]
name = "b"
scope = {
    agent = "*",
    user = "*",  # whoever it is
}
limit = {
    tokens = 1_000,
    usd = "1.00",
}
landing = { tokens = 100 }
warn_at = [0.5, 0.9]

[[pool]]
name = "p"
max_concurrent = 3
limit = { tokens = 10_000 }
stop_threshold = { tokens = 500 }
on_limit = { wait = "30s" }

[[allowance]]
agent = "coder"
daily_token_limit = 700
daily_job_limit = 5
concurrent_jobs = 2
model_allowlist = ["gpt-x"]

[[model_quota]]
model = "gpt-x"
hourly_rate_limit = 9
cost_ceiling_usd = "500"

[prices]
gpt-x = {
    input = "2.50",
    output = "10.00",
}
"""
HIDDEN = ("\x1b[31m", "\x07", "\x9b", "\u202e", "\u200b", "\ufeff", "\U000e0041")


@pytest.fixture(autouse=True)
def _no_width(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)


def write(tmp_path, text, name="policy.toml"):
    """Write a policy; its path."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def checked(path, capsys):
    """Check a policy that is good; its warnings, without the name of the file."""
    assert main(["check", path]) == 0
    return [line.partition(": warning: ")[2] for line in capsys.readouterr().err.splitlines()]


def test_tables_over_several_lines_are_read_as_the_guard_reads_them(tmp_path, capsys):
    """By the same reader; the standard library has another version of TOML."""
    path = write(tmp_path, LINES)
    assert Guard.from_toml(path).explain(agent="a", user="u")[0]["name"] == "b"
    assert main(["check", path]) == 0
    assert capsys.readouterr().out == "ok: 2 rules (budget 1, pool 1, allowance 1, model_quota 1, prices 1)\n"
    assert main(["explain", path, "agent=coder", "user=ann", "model=gpt-x"]) == 0
    assert "price: input 2.50, output 10.00 USD" in capsys.readouterr().out


def test_explain_shows_allowances_waits_landing_and_warnings(tmp_path, capsys):
    """Whatever could refuse the request, or report it."""
    path = write(tmp_path, LINES)
    assert main(["explain", path, "agent=coder", "user=ann", "model=gpt-x"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    coder = "coder allowance agent=coder"
    for line in (
        f"{coder} calendar:day UTC hard tokens 700 0 700",
        f"{coder} calendar:day UTC hard jobs 5 0 5",
        f"{coder} concurrent hard jobs at once 2 0 2",
        f"{coder} - hard models gpt-x - -",
        "gpt-x model_quota model=gpt-x rolling:3600s hard calls 9 - -",
        "gpt-x model_quota model=gpt-x lifetime hard usd 500.00 - -",
        "wait: up to 30 s where a pool or a limiter is full",
        "landing: b keeps back 100 tokens for the final answer",
        "stop: p keeps back 500 tokens",
        "warning: b at 50 %, 90 %",
    ):
        assert line in lines, lines
    assert main(["explain", path, "agent=coder", "model=gpt-y"]) == 1
    assert "model not in allowlist: gpt-y" in capsys.readouterr().err


def test_explain_finds_the_warnings_of_a_workflow_whose_name_is_odd(tmp_path, capsys):
    """Of the workflow and of its step."""
    rule = (
        '[[workflow]]\nname = "{}"\nlimit = {{ steps = 5 }}\nstep = {{ c = {{ tokens = 9 }} }}\n'
        "warn_at = {}\n"
    )
    path = write(tmp_path, rule.format("a", 0.25) + rule.format("a.step.b", 0.75))
    assert main(["explain", path, "workflow=a.step.b", "step=c", "run=r"]) == 0
    said = capsys.readouterr().out
    assert "warning: a.step.b at 75 %" in said
    assert "25 %" not in said


def test_explain_finds_the_price_of_a_dated_name(tmp_path, capsys):
    """As the guard does."""
    path = write(tmp_path, LINES)
    assert main(["explain", path, "model=openai/gpt-x-2026-01-31"]) == 0
    assert "input 2.50, output 10.00 USD per million tokens ([prices] 'gpt-x')" in capsys.readouterr().out


def test_json_of_each_command(tmp_path, capsys):
    """With what the text says."""
    good, bad = write(tmp_path, LINES), write(tmp_path, "[[budgets]]", "bad.toml")
    assert main(["check", "--json", good, bad]) == 1
    one, other = json.loads(capsys.readouterr().out)
    assert (one["file"], one["ok"], one["error"], one["warnings"][0][:24]) == (
        good,
        True,
        None,
        "no wrap gives the label ",
    )
    assert one["entries"] == {"budget": 1, "pool": 1, "allowance": 1, "model_quota": 1, "prices": 1}
    assert not other["ok"]
    assert other["error"].startswith(f'{bad}:1: budgets: unknown key "budgets"')
    assert main(["explain", "--json", good, "agent=coder", "user=ann", "model=gpt-x"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [counter["name"] for counter in found["counters"]] == ["b", "p", "p"]
    assert found["counters"][0]["warn_at"] == [0.5, 0.9]
    assert found["allowances"][0]["limits"]["tokens"] == [700, 0]
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outlay"] == outlay.__version__


def test_several_files_are_checked_one_after_the_other(tmp_path, capsys):
    """Each is named; one that is bad makes the whole bad."""
    one, two = write(tmp_path, HEAD, "one.toml"), write(tmp_path, HEAD + HEAD, "two.toml")
    assert main(["check", one, two, str(tmp_path / "none.toml")]) == 1
    seen = capsys.readouterr()
    assert seen.out == f"{one}: ok: 1 rule (budget 1)\n"
    assert [line.split(":")[0] for line in seen.err.splitlines()] == [two, str(tmp_path / "none.toml")]
    assert main(["check", one, one]) == 0


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version(option, capsys):
    """It is that of the package."""
    with pytest.raises(SystemExit) as ended:
        main([option])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"outlay {outlay.__version__}\n"


@pytest.mark.parametrize("hidden", HIDDEN)
def test_nothing_that_a_policy_says_acts_on_the_terminal(hidden, tmp_path, capsys):
    """Names of rules, keys, labels, models and files; in the output and in errors."""
    quoted = json.dumps(hidden)[1:-1] if ord(hidden[-1]) < 0x10000 else f"\\U{ord(hidden):08x}"
    policy = f'[[budget]]\nname = "x{quoted}y"\nscope = {{ "u{quoted}" = "*" }}\nlimit = {{ tokens = 5 }}\n'
    named = write(tmp_path, policy, f"a{hidden}b.toml")
    unknown = write(tmp_path, f'["k{quoted}"]\n')
    label = f"u{hidden}=v{hidden}"
    for command in (
        ["check", named],
        ["check", "--json", named],
        ["explain", named, label, f"model=m{hidden}"],
        ["explain", "--json", named, label],
        ["check", unknown],
        ["check", str(tmp_path / f"none{hidden}")],
        ["explain", str(tmp_path / f"none{hidden}")],
    ):
        main(command)
        seen = capsys.readouterr()
        said = seen.out + seen.err
        assert said
        assert not set(said) & (set(hidden) - set("[31m")), (command, said)


def test_escapes_do_not_reach_the_terminal_of_the_command(tmp_path):
    """The program itself: what was reported."""
    path = write(tmp_path, '[[budget]]\nname = "\\u001b[31mRED\\u0007"\nlimit = { tokens = 5 }\n')
    run = subprocess.run(
        [sys.executable, "-m", "outlay", "explain", path, "agent=a"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\\x1b[31mRED\\x07" in run.stdout
    assert "\x1b" not in run.stdout


@pytest.mark.parametrize("width", [40, 60, 80])
def test_lines_fit_the_terminal(width, tmp_path, capsys, monkeypatch):
    """Tables and sentences; where the output is no terminal, lines stay whole."""
    path = write(tmp_path, LINES)
    for command in (["explain", path, "agent=coder", "user=ann", "model=gpt-x"], ["doctor"]):
        assert main(command) == 0
        whole = capsys.readouterr().out
        assert max(map(len, whole.splitlines())) > 80
        monkeypatch.setenv("COLUMNS", str(width))
        assert main(command) == 0
        said = capsys.readouterr().out
        assert max(map(len, said.splitlines())) <= width, said
        if width == 80 or command == ["doctor"]:
            assert sorted(re.sub(r"\s", "", said)) == sorted(re.sub(r"\s", "", whole))
        else:
            assert "\nunit: tokens\nlimit: 700\nused: 0\nremaining: 700\n" in said
        monkeypatch.delenv("COLUMNS")


@pytest.mark.parametrize(
    ("one", "other", "is_one_off"),
    [
        ("user", "usr", True),
        ("usr", "user", True),
        ("user", "usre", True),
        ("user", "uzer", True),
        ("user", "users", True),
        ("user", "user", False),
        ("user", "team", False),
        ("user", "ur", False),
        ("user", "reus", False),
        ("", "a", True),
        ("ab", "ba", True),
        ("abc", "cba", False),
    ],
)
def test_words_that_are_one_letter_off(one, other, is_one_off):
    """Another letter, one fewer, one more, or two that have changed places."""
    assert one_off(one, other) is is_one_off
    assert one_off(other, one) is is_one_off


def test_check_finds_labels_that_are_one_letter_off(tmp_path, capsys):
    """Of those that hosts give, of those of other rules, and of those that are required."""
    rules = "".join(
        f'[[budget]]\nname = "{name}"\nscope = {{ {label} = "*" }}\nlimit = {{ calls = 5 }}\n'
        for name, label in (
            ("a", "agnet"),
            ("b", "customer"),
            ("c", "customer"),
            ("d", "custmer"),
            ("e", "team"),
            ("f", "taem"),
            ("g", "usr"),
        )
    )
    said = checked(write(tmp_path, rules), capsys)
    assert [re.findall(r"did you mean '(\w+)'", line) for line in said] == [
        ["agent"],
        [],
        ["customer"],
        [],
        ["team"],
        ["user"],
    ]
    said = checked(write(tmp_path, '[defaults]\nrequire = ["customer", "modle"]\n' + rules), capsys)
    assert "the label 'modle', which [defaults] requires, is one letter off 'model'" in said
    assert any("'custmer' (did you mean 'customer'?)" in line for line in said)


def test_check_warns_of_rules_by_run(tmp_path, capsys):
    """Unless a request without a run is refused."""
    rules = HEAD + 'window = "run"\n[[workflow]]\nname = "w"\nlimit = { steps = 5 }\n'
    (said,) = checked(write(tmp_path, rules), capsys)
    assert said.startswith("budget 'b', workflow 'w' count by run, and all requests without the label 'run'")
    assert "BudgetMiddleware (LangChain) and BudgetCapability (Pydantic AI) open a run for each run" in said
    assert checked(write(tmp_path, '[defaults]\nrequire = ["run"]\n' + rules), capsys) == []
    assert checked(write(tmp_path, HEAD), capsys) == []


@pytest.mark.parametrize(
    ("scope", "named", "passes"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06", None),
        ("gpt-4o", "openai:gpt-4o", None),
        ("gpt-4o", "gpt-4o-mini", None),
        ("gpt-4o-2024-08-06", "gpt-4o", "gpt-4o"),
        ("azure:gpt-4o", "gpt-4o", "gpt-4o"),
        ("gpt-4", "gpt-4-0613", "gpt-4-0613"),
        ("gemini-2.0-flash", "gemini-2.0-flash-001", "gemini-2.0-flash-001"),
        ("gemini-2.5-flash", "gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash-preview-09-2025"),
        ("gpt-*", "gpt-4o", None),
    ],
)
def test_check_warns_of_exact_scopes_that_another_name_passes_by(scope, named, passes, tmp_path, capsys):
    """Where the policy itself names the other name; the guard agrees."""
    price = f'[prices."{named}"]\ninput = "1"\noutput = "1"\n'
    path = write(tmp_path, HEAD + f'scope = {{ model = "{scope}" }}\n' + price)
    said = checked(path, capsys)
    assert [line.split("'")[3] for line in said] == ([passes] if passes else [])
    if passes:
        assert Guard(path).explain(model=passes) == []


@pytest.mark.parametrize(
    ("scope", "passes"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("us.anthropic.claude-x-20250929-v1:0", "claude-x"),
        ("m-latest", "m"),
        ("azure:gpt-4o", None),
        ("gpt-4o", None),
    ],
)
def test_check_warns_of_a_dated_scope_that_the_name_without_its_date_passes_by(
    scope, passes, tmp_path, capsys
):
    """Also where the policy does not name it."""
    path = write(tmp_path, HEAD + f'scope = {{ model = "{scope}" }}\n')
    assert [line.split("'")[3] for line in checked(path, capsys)] == ([passes] if passes else [])
    if passes:
        assert Guard(path).explain(model=passes) == []


def test_a_missing_policy_file_is_an_error_of_the_policy_and_of_the_system(tmp_path):
    """It names the file, wherever the path is given."""
    path = str(tmp_path / "no-such-file.toml")
    guard = Guard({})
    for read in (Guard, Guard.from_toml, guard.update):
        with pytest.raises(PolicyError) as caught:
            read(path)
        error = caught.value
        assert isinstance(error, FileNotFoundError)
        assert str(error) == f"{path}: No such file or directory"
        assert (error.filename, error.errno) == (path, 2)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.errno) == (type(error), str(error), 2)
    with pytest.raises(PolicyError) as caught:
        Guard(tmp_path)
    assert isinstance(caught.value, IsADirectoryError)


def test_doctor_is_fast_and_uses_no_network():
    """It opens no socket, and imports no host."""
    code = (
        "import sys\n"
        "def refuse(event, given):\n"
        "    if event.startswith('socket.'): raise AssertionError(event)\n"
        "sys.addaudithook(refuse)\n"
        "from outlay.__main__ import main\n"
        "assert main(['doctor']) == 0\n"
        "hosts = {'openai', 'anthropic', 'langchain', 'litellm', 'pydantic_ai', 'agents', 'mcp', 'httpx'}\n"
        "assert not hosts & set(sys.modules), hosts & set(sys.modules)\n"
    )
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begun < 3
