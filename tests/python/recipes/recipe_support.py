"""The recipes are what stands in the pages: their one block of Python is run, and then used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

INTEGRATIONS = Path(__file__).parents[3] / "docs" / "integrations"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def recipe(page: str) -> dict[str, Any]:
    """Run the block of a page, its example with it, and return what it defines."""
    (block,) = BLOCK.findall((INTEGRATIONS / f"{page}.md").read_text())
    namespace: dict[str, Any] = {"__name__": f"recipe_{page.replace('-', '_')}"}
    exec(compile(block, f"{page}.md", "exec", dont_inherit=True), namespace)
    return namespace
