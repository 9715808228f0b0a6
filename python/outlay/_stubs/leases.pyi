"""The lease of a reservation, and the waits for one."""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Literal, Self, SupportsIndex, final

from outlay._stubs.amounts import Estimate, Usage, UsageEstimate
from outlay._stubs.arguments import Period
from outlay._stubs.caps import RequestBudget

@final
class BudgetLease:
    """The amounts that a request holds in its budgets. A lease is committed, released or expires, once.

    Leases come from the `reserve` methods of accounts, guards and their parts. A lease that nobody ends is
    ended by the settings of its budget:

    - Its block is left without a commit, its last handle is dropped, or its time to live runs out: the usage
      is unknown, so `unsettled` decides. "charge" (the default) books the estimate, "release" nothing.
    - An `Exception` leaves its block: the call failed, so `on_error` decides. "release" (the default) books
      no tokens and no money, "charge" the estimate; what counts requests (calls, steps, a rate) counts it.
    - A time-out or a lost connection leaves its block: `TimeoutError`, `ConnectionResetError`,
      `BrokenPipeError`, or one of the usual HTTP clients and SDKs. So does anything else than an `Exception`:
      cancellation, KeyboardInterrupt, a closed generator. The call may be under way, so the estimate is
      booked, once for each attempt that the exception reports.

    A lease settles in the window in which it was reserved: nothing is given back to a later one. Only what it
    used above its estimate is booked in the window of the commit. Two handles of one lease are equal.

    Example:
        >>> pool = SharedPool(capacity_tokens=1_000)
        >>> with pool.reserve(400) as lease:
        ...     lease.commit(Usage(input_tokens=200, output_tokens=50))
        >>> lease.state, pool.remaining().tokens
        ('committed', 750)

        In a coroutine:

        >>> import asyncio
        >>> async def ask():
        ...     async with pool.reserve(400) as lease:
        ...         await asyncio.sleep(0)
        ...         lease.commit(300)
        >>> asyncio.run(ask())
        >>> pool.remaining().tokens
        450
    """

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Self: ...
    @property
    def id(self) -> str:
        """The name of the lease; no other lease of this process has it."""

    @property
    def reserved(self) -> UsageEstimate:
        """What it was reserved for: the estimate."""

    @property
    def request_budget(self) -> RequestBudget:
        """The request's own cap."""

    @property
    def state(self) -> Literal["open", "committed", "released", "expired"]:
        """The state of the lease; an expired lease takes one later commit."""

    @property
    def committed(self) -> Usage | None:
        """What it was committed with, with its cost as it was booked.

        It is the estimate where `commit()` had no usage, or where the settings of the budget have charged the
        estimate. None while it is open, and if it was released or has run out without a commit.

        Example:
            >>> prices = {"gpt-x": {"input": "2.50", "output": "10.00"}}
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"usd": "1"}}], "prices": prices})
            >>> lease = guard.reserve(2_000, model="gpt-x")
            >>> lease.committed
            >>> lease.commit(Usage(input_tokens=1_000, output_tokens=100))
            >>> lease.committed.cost_micros_usd
            3500
        """

    def expires_in(self) -> float:
        """Return the seconds until it runs out, 0.0 once it has ended."""

    def commit(self, usage: Estimate | None = None) -> None:
        """End the lease and book what was used.

        It is never refused for lack of budget: usage above the estimate is booked all the same. A budget that
        is then in debt refuses everything, even an amount of 0, until there is room again. After an expiry it
        still books, once, in place of what the expiry charged. The same commit again does nothing.

        Args:
            usage: What was used; default None, the estimate. An int says tokens alone, and the cost that was
                estimated stands.

        Raises:
            InvalidAmount: It is no usage and no whole number.
            LeaseFinalized: The lease has been released, or committed with another usage.

        Example:
            >>> budget = AgentTokenBudget.hourly("a-1", 1_000)
            >>> budget.reserve("query", 900).commit(1_200)
            >>> budget.used(), budget.remaining()
            (1200, 0)
            >>> budget.try_consume("query", 0)
            False
        """

    def release(self) -> None:
        """End the lease and book nothing, not even a call: none was made. The same again does nothing.

        Raises:
            LeaseExpired: It has run out; commit what was used.
            LeaseFinalized: It has been committed.
        """

    def _accounts(self) -> list[int]: ...
    def _cancel(self, requests: int, open: int) -> None: ...
    def _commit(self, usage: Usage | UsageEstimate | SupportsIndex | None, requests: int) -> None: ...
    def _fail(self, requests: int) -> None: ...
    def _unbilled(self, requests: int) -> None: ...
    def close(self) -> None:
        """End the lease as an `Exception` in its block would, by `on_error`, if it is open; never raises.

        Tokens and money come back by default; what counts requests counts it.

        Example:
            >>> pool = SharedPool(capacity_tokens=1_000)
            >>> lease = pool.reserve(400)
            >>> try:
            ...     lease.commit(250)
            ... finally:
            ...     lease.close()
            >>> pool.remaining().tokens
            750
        """

    def extend(self, ttl: Period) -> None:
        """Let the lease run out `ttl` from now, however much time it had.

        Args:
            ttl: Its new time to live: seconds or a timedelta, more than 0.

        Raises:
            PolicyError: The time to live is not allowed.
            LeaseExpired: It has run out.
            LeaseFinalized: It has been committed or released.
        """

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exception: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> Literal[False]: ...
    def __aenter__(self) -> Awaitable[Self]: ...
    def __aexit__(
        self,
        exception: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> Awaitable[None]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Mailbox:
    """The tickets of an event loop's waits that have ended; `outlay` makes one mailbox per loop.

    Args:
        wake: Called, from any thread and under no lock, when a ticket was posted or the next refresh comes
            earlier.

    Example:
        >>> from outlay import _core
        >>> _core.Mailbox(lambda: None).take_posted()
        []
    """

    def __new__(cls, wake: Callable[[], object]) -> Self: ...
    def take_posted(self) -> list[int]:
        """Return the tickets of the waits that have ended since the last call."""

    def look(self) -> float | None:
        """Serve the waits that are due; return the seconds until the next refresh, None for never."""

    def looks_in(self) -> float | None:
        """Return the seconds until the next refresh."""

@final
class Wait:
    """A request that waits for its turn. Dropped, it leaves the queue.

    Example:
        >>> from outlay import _core
        >>> limiter = RateLimiter(100)
        >>> lease = limiter.reserve(100)
        >>> wait = limiter._wait(50, None, None, None, _core.Mailbox(lambda: None))
        >>> wait.pending
        True
        >>> lease.release()
        >>> wait.pending, wait.result().reserved.total_tokens
        (False, 50)
    """

    @property
    def ticket(self) -> int:
        """The number under which its end is posted."""

    @property
    def pending(self) -> bool:
        """Whether it still waits."""

    def result(self) -> BudgetLease | None:
        """Return what it was given, once: a lease, None for a slot; raise what refused it."""

    @property
    def gives_up_in(self) -> float | None:
        """How many seconds it waits for its store, if it waits for a store alone: then `give_up` is due."""

    def give_up(self) -> None:
        """End it by what is known, or by `on_down`: its store has not answered in time."""

    def pass_over(self) -> bool:
        """Give back what was given and not taken, and let others pass; return whether there was something."""

    def resume(self) -> None:
        """Wait again at the place of its age, if others passed it."""

    def leave(self) -> None:
        """Leave the queue; what was given and not taken is given back."""
