"""The keywords of the wraps: each host's `wrap` has the same ones, with the same defaults and words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from imports import Package, texts
from names import Function, functions
from ratchet import Counts

#: What every wrap of a model takes, in this order.
SHARED = ("operation", "prices", "output_tokens", "wait", "estimate", "unguarded", "labels")
#: The wrap that the others are compared with.
FIRST = "outlay/langchain/_wrap.py wrap"


class Keyword(NamedTuple):
    """A keyword as a user sees it."""

    name: str
    default: str
    says: str


def wraps(package: Package) -> Mapping[str, list[Keyword]]:
    """Return the shared keywords of each wrap; what takes `operation`, `prices` and `wait` is one."""
    found = {}
    for module, path in package.paths.items():
        tree = package.trees[module]
        for owner, function in functions(tree):
            names = {one.arg for one in function.args.kwonlyargs}
            private = re.match(r"_[^_]|make_", function.name) or (owner or "").startswith("_")
            if {"operation", "prices", "output_tokens", "wait"} <= names and not private:
                name = owner if function.name == "__init__" else function.name
                found[f"{path} {name}"] = list(_keywords(tree, owner, function))
    return found


def _keywords(tree: ast.Module, owner: str | None, function: Function) -> Iterator[Keyword]:
    text = ast.get_docstring(function) or ""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == owner and function.name == "__init__":
            text = ast.get_docstring(node) or ""
    said = dict(re.findall(r"^ {4}(\w+): (.*?)(?=^ {4}\S|^\S|\Z)", text, re.MULTILINE | re.DOTALL))
    given = function.args
    for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        if one.arg in SHARED:
            shown = ast.unparse(default) if default else "required"
            yield Keyword(one.arg, shown, " ".join(said.get(one.arg, "").split()))


def differing(found: Mapping[str, list[Keyword]]) -> Counts:
    """Count the keywords of each wrap that are not those of the first: name, default, words, order."""
    first = {keyword.name: keyword for keyword in found.get(FIRST, [])}
    counts: Counts = {} if first else {FIRST: 1}
    for name, keywords in found.items():
        given = {keyword.name: keyword for keyword in keywords}
        wrong = sum(given.get(shared) != first.get(shared) for shared in SHARED)
        order = [SHARED.index(keyword.name) for keyword in keywords]
        wrong += order != sorted(order)
        if wrong:
            counts[name] = wrong
    return counts


def rules() -> dict[str, Counts]:
    """Return what breaks the rule."""
    return {"wraps": differing(wraps(Package(texts())))}
