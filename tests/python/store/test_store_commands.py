"""`outlay top`, `migrate`, `check` and `explain` of stores."""

from __future__ import annotations

import json

import pytest
from store_support import Worker

from outlay.__main__ import main

HOLDS = """
budget = outlay.AgentTokenBudget.daily("researcher", 1_000, store=url)
budget.consume("query", 30)
outlay.Store(url).sync()
tell(sys.argv[0])
sys.stdin.readline()
"""


def test_top_shows_who_has_how_much(url, capsys):
    worker = Worker(HOLDS, url)
    worker.hear()
    assert main(["top", url, "--once", "--json"]) == 0
    [limit] = json.loads(capsys.readouterr().out)
    [holder] = limit["holders"]
    assert (limit["limit"], limit["used"], holder["used"]) == (1_000, 30, 30)
    assert holder["pid"] == worker.process.pid
    assert main(["top", url, "--once"]) == 0
    out = capsys.readouterr().out
    assert all(part in out for part in ("researcher", str(worker.process.pid), "1000"))
    worker.go()
    worker.end()


def test_top_changes_nothing_and_is_no_holder(url, tmp_path):
    worker = Worker(HOLDS, url)
    worker.hear()
    worker.go()
    worker.end()
    before = (tmp_path / "budgets.db").read_bytes()
    assert main(["top", url, "--once"]) == 0
    assert (tmp_path / "budgets.db").read_bytes() == before


def test_top_of_nothing_makes_nothing(url, tmp_path, capsys):
    assert main(["top", url, "--once"]) == 1
    assert "budgets.db" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_top_without_once_is_bad_use(url):
    with pytest.raises(SystemExit) as ended:
        main(["top", url])
    assert ended.value.code == 2


def test_migrate_without_create_is_bad_use(url, tmp_path):
    assert main(["migrate", url]) == 2
    assert list(tmp_path.iterdir()) == []


def test_check_and_explain_do_not_open_the_store(url, tmp_path, capsys):
    policy = tmp_path / "policy.toml"
    policy.write_text(f'[store]\nurl = "{url}"\n[[budget]]\nname = "b"\nlimit = {{ calls = 5 }}\n')
    assert main(["check", str(policy)]) == 0
    assert url in capsys.readouterr().out
    assert main(["explain", str(policy), "agent=a", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["store"] == url
    assert [path.name for path in tmp_path.iterdir()] == ["policy.toml"]
