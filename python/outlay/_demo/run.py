"""The agent demo from its first line to its verdict."""

from __future__ import annotations

from rich.console import Console

from outlay._demo.agent import run_agent
from outlay._demo.bill import audit_agent
from outlay._demo.show import View, print_figures, print_verdict

__all__ = ["run_demo"]

_ACCOUNT_COLUMNS = ("account", "limit", "used", "reserved", "remaining")
_AUDIT_COLUMNS = ("figure", "outlay", "expected", "difference")


def run_demo(console: Console) -> bool:
    """Run the agent, print everything, and say whether the audit held."""
    console.print(
        "A LangChain agent works with real tools, over HTTP on loopback, under three accounts at once:"
    )
    console.print("an AgentTokenBudget and a SharedPool around its model, a WorkflowQuota around its tools.")
    outcome = run_agent(View(console))
    print_figures(console, "Accounts", _ACCOUNT_COLUMNS, outcome.accounts.figures())
    lines = audit_agent(outcome)
    rows = [(line.what, line.outlay, line.expected, line.difference) for line in lines]
    print_figures(console, "Audit against the server's own bill", _AUDIT_COLUMNS, rows)
    held = all(line.difference == 0 for line in lines)
    print_verdict(console, held)
    return held
