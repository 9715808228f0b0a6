"""Which module of the package imports which: everywhere in a file, through what a package hands on."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from ratchet import ROOT, Counts

Edges = dict[str, set[str]]
#: What an `__init__` may define: names that are imported on first use.
LAZY = {"__getattr__", "__dir__"}


def texts(folder: Path = ROOT / "python") -> dict[str, str]:
    """Return the text of each module of the package, by its path from `folder`."""
    paths = sorted((folder / "outlay").rglob("*.py"))
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


class Package:
    """The modules of a package, by name; `__init__.py` bears the name of its folder."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Read the texts, by path."""
        self.paths = {_module(path): path for path in texts}
        self.trees = {_module(path): ast.parse(text) for path, text in texts.items()}
        self.handed_on = {name: dict(self._names(name)) for name in self.trees if self.is_list(name)}

    def is_list(self, module: str) -> bool:
        """Whether a module is an `__init__`."""
        return self.paths.get(module, "").endswith("__init__.py")

    def edges(self) -> Edges:
        """Return what each module imports; an `__init__` reaches what its folder holds."""
        edges: Edges = {name: set() for name in self.trees}
        for name in self.trees:
            edges[name] = {target for target, _ in self.imported(name)} - {name}
            if parent := name.rpartition(".")[0]:
                edges.setdefault(parent, set()).add(name)
        return edges

    def imported(self, module: str) -> Iterator[tuple[str, str | None]]:
        """Return the modules that one imports from, each with the name that it takes."""
        for name, (source, taken) in self._names(module):
            target = self.owner(source, taken)
            if target is None:
                continue
            if self.is_list(module) and self._only_handed_on(module, name):
                continue
            if self.is_list(target) and not self._defines(target, taken):
                yield from self._attributes(module, name, target)
            else:
                yield target, taken

    def owner(self, module: str, name: str | None) -> str | None:
        """Return the module that defines what `from module import name` takes."""
        asked = set()
        while (module, name) not in asked:
            asked.add((module, name))
            if name and f"{module}.{name}" in self.trees:
                module, name = f"{module}.{name}", None
            elif name and name in self.handed_on.get(module, {}):
                module, name = self.handed_on[module][name]
        return module if module in self.trees else None

    def _names(self, module: str) -> Iterator[tuple[str, tuple[str, str | None]]]:
        """Return each name that an import binds: from which module, and as which name there."""
        for node in ast.walk(self.trees[module]):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    bound = alias.asname or alias.name
                    yield bound, (alias.name, None)
            elif isinstance(node, ast.ImportFrom):
                source = self.source(module, node)
                for alias in node.names:
                    yield alias.asname or alias.name, (source, alias.name)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value, (first.value, None)

    def source(self, module: str, node: ast.ImportFrom) -> str:
        """Return the module that `from … import` names."""
        if not node.level:
            return node.module or ""
        parts = module.split(".")
        parts = parts[: len(parts) - node.level + self.is_list(module)]
        return ".".join([*parts, *([node.module] if node.module else [])])

    def _only_handed_on(self, module: str, name: str) -> bool:
        """Whether an `__init__` imports a name and never uses it."""
        used = {node.id for node in ast.walk(self.trees[module]) if isinstance(node, ast.Name)}
        return name not in used

    def _defines(self, module: str, name: str | None) -> bool:
        for node in self.trees[module].body:
            defined = getattr(node, "name", None)
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if name and name in (defined, *(target.id for target in targets if isinstance(target, ast.Name))):
                return True
        return False

    def _attributes(self, module: str, name: str, target: str) -> Iterator[tuple[str, str | None]]:
        """Return what `outlay.Usage` takes, where only `outlay` is imported."""
        for node in ast.walk(self.trees[module]):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == name:
                owner = self.owner(target, node.attr)
                if owner is not None and (not self.is_list(owner) or self._defines(owner, node.attr)):
                    yield owner, node.attr


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def circles(edges: Edges) -> list[list[str]]:
    """Return the groups of modules that reach each other."""
    reached = {name: _reached(edges, name) for name in edges}
    groups = {
        tuple(sorted(other for other in there if name in reached.get(other, ())))
        for name, there in reached.items()
        if name in there
    }
    return [list(group) for group in sorted(groups)]


def _reached(edges: Edges, start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = edges.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def circle_counts() -> Counts:
    """Return for each module in a circle how many modules that has."""
    package = Package(texts())
    groups = circles(package.edges())
    return {package.paths[name]: len(group) for group in groups for name in group}
