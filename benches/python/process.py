"""Measure a group in a fresh process, with the package that this process or another folder has."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

NOT_INSTALLED = 3


class NotInstalledError(Exception):
    """What a group needs is not installed."""


def package() -> Path:
    """Return the folder that this process imports `outlay` from."""
    found = importlib.util.find_spec("outlay")
    if found is None or found.origin is None:
        raise NotInstalledError("outlay")
    return Path(found.origin).parents[1]


def measured(
    benches: Path, python: str, group: str, rounds: int, *, tolerant: bool, outlay: Path | None = None
) -> dict:
    """Return the figures of a group; `NotInstalledError` where its host cannot be imported."""
    env = {**os.environ, "PYTHONPATH": str(outlay or package()), "PYTHONHASHSEED": "0"}
    read, write = os.pipe()  # what hosts print does not come between
    command = [
        python,
        "-W",
        "ignore",
        str(benches / "child.py"),
        str(write),
        group,
        str(rounds),
        str(int(tolerant)),
    ]
    with subprocess.Popen(command, env=env, pass_fds=[write], stdout=sys.stderr) as child:
        os.close(write)
        with os.fdopen(read) as pipe:
            text = pipe.read()
    if child.returncode == NOT_INSTALLED:
        raise NotInstalledError(text)
    if child.returncode:
        raise RuntimeError(f"{group} failed with {child.returncode}")
    return json.loads(text)
