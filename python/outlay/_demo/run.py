"""The agent demo from its first line to its verdict."""

from __future__ import annotations

from rich.console import Console

from outlay._demo.agent import offline, run_agent
from outlay._demo.bill import audit_agent, audit_rush
from outlay._demo.rush import CALLS, MINUTE_SECONDS, TOKENS_PER_MINUTE, Rush, run_rush
from outlay._demo.show import View, print_figures, print_verdict

__all__ = ["run_demo"]

_ACCOUNT_COLUMNS = ("account", "limit", "used", "reserved", "remaining")
_AUDIT_COLUMNS = ("figure", "outlay", "expected", "difference")


def _rush(console: Console) -> Rush:
    """Make many calls at once, with a limiter and without one, and show both."""
    minute = f"a minute of {MINUTE_SECONDS} s, so that nobody has to wait"
    provider = f"a provider that allows {TOKENS_PER_MINUTE:,} tokens per minute ({minute})"
    console.print(f"\n[bold]Rush[/]: {CALLS} calls at once, to {provider}", soft_wrap=True)

    def shown(number: int, seconds: float, tokens: int) -> None:
        console.print(f"{number:>3} answered after {seconds:5.2f} s: {tokens:,} tokens", highlight=False)

    with offline():
        bare, guarded = run_rush(shown)
    console.print(
        f"Under a RateLimiter: {guarded.answered} answered,",
        f"{guarded.server_refused} refused by the provider. Each call waited for its turn.",
    )
    console.print(
        f"The same calls without it: {bare.answered} answered, {bare.refused} refused with status 429;",
        f"RateLimiter.observe() reads from its headers to wait {bare.retry_after:.1f} s.",
        soft_wrap=True,
    )
    return guarded


def run_demo(console: Console) -> bool:
    """Run the agent, print everything, and say whether the audit held."""
    console.print(
        "A LangChain agent works with real tools, over HTTP on loopback, under three accounts at once:"
    )
    console.print("an AgentTokenBudget and a SharedPool around its model, a WorkflowQuota around its tools.")
    outcome = run_agent(View(console))
    print_figures(console, "Accounts", _ACCOUNT_COLUMNS, outcome.accounts.figures())
    lines = audit_agent(outcome) + audit_rush(_rush(console))
    rows = [(line.what, line.outlay, line.expected, line.difference) for line in lines]
    print_figures(console, "Audit against the server's own bill", _AUDIT_COLUMNS, rows)
    held = all(line.difference == 0 for line in lines)
    print_verdict(console, held)
    return held
