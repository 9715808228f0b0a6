"""Six limits by label, prices, leases with deadlines; no windows, no waiting, no events."""

from __future__ import annotations

import threading
import time


class PlainPolicy:
    """What a user would write by hand: rules by label, prices, leases with deadlines, one lock."""

    def __init__(self, rules: list, prices: dict[str, tuple[int, int, int]], ttl: float = 900.0) -> None:
        self.rules, self.prices, self.ttl = rules, prices, ttl
        self.used: dict[tuple, int] = {}
        self.held: dict[tuple, int] = {}
        self.matched: dict[tuple, list] = {}
        self.leases: dict[int, tuple] = {}
        self.last = 0
        self.lock = threading.Lock()

    def cost(self, model: str, given: int, made: int, cached: int = 0) -> int:
        """Price a call in micro-USD, rounded up once."""
        per_input, per_output, per_cached = self.prices[model]
        return -(-((given - cached) * per_input + cached * per_cached + made * per_output) // 1_000_000)

    def match(self, labels: dict[str, str]) -> list:
        """Find the limits that labels meet, once for each set of labels."""
        key = tuple(labels.items())
        found = self.matched.get(key)
        if found is None:
            found = self.matched[key] = [
                ((index, labels.get(label)), unit, limit)
                for index, (label, start, unit, limit) in enumerate(self.rules)
                if label is None or labels.get(label, "").startswith(start)
            ]
        return found

    def reserve(self, given: int, made: int, **labels: str) -> int:
        """Hold an estimate of all limits, or raise and change nothing."""
        cost = self.cost(labels["model"], given, made)
        amounts = {"tokens": given + made, "cost": cost, "calls": 1, "slots": 1}
        rules = self.match(labels)
        with self.lock:
            used, held = self.used, self.held
            for key, unit, limit in rules:
                if used.get(key, 0) + held.get(key, 0) + amounts[unit] > limit:
                    raise RuntimeError(f"{key} exceeded")
            for key, unit, _ in rules:
                held[key] = held.get(key, 0) + amounts[unit]
            self.last += 1
            self.leases[self.last] = (rules, amounts, labels["model"], time.monotonic() + self.ttl)
            return self.last

    def commit(self, lease: int, given: int, made: int, cached: int = 0) -> None:
        """End a lease and book what was used."""
        with self.lock:
            rules, amounts, model, _ = self.leases.pop(lease)
            actual = {"tokens": given + made, "cost": self.cost(model, given, made, cached), "calls": 1}
            for key, unit, _ in rules:
                self.held[key] -= amounts[unit]
                if unit != "slots":
                    self.used[key] = self.used.get(key, 0) + actual[unit]
