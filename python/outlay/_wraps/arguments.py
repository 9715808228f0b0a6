"""`make_layer`: it checks the arguments that every `wrap` takes, and makes a layer of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, TypeAlias

from outlay._calls.budgets import AnyBudget
from outlay._calls.listing import normalise
from outlay._core import PriceTable
from outlay._errors import InvalidAmount, PolicyError
from outlay._usage.calibration import EstimateMode
from outlay._wraps.labels import checked_labels
from outlay._wraps.layer import Layer
from outlay._wraps.registry import remember
from outlay._wraps.unguarded import Unguarded, checked_unguarded

_CENTURY = 100 * 365 * 24 * 3_600


LabelsTwice: TypeAlias = tuple[Mapping[str, str] | None, Mapping[str, str]]
"""Labels as a mapping, and as keywords."""


class CallOptions(NamedTuple):
    """What the wraps of calls take beside budgets and labels."""

    operation: str = "query"
    """The operation that an `AgentTokenBudget` weighs."""
    prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None
    """USD per million tokens, as text, by model name."""
    output_tokens: int | None = None
    """Output to reserve if the call does not limit it. None: the policy of a guard decides, else 1,024."""
    wait: float | timedelta | None = None
    """How long a call may wait where a pool or a limiter is full. None: not at all."""
    estimate: EstimateMode | None = None
    """How much is reserved: "strict", "expected", or None for the policy of a guard."""
    unguarded: Unguarded = "warn"
    """The treatment of methods that cost money and are not guarded; see `outlay._wraps.unguarded`."""


_DEFAULTS = CallOptions()


def make_layer(
    budget: AnyBudget | Sequence[AnyBudget],
    options: CallOptions = _DEFAULTS,
    *,
    labels: LabelsTwice = (None, {}),
    made_by: str,
) -> Layer:
    """Check the arguments that every `wrap` takes.

    Args:
        budget: One budget or a list of them.
        options: What else the wrap was given.
        labels: The labels of the wrap: as a mapping, and as keywords.
        made_by: The name of the integration, as `outlay.doctor` shows it.

    Raises:
        PolicyError: An argument is not what it should be.
        InvalidAmount: `output_tokens` is no whole number, or negative.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    """
    layer = Layer(
        budgets=normalise(budget),
        operation=_checked_operation(options.operation),
        prices=_checked_prices(options.prices),
        output_tokens=_checked_output(options.output_tokens),
        labels=checked_labels(*labels),
        wait=_checked_wait(options.wait),
        estimate_mode=_checked_mode(options.estimate),
        unguarded=checked_unguarded(options.unguarded),
    )
    remember(layer, made_by)
    return layer


def _checked_prices(prices: Any) -> PriceTable | None:
    if prices is None or isinstance(prices, PriceTable):
        return prices
    try:
        return PriceTable(prices)
    except TypeError as error:
        raise PolicyError(f"prices: USD per million tokens, as text, by model name: {error}") from error


def _checked_operation(operation: Any) -> str:
    if not isinstance(operation, str) or not operation:
        raise PolicyError(f"operation: a name is allowed, not {operation!r:.100}")
    return operation


def _checked_mode(estimate: Any) -> EstimateMode | None:
    if estimate not in ("strict", "expected", None):
        raise PolicyError(f"estimate: 'strict', 'expected' or None is allowed, not {estimate!r:.100}")
    return estimate  # type: ignore[no-any-return]


def _checked_wait(wait: Any) -> float | timedelta | None:
    if isinstance(wait, timedelta):
        wait = wait.total_seconds()
    if wait is None:
        return None
    if isinstance(wait, bool) or not isinstance(wait, int | float) or not 0 <= wait <= _CENTURY:
        raise PolicyError(
            f"wait: None, or 0 to 100 years in seconds or as a timedelta, is allowed, not {wait!r:.100}"
        )
    return wait


def _checked_output(output_tokens: Any) -> int | None:
    if output_tokens is None:
        return None
    if isinstance(output_tokens, bool) or not isinstance(output_tokens, int) or output_tokens < 0:
        raise InvalidAmount(
            f"output_tokens: a whole number of 0 or more is allowed, not {output_tokens!r:.100}"
        )
    return output_tokens
