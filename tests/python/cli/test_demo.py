"""``outlay demo``: the agent works, is warned, is denied, reads the denial, lands, and the audit holds."""

# ruff: noqa: E402 (the name of a test says what it shows; what is not installed is skipped first)

import io
import json
import os
import re
import subprocess
import sys

import pytest

for _package in ("rich", "langchain", "langchain_openai"):
    pytest.importorskip(
        _package, reason=f"the demo needs the extra outlay[demo]: {_package} is not installed"
    )

from rich.console import Console

from outlay.__main__ import main
from outlay._demo import agent, bill, rush
from outlay._demo.run import run_demo
from outlay._demo.script import FUEL_TASK, answer
from outlay._demo.tools import calculate


@pytest.fixture(scope="module")
def printed() -> str:
    """Run the demo once and return what it prints where there is no terminal."""
    console = Console(file=io.StringIO(), width=120, highlight=False)
    assert run_demo(console)
    return console.file.getvalue()


def json_after(text: str, title: str) -> dict:
    lines = text.splitlines()
    index = next(number for number, line in enumerate(lines) if title in line)
    return json.loads(lines[index + 1])


def test_it_shows_the_warning_once(printed):
    assert printed.count("WARNING") == 1
    assert "warned at 80%" in printed


def test_it_shows_the_denial_that_the_model_reads(printed):
    refusal = json_after(printed, "the model reads")
    assert (refusal["error"], refusal["type"]) == ("workflow_quota_exceeded", "step_limit")
    assert refusal["details"]["max_steps"] == 10


def test_the_model_lands_with_what_it_has(printed):
    answers = [line for line in printed.splitlines() if "I was stopped" in line]
    assert len(answers) == 1
    assert "10 of 10 steps" in answers[0]
    assert "ferry-cilla 21.00 EUR" in answers[0]
    assert "Not examined: ferry-edla." in answers[0]


def test_it_shows_the_model_call_that_is_refused(printed):
    refusal = json_after(printed, "refused before it is made")
    assert (refusal["error"], refusal["type"]) == ("budget_exceeded", "token")
    assert refusal["details"]["agent_id"] == "bookkeeper"


def test_in_the_rush_the_provider_refuses_without_outlay_and_never_with_it(printed):
    bare = re.search(
        r"without it: (\d+) answered, (\d+) refused with status 429; .* wait (\d\.\d) s", printed
    )
    assert bare is not None
    assert int(bare[1]) + int(bare[2]) == rush.CALLS
    assert int(bare[2]) > 0
    assert 0 < float(bare[3]) <= rush.MINUTE_SECONDS
    assert f"Under a RateLimiter: {rush.CALLS} answered, 0 refused by the provider" in printed


def test_the_audit_sees_a_refusal_by_the_provider():
    lines = bill.audit_rush(rush.Rush(answered=11, requests=12, server_refused=1))
    assert [line.what for line in lines if line.difference] == [
        "rush: calls answered",
        "rush: refused by the provider",
    ]


def test_it_prints_the_accounts_and_the_audit(printed):
    assert "shared pool, micro-USD" in printed
    assert "The audit held" in printed
    assert "\x1b" not in printed


def test_json_has_the_tables_and_the_verdict(capsys):
    assert main(["demo", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["held"] is True
    assert list(said["tables"]) == ["Accounts", "Audit against the server's own bill"]
    for figures in said["tables"].values():
        assert figures
    assert {line["difference"] for line in said["tables"]["Audit against the server's own bill"]} == {0}


def test_the_audit_sees_a_call_that_was_billed_behind_its_back(monkeypatch):
    console = Console(file=io.StringIO(), width=120)
    run_agent = agent.run_agent

    def with_a_secret(view):
        outcome = run_agent(view)
        outcome.billed.append({"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1})
        return outcome

    monkeypatch.setattr("outlay._demo.run.run_agent", with_a_secret)
    assert not run_demo(console)
    assert "DID NOT HOLD" in console.file.getvalue()


def test_every_line_of_the_audit_has_its_difference():
    assert bill.Line("tokens", 7, 5).difference == 2


def test_the_model_answers_in_full_where_nothing_stops_it():
    messages = [{"role": "user", "content": FUEL_TASK}]
    tools = {tool.name: tool for tool in agent.make_tools([])}
    for turn in range(30):
        reply = answer({"messages": messages})
        if not reply.tool_calls:
            break
        (call,) = reply.tool_calls
        function = {"name": call["name"], "arguments": json.dumps(call["args"])}
        messages.append({"role": "assistant", "tool_calls": [{"id": str(turn), "function": function}]})
        result = tools[call["name"]].invoke(call["args"])
        messages.append({"role": "tool", "tool_call_id": str(turn), "content": result})
    assert reply.text.endswith("ferry-cilla is the cheapest to run.")
    assert "ferry-edla 60.00 EUR" in reply.text


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("2 * (3 + 4) / -7", "-2.00"),
        ("1 / 0", "cannot"),
        ("__import__('os')", "cannot"),
        ("2 ** 9", "cannot"),
    ],
)
def test_the_calculator_calculates_and_runs_no_code(expression, expected):
    assert calculate(expression).startswith(expected)


def test_the_command_works_without_a_terminal_and_ignores_the_users_settings():
    settings = {
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "OPENAI_API_KEY": "wrong",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_API_KEY": "wrong",
        "LANGSMITH_ENDPOINT": "http://127.0.0.1:9",
    }
    process = subprocess.run(
        [sys.executable, "-m", "outlay", "demo", "--plain"],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | settings,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stderr == ""
    assert "The audit held" in process.stdout
    assert "\x1b" not in process.stdout


def test_a_missing_package_is_named_with_the_cure(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    for name in [name for name in sys.modules if name.startswith("outlay._demo")]:
        monkeypatch.delitem(sys.modules, name)
    assert main(["demo"]) == 2
    assert 'pip install "outlay[demo]"' in capsys.readouterr().err


def test_the_version_needs_no_vendor(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("outlay ")


def test_no_command_prints_the_help(capsys):
    assert main([]) == 2
    assert "demo" in capsys.readouterr().out
