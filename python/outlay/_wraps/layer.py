"""`Layer`: one `wrap`, which turns a prompt into an estimate and a response into a usage.

Every integration builds on `make_layer` and `ModelCall`, so all of them take the same
keywords and count the same way.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from outlay._calls.asked import Keywords
from outlay._calls.budgets import LABELLED, Budgets
from outlay._core import BoundGuard, PriceTable, RateLimiter, Usage, UsageEstimate, cost_capped
from outlay._errors import PolicyError
from outlay._usage.billed import cost_to_book, with_ways
from outlay._usage.calibration import Calibration, EstimateMode
from outlay._usage.fields import Fields
from outlay._usage.prompt import Prompt
from outlay._usage.responses import UNREADABLE, with_input
from outlay._wraps.said import Said
from outlay._wraps.unguarded import Unguarded

DEFAULT_OUTPUT_TOKENS = 1_024
# The usual estimate takes a third of a text's bytes for tokens, a strict one half of them.
STRICT_PER_USUAL = (3, 2)
_log = logging.getLogger("outlay")


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Layer:
    """The arguments of one `wrap`. A model that is wrapped twice has two layers."""

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

    @property
    def bound(self) -> list[dict[str, str]]:
        """The labels of the bound views among its budgets."""
        return [one.labels for _, one in self.budgets.native if isinstance(one, BoundGuard)]

    def keywords(self, prompt: Prompt) -> Keywords:
        """Return the keywords of its reserves: the operation, the labels, and the longest wait."""
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
        tokens: Fields = {"input_tokens": given, "output_tokens": self._output(prompt, mode, unlimited)}
        if prompt.billed_as:
            tokens["billed_as"] = prompt.billed_as
        if self.prices is None:
            return UsageEstimate(**tokens)
        if prompt.model_name is None:
            raise PolicyError("prices: the name of the model is unknown, so it has no price; name the model")
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
        """Return the usage to book; None if the response has none.

        Args:
            fields: What the response said.
            prompt: The prompt that was sent.
            given: The input that was reserved, for a response that reports its output alone; default None,
                the prompt's own estimate.
            reserved: The output that was reserved, of a stream that was left before its end; default None,
                it came to its end.

        """
        if fields is None:
            return None
        if reserved is not None and (not fields["output_tokens"] or _speaks_anthropic(prompt)):
            # Some providers report the input first and the output last (Anthropic begins with a count of a
            # few). The output until the cut is billed, and unknown.
            fields = {**fields, "output_tokens": reserved}
            fields.pop("total_tokens", None)
        fields = with_input(fields, prompt.input_tokens if given is None else given)
        fields = with_ways(fields, prompt.billed_as)
        try:
            usage = Usage(**fields)
            if self.prices is None or prompt.model_name is None:
                return usage
            cost = self.cost_to_book(usage.cost_micros_usd, self._cost(self.prices, prompt, usage))
            return Usage(**{**fields, "cost_micros_usd": cost})
        except ValueError as error:
            _log.warning(UNREADABLE, error)
            return None

    def observe(self, said: Said, labels: Mapping[str, str], scope: Mapping[str, str]) -> None:
        """Pass the rate limit that a provider reports to its limiters and those of its guards.

        Args:
            said: What an answer says.
            labels: What a guard matches its limiters by.
            scope: The labels of the scopes around the call, which come after those.

        """
        for _, one in self.budgets.native:
            try:
                if isinstance(one, RateLimiter):
                    one.observe(said.headers, said.status, body=said.body, model=labels.get("model"))
                elif isinstance(one, LABELLED):
                    bound = one.labels if isinstance(one, BoundGuard) else {}
                    every = {**scope, **bound, **labels}
                    one.observe(said.headers, said.status, body=said.body, labels=every)
            except Exception:
                # The answer is billed, so it must reach the caller.
                _log.exception("the rate-limit headers of an answer could not be read")

    def cost_to_book(self, reported: int, computed: int) -> int:
        """Return the cost of a call, as the policies of its guards say; if they differ, the larger.

        Args:
            reported: The cost in the answer in micro-USD; 0 is none.
            computed: What the prices of the wrap say.

        """
        if not reported:
            return computed
        sources = {one._cost_source() for _, one in self.budgets.native if isinstance(one, LABELLED)}
        return cost_to_book(sources.pop() if len(sources) == 1 else "larger", reported, computed)

    def _estimating(self) -> tuple[EstimateMode | None, int]:
        """Return the mode of estimates, and the output to reserve for calls that do not limit it.

        The policies of its guards decide where the wrap does not: of several, the strictest and the largest.
        """
        # This runs for every call, so it is one plain loop.
        mode: EstimateMode | None = None
        output: int | None = None
        for _, one in self.budgets.native:
            if isinstance(one, LABELLED):
                said, most = one._estimating()
                if mode is None or said == "strict":
                    mode = said or mode
                if most is not None and (output is None or most > output):
                    output = most
        if self.output_tokens is not None:
            output = self.output_tokens
        return self.estimate_mode or mode, DEFAULT_OUTPUT_TOKENS if output is None else output

    def output_reserve(self, prompt: Prompt) -> int:
        """Return the output to reserve for a prompt, in tokens: its whole limit, or the expected length."""
        return self._output(prompt, *self._estimating())

    def _output(self, prompt: Prompt, mode: EstimateMode | None, unlimited: int) -> int:
        limit = unlimited if prompt.output_limit is None else prompt.output_limit
        if mode == "expected":
            limit = self.calibration.output_tokens(prompt, limit)
        return limit * prompt.choices


def _speaks_anthropic(prompt: Prompt) -> bool:
    """Return whether a model is Anthropic's, at whatever provider."""
    return prompt.labels.get("provider") == "anthropic" or "claude" in (prompt.model_name or "").lower()
