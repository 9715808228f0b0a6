"""The page of the integration: each block runs as it stands, and prints what it should."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[4] / "docs" / "integrations" / "litellm.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def run(number, capsys):
    exec(compile(BLOCKS[number], f"{PAGE.name}:{number}", "exec", dont_inherit=True), {"__name__": "page"})
    return capsys.readouterr().out


def test_a_function(capsys):
    assert run(0, capsys).splitlines() == ["Hello. 9", "token 10000"]


def test_a_router(capsys):
    out = run(1, capsys)
    assert out.startswith("gpt-big ")
    assert "micro-USD" in out
    assert len(BLOCKS) == 2
