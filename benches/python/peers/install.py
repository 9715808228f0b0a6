"""Install the peers of `pyproject.toml` one by one: one that cannot be built here does not stop the others.

Run: python benches/python/peers/install.py UV PYTHON
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[3] / "pyproject.toml"


def main(uv: str, python: str) -> int:
    """Install each peer with uv, or else with pip, which builds some sources that uv refuses."""
    with PROJECT.open("rb") as file:
        peers = tomllib.load(file)["dependency-groups"]["peers"]
    by_uv = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python]
    by_pip = [python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    for peer in peers:
        if subprocess.run([*by_uv, peer], capture_output=True, check=False).returncode == 0:
            continue
        built = subprocess.run([*by_pip, peer], capture_output=True, text=True, check=False)
        if built.returncode != 0:
            reason = built.stderr.strip().splitlines()[-1:]
            print(f"NOT INSTALLED: {peer} is left out of the tables: {reason}", file=sys.stderr)
    return subprocess.run([uv, "pip", "check", "--quiet", "--python", python], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
