"""The checked arguments of `governed`, which estimate a call and read its usage."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeVar

from outlay._core import Usage, UsageEstimate, cost_capped
from outlay._errors import PolicyError
from outlay._usage.fields import Fields
from outlay._usage.responses import counts_of, known_fields, with_input
from outlay._wraps.layer import Layer

_UNPRICED = (
    "a budget limits cost, and the estimate has no cost; give prices= and model=, or a UsageEstimate with "
    "cost_micros_usd"
)
_UNREADABLE = "the usage of a governed call cannot be booked, so its estimate is booked: %s"
_UsageT = TypeVar("_UsageT", Usage, UsageEstimate)
_log = logging.getLogger("outlay")


class Settings:
    """The checked arguments of `governed`."""

    def __init__(self, layer: Layer, estimate: Any, usage: Any, model: Any) -> None:
        if estimate is not None and not callable(estimate):
            estimate = _as_estimate(estimate)
        if usage is not None and not callable(usage):
            raise PolicyError(f"usage: a function of the result is allowed, not {type(usage).__name__}")
        if model is not None and not isinstance(model, str):
            raise PolicyError(f"model: a name is allowed, not {type(model).__name__}")
        if layer.prices is not None:
            if model is None:
                raise PolicyError("model: prices= is given without model=; give the name of the model")
            layer.check_price(model)
        self._cost_capped = any(cost_capped(one) for one in layer.budgets.accounts)
        self.layer = layer
        self.prices = layer.prices
        self.usage = usage
        self.model: str = model or ""
        self._given = estimate
        if not callable(estimate):
            self.estimate((), {})

    def estimate(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> UsageEstimate | None:
        """Return what to reserve, None where no estimate is given."""
        given = self._given
        if given is None:
            if self._cost_capped and self.prices is None:
                raise PolicyError(f"estimate: {_UNPRICED}")
            return None
        estimate = _as_estimate(given(*args, **kwargs) if callable(given) else given)
        if self.prices is not None and not estimate.cost_micros_usd:
            return with_cost(estimate, self.prices.cost(self.model, estimate))
        if self._cost_capped and not estimate.cost_micros_usd and estimate.total_tokens:
            raise PolicyError(f"estimate: {_UNPRICED}")
        return estimate

    def read(self, result: Any, estimate: UsageEstimate | None) -> Usage | None:
        """Return the usage of a result; None means the estimate."""
        if self.usage is None:
            fields = known_fields(result)
            return None if fields is None else self.priced(input_known(fields, estimate))
        try:
            said = self.usage(result)
            if said is None or isinstance(said, Usage):
                return said
            if isinstance(said, bool):
                raise PolicyError("usage: tokens, a Usage or None is allowed, not a bool")
            return self.priced({"total_tokens": said})
        except Exception:
            # The call is made and billed: neither its result nor its charge may be lost.
            _log.exception("the usage of a governed call could not be read, so the estimate is booked")
            return None

    def priced(self, fields: Fields) -> Usage | None:
        """Make a usage with its own cost or that of the prices; None if it cannot be booked."""
        try:
            usage = Usage(**fields)
            if self.prices is None:
                return usage
            computed = self.prices.cost(self.model, usage)
            cost = self.layer.cost_to_book(usage.cost_micros_usd, computed)
            return Usage(**{**fields, "cost_micros_usd": cost})
        except ValueError as error:
            _log.warning(_UNREADABLE, error)
            return None


def _as_estimate(said: Any) -> UsageEstimate:
    if isinstance(said, UsageEstimate):
        return said
    if isinstance(said, float | str | bytes) or said is None:
        raise PolicyError(f"estimate: tokens or a UsageEstimate is allowed, not {said!r:.100}")
    return UsageEstimate(total_tokens=said)


def input_known(fields: Fields, estimate: UsageEstimate | None) -> Fields:
    """Return a usage with its input, or with the input of the estimate if it has none."""
    if estimate is None:
        return fields
    rest = estimate.total_tokens - fields.get("output_tokens", 0)
    return with_input(fields, estimate.input_tokens or max(0, rest))


def with_cost(usage: _UsageT, cost: int) -> _UsageT:
    """Return a usage or an estimate with another cost."""
    return type(usage)(**{**counts_of(usage), "cost_micros_usd": cost})
