"""Runs the core tests on the built wheel with every CPython >= 3.11 on this machine.

Interpreters are looked for on PATH (python3.11, python3.12, ...), among those that uv knows, and in the
folders of pyenv. Each gets an environment of its own with the wheel and the dependency group `core-tests`, by
uv where it is installed. What was not found is said by name.

Run: python packaging/interpreters.py dist/outlay-*.whl [--only 3.12] tests...
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WANTED = ("3.11", "3.12", "3.13", "3.14")
ASK = (
    "import json, sys, sysconfig; print(json.dumps([sys.implementation.name, list(sys.version_info[:2]), "
    "bool(sysconfig.get_config_var('Py_GIL_DISABLED'))]))"
)


def find_uv() -> str | None:
    """Return the path of uv, beside this interpreter or on PATH."""
    return shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def needs() -> list[str]:
    """Return what the core tests import, as pyproject.toml lists it."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    return list(groups["core-tests"])


def candidates() -> list[Path]:
    """Return paths that may be interpreters, the likeliest first."""
    found = [shutil.which(f"python{version}") for version in WANTED]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    paths = [Path(path) for path in found if path]
    paths += sorted(pyenv.glob("versions/*/bin/python"))
    if uv := find_uv():
        command = [uv, "python", "list", "--only-installed", "--output-format", "json"]
        listed = subprocess.run(command, capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            paths += [Path(one["path"]) for one in json.loads(listed.stdout) if one.get("path")]
    return paths


def interpreters() -> dict[str, Path]:
    """Return one CPython with the GIL for each version that is wanted and there."""
    found: dict[str, Path] = {}
    for path in candidates():
        try:
            asked = subprocess.run([path, "-c", ASK], capture_output=True, text=True, timeout=30, check=False)
            implementation, version, free_threaded = json.loads(asked.stdout)
        except (OSError, subprocess.SubprocessError, ValueError):
            continue
        name = f"{version[0]}.{version[1]}"
        if implementation == "cpython" and name in WANTED and not free_threaded:
            found.setdefault(name, path)
    return found


def run(version: str, python: Path, wheel: Path, tests: list[str]) -> bool:
    """Install the wheel for one interpreter and run the tests on it; True if they pass."""
    folder = ROOT / "target" / "interpreters" / version
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([python, "-m", "venv", folder], check=True)
    inside = folder / "bin" / "python"
    uv = find_uv()
    install = [uv, "pip", "install", "--python", inside] if uv else [inside, "-m", "pip", "install"]
    subprocess.run([*install, "--quiet", *needs()], check=True)
    subprocess.run([inside, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel], check=True)
    where = "import outlay, sys; sys.exit('site-packages' not in outlay.__file__)"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([inside, "-c", where], check=True, cwd=folder, env=environment)
    command = [inside, "-m", "pytest", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def main() -> None:
    """Run the tests with each interpreter; say what was missing; fail if any failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--only", help="one version, for example 3.12")
    parser.add_argument("tests", nargs="+")
    given = parser.parse_args()
    found = interpreters()
    chosen = {version: path for version, path in found.items() if given.only in (None, version)}
    if not chosen:
        sys.exit(f"no CPython {given.only or 'of ' + ', '.join(WANTED)} was found on this machine")
    failed = []
    for version, python in sorted(chosen.items()):
        print(f"CPython {version} ({python}): the core tests on {given.wheel.name}", flush=True)
        if not run(version, python, given.wheel.resolve(), given.tests):
            failed.append(version)
    missing = [version for version in WANTED if version not in found]
    print(f"not on this machine, so not tested: CPython {', '.join(missing) or 'none'}")
    if failed:
        sys.exit(f"failed with CPython {', '.join(failed)}")


if __name__ == "__main__":
    main()
