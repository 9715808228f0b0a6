"""Where files may stand and what they may import: rooms, hosts, lists, folders."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from imports import LAZY, Package, texts
from ratchet import ROOT, Counts

#: The rooms of the package, lowest first; the hosts are the public modules, all on one height.
ROOMS = (
    "_stubs",
    "_prices",
    "_usage",
    "_waiting",
    "_stores",
    "_allowances",
    "_guard",
    "_calls",
    "_wraps",
    "_governed",
    "_http",
    "hosts",
    "testing",
    "_demo",
    "_cli",
)
#: What httpx's faces stand on, and those of clients that are wrapped by their transport.
HOST_ROOMS = ("_wraps", "_http")
FILES_MAX = 16
#: These do not count: what lists a folder, and the fixtures of pytest.
NOT_COUNTED = {"mod.rs", "__init__.py", "__init__.pyi", "conftest.py", "share.rs"}
FOLDERS = ("src", "python", "tests", "benches", "examples")


def room(module: str) -> str | None:
    """Return the room of a module; none for the files that stand in no folder."""
    parts = module.split(".")
    if len(parts) < 2 or parts[1] == "__main__":
        return None
    if parts[1] in ROOMS:
        return parts[1]
    return None if parts[1].startswith("_") else "hosts"


def upward(package: Package) -> Counts:
    """Count the imports of each file that lead into a higher room."""
    found: Counts = Counter()
    for module, path in package.paths.items():
        own = room(module)
        for target, _ in set(package.imported(module)) if own else ():
            other = room(target)
            if other and ROOMS.index(other) > ROOMS.index(own):
                found[path] += 1
    return found


def host_imports(package: Package) -> Counts:
    """Count what each host imports besides `_wraps`, public names and itself."""
    found: Counts = Counter()
    for module, path in package.paths.items():
        if room(module) != "hosts":
            continue
        host = module.split(".")[1]
        for node in ast.walk(package.trees[module]):
            for target, name in _targets(package, module, node):
                parts = [*target.split("."), *([name] if name else [])]
                if parts[0] != "outlay" or len(parts) < 2 or parts[1] == host:
                    continue
                public = not any(part.startswith("_") for part in parts)
                other_host = public and len(parts) > 2 and parts[1] != "prices"
                if other_host or (not public and parts[1] not in (*HOST_ROOMS, f"_{host}")):
                    found[path] += 1
    return found


def _targets(package: Package, module: str, node: ast.AST) -> Iterable[tuple[str, str | None]]:
    if isinstance(node, ast.Import):
        return [(alias.name, None) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [(package.source(module, node), alias.name) for alias in node.names]
    return []


def inits_that_define(package: Package) -> Counts:
    """Count what each `__init__` defines; it lists and hands on."""
    found: Counts = {}
    for module in filter(package.is_list, package.trees):
        body = package.trees[module].body
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        found[package.paths[module]] = sum(isinstance(n, kinds) and n.name not in LAZY for n in body)
    return {path: count for path, count in found.items() if count}


def source_paths(root: Path = ROOT) -> list[str]:
    """Return the paths of all source files."""
    paths = (path for folder in FOLDERS for path in (root / folder).rglob("*"))
    return sorted(
        path.relative_to(root).as_posix() for path in paths if path.suffix in (".rs", ".py", ".pyi")
    )


def full_folders(paths: Iterable[str]) -> Counts:
    """Count the files of each folder that has more than 16."""
    folders = Counter(path.rpartition("/")[0] for path in paths if _name(path) not in NOT_COUNTED)
    return {folder: count for folder, count in folders.items() if count > FILES_MAX}


def shared_prefixes(paths: Iterable[str]) -> Counts:
    """Count the files of a folder whose names begin alike, where three or more do."""
    found: Counts = Counter()
    for path in paths:
        folder, _, name = path.rpartition("/")
        prefix = re.sub(r"^(test_|_)", "", name.rpartition(".")[0]).split("_")[0]
        # pytest takes one file of a name: tests in a folder bear its name too.
        folder_named = path.startswith("tests/python/") and _name(folder).split("_")[0] == prefix
        if name not in NOT_COUNTED and not folder_named:
            found[f"{folder}/{prefix}_*"] += 1
    return {prefix: count for prefix, count in found.items() if count >= 3}


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def reasons() -> Mapping[str, str]:
    """Return why a room has no test folder of its name, or a class no twin."""
    page = Path(__file__).with_name("reasons.txt")
    lines = page.read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))


def rooms_without_tests(paths: Iterable[str], why: Mapping[str, str]) -> Counts:
    """Count the rooms that have no folder of tests of their name, or of their floor's, and say not why."""
    paths = list(paths)
    folders = {part for path in paths if path.startswith("tests/") for part in path.split("/")[1:-1]}
    rooms = {"/".join(path.split("/")[:3]) for path in paths if re.match(r"(src|python)/\w+/\w+/", path)}
    floors = {"/".join(path.split("/")[:2]) for path in paths if re.match(r"src/\w+/", path)}
    found: Counts = {}
    for place in sorted(rooms | floors):
        names = {part.strip("_") for part in place.split("/")[1:] if part != "outlay"}
        if not names & folders and place not in why:
            found[place] = 1
    for place in why:
        if place not in {*rooms, *floors, *_faces(paths)}:
            found[f"reasons.txt:{place}"] = 1
    return found


def _faces(paths: Iterable[str]) -> set[str]:
    """Return the faces in src/budgets, without their ending."""
    inside = (path for path in paths if path.startswith("src/budgets/") and _name(path) != "mod.rs")
    return {"/".join(path.removesuffix(".rs").split("/")[:3]) for path in inside}


def faces_without_twin(paths: Iterable[str], why: Mapping[str, str]) -> Counts:
    """Count the faces of src/budgets that src/py/budgets has not, under the same name."""
    paths = list(paths)
    twins = {path.removesuffix(".rs").split("/")[3] for path in paths if path.startswith("src/py/budgets/")}
    twins |= {path.split("/")[2] for path in paths if re.match(r"src/py/\w+/", path)}
    return {face: 1 for face in sorted(_faces(paths)) if face.split("/")[2] not in twins and face not in why}


def rules() -> dict[str, Counts]:
    """Return what breaks each rule."""
    package, paths, why = Package(texts()), source_paths(), reasons()
    return {
        "upward": upward(package),
        "hosts": host_imports(package),
        "inits": inits_that_define(package),
        "folders": full_folders(paths),
        "prefixes": shared_prefixes(paths),
        "tests": rooms_without_tests(paths, why),
        "twins": faces_without_twin(paths, why),
    }
