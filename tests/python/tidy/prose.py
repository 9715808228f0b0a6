"""The rules of prose: sentences of at most 30 words, and no banned words."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from ratchet import ROOT, Counts

WORDS_MAX = 30
#: Pages that a command writes.
GENERATED = {"docs/modules.md", "docs/conformance.md"}
#: Words that mean two things or are pictures, each with what to say in its place.
BANNED = {
    "told": "reported, recorded, notified",
    "laid": "in force",
    "carved": "allotted",
    "desk": "loop state",
    "bed": "sleeper",
}
#: In names only: in a sentence they are plain words.
BANNED_IN_NAMES = {
    **BANNED,
    "look": "refresh, find, read: what it does",
    "more": "what the fields are: rare, boxed, carried",
    "extra": "what it is",
    "of": "a name without `of_`: `from_layer`, `policy`",
}
#: These begin a name; the others may stand anywhere in it.
FIRST_ONLY = {"look", "of"}
RUST_WORDS = re.compile(r"\b(?:fn|let(?: mut)?|struct|enum|trait|type|mod|const|static)\s+(\w+)|\b(\w+):\s")


def pages(root: Path = ROOT) -> dict[str, str]:
    """Return what each file says to its readers: pages, docstrings and doc comments."""
    found = {}
    for path in [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").rglob("*.md"))]:
        found[path.relative_to(root).as_posix()] = markdown(path.read_text(encoding="utf-8"))
    for path in sorted((root / "src").rglob("*.rs")):
        found[path.relative_to(root).as_posix()] = rust_docs(path.read_text(encoding="utf-8"))
    for path in [path for end in ("py", "pyi") for path in sorted((root / "python").rglob(f"*.{end}"))]:
        found[path.relative_to(root).as_posix()] = docstrings(path.read_text(encoding="utf-8"))
    return {path: text for path, text in found.items() if path not in GENERATED}


def markdown(text: str) -> str:
    """Return the sentences of a page: no code, each cell and each item by itself."""
    text = re.sub(r"^( *)```.*?^\1```", "\n", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^\|.*$", lambda row: row[0].replace("|", "\n\n"), text, flags=re.MULTILINE)
    text = re.sub(r"^\s*(?:[-*]|\d+\.|#+|>) +", "\n\n", text, flags=re.MULTILINE)
    return re.sub(r"\]\([^)]*\)", "]", text)


def rust_docs(text: str) -> str:
    """Return the doc comments of a Rust file, each by itself."""
    lines = [re.match(r"\s*//[/!] ?(.*)", line) for line in text.splitlines()]
    return markdown("\n".join(line[1] if line else "" for line in lines))


def docstrings(text: str) -> str:
    """Return the docstrings of a Python file without examples and the names of arguments."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node) or ""
            text = re.sub(r"^ *>>>.*?(?:\n\s*\n|\Z)", "\n\n", text, flags=re.MULTILINE | re.DOTALL)
            text = re.sub(r"^(?:\w+:| {4}\*{0,2}\w+:)", "\n\n", text, flags=re.MULTILINE)
            found.append(markdown(text))
    return "\n\n".join(found)


def sentences(text: str) -> Iterator[str]:
    """Return the sentences; an empty line ends one too."""
    for paragraph in re.split(r"\n\s*\n", text):
        joined = " ".join(paragraph.split())
        yield from (part for part in re.split(r"(?<=[.!?])[*_)\"']*\s+", joined) if part)


def length(sentence: str) -> int:
    """Count the words."""
    return len([word for word in sentence.split() if re.search(r"\w", word)])


def long_sentences(found: dict[str, str]) -> Counts:
    """Count the sentences of each page with more than 30 words."""
    counts = {path: sum(length(s) > WORDS_MAX for s in sentences(text)) for path, text in found.items()}
    return {path: count for path, count in counts.items() if count}


def banned_in_prose(found: dict[str, str]) -> Counts:
    """Count the banned words of each page, and the sentences that begin with "who"."""
    banned = re.compile(rf"\b(?:{'|'.join(BANNED)})s?\b", re.IGNORECASE)
    counts: Counts = Counter()
    for path, text in found.items():
        prose = re.sub(r"`[^`]*`", "", text)
        counts[path] += len(banned.findall(prose))
        counts[path] += sum(bool(re.match(r"\W*Who\b[^?]*$", s)) for s in sentences(prose))
    return {path: count for path, count in counts.items() if count}


def banned_in_names(root: Path = ROOT) -> Counts:
    """Count the names that each file gives and that have a banned word in them."""
    counts: Counts = Counter()
    for path in [*sorted((root / "src").rglob("*.rs")), *sorted((root / "python").rglob("*.py"))]:
        text = path.read_text(encoding="utf-8")
        given = rust_names(text) if path.suffix == ".rs" else python_names(text)
        counts[path.relative_to(root).as_posix()] = sum(map(is_banned, [*given, path.stem]))
    return {path: count for path, count in counts.items() if count}


def is_banned(name: str) -> bool:
    """Whether a banned word is a part of a name."""
    parts = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)
    for index, part in enumerate(part.lower() for part in parts):
        if part in BANNED_IN_NAMES and (part not in FIRST_ONLY or (index == 0 and len(parts) > 1)):
            return True
    return False


def rust_names(text: str) -> list[str]:
    """Return the names that a Rust file gives: of items, of `let`, of fields and parameters."""
    text = re.split(r"#\[cfg\(test\)\]\s*mod ", text)[0]
    code = re.sub(r"//.*|\"(?:\\[\s\S]|[^\"\\])*\"", "", text)
    return [first or second for first, second in RUST_WORDS.findall(code)]


def python_names(text: str) -> list[str]:
    """Return the names that a Python file gives: of definitions, parameters, variables, attributes."""
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.arg):
            names.append(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            # An attribute of another object was named elsewhere.
            names.extend([node.attr] if ast.unparse(node.value) == "self" else [])
    return names


def decisions(text: str) -> Counts:
    """Count what is wrong with docs/decisions.md: no headings by area, dates that descend within one."""
    areas = re.split(r"^## ", text, flags=re.MULTILINE)
    dates = [re.findall(r"^- \*\*(\d{4}-\d\d-\d\d)\.", area, re.MULTILINE) for area in areas]
    falls = sum(later < earlier for area in dates for earlier, later in pairwise(area))
    outside = len(dates[0])
    return {"docs/decisions.md": falls + outside} if falls + outside else {}


def rules() -> dict[str, Counts]:
    """Return what breaks each rule."""
    found = pages()
    return {
        "sentences": long_sentences(found),
        "words": banned_in_prose(found),
        "names": banned_in_names(),
        "decisions": decisions((ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")),
    }
