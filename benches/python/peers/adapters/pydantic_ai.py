"""pydantic-ai's `UsageLimits`: what its agents do for each request.

Docstrings: `UsageLimits.check_before_request`, `RunUsage.incr`, `UsageLimits.check_tokens`.
"""

from __future__ import annotations

from pydantic_ai.exceptions import UsageLimitExceeded
from pydantic_ai.usage import RequestUsage, RunUsage, UsageLimits

from ..case import AROUND, REFUSED, Agent, Call, Case, Crowd, Made, is_none
from . import outlay as ours

PACKAGE = "pydantic-ai-slim"


def around(limit: int) -> Made:
    limits, usage = UsageLimits(request_limit=limit, total_tokens_limit=100 * limit), RunUsage()

    def loop(calls: int) -> None:
        for _ in range(calls):
            limits.check_before_request(usage)
            usage.requests += 1
            usage.incr(RequestUsage(input_tokens=90, output_tokens=8))
            limits.check_tokens(usage)

    return Made(loop)


def refused(limit: int, text: bool = False) -> Made:
    limits, usage = UsageLimits(request_limit=limit), RunUsage()

    def loop(calls: int) -> object:
        answer: object = None
        for _ in range(calls):
            try:
                limits.check_before_request(usage)
                usage.requests += 1
            except UsageLimitExceeded as exc:
                answer = str(exc) if text else exc
        return answer

    return Made(loop)


EXCEEDED = (UsageLimitExceeded,)
CASES = [
    Case(
        AROUND,
        "pydantic-ai: check, add, check",
        "requests and tokens of one run; no lock, holds nothing; the usage is made for the call",
        around,
        ours.LEASE,
        is_none,
        EXCEEDED,
        threads=True,
    ),
    Case(
        REFUSED,
        "pydantic-ai: check_before_request, raised",
        "raises; the sentence is written at once",
        refused,
        ours.REFUSED_RAISED,
        is_none,
    ),
    Case(
        REFUSED,
        "pydantic-ai: check_before_request, raised, str(exc)",
        "the same",
        lambda limit: refused(limit, text=True),
        ours.REFUSED_TEXT,
        is_none,
    ),
]


def agents(limit: int) -> Agent:
    limits, usage = UsageLimits(request_limit=limit), RunUsage()

    async def agent(call: Call) -> None:
        limits.check_before_request(usage)
        await call()
        usage.requests += 1
        usage.incr(RequestUsage(input_tokens=90, output_tokens=10))

    return agent


CROWDS = [Crowd("pydantic-ai: check, call, add", "looks before the call, adds after it", agents, EXCEEDED)]
