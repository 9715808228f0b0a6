"""The rules of names and parameters: one type per name, few parameters, no private imports."""

from __future__ import annotations

import ast
import inspect
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from imports import Package, texts
from public_names import PAGE
from ratchet import ROOT, Counts
from rooms import room

import outlay

PARAMETERS_MAX = 5
STUB_LINES_MAX = 400
#: The wraps take what their hosts take.
FACES = {"hosts", "_wraps", "_http", "testing", "_stores"}
Function = ast.FunctionDef | ast.AsyncFunctionDef
RUST_TYPE = re.compile(r"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:struct|enum|union|trait|type)\s+(\w+)", re.MULTILINE)


def rust_texts() -> dict[str, str]:
    """Return the text of each file of src, without its tests."""
    found = {}
    for path in sorted((ROOT / "src").rglob("*.rs")):
        text = path.read_text(encoding="utf-8")
        found[path.relative_to(ROOT).as_posix()] = re.split(r"#\[cfg\(test\)\]\s*mod ", text)[0]
    return found


def types_of_one_name(package: Package, rust: Mapping[str, str]) -> Counts:
    """Count the types that share a name within a language; what a trait's `type` says is none."""
    found: Counts = Counter()
    for text in rust.values():
        at_home = re.sub(r"^( +)type \w+ = .*$", "", text, flags=re.MULTILINE)
        found.update(f"rust {name}" for name in RUST_TYPE.findall(at_home) if name != "Output")
    for tree in package.trees.values():
        found.update(f"python {name}" for name in _types(tree))
    return {name: count for name, count in found.items() if count > 1}


def _types(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            yield from (name for name in names if re.match(r"_?[A-Z]\w*[a-z]", name))


def parameters(package: Package) -> Counts:
    """Count the functions of each file with more than 5 parameters, outside of the faces."""
    page = PAGE.read_text(encoding="utf-8")
    public = set(re.findall(r"^(?:class|(?:async )?def) (\w+)", page, re.MULTILINE))
    found: Counts = Counter()
    for module, path in package.paths.items():
        if room(module) in FACES:
            continue
        for owner, function in functions(package.trees[module]):
            seen = (owner or function.name) in public and not re.match(r"_[^_]", function.name)
            given = function.args
            names = [one.arg for one in [*given.posonlyargs, *given.args, *given.kwonlyargs]]
            if len([name for name in names if name not in ("self", "cls")]) > PARAMETERS_MAX and not seen:
                found[path] += 1
    return found


def functions(tree: ast.AST, owner: str | None = None) -> Iterator[tuple[str | None, Function]]:
    """Return all functions, each with the class it is in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield owner, node
        yield from functions(node, node.name if isinstance(node, ast.ClassDef) else owner)


def private_imports(package: Package) -> Counts:
    """Count the private names that each file takes from another module of the package."""
    found: Counts = Counter()
    for module, path in package.paths.items():
        bound = {}
        for node in ast.walk(package.trees[module]):
            if isinstance(node, ast.ImportFrom):
                source = package.source(module, node)
                for alias in node.names:
                    whole = f"{source}.{alias.name}"
                    if whole in package.trees:
                        bound[alias.asname or alias.name] = whole
                    elif source in package.trees and alias.name.startswith("_") and alias.name[:2] != "__":
                        found[path] += 1
        for node in ast.walk(package.trees[module]):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                whole = bound.get(node.value.id)
                private = node.attr.startswith("_") and not node.attr.startswith("__")
                if whole and private and f"{whole}.{node.attr}" not in package.trees:
                    found[path] += 1
    return found


def tricks(texts: Mapping[str, str]) -> Counts:
    """Count the guesses of a caller, and the imports that nothing uses outside of `__init__`."""
    found: Counts = Counter()
    for path, text in texts.items():
        found[path] += text.count("sys._getframe")
        if not path.endswith("__init__.py"):
            found[path] += len(re.findall(r"noqa:[^\n]*\bF401", text))
    return {path: count for path, count in found.items() if count}


def long_stubs() -> Counts:
    """Return the lines of each stub that has more than 400."""
    found = {}
    for path in sorted((ROOT / "python").rglob("*.pyi")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > STUB_LINES_MAX:
            found[path.relative_to(ROOT / "python").as_posix()] = lines
    return found


def undocumented() -> Counts:
    """Count what is public in `outlay` and says nothing at run time; of the hosts, ruff reads the sources."""
    public = [getattr(outlay, name) for name in outlay.__all__]
    count = len([each for value in public for each in _callables(value) if not documented(each)])
    return {"outlay": count} if count else {}


def _callables(value: Any) -> Iterator[Any]:
    if callable(value):
        yield value
    if inspect.isclass(value) and (value.__module__ or "").startswith("outlay"):
        for name, member in vars(value).items():
            bound = getattr(value, name, member)
            if not name.startswith("_") and callable(bound) and not inspect.isclass(member):
                yield bound


def documented(value: Any) -> bool:
    """Whether a docstring says something; that of a base class says it too."""
    text = inspect.getdoc(value) or ""
    return bool(text.strip()) and not re.match(r"see the stub", text.strip(), re.IGNORECASE)


def rules() -> dict[str, Counts]:
    """Return what breaks each rule."""
    files = texts()
    package = Package(files)
    return {
        "types": types_of_one_name(package, rust_texts()),
        "parameters": parameters(package),
        "private": private_imports(package),
        "tricks": tricks(files),
        "stubs": long_stubs(),
        "undocumented": undocumented(),
    }
