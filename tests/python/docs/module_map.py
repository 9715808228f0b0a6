"""Writes docs/modules.md: every module, with the first sentence that it says of itself.

Run it after a module has come, gone or changed its first sentence: `python tests/python/docs/module_map.py`.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "modules.md"
HEAD = """# Every module

Each by the first sentence that it says of itself, floor by floor; [architecture.md](architecture.md) says how
they work together. This page is written by `tests/python/docs/module_map.py`.
"""


def render() -> str:
    """Return the page as text."""
    package = ROOT / "python" / "outlay"
    inside = (path.parent for path in package.rglob("__init__.py") if path.parent != package)
    rust = sorted(path for path in (ROOT / "src").rglob("*") if path.is_dir())
    folders = [ROOT / "src", *rust, package, *sorted(inside)]
    return "\n".join([HEAD, *(_section(folder) for folder in folders)])


def _section(folder: Path) -> str:
    lines = [f"## `{folder.relative_to(ROOT).as_posix()}/`", "", "| module | |", "| --- | --- |"]
    for path in sorted([*folder.glob("*.rs"), *folder.glob("*.py")]):
        lines.append(f"| `{path.name}` | {_says(path)} |")
    return "\n".join(lines) + "\n"


def _says(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        told = ast.get_docstring(ast.parse(text)) or ""
    else:
        told = "\n".join(line[3:].strip() for line in text.splitlines() if line.startswith("//!"))
    if (page := re.search(r'#!\[doc = include_str!\("\.\./(.*)"\)\]', text)) and not told:
        return f"Re-exports; its documentation is {page[1]}"
    first = " ".join(told.strip().split("\n\n")[0].split())
    sentence = re.match(r".*?\.(?=\s|$)", first)
    return (sentence[0] if sentence else first).rstrip(".:").replace("|", "\\|").replace("``", "`")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
