"""Docstrings as they stand in the files of the package, for the tests that read or run them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parents[3] / "python" / "outlay"
#: The stub of the native core, and those of its classes.
CORE, STUBS = PACKAGE / "_core.pyi", sorted((PACKAGE / "_stubs").rglob("*.pyi"))
#: Modules that import a framework; their examples are skipped where it is missing.
FRAMED = {
    "langchain": "langchain",
    "_demo": "langchain",
    "scripted_model": "langchain",
    "prices": "genai_prices",
    "genai": "genai_prices",
    "openai": "openai",
    "anthropic": "anthropic",
    "httpx": "httpx",
    "httpx2": "httpx2",
    "pydantic_ai": "pydantic_ai",
    "openai_agents": "agents",
    "mcp": "fastmcp",
    "litellm": "litellm",
}

Nodes = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def section(text: str, title: str) -> str:
    """Return the lines under a title of a docstring, without their common indentation."""
    found = re.search(rf"^{title}:\n((?:\n|    .*\n?)+)", text, re.MULTILINE)
    return re.sub(r"^    ", "", found[1], flags=re.MULTILINE) if found else ""


def listed(text: str, title: str) -> list[str]:
    """Return the names that a section of a docstring explains."""
    return re.findall(r"^(\w+):", section(text, title), re.MULTILINE)


class Documented(NamedTuple):
    """A docstring, and where it stands."""

    path: Path
    name: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(PACKAGE)}:{self.name}"

    @property
    def module(self) -> str:
        """The name of the module it is in."""
        parts = self.path.relative_to(PACKAGE.parent).with_suffix("").parts
        return ".".join(part for part in parts if part != "__init__")

    def frameworks(self) -> list[str]:
        """Return the frameworks that its module imports."""
        parts = self.path.relative_to(PACKAGE).with_suffix("").parts
        return [FRAMED[part] for part in parts if part in FRAMED]


def nodes(path: Path) -> Iterator[tuple[str, Nodes]]:
    """Return what can have a docstring, with its dotted name: the module, its classes and functions."""
    text = path.read_text(encoding="utf-8")
    # The stub of a class may have several files, each with a base that only the stubs have.
    wholes = dict(re.findall(r"^class (\w+):  # methods of (\w+)$", text, re.MULTILINE))

    def inside(prefix: str, node: Nodes) -> Iterator[tuple[str, Nodes]]:
        yield prefix, node
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                name = wholes.get(child.name, child.name)
                yield from inside(f"{prefix}.{name}".lstrip("."), child)

    return inside("", ast.parse(text))


def docstrings(path: Path) -> Iterator[Documented]:
    """Return every docstring of a file."""
    for name, node in nodes(path):
        text = ast.get_docstring(node)
        if text is not None:
            yield Documented(path, name, node.body[0].lineno, text)
