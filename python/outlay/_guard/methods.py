"""The methods of `Guard`, `BoundGuard` and `Allotment` that are written in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from outlay._allowances.service import AllowanceService, service_from_ledger
from outlay._attach import attach
from outlay._core import Allotment, BoundGuard, Guard, set_labels_var, set_price_resolver
from outlay._guard.parts import noting
from outlay._guard.scopes import labels_for_core, landing, new_run_id, new_step_id, run, scope, step
from outlay._prices.resolve import resolve_price
from outlay._waiting.loop import loop_state
from outlay._waiting.no_loop import first_call

if TYPE_CHECKING:
    from datetime import timedelta

    from outlay._core import BudgetLease, Usage, UsageEstimate

_services: WeakKeyDictionary[Guard, AllowanceService] = WeakKeyDictionary()


async def reserve_wait(
    self: Guard | BoundGuard | Allotment,
    estimate: int | Usage | UsageEstimate | None = None,
    *,
    ttl: float | timedelta | None = None,
    timeout: float | timedelta | None = None,
    labels: Mapping[str, str] | None = None,
    **named: str,
) -> BudgetLease:
    if first_call.comes:
        first_call.came()
    lease = self._try_reserve(estimate, ttl, timeout, labels, named)
    if lease is None:
        lease = await loop_state().wait(partial(self._wait, estimate, ttl, timeout, labels, named))
        assert lease is not None
    return lease


async def allotment_reserve_wait(
    self: Allotment,
    estimate: int | Usage | UsageEstimate | None = None,
    *,
    ttl: float | timedelta | None = None,
    timeout: float | timedelta | None = None,
    labels: Mapping[str, str] | None = None,
    **named: str,
) -> BudgetLease:
    return await reserve_wait(self, estimate, ttl=ttl, timeout=timeout, labels=labels, **named)


async def bound_reserve_wait(
    self: BoundGuard,
    estimate: int | Usage | UsageEstimate | None = None,
    *,
    ttl: float | timedelta | None = None,
    timeout: float | timedelta | None = None,
    labels: Mapping[str, str] | None = None,
    **named: str,
) -> BudgetLease:
    return await reserve_wait(self, estimate, ttl=ttl, timeout=timeout, labels=labels, **named)


def bound_run(
    self: BoundGuard,
    run_id: str | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    **named: str,
) -> BoundGuard:
    return self.bind(labels=labels, run=new_run_id() if run_id is None else run_id, **named)


def bound_step(
    self: BoundGuard,
    name: str = "default",
    *,
    labels: Mapping[str, str] | None = None,
    **named: str,
) -> BoundGuard:
    view = self.bind(labels=labels, step=name, **named)
    view.charge_step()
    return view.bind(step_id=new_step_id())


def allowances(self: Guard) -> AllowanceService:
    service = _services.get(self)
    if service is None:
        service = _services.setdefault(self, service_from_ledger(self._allowance_ledger()))
    return service


def _attach_all() -> None:
    methods: dict[str, Callable[..., Any]] = {"scope": scope, "landing": landing, "run": run, "step": step}
    for name, method in methods.items():
        attach(Guard, name, method)
    attach(Guard, "reserve_wait", reserve_wait)
    attach(Allotment, "reserve_wait", allotment_reserve_wait)
    bound: dict[str, Callable[..., Any]] = {
        "reserve_wait": bound_reserve_wait,
        "run": bound_run,
        "step": bound_step,
    }
    for name, method in bound.items():
        attach(BoundGuard, name, method)
    for kind in (Guard, BoundGuard, Allotment):
        attach(kind, "allot", noting(kind.allot))
    attach(Guard, "allowances", allowances, property)
    set_labels_var(labels_for_core)
    set_price_resolver(resolve_price)


_attach_all()
