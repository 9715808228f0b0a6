"""Build the package of a folder of sources as a wheel has it, into another folder: for `compare.py`.

Both builds are made by the same command. A library that is built for Rust callers too is laid out otherwise,
and `consume` then takes up to 10 % longer.

Run: python benches/python/build.py SOURCES FOLDER [--ref REF]
With `--ref`, SOURCES is a git repository, and the sources are those of the ref.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

LIBRARY = {"darwin": "liboutlay.dylib", "win32": "outlay.dll"}.get(sys.platform, "liboutlay.so")
COMMAND = ["cargo", "rustc", "--quiet", "--release", "--features=python", "--lib", "--crate-type=cdylib"]


@contextmanager
def checked_out(repository: Path, ref: str, folder: Path) -> Iterator[Path]:
    """Have a work tree of the ref below the folder while a block runs."""
    tree = folder / "sources"
    git = ["git", "-C", str(repository), "worktree"]
    shutil.rmtree(tree, ignore_errors=True)  # of a run that was stopped
    subprocess.run([*git, "prune"], check=True)
    subprocess.run([*git, "add", "--quiet", "--detach", str(tree), ref], check=True)
    try:
        yield tree
    finally:
        subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def build(sources: Path, folder: Path, target: Path) -> None:
    """Compile, and put the package and its library side by side."""
    subprocess.run(COMMAND, cwd=sources, env={**os.environ, "CARGO_TARGET_DIR": str(target)}, check=True)
    package = folder / "outlay"
    shutil.rmtree(package, ignore_errors=True)
    leave = shutil.ignore_patterns("__pycache__", "_core*.so", "_core*.pyd")
    shutil.copytree(sources / "python" / "outlay", package, ignore=leave)
    suffix = ".pyd" if sys.platform == "win32" else ".abi3.so"
    shutil.copy2(target / "release" / LIBRARY, package / f"_core{suffix}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ref", help="a git ref of the sources")
    options = parser.parse_args()
    folder, sources = options.folder.resolve(), options.sources.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    # One target folder for all, so that what the project depends on is compiled once.
    target = Path(os.environ.get("CARGO_TARGET_DIR", sources / "target")).resolve()
    with checked_out(sources, options.ref, folder) if options.ref else nullcontext(sources) as tree:
        build(tree, folder, target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
