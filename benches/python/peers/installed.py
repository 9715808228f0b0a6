"""Find the adapters whose peers are installed here, and say why the others cannot be measured."""

from __future__ import annotations

import importlib
import importlib.metadata
from dataclasses import dataclass, field
from types import ModuleType

NAMES = [
    "outlay",
    "limits",
    "pyrate_limiter",
    "aiolimiter",
    "throttled_py",
    "langchain",
    "pydantic_ai",
    "agentbudget",
    "agentguard47",
    "token_budget_py",
    "floodgate_rs",
    "ralipyard",
    "rust_py_rate_limit",
]


@dataclass
class Peers:
    """What can be measured here, and what cannot."""

    adapters: list[ModuleType] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def find() -> Peers:
    """Import every adapter. One whose peer cannot be imported is left out, by name and with the reason."""
    found = Peers()
    for name in NAMES:
        try:
            adapter = importlib.import_module(f".adapters.{name}", __package__)
        except ImportError as error:
            found.left_out[name] = str(error)
            continue
        found.adapters.append(adapter)
        found.versions[adapter.PACKAGE] = version(adapter.PACKAGE)
    return found


def version(package: str) -> str:
    """Return the version of a package. outlay itself is run from its tree and is not installed."""
    if package == "outlay":
        return importlib.import_module(package).__version__
    return importlib.metadata.version(package)
