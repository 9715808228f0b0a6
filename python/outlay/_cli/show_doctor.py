"""The command `outlay doctor`, in plain text."""

from __future__ import annotations

from outlay._cli.doctor import doctor
from outlay._cli.table import table


def show_doctor() -> int:
    """Show what is installed and what is active."""
    found = doctor()
    print(f"outlay {found['outlay']}, Python {found['python']}, {found['platform']}")
    rows = [("extra", "packages", "outlay's module")]
    for name, integration in found["extras"].items():
        packages = ", ".join(
            f"{package} {known or '-'}" for package, known in integration["packages"].items()
        )
        error = " ".join(str(integration["error"]).split())
        rows.append((name, packages, "imports" if integration["imports"] else error))
    print(table(rows))
    prices = f"genai-prices {found['genai_prices']}" if found["genai_prices"] else "nobody"
    print(f"who knows the prices that no policy names: {prices}")
    scope = ", ".join(f"{name}={value}" for name, value in found["scope"].items())
    print(f"scope: {scope or 'none'}")
    print(f"audit of LangChain: {'on' if found['audit'] else 'off'}")
    wrapped = [f"{one['by']} ({', '.join(one['budgets'])})" for one in found["wrapped"]]
    print(f"wrapped in this process: {', '.join(wrapped) or 'nothing'}")
    return 0
