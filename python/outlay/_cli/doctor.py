"""`doctor`: it reports the installed packages, and the wraps that are active in this process."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from outlay._core import __version__
from outlay._guard.scopes import current_labels
from outlay._wraps.registry import active

#: The packages of each extra, as pyproject.toml names them, and the module that needs them.
EXTRAS = {
    "anthropic": ("outlay.anthropic", ("anthropic",)),
    "demo": ("outlay._demo.run", ("langchain", "langchain-openai", "rich")),
    "httpx": ("outlay.httpx", ("httpx",)),
    "httpx2": ("outlay.httpx2", ("httpx2",)),
    "langchain": ("outlay.langchain", ("langchain",)),
    "litellm": ("outlay.litellm", ("litellm",)),
    "mcp": ("outlay.mcp", ("mcp", "fastmcp")),
    "openai": ("outlay.openai", ("openai",)),
    "openai-agents": ("outlay.openai_agents", ("openai-agents",)),
    "prices": ("outlay._prices.genai", ("genai-prices",)),
    "pydantic-ai": ("outlay.pydantic_ai", ("pydantic-ai-slim",)),
}


def doctor(*, imports: bool = True) -> dict[str, Any]:
    """Return the installed packages, and the layers that are active in this process.

    It changes nothing. By default it imports every integration whose packages are installed, which may take
    seconds, and some hosts ask the network when they are imported.

    Args:
        imports: Import the integrations; default True. With False, nothing is imported.

    Returns:
        A dict that JSON can hold. `outlay`, `python` and `platform` are versions. `extras` has for each extra
        its `packages` with their versions (None where one is missing), whether its module `imports` (None if
        that was not tried), and the `error` if not. `wrapped` lists the layers that are alive: the
        integration (`by`), the classes of its `budgets`, its `labels`. `scope` has the labels of the scopes
        around the call. `audit` says whether an audit of LangChain watches here, `genai_prices` the version
        of the package that prices models which no policy prices, or None.

    Example:
        >>> import outlay
        >>> @outlay.governed(outlay.SharedPool(), 5)
        ... def ask(question):
        ...     return "an answer"
        >>> [layer["budgets"] for layer in outlay.doctor()["wrapped"] if layer["by"] == "governed"][-1]
        ['SharedPool']

    """
    import platform

    return {
        "outlay": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "extras": {name: _integration(*what, imports=imports) for name, what in EXTRAS.items()},
        "wrapped": _wrapped(),
        "scope": current_labels(),
        "audit": _audited(),
        "genai_prices": _version("genai-prices"),
    }


def _version(package: str) -> str | None:
    # Imported here: few programs ask, and all that import outlay would wait for it.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _integration(module: str, packages: tuple[str, ...], *, imports: bool) -> dict[str, Any]:
    found = {package: _version(package) for package in packages}
    error, works = None, True if module in sys.modules else None
    if None in found.values():
        missing = [package for package, known in found.items() if known is None]
        error, works = f"not installed: {', '.join(missing)}", False
    elif imports:
        try:
            import_module(module)
            works = True
        except Exception as failed:
            # The user must see whatever a host's package raises when it is imported.
            error, works = f"{type(failed).__name__}: {failed}", False
    return {"packages": found, "imports": works, "error": error}


def _wrapped() -> list[dict[str, Any]]:
    return [
        {
            "by": host,
            "budgets": [type(one).__name__ for _, one in (*layer.budgets.native, *layer.budgets.own)],
            "labels": dict(layer.labels),
        }
        for host, layer in active()
    ]


def _audited() -> bool:
    # An audit that watches has imported this module.
    module = sys.modules.get("outlay.langchain._audit")
    return module is not None and module.is_watching()
