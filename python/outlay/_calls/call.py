"""`Call`: one request to a provider, with its leases and its end.

Every integration builds on this module, so it knows no framework. An integration makes one `Call` for each
request to the provider. It reserves in it, runs the request inside `entered()`, and ends it with `commit`,
`release` or `close`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Iterable, Iterator, Sequence
from contextlib import nullcontext
from contextvars import ContextVar, Token
from typing import Any, Unpack

from outlay._calls.asked import Asked, Keywords, asked_of
from outlay._calls.attempts import Attempts
from outlay._calls.budgets import Budgets, Key
from outlay._calls.ends import cancelling, committing, end_each, ending_failed, failing, release_each
from outlay._calls.inner_usage import InnerUsage, Spare
from outlay._calls.last import note_end, note_failure
from outlay._calls.late import book_late
from outlay._calls.own import all_ended, reserve_each, reserve_each_async
from outlay._calls.protocols import Lease
from outlay._calls.reserving import Reserving
from outlay._core import Usage, UsageEstimate, reserve_together
from outlay._usage.responses import as_usage, times
from outlay._waiting.together import reserve_together_wait

_current: ContextVar[Call | None] = ContextVar("outlay_call", default=None)


class Call:
    """One request to a provider: its leases, and the accounts that no layer inside it charges again.

    Layers stack: a wrapped model may use a wrapped client. The outermost layer that names an account pays for
    it; the others find the account covered and do not charge it. "Each reserve" below means each call of
    `reserve` or `reserve_async`, in their order.

    | field | what it is for |
    | --- | --- |
    | `_outer` | The call around this one that was open when this one began; None without one. |
    | `_open` | Whether this call has not ended: one that has ended covers nothing. |
    | `_leases` | The leases of each reserve; empty once they have ended. |
    | `_estimates` | What each reserve was for: booked where nobody knows the usage. |
    | `_covered` | The budgets that this call pays for, and for the calls inside it too. |
    | `_watched` | The budgets that it pays for itself alone, each with the number of its reserve. |
    | `_paid_inside` | Those of `_watched` that a call inside it has paid for as well. |
    | `_asked` | What each reserve was given; kept inside another call, which may end before this one. |
    | `_spare` | What it has booked beyond what the calls inside had used; None: it knew of all. |
    | `ending` | Ends of a user's own leases that are under way: coroutines that an async wrap awaits. |
    | `inside` | What the calls inside have used; kept only where somebody asks for it. |
    | `attempts` | The requests that the layers inside have made; kept only where somebody asks for them. |
    """

    __slots__ = (
        "_asked",
        "_covered",
        "_estimates",
        "_leases",
        "_open",
        "_outer",
        "_paid_inside",
        "_spare",
        "_watched",
        "attempts",
        "ending",
        "inside",
    )

    def __init__(self) -> None:
        outer: Call | None = _current.get()
        # A task that was started inside a call inherits its context, but may outlive it. A call that has
        # ended covers nothing, and later calls must not keep it alive.
        while outer is not None and not outer._open:
            outer = outer._outer
        self._outer: Call | None = outer
        self._covered: dict[Key, None] = {}
        self._leases: list[list[Lease]] = []
        self._open: bool = True
        self._watched: dict[Key, int] = {}
        self._paid_inside: set[Key] = set()
        self._estimates: list[UsageEstimate] = []
        self._asked: list[Asked] = []
        self._spare: Spare | None = None
        self.ending: Sequence[Awaitable[Any]] = ()
        self.inside: InnerUsage | None = None
        self.attempts: Attempts | None = None

    def reserve(
        self,
        budgets: Budgets,
        estimate: UsageEstimate,
        *,
        cover: bool = True,
        **keywords: Unpack[Keywords],
    ) -> None:
        """Reserve the estimate in every budget that is not covered yet.

        The accounts of the core are decided in one step; a user's own objects follow, one after the other.

        Args:
            budgets: The budgets of one wrap.
            estimate: What the call may use.
            cover: Pay for the calls inside this one too; default True. A call without an estimate must not:
                the usage of the calls inside it would then pass without a check.
            **keywords: How it asks; see `Keywords`. The thread waits where they say so.

        Raises:
            LimitExceeded: A budget refused; every lease of this call has been released.

        """
        with self._reserving(budgets, estimate, keywords, cover) as step:
            if step.native:
                step.hold(reserve_together(step.native, estimate, **step.keywords()))
            if step.own:
                reserve_each(step.own, step.leases, estimate, step.labels())

    async def reserve_async(
        self,
        budgets: Budgets,
        estimate: UsageEstimate,
        *,
        cover: bool = True,
        **keywords: Unpack[Keywords],
    ) -> None:
        """Do as `reserve` does, and wait without blocking the event loop."""
        try:
            with self._reserving(budgets, estimate, keywords, cover) as step:
                if step.native:
                    step.hold(await reserve_together_wait(step.native, estimate, **step.keywords()))
                if step.own:
                    await reserve_each_async(step.own, step.leases, estimate, step.labels())
        except BaseException:
            if self.ending:
                await self.ended(quietly=True)
            raise

    def _reserving(
        self, budgets: Budgets, estimate: UsageEstimate, keywords: Keywords, cover: bool
    ) -> Reserving:
        """Begin to reserve in the budgets that no call covers yet."""
        self._estimates.append(estimate)
        if self._outer is not None:
            self._asked.append(asked_of(budgets, estimate, keywords))
        return Reserving(self, budgets, keywords, cover)

    def stand_in(self, keys: Iterable[Key]) -> None:
        """Pay for accounts that were charged apart from this call.

        Usage in all other accounts goes to the call around it.
        """
        self._note(keys, cover=True)
        if self._outer is not None:
            self.inside = self._outer.inside

    def _note(self, keys: Iterable[Key], cover: bool) -> None:
        """Record the budgets that this call pays: for the calls inside it too, or for itself alone."""
        if cover:
            self._covered.update((key, None) for key in keys)
        else:
            self._watched.update((key, len(self._leases) - 1) for key in keys)

    @property
    def covered(self) -> Collection[Key]:
        """The budgets that this call pays for, and for the calls inside it too."""
        return self._covered.keys()

    def paid_inside(self, budgets: Budgets) -> bool:
        """Whether a call inside this one has paid one of these budgets, which this one does not cover."""
        guarded = any(key[0] == "guard" for key, _ in budgets.native)
        return (guarded and bool(self._paid_inside)) or not self._paid_inside.isdisjoint(
            key for key, _ in (*budgets.native, *budgets.own)
        )

    def _accounts_covered(self, *, ended: bool = False) -> list[int]:
        if self._outer is None and not self._covered and not ended:
            return []
        paid = (*self._covered, *self._watched) if ended else ()
        covered = {number for kind, number in paid if kind == "account"}
        call: Call | None = self
        while call is not None:
            if call._open:
                covered.update(number for kind, number in call._covered if kind == "account")
            call = call._outer
        return list(covered)

    def commit(self, *usages: Usage | None, requests: int = 1) -> None:
        """Book what was used, one usage for each `reserve`, in its order; None books the estimate.

        Args:
            usages: What each `reserve` is booked with.
            requests: How many requests it took; each counts as a call.

        """
        leases, requests = self._take_leases(requests)
        self._tell_outer(usages, requests)
        paid = zip(leases, usages, strict=True)
        ends = [committing(lease, usage, requests) for each, usage in paid for lease in each]
        noting = (note_end, (leases, usages, self._estimates))
        self.ending = end_each([*ends, noting, (self._settle_late, (usages,))])

    def release(self) -> None:
        """Give everything back, the last reserved first; never raises."""
        self._open = False
        self.ending = release_each([lease for leases in self._leases for lease in leases])
        self._leases.clear()

    def close(self, requests: int = 1) -> None:
        """End the call as one that failed after so many requests: each budget's own `on_error` decides.

        Tokens and money come back by default; the requests were made, and count.
        """
        self._end("_fail", requests)

    def unbilled(self, requests: int = 1) -> None:
        """End the call as one that the provider has answered and does not bill, whatever `on_error` says."""
        self._end("_unbilled", requests)

    def cancel(self, requests: int = 1) -> None:
        """End the call as one that was cancelled or never answered: it is charged, once for each request.

        Where layers inside have seen each request, those that were answered with an error are not charged.
        A guard's policy may say that cancelled calls cost nothing.
        """
        seen = self.attempts
        seen_all = seen is not None and seen.requests() >= max(1, requests)
        leases, requests = self._take_leases(requests)
        lost = max(1, seen.lost()) if seen is not None and seen_all else requests
        usages = [None if lost == 1 else times(estimate, lost) for estimate in self._estimates]
        self._tell_outer(usages, requests, lost=lost)
        paid = zip(leases, usages, strict=True)
        ends = [cancelling(lease, usage, requests, lost) for each, usage in paid for lease in each]
        noting = (note_end, (leases, usages, self._estimates))
        self.ending = end_each([*ends, noting, (self._settle_late, (usages,))])

    def _end(self, ending: str, requests: int) -> None:
        leases, requests = self._take_leases(requests)
        self._tell_attempts(requests)
        ends = [failing(lease, ending, requests) for each in leases for lease in each]
        self.ending = end_each([*ends, (note_failure, (leases,))])

    async def ended(self, *, quietly: bool = False) -> None:
        """Wait for the leases of a user's own budgets that end in coroutines.

        Args:
            quietly: Log what one of them raises; default False, raise it.

        """
        ending, self.ending = self.ending, ()
        with ending_failed() if quietly else nullcontext():
            await all_ended(ending)

    def _take_leases(self, requests: int) -> tuple[list[list[Lease]], int]:
        """Close the call; return its leases, and the largest known number of its requests."""
        self._open = False
        leases, self._leases = self._leases, []
        return leases, requests if self.attempts is None else max(requests, self.attempts.requests())

    def entered(self) -> Entered:
        """Mark everything inside the `with` block as part of this call.

        A generator must enter and leave around each step, never across a `yield`: it may be resumed or
        closed in another context.
        """
        return Entered(self)

    def _tell_outer(self, usages: Sequence[Usage | None], requests: int, *, lost: int = 0) -> None:
        outer = self._outer
        self._tell_attempts(requests, lost, self._largest(usages) if lost and outer is not None else None)
        if outer is not None and outer._open and outer.inside is not None:
            outer.inside.add(self._largest(usages))
        while outer is not None:
            for key in outer._watched:
                used = usages[self._watched[key]] if key in self._watched else None
                if key in self._covered or key in self._paid_inside or (used and used.total_tokens):
                    outer._paid_inside.add(key)
            outer = outer._outer

    def _tell_attempts(self, requests: int, lost: int = 0, unanswered: Usage | None = None) -> None:
        outer = self._outer
        if outer is None or outer.attempts is None:
            return
        if unanswered is None and self.attempts is not None:
            lost, unanswered = self.attempts.lost(), self.attempts.unanswered()
        outer.attempts.note(requests, lost, unanswered)

    def _settle_late(self, usages: Sequence[Usage | None]) -> None:
        """Keep unused bookings for calls that end later, and book usage that no call has paid for."""
        if all(usages) and not self._asked:
            return
        used = [as_usage(one or guess) for one, guess in zip(usages, self._estimates, strict=True)]
        if not all(usages):
            most = max((one.total_tokens for one in used), default=0)
            inside = 0 if self.inside is None else self.inside.total().total_tokens
            self._spare = Spare(max(0, most - inside))
        outer = self._outer
        while outer is not None and (outer._open or not outer._covered):
            outer = outer._outer
        if outer is not None and self._asked:
            book_late(self._asked, used, outer._spare, self._pays, self._accounts_covered(ended=True))

    def _pays(self, key: Key) -> bool:
        return key in self._covered or key in self._watched or self._covers(key)

    def _largest(self, usages: Sequence[Usage | None]) -> Usage:
        """Return what this call used, as its layers and the calls inside it know."""
        booked = [as_usage(one) for one in (usages if any(usages) else self._estimates) if one is not None]
        inside = Usage.zero() if self.inside is None else self.inside.total()
        return max([*booked, inside], key=lambda one: one.total_tokens)

    def _covers(self, key: Key) -> bool:
        call: Call | None = self
        while call is not None:
            if call._open and key in call._covered:
                return True
            call = call._outer
        return False


def open_calls() -> Iterator[Call]:
    """Yield the calls around this point of the program that have not ended, the innermost first."""
    call = _current.get()
    while call is not None:
        if call._open:
            yield call
        call = call._outer


class Entered:
    """Sets the current call and puts the former one back."""

    __slots__ = ("_call", "_token")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._token: Token[Call | None] | None = None

    def __enter__(self) -> None:
        self._token = _current.set(self._call)

    def __exit__(self, *_exception: object) -> None:
        if self._token is not None:
            try:
                _current.reset(self._token)
            except ValueError:
                # A coroutine that is thrown away unfinished ends in another context, where nothing was set.
                self._token = None
