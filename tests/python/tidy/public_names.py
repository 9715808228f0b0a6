"""Writes public_names.txt: every name that users can import, with its bases, attributes and signatures.

Run it after a public name has come, gone or changed: `python tests/python/tidy/public_names.py`. Not every
framework fits into one environment: a module that cannot be imported keeps the lines that it has.
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[3] / "python" / "outlay"
PAGE = Path(__file__).with_name("public_names.txt")
#: The special methods that users rely on.
SPECIAL = """
    __add__ __aenter__ __aexit__ __aiter__ __anext__ __await__ __bool__ __call__ __contains__ __copy__
    __deepcopy__ __enter__ __eq__ __exit__ __ge__ __getitem__ __gt__ __hash__ __iter__ __le__ __len__ __lt__
    __next__ __reduce__ __repr__ __str__ __sub__
"""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[str]:
    """Return the names of all public modules, as their files have them."""
    paths = [path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.py")]
    names = {path.with_suffix("").parts for path in paths}
    names = {name[:-1] if name[-1] == "__init__" else name for name in names}
    return sorted(".".join(name) for name in names if not any(part.startswith("_") for part in name))


def section(name: str) -> list[str]:
    """Return the lines of a module. Raises ImportError where its framework is missing."""
    module = importlib.import_module(name)
    lines = []
    for public in _names(module):
        lines += _described(public, getattr(module, public))
    return lines


def sections() -> dict[str, list[str]]:
    """Return the lines of each module as the page has them."""
    found: dict[str, list[str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else ():
        if line.startswith("# "):
            lines = found.setdefault(line[2:], [])
        elif line:
            lines.append(line)
    return found


def _names(module: Any) -> list[str]:
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    names = vars(module).items()
    return sorted(name for name, value in names if name[0] != "_" and _home(value) == module.__name__)


def _home(value: Any) -> str | None:
    return getattr(value, "__module__", None)


def _described(name: str, value: Any) -> list[str]:
    if inspect.isclass(value):
        return [_headline(name, value), *sorted(_members(value))]
    if callable(value):
        return [_function(name, name, value)]
    return [f"{name}: {type(value).__name__}"]


def _headline(name: str, value: type) -> str:
    bases = ", ".join(dict.fromkeys(_bases(value)))
    head = f"class {name}({bases})"
    if name in STUBS:
        known = STUBS.get(f"{name}.__new__") or STUBS.get(f"{name}.__init__")
        return head + (_of_stub(known) if known else "")
    makers = (
        vars(owner).get("__init__") or vars(owner).get("__new__")
        for owner in value.__mro__
        if _is_ours(owner)
    )
    maker = next((maker for maker in makers if inspect.isfunction(maker)), None)
    if maker is None or issubclass(value, Enum) or "Protocol" in bases:
        return head
    return head + _of_runtime(maker)


def _bases(value: type) -> Iterator[str]:
    """Return the names of the bases; a private base of ours stands for its own."""
    for base in value.__bases__:
        if base.__name__.startswith("_") and (_home(base) or "").startswith("outlay"):
            yield from _bases(base)
        elif base is not object:
            yield base.__name__


def _members(value: type) -> Iterator[str]:
    """Return what our classes define, be it inherited; what a framework's classes define is its own."""
    seen = set()
    special = set()
    for owner in (owner for owner in value.__mro__ if _is_ours(owner)):
        members = dict.fromkeys([*_instance_attributes(owner), *inspect.get_annotations(owner)])
        for name, member in {**members, **vars(owner)}.items():
            if name.startswith("__") and name in SPECIAL and member is not None:
                special.add(name)
            elif name[0] != "_" and name not in seen:
                seen.add(name)
                yield "    " + _member(value, name, member)
    if special:
        yield "    special " + " ".join(sorted(special))


def _is_ours(owner: type) -> bool:
    return (_home(owner) or "").split(".")[0] == "outlay"


