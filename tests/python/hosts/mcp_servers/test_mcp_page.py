"""The page of the integration: each block runs as it stands, and prints what it should."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[4] / "docs" / "integrations" / "mcp.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def run(number, capsys):
    exec(compile(BLOCKS[number], f"{PAGE.name}:{number}", "exec", dont_inherit=True), {"__name__": "page"})
    return capsys.readouterr().out


def test_the_middleware(capsys):
    lines = run(0, capsys).splitlines()
    assert lines[0] == "False found one"
    assert lines[1].startswith('True {"error":"workflow_quota_exceeded"')


def test_the_wrap(capsys):
    assert run(1, capsys) == "one False 6\ntwo False 2\nthree True 2\n"


def test_sampling(capsys):
    assert run(2, capsys) == ""
    assert len(BLOCKS) == 3
