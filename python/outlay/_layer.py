"""One `wrap`: its budgets, and how it turns a prompt into an estimate and a response into a usage.

Every integration builds on `make_layer` and `outlay._model_call.ModelCall`, so all of them take the same
keywords and count the same way.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from outlay._active import remember
from outlay._calls.budgets import AnyBudget, Budgets
from outlay._calls.listing import normalise
from outlay._core import Allotment, Guard, PriceTable, RateLimiter, Usage, UsageEstimate, cost_capped
from outlay._errors import InvalidAmount, PolicyError
from outlay._labels import checked_labels
from outlay._unguarded import Unguarded, checked_unguarded
from outlay._usage.calibration import Calibration, EstimateMode
from outlay._usage.prompt import Prompt
from outlay._usage.responses import UNREADABLE, with_input
from outlay._usage.shapes import Fields

DEFAULT_OUTPUT_TOKENS = 1_024
# The usual estimate takes a third of a text's bytes for tokens, a strict one half of them.
STRICT_PER_USUAL = (3, 2)
_WITH_POLICY = (Guard, Allotment)
_CENTURY = 100 * 365 * 24 * 3_600
_log = logging.getLogger("outlay")


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Layer:
    """What one `wrap` was given; a model wrapped twice has two."""

    budgets: Budgets
    operation: str
    prices: PriceTable | None
    output_tokens: int | None
    labels: Mapping[str, str]
    wait: float | timedelta | None = None
    estimate_mode: EstimateMode | None = None
    unguarded: Unguarded = "warn"
    calibration: Calibration = field(default_factory=Calibration)

    def __deepcopy__(self, memo: dict[int, Any]) -> Layer:
        # A copy of the model spends from the same accounts.
        return self

    def terms(self, prompt: Prompt) -> dict[str, Any]:
        """Return how its calls ask: the operation, the labels, and how long they may wait."""
        facts = dict(prompt.labels)
        if prompt.model_name is not None:
            facts["model"] = prompt.model_name
        return {"operation": self.operation, "labels": self.labels, "wait": self.wait, "facts": facts}

    def check_price(self, model_name: str | None) -> None:
        """Refuse a model that would be counted at $0.

        Args:
            model_name: The name that the provider is asked for; None if it is not known yet.

        Raises:
            PolicyError: A budget has a cost limit, or prices are given, and the model has no price.

        """
        if self.prices is None:
            # A guard has prices of its own, and refuses what it cannot price itself.
            if any(cost_capped(budget) for budget in self.budgets.accounts):
                raise PolicyError(
                    "prices: a budget has a cost limit, so every model needs a price; "
                    'give prices={"MODEL": {"input": "USD per million tokens", "output": "..."}}'
                )
        elif model_name is not None and not self.prices.knows(model_name):
            raise PolicyError(f"prices: no price for the model {model_name!r:.200}; add it to prices")

    def estimate(self, prompt: Prompt) -> UsageEstimate:
        """Return what to reserve for a prompt.

        Raises:
            PolicyError: The model has no price and needs one.

        """
        self.check_price(prompt.model_name)
        mode, unlimited = self._estimating()
        given = prompt.input_tokens
        if mode == "expected":
            given = self.calibration.input_tokens(prompt)
        elif mode == "strict":
            given = -(-given * STRICT_PER_USUAL[0] // STRICT_PER_USUAL[1])
        tokens = {"input_tokens": given, "output_tokens": self._output(prompt, mode, unlimited)}
        if self.prices is None:
            return UsageEstimate(**tokens)
        if prompt.model_name is None:
            raise PolicyError("prices: the model does not tell its name, so it cannot be priced")
        cost = self._cost(self.prices, prompt, UsageEstimate(**tokens))
        return UsageEstimate(**tokens, cost_micros_usd=cost)

    def _cost(self, prices: PriceTable, prompt: Prompt, usage: Usage | UsageEstimate) -> int:
        return prices.cost(prompt.model_name or "", usage, provider=prompt.labels.get("provider"))

    def usage(
        self,
        fields: Fields | None,
        prompt: Prompt,
        *,
        given: int | None = None,
        reserved: int | None = None,
    ) -> Usage | None:
        """Return what to book; None where the response does not say.

        Args:
            fields: What the response said.
            prompt: The prompt that was sent.
            given: The input that was reserved, for a response that tells its output alone; default None, the
                prompt's own estimate.
            reserved: The output that was reserved, of a stream that was left before its end; default None,
                it came to its end.

        """
        if fields is None:
            return None
        if reserved is not None and (
            not fields["output_tokens"] or prompt.labels.get("provider") == "anthropic"
        ):
            # Some providers tell the input first and the output last (Anthropic begins with a count of a
            # few): what was generated until the cut is billed, and unknown.
            fields = {**fields, "output_tokens": reserved}
            fields.pop("total_tokens", None)
        fields = with_input(fields, prompt.input_tokens if given is None else given)
        try:
            if self.prices is None or prompt.model_name is None:
                return Usage(**fields)
            cost = self._cost(self.prices, prompt, Usage(**fields))
            return Usage(**{**fields, "cost_micros_usd": cost})
        except ValueError as error:
            _log.warning(UNREADABLE, error)
            return None

    def observe(self, headers: Any, status: int, labels: Mapping[str, str]) -> None:
        """Tell its limiters, and those of its guards, what a provider says of its own rate limit.

        Args:
            headers: The headers of an answer.
            status: Its status.
            labels: What a guard matches its limiters by.

        """
        for _, one in self.budgets.native:
            try:
                if isinstance(one, RateLimiter):
                    one.observe(headers, status)
                elif isinstance(one, Guard | Allotment):
                    one.observe(headers, status, **labels)
            except Exception:
                # The answer is there and paid for: it must reach its caller.
                _log.exception("the rate-limit headers of an answer could not be taken in")

    def _estimating(self) -> tuple[EstimateMode | None, int]:
        """Return how calls are estimated, and the output to reserve where nobody limits it.

        What the wrap does not say its guards' policies do: of several, the strictest and the most.
        """
        # Asked for every call, so no more than a loop.
        mode: EstimateMode | None = None
        output: int | None = None
        for _, one in self.budgets.native:
            if isinstance(one, _WITH_POLICY):
                said, most = one._estimating()
                if mode is None or said == "strict":
                    mode = said or mode
                if most is not None and (output is None or most > output):
                    output = most
        if self.output_tokens is not None:
            output = self.output_tokens
        return self.estimate_mode or mode, DEFAULT_OUTPUT_TOKENS if output is None else output

    def output_reserve(self, prompt: Prompt) -> int:
        """Return the output to reserve for a prompt, in tokens: all of its limit, or what is expected."""
        return self._output(prompt, *self._estimating())

    def _output(self, prompt: Prompt, mode: EstimateMode | None, unlimited: int) -> int:
        limit = unlimited if prompt.output_limit is None else prompt.output_limit
        if mode == "expected":
            limit = self.calibration.output_tokens(prompt, limit)
        return limit * prompt.choices


def make_layer(
    budget: AnyBudget | Sequence[AnyBudget],
    *,
    operation: str = "query",
    prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None,
    output_tokens: int | None = None,
    wait: float | timedelta | None = None,
    estimate: EstimateMode | None = None,
    unguarded: Unguarded = "warn",
    labels: Mapping[str, str],
    made_by: str | None = None,
) -> Layer:
    """Check the arguments that every `wrap` takes.

    Args:
        budget: One budget or a list of them.
        operation: The operation that an `AgentTokenBudget` weighs; default "query".
        prices: USD per million tokens, as text, by model name.
        output_tokens: The output to reserve where the call does not limit it; default None, what the policy
            of a guard says, else 1,024.
        wait: How long a call may wait where a pool or a limiter is full; default None, not at all.
        estimate: "strict" reserves half of the prompt's bytes, "expected" what the model has taught; default
            None, what the policy of a guard says, else a third of the bytes and the whole output.
        unguarded: What becomes of methods that cost money and are not guarded; see `outlay._unguarded`.
        labels: The labels of the wrap.
        made_by: The name of the integration; default None, the module that calls.

    Raises:
        PolicyError: An argument is not what it should be.
        InvalidAmount: `output_tokens` is no whole number, or negative.

    """
    layer = Layer(
        budgets=normalise(budget),
        operation=_checked_operation(operation),
        prices=_checked_prices(prices),
        output_tokens=_checked_output(output_tokens),
        labels=checked_labels(labels),
        wait=_checked_wait(wait),
        estimate_mode=_checked_mode(estimate),
        unguarded=checked_unguarded(unguarded),
    )
    remember(layer, made_by or sys._getframe(1).f_globals["__name__"])
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
        raise PolicyError(f"wait: seconds or a timedelta, from 0 to 100 years, or None, not {wait!r:.100}")
    return wait


def _checked_output(output_tokens: Any) -> int | None:
    if output_tokens is None:
        return None
    if isinstance(output_tokens, bool) or not isinstance(output_tokens, int) or output_tokens < 0:
        raise InvalidAmount(
            f"output_tokens: a whole number of 0 or more is allowed, not {output_tokens!r:.100}"
        )
    return output_tokens
