"""`Run`: one call of a governed function, from its reserve to its booking."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from outlay._calls.attempts import Beside
from outlay._calls.budgets import Budgets
from outlay._calls.call import Call, Entered
from outlay._calls.ends import ending_failed
from outlay._calls.inner_usage import InnerUsage
from outlay._core import Usage, UsageEstimate, WorkflowToken
from outlay._governed.settings import Settings, input_known, with_cost
from outlay._usage.fields import Fields
from outlay._usage.outcome import End, Outcome, error_in, handled, outcome_of
from outlay._usage.prompt import Prompt
from outlay._usage.stream import StreamUsage


class Run:
    """One call of a governed function. It is reserved, entered around each step, and ended once."""

    def __init__(self, settings: Settings, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self._settings = settings
        self._estimate = settings.estimate(args, kwargs)
        self._call = Call()
        self._inside = self._call.inside = InnerUsage()
        # Without an estimate the clients inside count their requests by themselves.
        self._beside = Beside() if self._estimate is None else None
        self._call.attempts = self._beside
        self._parts = _parts(settings.layer.budgets, covers=self._estimate is not None)
        self._stream = StreamUsage() if settings.usage is None else None
        self._items: list[Any] = []
        self._asked = settings.layer.keywords(Prompt(model_name=settings.model or None, input_tokens=0))
        self.started = False
        self._before = handled()

    def reserve(self) -> None:
        for budgets, cover in self._parts:
            self._call.reserve(budgets, self._estimate or UsageEstimate(), cover=cover, **self._asked)

    async def reserve_async(self) -> None:
        for budgets, cover in self._parts:
            estimate = self._estimate or UsageEstimate()
            await self._call.reserve_async(budgets, estimate, cover=cover, **self._asked)

    async def ended(self, error: BaseException | None = None) -> None:
        """Await the ends of a user's own leases that are async; see `ModelCall.ended`."""
        if self._call.ending and not isinstance(error, GeneratorExit):
            await self._call.ended(quietly=error is not None)

    def entered(self) -> Entered:
        return self._call.entered()

    def closing(self) -> AbstractContextManager[None]:
        """Return an empty context: the call has ended before its generator is closed."""
        return nullcontext()

    def add(self, item: Any) -> None:
        """Note an item that a generator gives."""
        self.started = True
        if self._stream is not None:
            self._stream.add(item)
        else:
            self._items.append(item)

    def commit(self, result: Any) -> None:
        """Book the usage of the result of a function. An error as result, without a usage, is no answer."""
        usage = self._settings.read(result, self._estimate)
        if self._settings.usage is not None:
            self._book(usage)
        elif usage is None and error_in(result):
            self._failed(1)
        else:
            self._book(self._at_least_inside(usage))

    def commit_items(self, *, cut: bool = False) -> None:
        """Book the usage of the items of a generator; `cut`: it did not come to its end."""
        if self._stream is None:
            self._book(self._settings.read(self._items, self._estimate))
            return
        fields = self._stream.fields()
        if fields is not None and cut and not fields["output_tokens"]:
            fields = self._with_output(fields)
        usage = None if fields is None else self._settings.priced(input_known(fields, self._estimate))
        self._book(self._at_least_inside(usage))

    def fail(self, error: BaseException) -> None:
        """End a call that did not come to its end; never hides the exception that was raised."""
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
            self._book(
                self._at_least_inside(None if fields is None else self._settings.priced(fields)), requests
            )
        elif outcome.end is End.UNANSWERED:
            self._unanswered(requests)
        else:
            self._failed(requests)

    def _unanswered(self, requests: int) -> None:
        used = self._used_inside()
        if used is None:
            self._call.cancel(requests)
        else:
            self._book(used, requests)

    def _failed(self, requests: int) -> None:
        """End a failed call, and book the usage of the wrapped clients inside it."""
        used = self._inside.total()
        if self._estimate is not None and used.total_tokens:
            self._book(self._priced(used), requests)
        else:
            self._call.close(requests)

    def _with_output(self, fields: Fields) -> Fields:
        # The input is known and the output is not: the output until the cut is billed, so the estimate is
        # booked.
        estimate = self._estimate or UsageEstimate()
        output = estimate.output_tokens or max(0, estimate.total_tokens - fields["input_tokens"])
        return {name: count for name, count in fields.items() if name != "total_tokens"} | {
            "output_tokens": output
        }

    def _book(self, usage: Usage | None, requests: int = 1) -> None:
        usage = self._never_free(usage or self._used_inside())
        nothing = Usage()
        usages = (
            nothing if not cover and self._call.paid_inside(budgets) else usage
            for budgets, cover in self._parts
        )
        self._call.commit(*usages, requests=requests)

    def _used_inside(self) -> Usage | None:
        # The result has no usage: wrapped clients inside may have reported more than the estimate.
        used = self._inside.total()
        if self._estimate is None or used.total_tokens <= self._estimate.total_tokens:
            return None
        return self._priced(used)

    def _at_least_inside(self, usage: Usage | None) -> Usage | None:
        """Return the usage of a result, or that of the wrapped clients inside if it is larger.

        The result may be the last of many answers, or hide an attempt that was never answered.
        """
        if usage is None or self._estimate is None:
            return usage
        used = self._inside.total()
        return usage if used.total_tokens <= usage.total_tokens else self._priced(used)

    def _priced(self, used: Usage) -> Usage:
        if self._settings.prices is None or used.cost_micros_usd:
            return used
        return with_cost(used, self._settings.prices.cost(self._settings.model, used))

    def _never_free(self, usage: Usage | None) -> Usage | None:
        # Tokens without a price keep the cost that was reserved for them, so that a limit on cost never sees
        # $0.
        cost = self._estimate.cost_micros_usd if self._estimate is not None else 0
        if usage is None or usage.cost_micros_usd or not cost or not usage.total_tokens:
            return usage
        return with_cost(usage, cost)


def _parts(budgets: Budgets, *, covers: bool) -> list[tuple[Budgets, bool]]:
    """Return the groups of budgets that decide together, each with whether it covers the calls inside."""
    if covers:
        return [(budgets, True)]
    # Without an estimate, each account is settled by itself, and those that a call inside has paid are left
    # out. A step has no tokens, so it is counted once.
    return [
        *((Budgets((one,), ()), isinstance(one[1], WorkflowToken)) for one in budgets.native),
        *((Budgets((), (one,)), False) for one in budgets.own),
    ]
