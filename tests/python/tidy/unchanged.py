"""Shows that the tests say what they said: `python tests/python/tidy/unchanged.py BASE [TABLE]`.

Reads the tests of the git ref BASE and those of the working tree, and takes away what a move changes:
imports, paths of modules, comments, docstrings, layout, and the names and texts of TABLE. A line of it is
`old<TAB>new`: a name is replaced as a word, a text in quotes wherever it stands. A definition is looked for
by its name, in whatever file it stands. What is left is printed as a diff, and new definitions are listed;
what is left and what is gone are errors.
"""

from __future__ import annotations

import ast
import difflib
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
RUST_FUNCTION = re.compile(r"((?:#\[[^\]]*\]\s*)*)(?:pub(?:\([^)]*\))?\s+)?(?:async |const )*fn (\w+)")
RUST_VALUE = re.compile(r"\b(?:const|static) (\w+)\s*:[^;=]*=")
TOKEN = re.compile(r'r#"(?s:.*?)"#|"(?:\\(?s:.)|[^"\\])*"|\'(?:\\[^\']+|[^\'\\])\'|//[^\n]*|/\*(?s:.*?)\*/')


class Compared(NamedTuple):
    """What a comparison leaves: diffs by name, and the names that are gone or new."""

    left: dict[str, str]
    gone: list[str]
    new: list[str]


def compare(before: Mapping[str, str], now: Mapping[str, str], table: Mapping[str, str]) -> Compared:
    """Compare the definitions of two trees of tests, each a text by its path."""
    old, new = _by_name(before, table), _by_name(now, {})
    compared = Compared({}, [], [])
    for name in sorted({*old, *new}):
        mine, theirs = list(old.get(name, ())), list(new.get(name, ()))
        for body in [body for body in mine if body in theirs]:
            if body in mine and body in theirs:
                mine.remove(body)
                theirs.remove(body)
        for number, body in enumerate(mine):
            if not theirs:
                compared.gone.append(name)
                continue
            nearest = max(theirs, key=lambda one: difflib.SequenceMatcher(None, body, one).ratio())
            theirs.remove(nearest)
            compared.left[f"{name} ({number + 1})" if number else name] = _diff(body, nearest)
        compared.new.extend(name for _ in theirs)
    return compared


def _by_name(texts: Mapping[str, str], table: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path, text in texts.items():
        definitions = python(text) if path.endswith(".py") else rust(text)
        for name, body in definitions:
            found.setdefault(replaced(name, table), []).append(replaced(body, table))
    return found


def replaced(text: str, table: Mapping[str, str]) -> str:
    """Return a text with the names and texts of the table, and without the paths of modules."""
    for old, new in table.items():
        if old[0] in "\"'":
            text = text.replace(old.strip("\"'"), new.strip("\"'"))
        else:
            text = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", new.replace("\\", r"\\"), text)
    return re.sub(r"\boutlay(?:\.\w+)*\._\w+(?:\.\w+)*\.(?=\w)", "outlay.", text)


def python(text: str) -> Iterator[tuple[str, str]]:
    """Return what a Python file defines at its top, and the methods of its classes, by name."""
    yield from _python(ast.parse(text).body, "")


def _python(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom) or _is_text(node):
            continue
        if isinstance(node, ast.ClassDef):
            yield from _python(node.body, f"{prefix}{node.name}.")
            node.body = [ast.Pass()]
            yield f"{prefix}{node.name}", ast.unparse(node)
            continue
        for inner in ast.walk(node):
            if isinstance(kept := getattr(inner, "body", None), list):
                inner.body = [one for one in kept if not _is_import(one) and not _is_text(one)] or [
                    ast.Pass()
                ]
        written = ast.unparse(node)
        yield prefix + (getattr(node, "name", None) or written.split("\n")[0].split("=")[0].strip()), written


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def rust(text: str) -> Iterator[tuple[str, str]]:
    """Return the functions and constants of a Rust file, by name, without what a move changes."""
    strings: list[str] = []

    def kept(match: re.Match[str]) -> str:
        if match[0].startswith("/"):
            return " "
        strings.append(match[0])
        return f'"{len(strings) - 1}"'

    code = TOKEN.sub(kept, text)
    code = re.sub(r"\b(?:pub(?:\([^)]*\))? )?use [^;]*;", "", code)
    for match in [*RUST_FUNCTION.finditer(code), *RUST_VALUE.finditer(code)]:
        name = match[match.re.groups]
        body = code[match.start() : _end(code, match.end())]
        body = re.sub(r"(?<![\w\"])(?:[a-z_]\w*\s*::\s*)+(?=\w)", "", body)
        body = re.sub(r"\s+", " ", body)
        body = re.sub(r",? ?([)\]}>])|([(\[{<]) ", lambda bracket: bracket[1] or bracket[2], body)
        yield name, re.sub(r'"(\d+)"', lambda number: strings[int(number[1])], body)


def _end(code: str, at: int) -> int:
    """Return where a definition ends: behind its braces, or at a semicolon outside of brackets."""
    depth = 0
    for index in range(at, len(code)):
        depth += (code[index] in "([{") - (code[index] in ")]}")
        if depth < 0 or (depth == 0 and code[index] in ";}"):
            return index + 1
    return len(code)


def _diff(old: str, new: str) -> str:
    lines = [re.sub(r"([;{}]) ", r"\1\n", text).splitlines() for text in (old, new)]
    return "\n".join(list(difflib.unified_diff(*lines, lineterm="", n=1))[2:])


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def is_test(path: str, text: str) -> bool:
    """Whether a file has tests: those of tidiness are not looked at, for they are about files."""
    if path.startswith("src/"):
        return "#[cfg(test)]" in text
    return path.endswith((".py", ".rs")) and "/tidy" not in path


def of_ref(ref: str) -> dict[str, str]:
    """Return the test files of a git ref."""
    paths = _git("ls-tree", "-r", "--name-only", ref, "tests", "src").splitlines()
    texts = {path: _git("show", f"{ref}:{path}") for path in paths if path.endswith((".py", ".rs"))}
    return _tests(texts)


def of_tree() -> dict[str, str]:
    """Return the test files of the working tree."""
    paths = [
        path for end in ("py", "rs") for top in ("tests", "src") for path in (ROOT / top).rglob(f"*.{end}")
    ]
    return _tests({path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths})


def _tests(texts: Mapping[str, str]) -> dict[str, str]:
    found = {path: text for path, text in texts.items() if is_test(path, text)}
    return {
        path: text.split("#[cfg(test)]", 1)[1] if path.startswith("src/") else text
        for path, text in found.items()
    }


def main(base: str, table: str = "") -> int:
    """Print what is left, gone and new; return whether something is left or gone."""
    lines = Path(table).read_text(encoding="utf-8").splitlines() if table else []
    compared = compare(of_ref(base), of_tree(), dict(line.split("\t") for line in lines if line.strip()))
    for name, diff in compared.left.items():
        sys.stdout.write(f"--- {name}\n{diff}\n")
    for title, names in (("gone", compared.gone), ("new", compared.new)):
        sys.stdout.write("".join(f"{title}: {name}\n" for name in names))
    sys.stdout.write(f"{len(compared.left)} changed, {len(compared.gone)} gone, {len(compared.new)} new\n")
    return bool(compared.left or compared.gone)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