def _member(value: type, name: str, member: Any) -> str:
    static = {staticmethod: "static ", classmethod: "class ", type(dict.__dict__["fromkeys"]): "class "}
    kind = static.get(type(member), "")
    bound = getattr(value, name, None)
    if not kind and (not callable(member) or inspect.isclass(member)):
        return f"{name}={bound.value!r}" if isinstance(bound, Enum) else name
    return f"{kind}{_function(name, f'{value.__name__}.{name}', bound)}"


def _function(name: str, path: str, value: Any) -> str:
    known = STUBS.get(path)
    waits = isinstance(known[0], ast.AsyncFunctionDef) if known else inspect.iscoroutinefunction(value)
    return f"{'async ' if waits else ''}def {name}{_of_stub(known) if known else _of_runtime(value)}"


def _instance_attributes(owner: type) -> Iterator[str]:
    """Return the public names that methods assign to `self`."""
    try:
        tree = ast.parse(inspect.cleandoc("if 1:\n" + inspect.getsource(owner)))
    except (OSError, TypeError, SyntaxError):
        return
    for node in ast.walk(tree):
        stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if stored and isinstance(node.value, ast.Name) and node.value.id == "self" and node.attr[0] != "_":
            yield node.attr


def _of_stub(functions: list[Function]) -> str:
    """Return the signature, or all overloads of it."""
    texts = []
    for function in functions:
        given = copy.deepcopy(function.args)
        first = given.posonlyargs or given.args
        if first and first[0].arg in ("self", "cls"):
            del first[0]
        returned = f" -> {ast.unparse(function.returns)}" if function.returns else ""
        texts.append(f"({ast.unparse(given)}){returned}")
    return _plain(" | ".join(texts))


def _of_runtime(value: Any) -> str:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return "(?)"
    parameters = [
        each.replace(annotation=_Written(each.annotation)) if each.annotation is not each.empty else each
        for each in signature.parameters.values()
        if each.name not in ("self", "cls")
    ]
    returned = signature.return_annotation
    if returned is not signature.empty:
        returned = _Written(returned)
    return _plain(str(signature.replace(parameters=parameters, return_annotation=returned)))


class _Written:
    """An annotation as it stands in the source, without quotes."""

    def __init__(self, annotation: Any) -> None:
        written = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        self._written = written

    def __repr__(self) -> str:
        return self._written


def _plain(text: str) -> str:
    """Return the text without modules of classes, addresses and the way a signature is broken."""
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    text = re.sub(r"(?<!['\"\w.])(?:[a-z_][\w]*\.)+(?=[A-Z])", "", text)
    return re.sub(r"\s*=\s*", "=", text)


def _stubs() -> dict[str, list[Function]]:
    """Return what all stubs define: functions by their name, methods by class and name."""
    found: dict[str, list[Function]] = {}
    for path in sorted(PACKAGE.rglob("*.pyi")):
        text = path.read_text(encoding="utf-8")
        # The stub of a class may have several files, each with a base that only the stubs have.
        wholes = dict(re.findall(r"^class (\w+):  # methods of (\w+)$", text, re.MULTILINE))
        for node in ast.parse(text).body:
            inside = node.body if isinstance(node, ast.ClassDef) else [node]
            prefix = f"{wholes.get(node.name, node.name)}." if isinstance(node, ast.ClassDef) else ""
            if prefix:
                found.setdefault(prefix[:-1], [])
            for each in inside:
                if isinstance(each, Function):
                    found.setdefault(prefix + each.name, []).append(each)
    return found


STUBS = _stubs()


def main() -> None:
    """Write the page."""
    old, new = sections(), {}
    for name in modules():
        try:
            new[name] = section(name)
        except ImportError as missing:
            sys.stderr.write(f"{name} keeps its lines: {missing}\n")
            new[name] = old.get(name, [])
    text = "\n".join("\n".join([f"# {name}", *lines]) + "\n" for name, lines in new.items())
    PAGE.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")


if __name__ == "__main__":
    main()
