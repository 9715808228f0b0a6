"""One call of a governed function: what it reserves, and what is booked when it ends."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeVar

from outlay._calls.attempts import Beside
from outlay._calls.budgets import Budgets
from outlay._calls.call import Call, Entered
from outlay._calls.ends import ending_failed
from outlay._calls.inner_usage import InnerUsage
from outlay._core import Usage, UsageEstimate, WorkflowToken, cost_capped
from outlay._errors import PolicyError
from outlay._usage.outcome import End, Outcome, error_in, handled, outcome_of
from outlay._usage.prompt import Prompt
from outlay._usage.responses import counts_of, known_fields, with_input
from outlay._usage.shapes import Fields
from outlay._usage.stream import StreamUsage
from outlay._wraps.layer import Layer

_UNPRICED = (
    "a budget has a cost limit and tokens carry no price; give prices and a model, or a UsageEstimate with "
    "cost_micros_usd"
)
_UNREADABLE = "a governed call tells a usage that cannot be booked, so the estimate is: %s"
_log = logging.getLogger("outlay")


class Terms:
    """What `governed` was given, checked."""

    def __init__(self, layer: Layer, estimate: Any, usage: Any, model: Any) -> None:
        if estimate is not None and not callable(estimate):
            estimate = _as_estimate(estimate)
        if usage is not None and not callable(usage):
            raise PolicyError(f"usage: a function of the result is allowed, not {type(usage).__name__}")
        if model is not None and not isinstance(model, str):
            raise PolicyError(f"model: a name is allowed, not {type(model).__name__}")
        if layer.prices is not None:
            if model is None:
                raise PolicyError("model: prices are given, so name the model to be priced")
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
            return _with_cost(estimate, self.prices.cost(self.model, estimate))
        if self._cost_capped and not estimate.cost_micros_usd and estimate.total_tokens:
            raise PolicyError(f"estimate: {_UNPRICED}")
        return estimate

    def read(self, result: Any, estimate: UsageEstimate | None) -> Usage | None:
        """Return what a result says was used; None means the estimate."""
        if self.usage is None:
            fields = known_fields(result)
            return None if fields is None else self.priced(_with_input(fields, estimate))
        try:
            said = self.usage(result)
            if said is None or isinstance(said, Usage):
                return said
            if isinstance(said, bool):
                raise PolicyError("usage: tokens, a Usage or None is allowed, not a bool")
            return self.priced({"total_tokens": said})
        except Exception:
            # The call is made and paid for: neither its result nor its charge may be lost.
            _log.exception("the usage of a governed call could not be read, so the estimate is booked")
            return None

    def priced(self, fields: Fields) -> Usage | None:
        """Make a usage, whose cost comes with it or from the prices; None where it cannot be booked."""
        try:
            usage = Usage(**fields)
            if self.prices is None or usage.cost_micros_usd:
                return usage
            return Usage(**{**fields, "cost_micros_usd": self.prices.cost(self.model, usage)})
        except ValueError as error:
            _log.warning(_UNREADABLE, error)
            return None


class Run:
    """One call of a governed function: reserved, entered around each step, ended once."""

    def __init__(self, terms: Terms, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self._terms = terms
        self._estimate = terms.estimate(args, kwargs)
        self._call = Call()
        self._told = self._call.inside = InnerUsage()
        # Without an estimate the clients inside count their requests by themselves.
        self._beside = Beside() if self._estimate is None else None
        self._call.attempts = self._beside
        self._parts = _parts(terms.layer.budgets, covers=self._estimate is not None)
        self._stream = StreamUsage() if terms.usage is None else None
        self._items: list[Any] = []
        self._asked = terms.layer.keywords(Prompt(model_name=terms.model or None, input_tokens=0))
        self.started = False
        self._before = handled()

    def reserve(self) -> None:
        for budgets, cover in self._parts:
            self._call.reserve(budgets, self._estimate or UsageEstimate(), cover=cover, **self._asked)

    async def reserve_async(self) -> None:
        for budgets, cover in self._parts:
            estimate = self._estimate or UsageEstimate()
            await self._call.reserve_async(budgets, estimate, cover=cover, **self._asked)

    def entered(self) -> Entered:
        return self._call.entered()

    def add(self, item: Any) -> None:
        """Note an item that a generator gives."""
        self.started = True
        if self._stream is not None:
            self._stream.add(item)
        else:
            self._items.append(item)

    def commit(self, result: Any) -> None:
        """Book what the result of a function says; an error in its place, without a usage, is no answer."""
        usage = self._terms.read(result, self._estimate)
        if self._terms.usage is not None:
            self._book(usage)
        elif usage is None and error_in(result):
            self._failed(1)
        else:
            self._book(self._at_least_told(usage))

    def commit_items(self, *, cut: bool = False) -> None:
        """Book what the items of a generator say; `cut`: it did not come to its end."""
        if self._stream is None:
            self._book(self._terms.read(self._items, self._estimate))
            return
        fields = self._stream.fields()
        if fields is not None and cut and not fields["output_tokens"]:
            fields = self._with_output(fields)
        usage = None if fields is None else self._terms.priced(_with_input(fields, self._estimate))
        self._book(self._at_least_told(usage))

    def fail(self, error: BaseException) -> None:
        """End a call that did not come to its end; never hides what was raised."""
        with ending_failed():
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self.started:
            self.commit_items(cut=True)
        elif isinstance(error, Exception):
            self._end(outcome_of(error, before=self._before))
        else:
            self._unanswered(1)

    def _end(self, outcome: Outcome) -> None:
        counted = self._beside is not None and self._beside.counted()
        requests = 1 if counted else max(1, outcome.requests)
        if outcome.end is End.ANSWERED:
            fields = outcome.fields
            self._book(self._at_least_told(None if fields is None else self._terms.priced(fields)), requests)
        elif outcome.end is End.UNANSWERED:
            self._unanswered(requests)
        else:
            self._failed(requests)

    def _unanswered(self, requests: int) -> None:
        told = self._told_inside()
        if told is None:
            self._call.cancel(requests)
        else:
            self._book(told, requests)

    def _failed(self, requests: int) -> None:
        """End a call that came to nothing, but for what wrapped clients inside have used."""
        told = self._told.total()
        if self._estimate is not None and told.total_tokens:
            self._book(self._priced_told(told), requests)
        else:
            self._call.close(requests)

    def _with_output(self, fields: Fields) -> Fields:
        # Told the input and not the output: what was generated until the cut is billed, and unknown.
        estimate = self._estimate or UsageEstimate()
        output = estimate.output_tokens or max(0, estimate.total_tokens - fields["input_tokens"])
        return {name: count for name, count in fields.items() if name != "total_tokens"} | {
            "output_tokens": output
        }

    def _book(self, usage: Usage | None, requests: int = 1) -> None:
        usage = self._never_free(usage or self._told_inside())
        nothing = Usage()
        usages = (
            nothing if not cover and self._call.paid_inside(budgets) else usage
            for budgets, cover in self._parts
        )
        self._call.commit(*usages, requests=requests)

    def _told_inside(self) -> Usage | None:
        # The result says nothing: wrapped clients inside may have told more than was estimated.
        told = self._told.total()
        if self._estimate is None or told.total_tokens <= self._estimate.total_tokens:
            return None
        return self._priced_told(told)

    def _at_least_told(self, usage: Usage | None) -> Usage | None:
        """Return what a result says; more, where wrapped clients inside have told more.

        The result may be the last of many answers, or hide an attempt that was never answered.
        """
        if usage is None or self._estimate is None:
            return usage
        told = self._told.total()
        return usage if told.total_tokens <= usage.total_tokens else self._priced_told(told)

    def _priced_told(self, told: Usage) -> Usage:
        if self._terms.prices is None or told.cost_micros_usd:
            return told
        return _with_cost(told, self._terms.prices.cost(self._terms.model, told))

    def _never_free(self, usage: Usage | None) -> Usage | None:
        # Tokens without a price keep the cost that was reserved for them: a cap on cost never sees $0.
        cost = self._estimate.cost_micros_usd if self._estimate is not None else 0
        if usage is None or usage.cost_micros_usd or not cost or not usage.total_tokens:
            return usage
        return _with_cost(usage, cost)


def _parts(budgets: Budgets, *, covers: bool) -> list[tuple[Budgets, bool]]:
    """Return what is reserved in one decision each, and whether it covers the calls inside."""
    if covers:
        return [(budgets, True)]
    # Without an estimate each account is settled for itself: those that a call inside has paid are left out.
    # A step has no tokens that could go by unasked, so it is counted once.
    return [
        *((Budgets((one,), ()), isinstance(one[1], WorkflowToken)) for one in budgets.native),
        *((Budgets((), (one,)), False) for one in budgets.own),
    ]


def _as_estimate(said: Any) -> UsageEstimate:
    if isinstance(said, UsageEstimate):
        return said
    if isinstance(said, float | str | bytes) or said is None:
        raise PolicyError(f"estimate: tokens or a UsageEstimate is allowed, not {said!r:.100}")
    return UsageEstimate(total_tokens=said)


def _with_input(fields: Fields, estimate: UsageEstimate | None) -> Fields:
    if estimate is None:
        return fields
    rest = estimate.total_tokens - fields.get("output_tokens", 0)
    return with_input(fields, estimate.input_tokens or max(0, rest))


_UsageT = TypeVar("_UsageT", Usage, UsageEstimate)


def _with_cost(usage: _UsageT, cost: int) -> _UsageT:
    return type(usage)(**{**counts_of(usage), "cost_micros_usd": cost})
