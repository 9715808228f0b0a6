"""The agent demo's audit: outlay's accounts against the server's own bill, in plain integers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

from outlay._demo.agent import PRICES, AgentOutcome
from outlay._demo.rush import Rush

__all__ = ["Line", "audit_agent", "audit_rush"]


@dataclass(frozen=True)
class Line:
    """One figure, as outlay has it and as the other side counts it."""

    what: str
    outlay: int
    expected: int

    @property
    def difference(self) -> int:
        """Zero where the two agree."""
        return self.outlay - self.expected


def audit_agent(outcome: AgentOutcome) -> list[Line]:
    """Compare every account with what the server billed and what the tools noted themselves."""
    accounts, billed = outcome.accounts, outcome.billed
    committed, reserved = accounts.pool.committed(), accounts.pool.reserved()
    tokens = sum(usage["total_tokens"] for usage in billed)
    return [
        Line("tokens used, agent budget", accounts.budget.used(), tokens),
        Line("tokens committed, pool", committed.total_tokens, tokens),
        Line("input tokens committed, pool", committed.input_tokens, _sum(billed, "prompt_tokens")),
        Line("output tokens committed, pool", committed.output_tokens, _sum(billed, "completion_tokens")),
        Line("cost committed, pool (micro-USD)", committed.cost_micros_usd, sum(map(_cost, billed))),
        Line("workflow steps executed", outcome.steps, len(outcome.tools_run)),
        Line("model calls made", outcome.answered, outcome.requests),
        Line("tokens still reserved, agent budget", accounts.budget.reserved(), 0),
        Line("tokens still reserved, pool", reserved.total_tokens, 0),
        Line("cost still reserved, pool", reserved.cost_micros_usd, 0),
        Line("open leases, pool", len(accounts.pool.open_leases()), 0),
        Line("active workflows", accounts.quota.active_count(), 0),
        Line("errors in the server's script", len(outcome.server_errors), 0),
    ]


def audit_rush(rush: Rush) -> list[Line]:
    """Compare the calls under the limiter with what the provider answered, refused and billed."""
    return [
        Line("rush: calls answered", rush.answered, rush.requests),
        Line("rush: tokens committed", rush.tokens, rush.billed),
        Line("rush: refused by the provider", rush.server_refused, 0),
        Line("rush: tokens still reserved", rush.still_reserved, 0),
        Line("rush: errors in the server's script", len(rush.server_errors), 0),
    ]


def _sum(billed: list[dict[str, Any]], name: str) -> int:
    return sum(usage[name] for usage in billed)


def _cost(usage: dict[str, Any]) -> int:
    """Price one call: USD per million tokens is micro-USD per token, rounded up once per call."""
    (price,) = PRICES.values()
    tokens = {"input": usage["prompt_tokens"], "output": usage["completion_tokens"]}
    return ceil(sum((Fraction(price[kind]) * number for kind, number in tokens.items()), Fraction(0)))
