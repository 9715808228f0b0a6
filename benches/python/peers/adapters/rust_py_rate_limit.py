"""rust-py-rate-limit: `limiter.allow(key)` and `@limiter.limit(key)` (README, "Quick start", "Decorator")."""

from __future__ import annotations

from rust_py_rate_limit import RateLimiter, RateLimitExceeded

from ..case import BOOK, DAY, REFUSED, Agent, Call, Case, Crowd, Made, is_none
from . import outlay as ours

PACKAGE = "rust-py-rate-limit"


def allow(algorithm: str, limit: int) -> Made:
    limiter = RateLimiter(limit=limit, window_seconds=DAY, algorithm=algorithm)

    def loop(calls: int) -> bool:
        answer = False
        for _ in range(calls):
            answer = limiter.allow("agent-1")
        return answer

    return Made(loop)


def fixed(limit: int) -> Made:
    return allow("fixed", limit)


def sliding(limit: int) -> Made:
    return allow("sliding", limit)


def raised(limit: int, text: bool = False) -> Made:
    limiter = RateLimiter(limit=limit, window_seconds=DAY)

    @limiter.limit("agent-1")
    def limited() -> None:
        pass

    def loop(calls: int) -> object:
        answer: object = None
        for _ in range(calls):
            try:
                limited()
            except RateLimitExceeded as exc:
                answer = str(exc) if text else exc
        return answer

    return Made(loop)


COUNTER = "Rust: counter of calls by key, fixed window, no amount; releases the GIL"
WEIGHTED = "Rust: two counters by key, weighted: an estimate of a sliding window; releases the GIL"
CASES = [
    Case(BOOK, "rust-py-rate-limit: allow, fixed", COUNTER, fixed, ours.MANAGER, threads=True),
    Case(BOOK, "rust-py-rate-limit: allow, sliding", WEIGHTED, sliding, ours.SLIDING, threads=True),
    Case(REFUSED, "rust-py-rate-limit: allow", "answers False", fixed, ours.REFUSED_TRY),
    Case(
        REFUSED,
        "rust-py-rate-limit: @limit, raised",
        "a decorated function raises; the sentence is written at once",
        raised,
        ours.REFUSED_RAISED,
        is_none,
    ),
    Case(
        REFUSED,
        "rust-py-rate-limit: @limit, raised, str(exc)",
        "the same",
        lambda limit: raised(limit, text=True),
        ours.REFUSED_TEXT,
        is_none,
    ),
]


def agents(limit: int) -> Agent:
    limiter = RateLimiter(limit=limit, window_seconds=DAY)

    async def agent(call: Call) -> None:
        if limiter.allow("agent-1"):
            await call()

    return agent


CROWDS = [Crowd("rust-py-rate-limit: allow", "counts each call before it; no usage", agents)]
