"""The policy that guards are measured with: six limits of four accounts, and a price."""

from __future__ import annotations

from by_hand.policy import PlainPolicy
from timing import PLENTY, Loop

import outlay

DOLLARS = "1000000"
POLICY = {
    "budget": [
        {"name": "agent", "scope": {"agent": "*"}, "limit": {"usd": DOLLARS, "tokens": PLENTY}},
        {"name": "model", "scope": {"model": "openai:gpt-*"}, "limit": {"tokens": PLENTY}},
        {"name": "repo", "scope": {"repo": "*"}, "limit": {"usd": DOLLARS, "calls": PLENTY}},
    ],
    "pool": [{"name": "pool", "max_concurrent": 8}],
    "prices": {"openai:gpt-x": {"input": "2.50", "output": "10.00", "cache_read": "0.25"}},
}
LABELS = {"agent": "a-1", "model": "gpt-x", "provider": "openai", "repo": "acme/site"}
ESTIMATE = {"input_tokens": 900, "output_tokens": 100}
USAGE = {"input_tokens": 900, "output_tokens": 80, "cache_read_tokens": 500}
# The same six limits by hand: the label, what its value begins with, the unit, the limit.
BY_HAND_RULES = [
    ("agent", "", "cost", 10**12),
    ("agent", "", "tokens", PLENTY),
    ("model", "gpt-", "tokens", PLENTY),
    ("repo", "", "cost", 10**12),
    ("repo", "", "calls", PLENTY),
    (None, "", "slots", 8),
]
BY_HAND = "by hand: the same six limits in pure Python"


def six() -> tuple[outlay.Guard, outlay.UsageEstimate, outlay.Usage]:
    """Return a guard with the policy, an estimate and a usage."""
    return outlay.Guard(POLICY), outlay.UsageEstimate(**ESTIMATE), outlay.Usage(**USAGE)


def by_hand() -> Loop:
    plain = PlainPolicy(BY_HAND_RULES, {"gpt-x": (2_500_000, 10_000_000, 250_000)})

    def run(count):
        for _ in range(count):
            lease = plain.reserve(900, 100, agent="a-1", model="gpt-x", provider="openai", repo="acme/site")
            plain.commit(lease, 900, 80, 500)

    return run
