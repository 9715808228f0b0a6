"""Compares every stub of the native core with the core itself: `python tests/python/typing/check_stubs.py`.

stubtest leaves out what a module only re-exports, as `_core.pyi` does, and says so to nobody. So each stub
in `_stubs` is compared with a module made here, of what the core has under the names of that stub.
"""

from __future__ import annotations

import ast
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from mypy import stubtest

from outlay import _core

STUBS = Path(_core.__file__).parent / "_stubs"


def twin(module: str, tree: ast.Module) -> ModuleType:
    """Return what the core has of the classes and functions of a stub, as a module."""
    made = ModuleType(module)
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and hasattr(
            _core, node.name
        ):
            setattr(made, node.name, getattr(_core, node.name))
    return made


def aliases(tree: ast.Module) -> list[str]:
    """Return the names of types that only a stub has."""
    targets = [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
    return [target.id for target in targets if isinstance(target, ast.Name) and target.id[0] != "_"]


def main() -> int:
    """Run stubtest over the core and each of its stubs."""
    modules, allowed = ["outlay._core"], []
    for path in sorted(STUBS.rglob("*.pyi")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if path.stem != "__init__":
            module = ".".join(["outlay", *path.relative_to(STUBS.parent).with_suffix("").parts])
            sys.modules[module] = twin(module, tree)
            modules.append(module)
            allowed += [f"{module}.{name}" for name in aliases(tree)]
    with tempfile.TemporaryDirectory() as folder:
        allowlist = Path(folder, "allowed")
        allowlist.write_text("\n".join(allowed), encoding="utf-8")
        return stubtest.test_stubs(stubtest.parse_options([*modules, "--allowlist", str(allowlist)]))


if __name__ == "__main__":
    sys.exit(main())
