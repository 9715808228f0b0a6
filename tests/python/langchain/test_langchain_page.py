"""The page for LangChain runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "integrations" / "langchain.md"


def test_the_page_runs():
    """Block after block, offline."""
    pytest.importorskip("genai_prices")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(block, names)
