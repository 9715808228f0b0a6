"""A limit, a window, a lock."""

from __future__ import annotations

import threading
import time


class LockedBudget:
    """What a user would write by hand: a limit, a window, a lock."""

    def __init__(self, total: int, period: float, costs: dict[str, int]) -> None:
        self.total, self.period, self.costs = total, period, costs
        self.used = 0
        self.start = time.monotonic()
        self.lock = threading.Lock()

    def consume(self, operation: str, tokens: int) -> None:
        cost = self.costs.get(operation, 1) * tokens
        with self.lock:
            now = time.monotonic()
            if now - self.start >= self.period:
                self.start, self.used = now, 0
            if self.used + cost > self.total:
                raise RuntimeError("budget exceeded")
            self.used += cost
