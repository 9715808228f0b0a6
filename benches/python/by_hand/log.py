"""A sliding window: a log of what was used."""

from __future__ import annotations

import threading
import time
from collections import deque


class LockedLog:
    """What a user would write by hand: a log of what was used, a lock."""

    def __init__(self, total: int, period: float) -> None:
        self.total, self.period = total, period
        self.used = 0
        self.log: deque[tuple[float, int]] = deque()
        self.lock = threading.Lock()

    def hit(self, tokens: int) -> bool:
        with self.lock:
            now = time.monotonic()
            while self.log and self.log[0][0] <= now - self.period:
                self.used -= self.log.popleft()[1]
            if self.used + tokens > self.total:
                return False
            self.log.append((now, tokens))
            self.used += tokens
            return True
