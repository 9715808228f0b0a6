"""`outlay check`, `explain` and `doctor`, and `outlay.doctor()`."""

from __future__ import annotations

import gc
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import outlay
from outlay.__main__ import main
from outlay._cli.doctor import EXTRAS

ROOT = Path(__file__).parents[3]
POLICY = """\
[[budget]]
name = "per-agent-day"
scope = { agent = "*" }
limit = { usd = "20.00", tokens = 5_000 }
window = "calendar:day"

[[limiter]]
name = "tpm"
scope = { model = "openai:*" }
tokens_per_minute = 450_000
on_limit = { wait = "30s" }

[[tool]]
name = "web_search"
limit = { calls = 50 }

[[allowance]]
agent = "coder"
daily_token_limit = 700

[[model_quota]]
model = "gpt-x"
daily_token_budget = 800

[prices."openai:gpt-x"]
input = "2.50"
output = "10.00"
"""


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return path


def _table(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_check_says_that_a_policy_is_good(policy, capsys):
    assert main(["check", str(policy)]) == 0
    said = capsys.readouterr().out
    assert said == "ok: 3 rules (budget 1, limiter 1, tool 1, allowance 1, model_quota 1, prices 1)\n"


def test_check_reads_a_pyproject(tmp_path, capsys):
    path = tmp_path / "pyproject.toml"
    path.write_text('[tool.outlay]\nbudget = [{ name = "all", limit = { calls = 5 } }]\n')
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out == "ok: 1 rule (budget 1)\n"


def test_check_names_the_file_and_the_line_of_a_fault(policy, capsys):
    policy.write_text(POLICY.replace("tokens_per_minute", "tokenz"))
    assert main(["check", str(policy)]) == 1
    seen = capsys.readouterr()
    assert seen.out == ""
    assert seen.err.startswith(f'{policy}:10: limiter[0].tokenz: unknown key "tokenz"; allowed are name, ')


def test_u03_check_warns_of_labels_that_no_wrap_gives(policy, capsys):
    """A typo, and a label that a request may lack; nothing of those that are required."""
    scopes = (
        '[[budget]]\nname = "t"\nscope = { modle = "*", user = "*", team = "x" }\nlimit = { calls = 1 }\n'
    )
    policy.write_text('[defaults]\nrequire = ["user"]\n' + scopes + POLICY)
    assert main(["check", str(policy)]) == 0
    seen = capsys.readouterr()
    assert seen.out.startswith("ok: 4 rules")
    typo, own = seen.err.splitlines()
    assert typo.startswith(f"{policy}: warning: no wrap gives the label 'modle' (did you mean 'model'?)")
    assert own.startswith(
        f"{policy}: warning: no wrap gives the label 'team', and without it a request passes by"
    )
    assert "budget 't'; [defaults] require = ['team'] refuses" in own


def test_check_shows_an_operator_in_a_scope(policy, capsys):
    """With its line and the way to write it."""
    policy.write_text(POLICY.replace('"openai:*"', '"!openai:*"'))
    assert main(["check", str(policy)]) == 1
    assert capsys.readouterr().err.startswith(
        f"{policy}:9: limiter[0].scope.model: must be a name, or a pattern"
    )


def test_explain_says_which_label_is_missing(policy, capsys):
    """Such a request is refused, whatever else matches."""
    policy.write_text('[defaults]\nrequire = ["user", "team"]\n' + POLICY)
    assert main(["explain", str(policy), "agent=coder", "team=x"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "refused with PolicyError: the label 'user' is missing, which [defaults] requires"
    assert main(["explain", str(policy)]) == 0
    assert "no rule matches" not in capsys.readouterr().out


def test_explain_knows_what_is_said_of_each(policy, capsys):
    """An allowance of a star is that of the agent; a call of a tool has none."""
    policy.write_text(POLICY.replace('agent = "coder"', 'agent = "*"'))
    assert main(["explain", str(policy), "agent=writer", "tool=web_search", "model=x"]) == 0
    assert "writer allowance agent=writer calendar:day UTC hard tokens 700 0 700" in _table(
        capsys.readouterr().out
    )
    assert main(["explain", str(policy), "agent=writer", "tool=web_search"]) == 0
    assert "allowance" not in capsys.readouterr().out


@pytest.mark.parametrize("command", ["check", "explain"])
def test_a_file_that_is_not_there(command, tmp_path, capsys):
    assert main([command, str(tmp_path / "none.toml")]) == 1
    assert "No such file" in capsys.readouterr().err


def test_explain_shows_the_rules_that_match_and_the_price(policy, capsys):
    assert main(["explain", str(policy), "agent=coder", "model=gpt-x", "provider=openai"]) == 0
    lines = _table(capsys.readouterr().out)
    assert lines[1] == "per-agent-day budget agent=coder calendar:day UTC hard usd 20.00 0.00 20.00"
    assert lines[2] == "per-agent-day budget agent=coder calendar:day UTC hard tokens 5000 0 5000"
    assert lines[3] == "tpm limiter shared rolling:60s hard tokens 450000 0 450000"
    assert lines[4] == "coder allowance agent=coder calendar:day UTC hard tokens 700 0 700"
    assert lines[5] == "gpt-x model_quota model=gpt-x calendar:day UTC hard tokens 800 0 800"
    assert lines[6] == "wait: up to 30 s where a pool or a limiter is full"
    assert lines[7] == "price: input 2.50, output 10.00 USD per million tokens ([prices] 'openai:gpt-x')"
    assert len(lines) == 8


def test_explain_of_a_tool(policy, capsys):
    assert main(["explain", str(policy), "tool=web_search"]) == 0
    assert _table(capsys.readouterr().out)[1].startswith("web_search tool ")


def test_explain_says_that_nothing_matches_and_nobody_knows_the_price(policy, capsys):
    assert main(["explain", str(policy), "model=nobody-knows-it"]) == 0
    nothing, price = capsys.readouterr().out.splitlines()
    assert nothing.startswith("no rule matches")
    assert price == "price: unknown; where cost is limited, the request is refused with PolicyError"


@pytest.mark.parametrize(
    ("defaults", "said"),
    [
        ('on_unknown_price = "zero"', "unknown, counted at $0"),
        (
            'on_unknown_price = "fallback"\nfallback_price = { input = "1", output = "2" }',
            "input 1, output 2 USD per million tokens (fallback_price)",
        ),
    ],
)
def test_explain_says_what_an_unknown_model_costs(defaults, said, tmp_path, capsys):
    path = tmp_path / "policy.toml"
    path.write_text(f"[defaults]\n{defaults}\n")
    assert main(["explain", str(path), "model=nobody-knows-it"]) == 0
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("label", ["agent", "=coder", "agent="])
def test_a_label_has_a_name_and_a_value(label, policy):
    with pytest.raises(SystemExit) as ended:
        main(["explain", str(policy), label])
    assert ended.value.code == 2


def test_the_extras_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {
        name: tuple(one.partition(">")[0] for one in packages)
        for name, packages in project["optional-dependencies"].items()
        if name not in ("dev", "others")
    }
    assert {name: packages for name, (_, packages) in EXTRAS.items()} == named


def test_doctor_shows_every_extra_and_version(capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"outlay {outlay.__version__}, Python ")
    for name in EXTRAS:
        assert any(line.split()[:1] == [name] for line in said.splitlines())


def test_doctor_tells_what_is_missing():
    code = (
        "import importlib.metadata as m, sys\n"
        "sys.modules['openai'] = None\n"
        "known = m.version\n"
        "def version(name):\n"
        "    if name == 'litellm': raise m.PackageNotFoundError(name)\n"
        "    return '9' if name == 'openai' else known(name)\n"
        "m.version = version\n"
        "import outlay\n"
        "extras = outlay.doctor()['extras']\n"
        "assert extras['litellm'] == {'packages': {'litellm': None}, 'imports': False,\n"
        "                             'error': 'not installed: litellm'}, extras\n"
        "assert not extras['openai']['imports']\n"
        "assert 'pip install outlay[openai]' in extras['openai']['error'], extras\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_doctor_tells_what_is_active():
    guard = outlay.Guard({"budget": [{"name": "all", "limit": {"calls": 5}}]})

    @outlay.governed([guard, outlay.SharedPool()], 5, team="doctors")
    def ask():
        return "an answer"

    with guard.scope(user="ann"), guard.landing():
        found = outlay.doctor()
    assert found["scope"] == {"user": "ann"}
    wrapped = {"by": "governed", "budgets": ["Guard", "SharedPool"], "labels": {"team": "doctors"}}
    assert wrapped in found["wrapped"]
    assert found["audit"] is False
    del ask
    gc.collect()
    assert not [one for one in outlay.doctor()["wrapped"] if one["labels"] == {"team": "doctors"}]


def test_doctor_sees_an_audit():
    pytest.importorskip("langchain")
    from outlay.langchain import audit

    with audit(outlay.SharedPool()):
        found = outlay.doctor()
    assert found["audit"] is True
    assert "langchain.audit" in [one["by"] for one in found["wrapped"]]
    assert outlay.doctor()["audit"] is False
