"""The command `outlay doctor`, in plain text or as JSON."""

from __future__ import annotations

from typing import Any

from outlay._cli.doctor import doctor
from outlay._cli.printing import say, say_json, say_table


def show_doctor(*, imports: bool = False, as_json: bool = False) -> int:
    """Show what is installed and what is active.

    Args:
        imports: Import each integration too; some take seconds, and may ask the network.
        as_json: Print one object.

    """
    found = doctor(imports=imports)
    if as_json:
        say_json(found)
        return 0
    say(f"outlay {found['outlay']}, Python {found['python']}, {found['platform']}")
    rows = [("extra", "packages", "outlay's module")]
    for name, integration in found["extras"].items():
        packages = ", ".join(
            f"{package} {known or '-'}" for package, known in integration["packages"].items()
        )
        rows.append((name, packages, _state(integration)))
    say_table(rows)
    prices = f"genai-prices {found['genai_prices']}" if found["genai_prices"] else "nobody"
    say(f"who knows the prices that no policy names: {prices}")
    scope = ", ".join(f"{name}={value}" for name, value in found["scope"].items())
    say(f"scope: {scope or 'none'}")
    say(f"audit of LangChain: {'on' if found['audit'] else 'off'}")
    wrapped = [f"{one['by']} ({', '.join(one['budgets'])})" for one in found["wrapped"]]
    say(f"wrapped in this process: {', '.join(wrapped) or 'nothing'}")
    return 0


def _state(integration: dict[str, Any]) -> str:
    if integration["error"] is not None:
        return " ".join(str(integration["error"]).split())
    return "imports" if integration["imports"] else "installed"
