"""Reserve and commit of two limits, with a table of leases."""

from __future__ import annotations

import threading
import time


class LockedPool:
    """Reserve and commit by hand: two limits, a table of leases, a lock."""

    def __init__(self, tokens: int, cost: int) -> None:
        self.limits = [tokens, cost]
        self.used = [0, 0]
        self.held = [0, 0]
        self.leases: dict[int, tuple[int, int, float]] = {}
        self.next = 0
        self.lock = threading.Lock()

    def reserve(self, tokens: int, cost: int) -> int:
        with self.lock:
            for i, amount in enumerate((tokens, cost)):
                if self.used[i] + self.held[i] + amount > self.limits[i]:
                    raise RuntimeError("pool exceeded")
            self.held[0] += tokens
            self.held[1] += cost
            self.next += 1
            self.leases[self.next] = (tokens, cost, time.monotonic() + 900)
            return self.next

    def commit(self, lease: int, tokens: int, cost: int) -> None:
        with self.lock:
            held = self.leases.pop(lease)
            self.held[0] -= held[0]
            self.held[1] -= held[1]
            self.used[0] += tokens
            self.used[1] += cost

    def lease(self, tokens: int, cost: int) -> Lease:
        """Hold for a block; what was not committed is given back."""
        return Lease(self, self.reserve(tokens, cost))


class Lease:
    """What `LockedPool.lease` returns."""

    __slots__ = ("ended", "number", "pool")

    def __init__(self, pool: LockedPool, number: int) -> None:
        self.pool, self.number, self.ended = pool, number, False

    def commit(self, tokens: int, cost: int) -> None:
        self.ended = True
        self.pool.commit(self.number, tokens, cost)

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_error: object) -> None:
        if not self.ended:
            self.commit(0, 0)
