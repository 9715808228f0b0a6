"""The rate limit of a strict provider: an exact sliding window, and the headers and the error that say so."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

_NANOS_PER_SECOND = 1_000_000_000
_NANOS_PER_MS = 1_000_000


@dataclass(frozen=True)
class Verdict:
    """What the limit says to one request: the headers of its answer and, of a refusal, the error's body."""

    headers: dict[str, str]
    error: dict[str, Any] | None = None


class RateLimit:
    """Tokens in a sliding window, from a log of every charge and its moment.

    A charge counts from its moment until a whole window later, when it counts no more. The log holds what is
    in the window and nothing else. It has no lock: whoever shares it calls it under their own.

    Args:
        limit: The most tokens in any window, 1 or more.
        window: The length of the window in seconds, a millisecond or more.
        clock: Returns monotonic seconds.

    Raises:
        ValueError: The limit or the window is out of its range.

    Example:
        >>> now = 0.0
        >>> limit = RateLimit(100, 60.0, lambda: now)
        >>> limit.charge(80, "m").headers["x-ratelimit-remaining-tokens"]
        '20'
        >>> now = 15.5
        >>> refused = limit.charge(30, "m")
        >>> refused.headers["retry-after"], refused.headers["retry-after-ms"]
        ('45', '44500')
        >>> now = 60.0
        >>> limit.charge(30, "m").error is None
        True

    """

    def __init__(self, limit: int, window: float, clock: Callable[[], float]) -> None:
        if limit < 1:
            raise ValueError(f"a rate limit is 1 token or more, not {limit}")
        if not 0.001 <= window < math.inf:
            raise ValueError(f"the window of a rate limit is a millisecond or more, not {window} seconds")
        self._limit = limit
        # Whole nanoseconds: with floats, a client that waits the given time could come slightly too early.
        self._window = round(window * _NANOS_PER_SECOND)
        self._clock = clock
        self._log: deque[tuple[int, int]] = deque()
        self._used = 0

    def charge(self, tokens: int, model: str) -> Verdict:
        """Book the tokens if they fit; if not, book nothing and say when they would.

        Tokens above the whole limit never fit: such a refusal names no wait. No tokens always fit.
        """
        now = self._now()
        if self._used + tokens > self._limit:
            return self._refuse(tokens, model, now)
        if tokens > 0:
            self._log.append((now, tokens))
            self._used += tokens
        return Verdict(self._headers(now))

    def headers(self) -> dict[str, str]:
        """Return the headers of an answer that is not charged."""
        return self._headers(self._now())

    def _now(self) -> int:
        """Read the clock, once for each request, and forget what has left the window."""
        now = round(self._clock() * _NANOS_PER_SECOND)
        while self._log and self._log[0][0] + self._window <= now:
            self._used -= self._log.popleft()[1]
        return now

    def _refuse(self, tokens: int, model: str, now: int) -> Verdict:
        limit, headers = f"on tokens per min (TPM): Limit {self._limit}", self._headers(now)
        if tokens > self._limit:
            way_out = "The input or output tokens must be reduced in order to run successfully."
            text = f"Request too large for {model} {limit}, Requested {tokens}. {way_out}"
        else:
            wait_ms = self._wait_ms(tokens, now)
            headers["retry-after"] = str(-(-wait_ms // 1000))
            headers["retry-after-ms"] = str(wait_ms)
            way_out = f"Please try again in {go_duration(wait_ms)}."
            text = f"Rate limit reached for {model} {limit}, Used {self._used}, Requested {tokens}. {way_out}"
        error = {"message": text, "type": "tokens", "param": None, "code": "rate_limit_exceeded"}
        return Verdict(headers, {"error": error})

    def _wait_ms(self, tokens: int, now: int) -> int:
        """Return the time until enough has left the window, if nothing else comes."""
        excess = self._used + tokens - self._limit
        forgotten = accumulate(charged for _, charged in self._log)
        moment = next(at for (at, _), total in zip(self._log, forgotten, strict=True) if total >= excess)
        return self._ms_until_forgotten(moment, now)

    def _headers(self, now: int) -> dict[str, str]:
        reset_ms = self._ms_until_forgotten(self._log[-1][0], now) if self._log else 0
        return {
            "x-ratelimit-limit-tokens": str(self._limit),
            "x-ratelimit-remaining-tokens": str(self._limit - self._used),
            "x-ratelimit-reset-tokens": go_duration(reset_ms),
        }

    def _ms_until_forgotten(self, moment: int, now: int) -> int:
        return -((now - moment - self._window) // _NANOS_PER_MS)


def go_duration(ms: int) -> str:
    """Write milliseconds as Go does, and with it the OpenAI family's headers.

    Example:
        >>> [go_duration(ms) for ms in (0, 20, 1_000, 8_640, 360_000, 3_600_000)]
        ['0s', '20ms', '1s', '8.64s', '6m0s', '1h0m0s']

    """
    if 0 < ms < 1000:
        return f"{ms}ms"
    minutes, rest_ms = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest_ms // 1000}.{rest_ms % 1000:03}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds
