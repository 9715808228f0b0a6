"""The methods of the pool and the limiter that wait: this module gives them to the native classes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from outlay._attach import attach
from outlay._core import RateLimiter, SharedPool
from outlay._waiting.loop import loop_state
from outlay._waiting.no_loop import first_call

if TYPE_CHECKING:
    from datetime import timedelta

    from outlay._core import BudgetLease, RequestBudget, Usage, UsageEstimate


async def acquire_slot(
    self: RateLimiter, tokens: int = 0, *, timeout: float | timedelta | None = None
) -> None:
    if first_call.comes:
        first_call.came()
    if not self._try_slot(tokens, timeout):
        await loop_state().wait(partial(self._wait_for_slot, tokens, timeout))


async def limiter_reserve_wait(
    self: RateLimiter,
    tokens: int | Usage | UsageEstimate,
    *,
    ttl: float | timedelta | None = None,
    timeout: float | timedelta | None = None,
    model: str | None = None,
) -> BudgetLease:
    if first_call.comes:
        first_call.came()
    lease = self._try_reserve(tokens, ttl, timeout, model)
    if lease is None:
        lease = await loop_state().wait(partial(self._wait, tokens, ttl, timeout, model))
        assert lease is not None
    return lease


async def pool_reserve_wait(
    self: SharedPool,
    estimate: int | Usage | UsageEstimate,
    request_budget: RequestBudget | None = None,
    *,
    ttl: float | timedelta | None = None,
    timeout: float | timedelta | None = None,
) -> BudgetLease:
    if first_call.comes:
        first_call.came()
    lease = self._try_reserve(estimate, request_budget, ttl, timeout)
    if lease is None:
        lease = await loop_state().wait(partial(self._wait, estimate, request_budget, ttl, timeout))
        assert lease is not None
    return lease


attach(RateLimiter, "acquire_slot", acquire_slot)
attach(RateLimiter, "reserve_wait", limiter_reserve_wait)
attach(SharedPool, "reserve_wait", pool_reserve_wait)
