"""Reads the policy of a command: as a guard reads it, and as tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from outlay._core import Guard, policy_tables
from outlay._errors import PolicyError

#: The tables that have rules, and the others.
RULES = ("budget", "workflow", "pool", "limiter", "tool")
OTHERS = ("allowance", "model_quota", "repo", "prices")


class PolicyFile(NamedTuple):
    """A policy that could be read."""

    guard: Guard
    #: Its tables, as the core has read them.
    tables: dict[str, Any]


def read_policy(path: Path) -> PolicyFile:
    """Read a policy.

    Raises:
        PolicyError: It cannot be read, or a guard cannot be made of it.

    """
    try:
        # Its store is not opened: that would make a file, and a holder of shares.
        return PolicyFile(Guard(path, store="memory://"), json.loads(policy_tables(path)))
    except OSError as error:
        if isinstance(error, PolicyError):
            raise
        raise PolicyError(f"{path}: {error.strerror or error}") from error


def counts(tables: dict[str, Any]) -> dict[str, int]:
    """Return how many entries each kind of table has, without those that have none."""
    found = {kind: len(tables.get(kind, ())) for kind in (*RULES, *OTHERS)}
    return {kind: count for kind, count in found.items() if count}


def store_of(tables: dict[str, Any]) -> str | None:
    """Return the address of the store of a policy; None for memory."""
    url = tables.get("store", {}).get("url", "memory://")
    return None if url == "memory://" else url
