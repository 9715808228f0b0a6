"""What a `Guard` has beside its native methods: scopes, steps, runs, waiting, allowances."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar, Token
from functools import partial
from typing import TYPE_CHECKING, Any, SupportsIndex
from weakref import WeakKeyDictionary, ref

from . import _core
from ._allowances import AllowanceService
from ._attach import attach
from ._errors import InvalidId
from ._waiting import desk

if TYPE_CHECKING:
    from datetime import timedelta

    from ._core import Allotment, BudgetLease, Guard, Usage, UsageEstimate

_labels: ContextVar[dict[str, str] | None] = ContextVar("outlay_labels", default=None)
# No label of a user's has a space at its start: it marks the scopes of a final answer.
_LANDING = " landing"
_LONGEST = 1024  # bytes of a label
_steps = itertools.count(1)
_services: WeakKeyDictionary[Guard, AllowanceService] = WeakKeyDictionary()
# Of each part the guard that it is a part of, however many parts lie between.
_guards: WeakKeyDictionary[Allotment, ref[Guard]] = WeakKeyDictionary()


def current_labels() -> dict[str, str]:
    """Return the labels of the scopes around the present code."""
    labels = _labels.get()
    if not labels:
        return {}
    return {name: value for name, value in labels.items() if name != _LANDING}


def scoped() -> dict[str, str]:
    """Return all that the scopes around the present code say, a final answer too."""
    return dict(_labels.get() or {})


class Inside:
    """What the scopes inside a function say, entered around each of its steps and left between them."""

    __slots__ = ("_inside", "_token")

    def __init__(self, labels: dict[str, str]) -> None:
        self._inside: dict[str, str] | None = {**(_labels.get() or {}), **labels}
        self._token: Token[dict[str, str] | None] | None = None

    def __enter__(self) -> None:
        self._token = _labels.set(self._inside)

    def __exit__(self, *_exception: object) -> None:
        # A step may begin a scope that goes on in the next one.
        inside, token = _labels.get(), self._token
        # What is thrown away unfinished may end in another context, where nothing was set.
        with suppress(ValueError):
            if token is not None:
                _labels.reset(token)
            self._inside = inside


@contextmanager
def _with(labels: dict[str, str]) -> Iterator[None]:
    _core.scope_begins()
    before = _labels.get()
    token = _labels.set({**(before or {}), **labels})
    try:
        yield
    finally:
        # A generator may be closed in another context, where nothing was set.
        with suppress(ValueError):
            _labels.reset(token)


def scope(self: Guard, **labels: str | uuid.UUID) -> AbstractContextManager[None]:  # noqa: ARG001 (a method)
    return _with({name: _checked(name, value) for name, value in labels.items()})


def _checked(name: str, value: str | uuid.UUID) -> str:
    """Return the text of a label, as `reserve` takes it."""
    if name == _LANDING:
        raise InvalidId(
            f"label {name!r}: a name of a label is allowed; for a final answer there is landing()"
        )
    text = str(value) if isinstance(value, uuid.UUID) else value
    if not isinstance(text, str) or not 0 < len(text.encode(errors="surrogatepass")) <= _LONGEST:
        raise InvalidId(f"{name} must be a str or a uuid.UUID of 1 to 1,024 bytes, not {value!r:.100}")
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidId(f"{name} must be text that has a UTF-8 form: no lone surrogates")
    return text


def landing(self: Guard) -> AbstractContextManager[None]:  # noqa: ARG001 (a method)
    return _with({_LANDING: "yes"})


@contextmanager
def run(self: Guard, run_id: str | uuid.UUID | None = None, **labels: str | uuid.UUID) -> Iterator[str]:
    run_id = uuid.uuid4().hex if run_id is None else _checked("run_id", run_id)
    with scope(self, run=run_id, **labels):
        yield run_id


@contextmanager
def step(self: Guard, name: str = "default", **labels: str | uuid.UUID) -> Iterator[None]:
    with scope(self, step=name, **labels):
        self.charge_step()
        with _with({"step_id": str(next(_steps))}):
            yield


async def reserve_wait(
    self: Guard | Allotment,
    estimate: int | Usage | UsageEstimate | None = None,
    *,
    ttl: float | timedelta | None = None,
    timeout: float | timedelta | None = None,
    **labels: str,
) -> BudgetLease:
    lease = self._try_reserve(estimate, ttl, timeout, labels)
    if lease is None:
        lease = await desk().wait(partial(self._wait, estimate, ttl, timeout, labels))
        assert lease is not None
    return lease


async def allotment_reserve_wait(
    self: Allotment,
    estimate: int | Usage | UsageEstimate | None = None,
    *,
    ttl: float | timedelta | None = None,
    timeout: float | timedelta | None = None,
    **labels: str,
) -> BudgetLease:
    return await reserve_wait(self, estimate, ttl=ttl, timeout=timeout, **labels)


def _noting(native: Callable[..., Allotment]) -> Callable[..., Allotment]:
    """Return `allot` as it is, with a note of the guard that the part is of."""

    def allot(
        self: Guard | Allotment,
        *,
        tokens: SupportsIndex | None = None,
        cost_micros_usd: SupportsIndex | None = None,
        calls: SupportsIndex | None = None,
        ttl: float | timedelta | None = None,
        **labels: str,
    ) -> Allotment:
        of = {"tokens": tokens, "cost_micros_usd": cost_micros_usd, "calls": calls}
        part = native(self, **of, ttl=ttl, **labels)
        _guards[part] = guard_of(self)
        return part

    return allot


def guard_of(one: Guard | Allotment) -> ref[Guard]:
    """Return a reference to a guard, or to the guard of a part; equal for those of one guard."""
    return _guards[one] if isinstance(one, _core.Allotment) else ref(one)


def allowances(self: Guard) -> AllowanceService:
    service = _services.get(self)
    if service is None:
        service = _services.setdefault(self, AllowanceService._of_ledger(self._allowance_ledger()))
    return service


def _resolve_price(model: str, provider: str | None) -> Any:
    """Return what a model costs by the optional package genai-prices, or None."""
    try:
        from ._genai_prices import from_genai_prices
    except ImportError:
        return None
    try:
        return from_genai_prices(model, provider)
    except (ImportError, LookupError):
        return None


def _attach_all() -> None:
    methods: dict[str, Callable[..., Any]] = {"scope": scope, "landing": landing, "run": run, "step": step}
    for name, method in methods.items():
        attach(_core.Guard, name, method)
    attach(_core.Guard, "reserve_wait", reserve_wait)
    attach(_core.Allotment, "reserve_wait", allotment_reserve_wait)
    for kind in (_core.Guard, _core.Allotment):
        attach(kind, "allot", _noting(kind.allot))
    attach(_core.Guard, "allowances", allowances, property)
    _core.set_labels_var(_labels.get)
    _core.set_price_resolver(_resolve_price)


_attach_all()
