"""The native core of outlay: clocks, amounts, leases, budgets, limiters, waits, allowances and prices.

Everything here that has no underscore and is listed in `outlay.__all__` is public and is imported from
`outlay`. The rules that hold for all of it:

- An identifier is a `str` (or a `uuid.UUID`, which becomes its text) of 1 to 1,024 bytes of UTF-8, whatever
  the characters. Empty text, longer text and lone surrogates raise `InvalidId`.
- An amount of tokens, calls, steps or micro-USD is a whole number from 0 to 2**64 - 1: an `int`, or what
  counts as one (a numpy integer). A bool, a float, a negative number raise `InvalidAmount`.
- A period or a time to live is seconds (`int` or `float`) or a `datetime.timedelta`, more than 0 and at most
  100 years, else `PolicyError`. Reported durations are seconds as `float`.
- A refusal is an exception of the family `LimitExceeded`. It changes nothing and it costs nothing.
- `used + reserved + amount <= limit` is what is admitted: a budget that is used up exactly is full, not over.
  A budget in debt (more was committed than reserved) refuses everything, even an amount of 0.
- Everything may be used from many threads. Value classes are frozen, compare by value and pickle. Accounts
  (budgets, pools, quotas, managers, limiters, leases, tokens) can not be pickled or copied (`TypeError`), for
  a copy would have a limit of its own; in a forked child the accounts of the parent raise `ForkedLedger`.
"""

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from decimal import Decimal
from types import ModuleType, TracebackType
from typing import Any, Final, Literal, Self, SupportsIndex, TypeAlias, final
from uuid import UUID

from outlay._allowances.service import AllowanceService

__all__ = [
    "AgentBudget",
    "AgentTokenBudget",
    "Allotment",
    "AllowanceLedger",
    "BudgetInfo",
    "BudgetLease",
    "BudgetLimit",
    "BudgetManager",
    "Denial",
    "EmptyMethods",
    "FullBudgetInfo",
    "Guard",
    "Mailbox",
    "ManualClock",
    "PriceTable",
    "RateLimiter",
    "Remaining",
    "RequestBudget",
    "SharedPool",
    "SystemClock",
    "Usage",
    "UsageEstimate",
    "Wait",
    "WorkflowQuota",
    "WorkflowToken",
    "__version__",
    "account_id",
    "after_fork_in_child",
    "at_exit",
    "charge_together",
    "check_amount",
    "check_id",
    "check_period",
    "cost_capped",
    "record_together",
    "reserve_together",
    "restore_denial",
    "scope_begins",
    "set_end_block",
    "set_exceptions",
    "set_labels_var",
    "set_price_resolver",
    "usd",
    "wait_together",
]

__version__: Final[str]

_Id: TypeAlias = str | UUID
_Amount: TypeAlias = SupportsIndex
_Period: TypeAlias = float | timedelta
_Clock: TypeAlias = SystemClock | ManualClock
_Estimate: TypeAlias = UsageEstimate | Usage | _Amount
_Tier: TypeAlias = Mapping[str, str | int]
_Price: TypeAlias = Mapping[str, str] | Mapping[str, str | Sequence[_Tier]]
_Prices: TypeAlias = Mapping[str, Mapping[str, str]] | Mapping[str, _Price]
_Path: TypeAlias = str | os.PathLike[str]
_Policy: TypeAlias = dict[str, Any] | _Path
_Headers: TypeAlias = (
    Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str, str] | tuple[bytes, bytes]]
)
_Ending: TypeAlias = Literal["charge", "release"]
_Checked: TypeAlias = tuple[bool, str, int, int, str]
_JobEvent: TypeAlias = Literal["job_started", "job_completed", "job_failed", "job_cancelled"]
_RepoAction: TypeAlias = Literal["pr", "issue"]
_Native: TypeAlias = AgentTokenBudget | AgentBudget | SharedPool | RateLimiter | WorkflowToken
_Asked: TypeAlias = _Native | Guard | Allotment

# Clocks

@final
class SystemClock:
    """The machine's clocks: the default of every class that keeps time.

    Windows and leases are timed by the monotonic clock, so that a step of the wall clock refills nothing.

    Example:
        >>> budget = AgentTokenBudget.hourly("a-1", 1_000, clock=SystemClock())
        >>> 0 < budget.time_until_reset() <= 3600
        True

    """

    def __new__(cls) -> Self: ...

@final
class ManualClock:
    """A clock that stands still until it is told to move: for tests, simulations and replays.

    It starts at 1970-01-01 00:00 UTC. One clock may serve many budgets.

    Example:
        >>> clock = ManualClock()
        >>> budget = AgentTokenBudget.hourly("a-1", 1_000, clock=clock)
        >>> budget.consume("query", 1_000)
        >>> clock.advance(3600)
        >>> budget.used()
        0

    """

    def __new__(cls) -> Self: ...
    def advance(self, seconds: _Period) -> None:
        """Let time pass, on the monotonic and on the wall clock.

        Windows end and leases run out as if the time had really passed.

        Args:
            seconds: How long: seconds or a timedelta, 0 or more.

        Raises:
            PolicyError: It is negative, not finite or no duration.

        """

    def set_time(self, time: datetime) -> None:
        """Step the wall clock, forwards or backwards; no time passes.

        No lease runs out and no window of a duration moves on: they follow `advance` alone. Calendar
        windows of a `Guard` follow the wall time, but a step backwards refills none. The wall time is
        also what `BudgetManager.persist` writes and `restore` reads.

        Args:
            time: The new wall time; a naive datetime is taken as UTC.

        Raises:
            PolicyError: It is before 1678 or after 2262.
            TypeError: It is no datetime.

        Example:
            >>> from datetime import datetime, timezone
            >>> clock = ManualClock()
            >>> budget = AgentTokenBudget.daily("a-1", 1_000, clock=clock)
            >>> clock.set_time(datetime(2030, 1, 1, tzinfo=timezone.utc))
            >>> budget.time_until_reset()
            86400.0

        """

# Amounts

@final
class Usage:
    """The tokens and the cost of one call, or of many.

    `input_tokens` includes what was read from and written to a cache, `output_tokens` includes reasoning, so
    the finer counts are parts and never added on top. Limits of tokens count `total_tokens`.

    Args:
        input_tokens: Prompt tokens, cache included; default 0.
        output_tokens: Generated tokens, reasoning included; default 0.
        total_tokens: What limits count; default input + output.
        cost_micros_usd: The cost in millionths of a US dollar; default 0.
        cache_read_tokens: The part of the input that was read from a cache; default 0.
        cache_write_tokens: The part of the input that was written to a cache; default 0.
        cache_write_1h_tokens: The part of what was written that is kept for an hour; default 0.
        reasoning_tokens: The part of the output that was reasoning; default 0.

    Raises:
        InvalidAmount: A count is no whole number from 0 to 2**64 - 1, or input + output is above that.

    Example:
        >>> usage = Usage(input_tokens=100, output_tokens=20, cost_micros_usd=450)
        >>> usage.total_tokens
        120
        >>> (usage + Usage(total_tokens=5)).total_tokens
        125
        >>> import pickle
        >>> pickle.loads(pickle.dumps(usage)) == usage
        True

    """

    def __new__(
        cls,
        *,
        input_tokens: _Amount | None = None,
        output_tokens: _Amount | None = None,
        total_tokens: _Amount | None = None,
        cost_micros_usd: _Amount | None = None,
        cache_read_tokens: _Amount | None = None,
        cache_write_tokens: _Amount | None = None,
        cache_write_1h_tokens: _Amount | None = None,
        reasoning_tokens: _Amount | None = None,
    ) -> Self: ...
    @staticmethod
    def zero() -> Usage:
        """Return a usage of nothing: the start of a sum.

        Example:
            >>> sum([Usage(total_tokens=1), Usage(total_tokens=2)], Usage.zero()).total_tokens
            3

        """

    @classmethod
    def from_response(
        cls, obj: Any, *, model: str | None = None, prices: _Prices | PriceTable | None = None
    ) -> Self:
        """Read the usage that a response carries.

        Understood are responses, stream events and usages of OpenAI (chat and responses), Anthropic and
        Gemini, messages and results of LangChain, usages and results of pydantic-ai, and dicts of one of
        these shapes. No vendor's package is imported.

        Args:
            obj: The response, its usage, or either as a dict.
            model: The name under which the price is looked up; default: the name in the response.
            prices: USD per million tokens by model, as text; default None leaves the cost at 0.

        Returns:
            The usage, with its cost in micro-USD (rounded up once) where prices are given.

        Raises:
            InvalidAmount: It carries no usage, or a count in it is no whole number.
            PolicyError: Prices are given, and the model is not named or has none: it never costs 0.

        Example:
            >>> response = {"model": "gpt-x", "usage": {"prompt_tokens": 1_000, "completion_tokens": 100}}
            >>> Usage.from_response(response).total_tokens
            1100
            >>> prices = {"gpt-x": {"input": "2.50", "output": "10.00"}}
            >>> Usage.from_response(response, prices=prices).cost_micros_usd
            3500

        """

    @property
    def input_tokens(self) -> int:
        """Prompt tokens, cache included."""

    @property
    def output_tokens(self) -> int:
        """Generated tokens, reasoning included."""

    @property
    def total_tokens(self) -> int:
        """What limits of tokens count."""

    @property
    def cost_micros_usd(self) -> int:
        """The cost in millionths of a US dollar."""

    @property
    def cache_read_tokens(self) -> int:
        """The part of the input that was read from a cache."""

    @property
    def cache_write_tokens(self) -> int:
        """The part of the input that was written to a cache."""

    @property
    def cache_write_1h_tokens(self) -> int:
        """The part of what was written to a cache that is kept there for an hour."""

    @property
    def reasoning_tokens(self) -> int:
        """The part of the output that was reasoning."""

    def __add__(self, other: Usage, /) -> Usage: ...
    def __radd__(self, other: Usage, /) -> Usage: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...
    def __hash__(self) -> int: ...

@final
class UsageEstimate:
    """What a call may use: the shape of `Usage`, to be asked for before the call.

    Args:
        input_tokens: Prompt tokens, cache included; default 0.
        output_tokens: Generated tokens, reasoning included; default 0.
        total_tokens: What limits count; default input + output.
        cost_micros_usd: The cost in millionths of a US dollar; default 0.
        cache_read_tokens: The part of the input that comes from a cache; default 0.
        cache_write_tokens: The part of the input that goes to a cache; default 0.
        cache_write_1h_tokens: The part of what goes there that is kept for an hour; default 0.
        reasoning_tokens: The part of the output that is reasoning; default 0.

    Raises:
        InvalidAmount: A count is no whole number from 0 to 2**64 - 1, or input + output is above that.

    Example:
        >>> pool = SharedPool(capacity_tokens=1_000, capacity_cost_micros_usd=usd("0.01"))
        >>> lease = pool.reserve(UsageEstimate(input_tokens=300, output_tokens=100, cost_micros_usd=2_500))
        >>> lease.reserved.total_tokens
        400
        >>> lease.release()

    """

    def __new__(
        cls,
        *,
        input_tokens: _Amount | None = None,
        output_tokens: _Amount | None = None,
        total_tokens: _Amount | None = None,
        cost_micros_usd: _Amount | None = None,
        cache_read_tokens: _Amount | None = None,
        cache_write_tokens: _Amount | None = None,
        cache_write_1h_tokens: _Amount | None = None,
        reasoning_tokens: _Amount | None = None,
    ) -> Self: ...
    @staticmethod
    def zero() -> UsageEstimate:
        """Return an estimate of nothing."""

    @property
    def input_tokens(self) -> int:
        """Prompt tokens, cache included."""

    @property
    def output_tokens(self) -> int:
        """Generated tokens, reasoning included."""

    @property
    def total_tokens(self) -> int:
        """What limits of tokens count."""

    @property
    def cost_micros_usd(self) -> int:
        """The cost in millionths of a US dollar."""

    @property
    def cache_read_tokens(self) -> int:
        """The part of the input that comes from a cache."""

    @property
    def cache_write_tokens(self) -> int:
        """The part of the input that goes to a cache."""

    @property
    def cache_write_1h_tokens(self) -> int:
        """The part of what goes to a cache that is kept there for an hour."""

    @property
    def reasoning_tokens(self) -> int:
        """The part of the output that is reasoning."""

    def __add__(self, other: UsageEstimate, /) -> UsageEstimate: ...
    def __radd__(self, other: UsageEstimate, /) -> UsageEstimate: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...
    def __hash__(self) -> int: ...

@final
class RequestBudget:
    """A request's own cap, beside the limits of the pool it asks.

    Args:
        tokens: The most tokens the request may use; default None, no cap.
        cost_micros_usd: The most it may cost in millionths of a US dollar; default None, no cap.

    Raises:
        InvalidAmount: A cap is no whole number from 0 to 2**64 - 1.

    Example:
        >>> pool = SharedPool(capacity_tokens=10_000)
        >>> try:
        ...     pool.reserve(600, RequestBudget(tokens=500))
        ... except RequestBudgetExceeded as refused:
        ...     refused.limit
        500

    """

    def __new__(cls, *, tokens: _Amount | None = None, cost_micros_usd: _Amount | None = None) -> Self: ...
    @staticmethod
    def unlimited() -> RequestBudget:
        """Return a budget without any cap."""

    @staticmethod
    def from_tokens(tokens: _Amount) -> RequestBudget:
        """Return a cap of tokens alone.

        Args:
            tokens: The most tokens the request may use.

        """

    @staticmethod
    def from_cost_micros_usd(cost_micros_usd: _Amount) -> RequestBudget:
        """Return a cap of cost alone.

        Args:
            cost_micros_usd: The most it may cost in millionths of a US dollar.

        Example:
            >>> RequestBudget.from_cost_micros_usd(usd("0.05"))
            RequestBudget(tokens=None, cost_micros_usd=50000)

        """

    @staticmethod
    def with_limits(tokens: _Amount | None, cost_micros_usd: _Amount | None) -> RequestBudget:
        """Return a cap of tokens and of cost.

        Args:
            tokens: The most tokens the request may use, None for no cap.
            cost_micros_usd: The most it may cost in millionths of a US dollar, None for no cap.

        """

    @property
    def tokens(self) -> int | None:
        """The most tokens, None for no cap."""

    @property
    def cost_micros_usd(self) -> int | None:
        """The highest cost in millionths of a US dollar, None for no cap."""

    def __eq__(self, other: object, /) -> bool: ...
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...
    def __hash__(self) -> int: ...

@final
class Remaining:
    """What is left in a pool, as `SharedPool.remaining` reports it.

    Args:
        tokens: Tokens left, None where they are unlimited.
        cost_micros_usd: Millionths of a US dollar left, None where cost is unlimited.
        below_threshold: Whether a limited amount is at or under its stop threshold.

    Raises:
        InvalidAmount: An amount is no whole number from 0 to 2**64 - 1.

    Example:
        >>> pool = SharedPool(capacity_tokens=1_000, stop_threshold_tokens=100)
        >>> pool.reserve(900).commit()
        >>> pool.remaining()
        Remaining(tokens=100, cost_micros_usd=None, below_threshold=True)

    """

    def __new__(
        cls, tokens: _Amount | None, cost_micros_usd: _Amount | None, below_threshold: bool
    ) -> Self: ...
    @property
    def tokens(self) -> int | None:
        """Tokens left, counted from the capacity; None where they are unlimited."""

    @property
    def cost_micros_usd(self) -> int | None:
        """Millionths of a US dollar left, counted from the capacity; None where cost is unlimited."""

    @property
    def below_threshold(self) -> bool:
        """Whether a limited amount is at or under its stop threshold."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

def usd(dollars: str | Decimal | SupportsIndex) -> int:
    """Return dollars as whole millionths of a US dollar, exactly.

    Args:
        dollars: Plain decimal text, a Decimal or a whole number of dollars; not negative, at most 6 decimals.

    Returns:
        Micro-USD.

    Raises:
        InvalidAmount: It is a float (0.1 has no exact binary form), negative, not finite, too fine or too
            large.

    Example:
        >>> usd("12.34")
        12340000

    """

# Leases

@final
class BudgetLease:
    """What a request holds of its budgets until it is committed, released or expires: once.

    Leases come from the `reserve` methods of accounts, guards and their parts. A lease that nobody ends is
    ended by the settings of its budget:

    - Its block is left without a commit, its last handle is dropped, or its time to live runs out: the usage
      is unknown, so `unsettled` decides. "charge" (the default) books the estimate, "release" nothing.
    - An `Exception` leaves its block: the call failed, so `on_error` decides. "release" (the default) books
      no tokens and no money, "charge" the estimate; what counts requests (calls, steps, a rate) counts it.
    - A time-out or a lost connection leaves its block (`TimeoutError`, `ConnectionResetError`,
      `BrokenPipeError`, and those of the usual HTTP clients and SDKs), or anything else than an `Exception`
      (cancellation, KeyboardInterrupt, a closed generator): the call may be under way, so the estimate is
      booked, once for each attempt that the exception tells.

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
        """How far it has come; an expired lease takes one later commit."""

    def expires_in(self) -> float:
        """Return the seconds until it runs out, 0.0 once it has ended."""

    def commit(self, usage: _Estimate | None = None) -> None:
        """End the lease and book what was used.

        It is never refused for lack of budget: what is above the estimate is booked all the same, and a
        budget that is in debt by it refuses everything, even an amount of 0, until there is room again. After
        an expiry it still books, once, in place of what the expiry charged. The same commit again does
        nothing.

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

    def extend(self, ttl: _Period) -> None:
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

# Token budgets

@final
class AgentTokenBudget:
    """The tokens that one agent may use in each period.

    The first period starts when the budget is made, and the next ones follow without a gap: `daily` and
    `hourly` are 24 hours and 1 hour from creation, not calendar days and hours. What was used is forgotten
    when a period ends; debt does not carry over.

    An operation multiplies its tokens: query 1, embedding 5, vector_search 10, write 2, transaction 3, any
    other 1.

    Args:
        agent_id: The agent.
        total_tokens: Tokens in a period; with 0 everything above 0 is refused.
        period: The length of a period: seconds or a timedelta.
        warning_threshold: The share of the total, 0 to 1, from which on `is_warning` is true; default 0.8.
        hard_limit: False: `consume` and `reserve` never refuse, usage is counted above the total, and `check`
            still reports. Default True.
        operation_costs: What one token costs by operation; replaces the costs above. Default None keeps them.
        on_warning: Called with the budget once in each period, when `used` reaches the threshold (what leases
            hold does not count); an exception in it is logged (logger "outlay") and goes no further.
            Default None.
        lease_ttl: How long a lease lives unless `reserve` says otherwise: seconds or a timedelta; default
            None, 900 seconds.
        unsettled: What is booked for a lease whose usage never came: "charge" (default) the estimate,
            "release" nothing.
        on_error: What is booked for a lease whose block is left by an error: "release" (default) no tokens
            and no money, "charge" the estimate. Either way a request counts, and a time-out is charged.
        clock: Where time comes from; default None, the machine's clocks.

    Raises:
        InvalidId: The agent's id or the name of an operation is not allowed.
        InvalidAmount: The total or the cost of an operation is no whole number.
        PolicyError: Another argument makes no sense.

    Example:
        >>> budget = AgentTokenBudget("a-1", 1_000, 3600, operation_costs={"search": 10})
        >>> budget.consume("query", 300)
        >>> budget.consume("search", 50)
        >>> budget.used(), budget.is_warning()
        (800, True)
        >>> try:
        ...     budget.consume("search", 50)
        ... except BudgetExceeded as refused:
        ...     refused.requested, refused.remaining
        (500, 200)

    """

    def __new__(
        cls,
        agent_id: _Id,
        total_tokens: _Amount,
        period: _Period,
        *,
        warning_threshold: float = ...,
        hard_limit: bool = True,
        operation_costs: Mapping[str, _Amount] | None = None,
        on_warning: Callable[[AgentTokenBudget], object] | None = None,
        lease_ttl: _Period | None = None,
        unsettled: _Ending = ...,
        on_error: _Ending = ...,
        clock: _Clock | None = None,
    ) -> Self: ...
    @classmethod
    def daily(
        cls,
        agent_id: _Id,
        tokens: _Amount,
        *,
        warning_threshold: float = 0.8,
        hard_limit: bool = True,
        operation_costs: Mapping[str, _Amount] | None = None,
        on_warning: Callable[[AgentTokenBudget], object] | None = None,
        lease_ttl: _Period | None = None,
        unsettled: _Ending = "charge",
        on_error: _Ending = "release",
        clock: _Clock | None = None,
    ) -> Self:
        """Return a budget of so many tokens in each 24 hours from now (not calendar days).

        Args:
            agent_id: The agent.
            tokens: Tokens in 24 hours.
            warning_threshold: As in the class.
            hard_limit: As in the class.
            operation_costs: As in the class.
            on_warning: As in the class.
            lease_ttl: As in the class.
            unsettled: As in the class.
            on_error: As in the class.
            clock: As in the class.

        """

    @classmethod
    def hourly(
        cls,
        agent_id: _Id,
        tokens: _Amount,
        *,
        warning_threshold: float = 0.8,
        hard_limit: bool = True,
        operation_costs: Mapping[str, _Amount] | None = None,
        on_warning: Callable[[AgentTokenBudget], object] | None = None,
        lease_ttl: _Period | None = None,
        unsettled: _Ending = "charge",
        on_error: _Ending = "release",
        clock: _Clock | None = None,
    ) -> Self:
        """Return a budget of so many tokens in each hour from now (not calendar hours).

        Args:
            agent_id: The agent.
            tokens: Tokens in an hour.
            warning_threshold: As in the class.
            hard_limit: As in the class.
            operation_costs: As in the class.
            on_warning: As in the class.
            lease_ttl: As in the class.
            unsettled: As in the class.
            on_error: As in the class.
            clock: As in the class.

        """

    def consume(self, operation: str, estimated_tokens: _Amount) -> None:
        """Book the operation's cost times the tokens at once.

        Args:
            operation: What is done; its cost multiplies the tokens.
            estimated_tokens: Tokens.

        Raises:
            BudgetExceeded: It does not fit; nothing was changed. Never where `hard_limit` is False.
            InvalidAmount: The tokens are no whole number.
            InvalidId: The name of the operation is not allowed.

        Example:
            >>> budget = AgentTokenBudget.hourly("a-1", 100)
            >>> budget.consume("write", 30)
            >>> budget.used()
            60

        """

    def try_consume(self, operation: str, estimated_tokens: _Amount) -> bool:
        """Book as `consume` does, without an exception for a refusal.

        Args:
            operation: What is done; its cost multiplies the tokens.
            estimated_tokens: Tokens.

        Returns:
            True if it was booked; False if it does not fit, and nothing was changed.

        Raises:
            InvalidAmount: The tokens are no whole number.
            InvalidId: The name of the operation is not allowed.

        """

    def check(self, operation: str, estimated_tokens: _Amount) -> None:
        """Refuse what `consume` would refuse, and change nothing in any case.

        Another thread may take the room that was there; `consume` checks and books in one step. A limit that
        is not hard is reported as if it were.

        Args:
            operation: What would be done; its cost multiplies the tokens.
            estimated_tokens: Tokens.

        Raises:
            BudgetExceeded: It would not fit.
            InvalidAmount: The tokens are no whole number.
            InvalidId: The name of the operation is not allowed.

        Example:
            >>> budget = AgentTokenBudget.hourly("a-1", 100, hard_limit=False)
            >>> budget.consume("query", 150)
            >>> budget.usage_percentage()
            1.5
            >>> try:
            ...     budget.check("query", 1)
            ... except BudgetExceeded as refused:
            ...     refused.used
            150

        """

    def reserve(
        self, operation: str, estimated_tokens: _Estimate, *, ttl: _Period | None = None
    ) -> BudgetLease:
        """Hold the operation's cost times the tokens until the lease ends.

        The cost multiplies the committed tokens as it did the estimate: commit what the call really used.

        Args:
            operation: What will be done; its cost multiplies the tokens.
            estimated_tokens: Tokens, or a `UsageEstimate` of which the total counts.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the budget's
                `lease_ttl`.

        Returns:
            The lease to commit.

        Raises:
            BudgetExceeded: It does not fit; nothing was changed. Never where `hard_limit` is False.
            InvalidAmount: The tokens are no whole number.
            InvalidId: The name of the operation is not allowed.
            PolicyError: The time to live is not allowed.

        Example:
            >>> budget = AgentTokenBudget.hourly("a-1", 1_000)
            >>> with budget.reserve("embedding", 100) as lease:
            ...     held = budget.reserved()
            ...     lease.commit(80)
            >>> held, budget.used()
            (500, 400)

        """

    def remaining(self) -> int:
        """Return the tokens left in this period: total - used - reserved, never below 0."""

    def used(self) -> int:
        """Return the tokens booked in this period."""

    def reserved(self) -> int:
        """Return the tokens that open leases hold."""

    def usage_percentage(self) -> float:
        """Return used / total: a share, 0.0 to 1.0, and above in debt or where the limit is not hard.

        What leases hold does not count. It is 1.0 where the total is 0.
        """

    def is_warning(self) -> bool:
        """Return whether `usage_percentage` has reached the warning threshold."""

    def time_until_reset(self) -> float:
        """Return the seconds until the next period."""

    def reset(self) -> None:
        """Start a new period now, in which nothing is used; open leases settle in the old one."""

    def add_operation_cost(self, operation: str, cost: _Amount) -> None:
        """Set what one token of an operation costs from now on.

        Args:
            operation: The operation.
            cost: What its tokens are multiplied with.

        Raises:
            InvalidAmount: The cost is no whole number.
            InvalidId: The name of the operation is not allowed.

        Example:
            >>> budget = AgentTokenBudget.hourly("a-1", 1_000)
            >>> budget.add_operation_cost("rerank", 4)
            >>> budget.consume("rerank", 10)
            >>> budget.used()
            40

        """

    @property
    def operation_costs(self) -> dict[str, int]:
        """What one token costs by operation, as a copy."""

    @property
    def agent_id(self) -> str:
        """The agent."""

    @property
    def total_tokens(self) -> int:
        """Tokens in a period."""

    @property
    def period(self) -> float:
        """The length of a period in seconds."""

    @property
    def warning_threshold(self) -> float:
        """The share of the total at which a warning is due."""

    @property
    def hard_limit(self) -> bool:
        """Whether it refuses what does not fit."""

# Workflow quotas

@final
class WorkflowQuota:
    """How many workflows may begin in each period, and how many steps each may take.

    The first period starts when the quota is made. It counts what begins: ending a workflow makes no room.

    Args:
        max_workflows: How many workflows may begin in a period.
        max_steps: How many steps each workflow may take.
        period: The length of a period: seconds or a timedelta.
        clock: Where time comes from; default None, the machine's clocks.

    Raises:
        InvalidAmount: A maximum is no whole number.
        PolicyError: The period or the clock is not allowed.

    Example:
        >>> quota = WorkflowQuota(100, 2, 24 * 3600)
        >>> with quota.begin_workflow("w-1") as workflow:
        ...     workflow.execute_step()
        ...     workflow.execute_step()
        ...     workflow.can_continue()
        False
        >>> quota.active_count(), quota.period_count()
        (0, 1)

    """

    def __new__(
        cls,
        max_workflows: _Amount,
        max_steps: _Amount,
        period: _Period,
        *,
        clock: _Clock | None = None,
    ) -> Self: ...
    @classmethod
    def hourly(cls, max_workflows: _Amount, max_steps: _Amount, *, clock: _Clock | None = None) -> Self:
        """Return a quota of so many workflows in each hour from now (not calendar hours).

        Args:
            max_workflows: How many workflows may begin in an hour.
            max_steps: How many steps each workflow may take.
            clock: Where time comes from; default None, the machine's clocks.

        """

    def begin_workflow(self, workflow_id: _Id, *, resume: bool = False) -> WorkflowToken:
        """Begin a workflow, which counts in this period.

        Args:
            workflow_id: The workflow; its id may be used again when it has ended.
            resume: True returns the running token of an id that is active, and counts nothing. Default False.

        Returns:
            The token that counts its steps.

        Raises:
            WorkflowLimitExceeded: No more may begin in this period; nothing was changed.
            ValueError: The id is active already, and `resume` is False.
            InvalidId: The id is not allowed (also a ValueError).

        Example:
            >>> quota = WorkflowQuota.hourly(10, 50)
            >>> token = quota.begin_workflow("w-1")
            >>> quota.begin_workflow("w-1", resume=True) == token
            True
            >>> quota.period_count()
            1

        """

    def end_workflow(self, workflow_id: _Id) -> bool:
        """End a workflow: its token refuses further steps.

        Args:
            workflow_id: The workflow.

        Returns:
            True if it was active; False if no workflow of that id is.

        Raises:
            InvalidId: The id is not allowed.

        Example:
            >>> quota = WorkflowQuota.hourly(10, 50)
            >>> token = quota.begin_workflow("w-1")
            >>> quota.end_workflow("w-1"), quota.end_workflow("w-1")
            (True, False)
            >>> token.can_continue()
            False

        """

    def get(self, workflow_id: _Id) -> WorkflowToken | None:
        """Return the token of an active workflow: the counter that its caller holds, not a copy.

        Args:
            workflow_id: The workflow.

        Returns:
            The token, None if no workflow of that id is active.

        Raises:
            InvalidId: The id is not allowed.

        """

    def active_count(self) -> int:
        """Return how many workflows are active, whenever they began."""

    def period_count(self) -> int:
        """Return how many workflows began in this period."""

    def remaining(self) -> int:
        """Return how many more workflows may begin in this period."""

    def time_until_reset(self) -> float:
        """Return the seconds until the next period."""

    def reset(self) -> None:
        """Start a new period now, in which none has begun; active workflows go on."""

    @property
    def max_workflows(self) -> int:
        """How many workflows may begin in a period."""

    @property
    def max_steps(self) -> int:
        """How many steps each workflow may take."""

    @property
    def period(self) -> float:
        """The length of a period in seconds."""

@final
class WorkflowToken:
    """One workflow and the count of its steps, from `WorkflowQuota.begin_workflow`.

    All tokens of one workflow are one counter, and equal. Leaving its `with` block ends the workflow, whether
    or not by an exception; an ended workflow refuses every step.

    Example:
        >>> quota = WorkflowQuota.hourly(10, 2)
        >>> workflow = quota.begin_workflow("w-1")
        >>> workflow.execute_step(2)
        >>> quota.get("w-1").steps_executed()
        2
        >>> try:
        ...     workflow.execute_step()
        ... except StepLimitExceeded as refused:
        ...     refused.steps_executed, refused.max_steps
        (2, 2)

    """

    @property
    def id(self) -> str:
        """The workflow's id."""

    @property
    def max_steps(self) -> int:
        """How many steps it may take."""

    def execute_step(self, n: _Amount = 1) -> None:
        """Take steps: all of them, or none.

        Args:
            n: How many steps; default None, one.

        Raises:
            StepLimitExceeded: Not so many are left, or the workflow has ended; none was taken.
            InvalidAmount: It is no whole number.

        """

    def remaining_steps(self) -> int:
        """Return how many steps are left, 0 once the workflow has ended."""

    def steps_executed(self) -> int:
        """Return how many steps were taken."""

    def duration(self) -> float:
        """Return the seconds since the workflow began, until it ended."""

    def can_continue(self) -> bool:
        """Return whether a further step would be admitted."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exception: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> Literal[False]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

# Budgets per agent

@final
class BudgetLimit:
    """The budget of one agent, for `BudgetManager.set_budget`.

    Args:
        agent_id: The agent.
        token_budget: Tokens in a window, None for no limit.
        calls_budget: Calls in a window, None for no limit.
        window_secs: The length of a window: seconds or a timedelta; None for one window that never ends.

    Raises:
        InvalidId: The agent's id is not allowed.
        InvalidAmount: A budget is no whole number.
        PolicyError: The window is not allowed.

    Example:
        >>> limit = BudgetLimit(agent_id="a-1", token_budget=1_000, calls_budget=None, window_secs=60)
        >>> limit.token_budget, limit.calls_budget, limit.window_secs
        (1000, None, 60.0)

    """

    def __new__(
        cls,
        *,
        agent_id: _Id,
        token_budget: _Amount | None,
        calls_budget: _Amount | None,
        window_secs: _Period | None,
    ) -> Self: ...
    @property
    def agent_id(self) -> str:
        """The agent."""

    @property
    def token_budget(self) -> int | None:
        """Tokens in a window, None for no limit."""

    @property
    def calls_budget(self) -> int | None:
        """Calls in a window, None for no limit."""

    @property
    def window_secs(self) -> float | None:
        """The length of a window in seconds, None for one that never ends."""

    def __eq__(self, other: object, /) -> bool: ...
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...
    def __hash__(self) -> int: ...

@final
class BudgetInfo:
    """What an agent has left, as `BudgetManager.remaining` reports it.

    Args:
        tokens_remaining: Tokens left, None where they are unlimited.
        calls_remaining: Calls left, None where they are unlimited.
        window_remaining_secs: Seconds until the next window, None where the window never ends.
        is_exhausted: Whether tokens or calls are used up, or the agent has no budget.

    Raises:
        InvalidAmount: A count is no whole number from 0 to 2**64 - 1.

    Example:
        >>> BudgetManager().remaining("nobody").is_exhausted
        True

    """

    def __new__(
        cls,
        tokens_remaining: _Amount | None,
        calls_remaining: _Amount | None,
        window_remaining_secs: float | None,
        is_exhausted: bool,
    ) -> Self: ...
    @property
    def tokens_remaining(self) -> int | None:
        """Tokens left, None where they are unlimited."""

    @property
    def calls_remaining(self) -> int | None:
        """Calls left, None where they are unlimited."""

    @property
    def window_remaining_secs(self) -> float | None:
        """Seconds until the next window, None where the window never ends."""

    @property
    def is_exhausted(self) -> bool:
        """Whether tokens or calls are used up, or the agent has no budget."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class FullBudgetInfo:
    """All about an agent's budget, as `BudgetManager.full_info` reports it.

    Args:
        agent_id: The agent.
        token_limit: Tokens in a window, None for no limit.
        tokens_used: Tokens booked in this window.
        tokens_remaining: Tokens left, None where they are unlimited.
        calls_limit: Calls in a window, None for no limit.
        calls_used: Calls booked in this window.
        calls_remaining: Calls left, None where they are unlimited.
        window_secs: The length of a window in seconds, None where it never ends.
        window_remaining_secs: Seconds until the next window, None where none will come.
        is_exhausted: Whether tokens or calls are used up.

    Raises:
        InvalidAmount: A count is no whole number from 0 to 2**64 - 1.

    Example:
        >>> manager = BudgetManager()
        >>> manager.set_budget(
        ...     BudgetLimit(agent_id="a-1", token_budget=100, calls_budget=None, window_secs=None)
        ... )
        >>> manager.reserve("a-1", 40)
        >>> info = manager.full_info("a-1")
        >>> info.tokens_used, info.tokens_remaining, info.calls_remaining
        (40, 60, None)

    """

    def __new__(
        cls,
        agent_id: str,
        token_limit: _Amount | None,
        tokens_used: _Amount,
        tokens_remaining: _Amount | None,
        calls_limit: _Amount | None,
        calls_used: _Amount,
        calls_remaining: _Amount | None,
        window_secs: float | None,
        window_remaining_secs: float | None,
        is_exhausted: bool,
    ) -> Self: ...
    @property
    def agent_id(self) -> str:
        """The agent."""

    @property
    def token_limit(self) -> int | None:
        """Tokens in a window, None for no limit."""

    @property
    def tokens_used(self) -> int:
        """Tokens booked in this window."""

    @property
    def tokens_remaining(self) -> int | None:
        """Tokens left, None where they are unlimited."""

    @property
    def calls_limit(self) -> int | None:
        """Calls in a window, None for no limit."""

    @property
    def calls_used(self) -> int:
        """Calls booked in this window."""

    @property
    def calls_remaining(self) -> int | None:
        """Calls left, None where they are unlimited."""

    @property
    def window_secs(self) -> float | None:
        """The length of a window in seconds, None where it never ends."""

    @property
    def window_remaining_secs(self) -> float | None:
        """Seconds until the next window, None where none will come."""

    @property
    def is_exhausted(self) -> bool:
        """Whether tokens or calls are used up."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class BudgetManager:
    """Token and call budgets of many agents, each in a window of its own.

    An agent without a budget is refused. Leases come from the handle of one agent, `agent`.

    Args:
        lease_ttl: How long a lease lives unless `AgentBudget.reserve` says otherwise: seconds or a timedelta;
            default None, 900 seconds.
        unsettled: What is booked for a lease whose usage never came: "charge" (default) the estimate,
            "release" nothing.
        on_error: What is booked for a lease whose block is left by an error: "release" (default) no tokens
            and no money, "charge" the estimate. Either way a request counts, and a time-out is charged.
        clock: Where time comes from; default None, the machine's clocks.

    Raises:
        PolicyError: An argument makes no sense.

    Example:
        >>> manager = BudgetManager()
        >>> manager.set_budget(
        ...     BudgetLimit(agent_id="a-1", token_budget=1_000, calls_budget=10, window_secs=3600)
        ... )
        >>> manager.reserve("a-1", 400)
        >>> manager.track_call("a-1")
        >>> manager.remaining("a-1").tokens_remaining
        600
        >>> try:
        ...     manager.reserve("a-2", 1)
        ... except NotConfigured as refused:
        ...     refused.message
        'No budget configured for agent a-2'

    """

    def __new__(
        cls,
        *,
        lease_ttl: _Period | None = None,
        unsettled: _Ending = ...,
        on_error: _Ending = ...,
        clock: _Clock | None = None,
    ) -> Self: ...
    def set_budget(self, limit: BudgetLimit) -> None:
        """Set or change the budget of an agent.

        A new agent's window starts now. An agent that has a budget keeps what it used, and a window whose
        length is changed keeps its start.

        Args:
            limit: The agent and its budget.

        Raises:
            PolicyError: It is no BudgetLimit.

        """

    def remove_budget(self, agent_id: _Id) -> bool:
        """Remove the budget of an agent, which is refused from now on; its open leases still end.

        Args:
            agent_id: The agent.

        Returns:
            True if it had a budget.

        Raises:
            InvalidId: The id is not allowed.

        """

    def reserve(self, agent_id: _Id, tokens: _Amount) -> None:
        """Charge tokens at once: no lease is made, and nothing is left to commit.

        Args:
            agent_id: The agent.
            tokens: Tokens.

        Raises:
            BudgetExceeded: They do not fit; nothing was changed.
            NotConfigured: The agent has no budget.
            InvalidAmount: The tokens are no whole number.
            InvalidId: The id is not allowed.

        """

    def release(self, agent_id: _Id, tokens: _Amount) -> None:
        """Give tokens back to the current window; what is used never goes below 0.

        It names no reservation: what was charged in an earlier window comes back in this one.

        Args:
            agent_id: The agent.
            tokens: Tokens.

        Raises:
            NotConfigured: The agent has no budget.
            InvalidAmount: The tokens are no whole number.
            InvalidId: The id is not allowed.

        """

    def track_call(self, agent_id: _Id) -> None:
        """Charge one call.

        Args:
            agent_id: The agent.

        Raises:
            BudgetExceeded: The calls of this window are used up (`kind` "call"); nothing was changed.
            NotConfigured: The agent has no budget.
            InvalidId: The id is not allowed.

        """

    def remaining(self, agent_id: _Id) -> BudgetInfo:
        """Return what an agent has left; an agent without a budget has nothing left.

        Args:
            agent_id: The agent.

        Raises:
            InvalidId: The id is not allowed.

        """

    def can_schedule(self, agent_id: _Id) -> bool:
        """Return whether an agent has tokens and calls left; False for an agent without a budget.

        Args:
            agent_id: The agent.

        Raises:
            InvalidId: The id is not allowed.

        """

    def reset_window(self, agent_id: _Id) -> None:
        """Start a new window of an agent now, in which nothing is used.

        Args:
            agent_id: The agent.

        Raises:
            NotConfigured: The agent has no budget.
            InvalidId: The id is not allowed.

        """

    def full_info(self, agent_id: _Id) -> FullBudgetInfo | None:
        """Return all about an agent's budget, None if it has none.

        Args:
            agent_id: The agent.

        Raises:
            InvalidId: The id is not allowed.

        """

    def all_full_info(self) -> list[FullBudgetInfo]:
        """Return all about all budgets, in the order of the agents' ids."""

    def agent(self, agent_id: _Id) -> AgentBudget:
        """Return a handle for one agent.

        Args:
            agent_id: The agent.

        Raises:
            NotConfigured: The agent has no budget.
            InvalidId: The id is not allowed.

        """

    def persist(self, path: str | os.PathLike[str]) -> None:
        """Write all budgets to a file, so that they survive the process.

        The file is JSON with wall-clock times. Missing folders are made; the file is written beside its place
        and renamed, so that a reader finds the old one or the new one, whole. What open leases hold is
        written as used, unless unsettled leases are released.

        Args:
            path: The file.

        Raises:
            StoreUnavailable: It cannot be written.

        Example:
            >>> import pathlib, tempfile
            >>> limit = BudgetLimit(agent_id="a-1", token_budget=100, calls_budget=None, window_secs=3600)
            >>> manager = BudgetManager()
            >>> manager.set_budget(limit)
            >>> manager.reserve("a-1", 40)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = pathlib.Path(folder) / "budgets.json"
            ...     manager.persist(path)
            ...     later = BudgetManager()
            ...     later.restore(path)
            True
            >>> later.full_info("a-1").tokens_used
            40

        """

    def restore(self, path: str | os.PathLike[str]) -> bool:
        """Read all budgets from a file, in place of those that are here.

        Windows that ended in the meantime are over; a wall clock that was stepped back refills nothing. Open
        leases settle in the windows in which they were reserved.

        Args:
            path: The file that `persist` wrote.

        Returns:
            True; or False if there is no such file, and nothing was changed.

        Raises:
            StoreCorrupt: It is not such a file; nothing was changed, in memory and in the file.
            StoreUnavailable: It cannot be read.

        """

@final
class AgentBudget:
    """A handle for one agent of a `BudgetManager`.

    It follows its agent: a budget that is changed, or removed and set anew, is the one it asks.

    Example:
        >>> manager = BudgetManager()
        >>> manager.set_budget(
        ...     BudgetLimit(agent_id="a-1", token_budget=1_000, calls_budget=10, window_secs=3600)
        ... )
        >>> agent = manager.agent("a-1")
        >>> with agent.reserve(400) as lease:
        ...     lease.commit(250)
        >>> agent.remaining().tokens_remaining, agent.remaining().calls_remaining
        (750, 9)

    """

    @property
    def agent_id(self) -> str:
        """The agent."""

    def reserve(self, tokens: _Estimate, *, ttl: _Period | None = None) -> BudgetLease:
        """Hold tokens and one call until the lease ends.

        Args:
            tokens: Tokens, or a `UsageEstimate` of which the total counts.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the manager's
                `lease_ttl`.

        Returns:
            The lease to commit.

        Raises:
            BudgetExceeded: Tokens or calls do not fit; nothing was changed.
            NotConfigured: The agent's budget was removed.
            InvalidAmount: The tokens are no whole number.
            PolicyError: The time to live is not allowed.

        """

    def charge(self, tokens: _Amount, calls: _Amount = 1) -> None:
        """Charge tokens and calls at once: both, or neither.

        Args:
            tokens: Tokens.
            calls: Calls; default None, one.

        Raises:
            BudgetExceeded: Tokens or calls do not fit; nothing was changed.
            NotConfigured: The agent's budget was removed.
            InvalidAmount: An amount is no whole number.

        """

    def track_call(self) -> None:
        """Charge one call.

        Raises:
            BudgetExceeded: The calls of this window are used up (`kind` "call"); nothing was changed.
            NotConfigured: The agent's budget was removed.

        """

    def remaining(self) -> BudgetInfo:
        """Return what the agent has left; nothing once its budget was removed."""

# Shared pools

@final
class SharedPool:
    """A pool of tokens and money that many agents share, given out by leases.

    It has no window: what was committed never comes back. The last tokens and micro-USD, up to a stop
    threshold, are not given out, but `remaining` counts them.

    Args:
        capacity_tokens: Tokens in all; default None, unlimited.
        capacity_cost_micros_usd: Millionths of a US dollar in all; default None, unlimited.
        stop_threshold_tokens: The last tokens, which are not given out, at most the capacity; default
            None, 0.
        stop_threshold_cost_micros_usd: The last micro-USD, which are not given out, at most the capacity;
            default None, 0.
        lease_ttl: How long a lease lives unless `reserve` says otherwise: seconds or a timedelta; default
            None, 900 seconds.
        unsettled: What is booked for a lease whose usage never came: "charge" (default) the estimate,
            "release" nothing.
        on_error: What is booked for a lease whose block is left by an error: "release" (default) no tokens
            and no money, "charge" the estimate. Either way a request counts, and a time-out is charged.
        clock: Where time comes from; default None, the machine's clocks.

    Raises:
        InvalidAmount: An amount is no whole number.
        PolicyError: A threshold is above its capacity or has none, or another argument makes no sense.

    Example:
        >>> pool = SharedPool(capacity_tokens=1_000, stop_threshold_tokens=100)
        >>> with pool.reserve(600) as lease:
        ...     lease.commit(500)
        >>> pool.remaining().tokens
        500
        >>> try:
        ...     pool.reserve(401)
        ... except ThresholdExceeded as refused:
        ...     refused.remaining
        400

    """

    def __new__(
        cls,
        *,
        capacity_tokens: _Amount | None = None,
        capacity_cost_micros_usd: _Amount | None = None,
        stop_threshold_tokens: _Amount | None = None,
        stop_threshold_cost_micros_usd: _Amount | None = None,
        lease_ttl: _Period | None = None,
        unsettled: _Ending = ...,
        on_error: _Ending = ...,
        clock: _Clock | None = None,
    ) -> Self: ...
    def reserve(
        self,
        estimate: _Estimate,
        request_budget: RequestBudget | None = None,
        *,
        ttl: _Period | None = None,
    ) -> BudgetLease:
        """Hold the estimate until the lease ends.

        Args:
            estimate: What the call may use: a `UsageEstimate`, or tokens (at no cost).
            request_budget: The request's own cap; default None, none.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the pool's `lease_ttl`.

        Returns:
            The lease to commit.

        Raises:
            RequestBudgetExceeded: The estimate is above the request's own cap.
            ThresholdExceeded: It does not fit above the stop threshold; nothing was changed.
            InvalidAmount: The estimate is no whole number.
            PolicyError: The cap or the time to live is not allowed.

        """

    async def reserve_wait(
        self,
        estimate: _Estimate,
        request_budget: RequestBudget | None = None,
        *,
        ttl: _Period | None = None,
        timeout: _Period | None = None,
    ) -> BudgetLease:
        """Wait, first in, first out, until `reserve` is possible.

        Where there is room, it does not suspend. Cancelled, it leaves the queue, and releases what it was
        given and has not received.

        Args:
            estimate: What the call may use: a `UsageEstimate`, or tokens (at no cost).
            request_budget: The request's own cap; default None, none.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the pool's `lease_ttl`.
            timeout: How long to wait at most: seconds or a timedelta, 0 to not wait; default None, for ever.

        Returns:
            The lease to commit.

        Raises:
            RequestBudgetExceeded: The estimate is above the request's own cap.
            ThresholdExceeded: It can never fit any more, whatever open leases give back; nothing was changed.
            WaitTimeout: It took too long.
            InvalidAmount: The estimate is no whole number.
            PolicyError: The cap, the time to live or the timeout is not allowed.

        Example:
            >>> import asyncio
            >>> async def second(pool, first):
            ...     waiting = asyncio.ensure_future(pool.reserve_wait(600))
            ...     await asyncio.sleep(0)
            ...     first.release()
            ...     return await waiting
            >>> pool = SharedPool(capacity_tokens=1_000)
            >>> asyncio.run(second(pool, pool.reserve(700))).state
            'open'

        """

    def reserve_blocking(
        self,
        estimate: _Estimate,
        request_budget: RequestBudget | None = None,
        *,
        ttl: _Period | None = None,
        timeout: _Period | None = None,
    ) -> BudgetLease:
        """Do as `reserve_wait` does, in a thread: without the GIL, and Ctrl-C ends it.

        Args:
            estimate: What the call may use: a `UsageEstimate`, or tokens (at no cost).
            request_budget: The request's own cap; default None, none.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the pool's `lease_ttl`.
            timeout: How long to wait at most: seconds or a timedelta, 0 to not wait; default None, for ever.

        Returns:
            The lease to commit.

        Raises:
            RequestBudgetExceeded: The estimate is above the request's own cap.
            ThresholdExceeded: It can never fit any more, whatever open leases give back; nothing was changed.
            WaitTimeout: It took too long.
            InvalidAmount: The estimate is no whole number.
            PolicyError: The cap, the time to live or the timeout is not allowed.

        """

    def _try_reserve(
        self,
        estimate: _Estimate,
        request_budget: RequestBudget | None,
        ttl: _Period | None,
        timeout: _Period | None,
    ) -> BudgetLease | None: ...
    def _wait(
        self,
        estimate: _Estimate,
        request_budget: RequestBudget | None,
        ttl: _Period | None,
        timeout: _Period | None,
        mailbox: Mailbox,
    ) -> Wait: ...
    def record_used(self, lease: BudgetLease, usage: _Estimate) -> None:
        """Commit a lease of this pool, then hold the usage against the request's own cap.

        Args:
            lease: A lease of this pool.
            usage: What was used: a `Usage`, or tokens (at no cost).

        Raises:
            RequestBudgetExceeded: The usage is above the request's own cap; it is booked all the same.
            UnknownLease: The lease is not a lease of this pool.
            LeaseFinalized: The lease has ended in another way.
            InvalidAmount: The usage is no whole number.
            PolicyError: It is no lease.

        Example:
            >>> pool = SharedPool(capacity_tokens=1_000)
            >>> lease = pool.reserve(400, RequestBudget(tokens=500))
            >>> try:
            ...     pool.record_used(lease, 600)
            ... except RequestBudgetExceeded as refused:
            ...     refused.requested, pool.remaining().tokens
            (600, 400)

        """

    def remaining(self) -> Remaining:
        """Return what is left, counted from the capacity: capacity - committed - reserved, never below 0."""

    def committed(self) -> Usage:
        """Return all that was booked, the estimates of unsettled leases included."""

    def reserved(self) -> Usage:
        """Return what open leases hold."""

    def open_leases(self) -> list[BudgetLease]:
        """Return the leases that are open, oldest first: handles by which they can be ended.

        Example:
            >>> pool = SharedPool(capacity_tokens=1_000)
            >>> lease = pool.reserve(400)
            >>> pool.open_leases() == [lease]
            True
            >>> for stuck in pool.open_leases():
            ...     stuck.release()
            >>> lease.state
            'released'

        """

# Rates

@final
class RateLimiter:
    """A sliding limiter of actual usage: no span of the window ever holds more than the limit.

    What was used counts for one window, and for up to a sixtieth of it more; its memory and its cost per
    call do not grow with the number of events. Whoever waits is served first in, first out, at the moment
    at which its capacity frees; calls that do not wait never overtake those that do.

    There are two ways to use it. `acquire_slot` and `try_acquire` look whether there is room, and
    `record_usage` says afterwards what was used. `reserve`, `reserve_wait` and `reserve_blocking` hold the
    estimate until the call has ended, so that a crowd cannot pass one check; their leases are committed
    with the actual usage.

    Args:
        tokens_per_minute: Tokens in any 60 seconds.
        threshold: The share of the limit, above 0 and at most 1, from which on no more slots are given out
            (reservations may use all of it); default None, 0.8.
        lease_ttl: How long a lease lives unless `reserve` says otherwise: seconds or a timedelta; default
            None, 900 seconds.
        unsettled: What is booked for a lease whose usage never came: "charge" (default) the estimate,
            "release" nothing.
        on_error: What is booked for a lease whose block is left by an error: "release" (default) no tokens
            and no money, "charge" the estimate. Either way a request counts, and a time-out is charged.
        clock: Where time comes from; default None, the machine's clocks.

    Raises:
        InvalidAmount: The limit is no whole number.
        PolicyError: The threshold, or another argument, makes no sense.

    Example:
        >>> limiter = RateLimiter(1_000)
        >>> limiter.try_acquire()
        True
        >>> limiter.record_usage(900)
        >>> limiter.try_acquire()
        False
        >>> with limiter.reserve(100) as lease:
        ...     lease.commit(80)
        >>> limiter.current_usage()
        980

    """

    def __new__(
        cls,
        tokens_per_minute: _Amount,
        *,
        threshold: float | None = None,
        lease_ttl: _Period | None = None,
        unsettled: _Ending = ...,
        on_error: _Ending = ...,
        clock: _Clock | None = None,
    ) -> Self: ...
    @staticmethod
    def per(
        tokens: _Amount,
        period: _Period,
        *,
        threshold: float | None = None,
        lease_ttl: _Period | None = None,
        unsettled: _Ending = ...,
        on_error: _Ending = ...,
        clock: _Clock | None = None,
    ) -> RateLimiter:
        """Make a limiter over any period.

        Args:
            tokens: Tokens in any span of the period.
            period: The length of the window: seconds or a timedelta.
            threshold: As for the class.
            lease_ttl: As for the class.
            unsettled: As for the class.
            on_error: As for the class.
            clock: As for the class.

        Returns:
            The limiter.

        Raises:
            InvalidAmount: The limit is no whole number.
            PolicyError: The period or another argument makes no sense.

        Example:
            >>> RateLimiter.per(10_000, 3_600).window
            3600.0

        """

    @property
    def limit(self) -> int:
        """Tokens in a window."""

    @property
    def window(self) -> float:
        """The length of the window in seconds."""

    @property
    def threshold(self) -> float:
        """The share of the limit from which on no more slots are given out."""

    @property
    def tokens_per_minute(self) -> float:
        """The limit as tokens a minute: the limit itself where the window is a minute."""

    async def acquire_slot(self, tokens: _Amount = 0, *, timeout: _Period | None = None) -> None:
        """Wait, first in, first out, until less than the threshold is used and `tokens` more fit.

        `tokens` above 0 are held until the next `record_usage`, or for one slot (a sixtieth of the window),
        so that a crowd does not pass one check. `tokens=0` is advice alone. Where there is room, it does
        not suspend. Cancelled, it leaves the queue, and gives back what it was given and has not received.

        Args:
            tokens: Tokens that the call will use, if known; default 0.
            timeout: How long to wait at most: seconds or a timedelta, 0 to not wait; default None, for ever.

        Raises:
            RateLimitExceeded: `tokens` can never fit; nothing was changed.
            WaitTimeout: It took too long.
            InvalidAmount: `tokens` is no whole number.
            PolicyError: The timeout is negative or no time.

        Example:
            >>> import asyncio
            >>> limiter = RateLimiter(1_000)
            >>> asyncio.run(limiter.acquire_slot(200))

        """

    def acquire_slot_blocking(self, tokens: _Amount = ..., *, timeout: _Period | None = None) -> None:
        """Do as `acquire_slot` does, in a thread: without the GIL, and Ctrl-C ends it.

        Args:
            tokens: Tokens that the call will use, if known; default 0.
            timeout: How long to wait at most: seconds or a timedelta, 0 to not wait; default None, for ever.

        Raises:
            RateLimitExceeded: `tokens` can never fit; nothing was changed.
            WaitTimeout: It took too long.
            InvalidAmount: `tokens` is no whole number.
            PolicyError: The timeout is negative or no time.

        """

    def try_acquire(self, tokens: _Amount = ...) -> bool:
        """Do as `acquire_slot` does where there is room and nobody waits; else return False.

        Args:
            tokens: Tokens that the call will use, if known; default 0.

        Returns:
            Whether the caller was let through.

        Raises:
            InvalidAmount: `tokens` is no whole number.

        """

    def reserve(self, tokens: _Estimate, *, ttl: _Period | None = None) -> BudgetLease:
        """Hold the estimate against the full limit until the lease ends.

        Args:
            tokens: What the call may use: tokens, or a `UsageEstimate`.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the limiter's
                `lease_ttl`.

        Returns:
            The lease to commit with what was used.

        Raises:
            RateLimitExceeded: There is no room, or others wait for it; nothing was changed.
            InvalidAmount: The estimate is no whole number.
            PolicyError: The time to live is not allowed.

        """

    async def reserve_wait(
        self, tokens: _Estimate, *, ttl: _Period | None = None, timeout: _Period | None = None
    ) -> BudgetLease:
        """Wait, first in, first out, until `reserve` is possible.

        Args:
            tokens: What the call may use: tokens, or a `UsageEstimate`.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the limiter's
                `lease_ttl`.
            timeout: How long to wait at most: seconds or a timedelta, 0 to not wait; default None, for ever.

        Returns:
            The lease to commit with what was used.

        Raises:
            RateLimitExceeded: The estimate can never fit; nothing was changed.
            WaitTimeout: It took too long.
            InvalidAmount: The estimate is no whole number.
            PolicyError: The time to live or the timeout is not allowed.

        Example:
            >>> import asyncio
            >>> async def call(limiter):
            ...     with await limiter.reserve_wait(500) as lease:
            ...         lease.commit(420)  # what the provider says was used
            >>> limiter = RateLimiter(1_000)
            >>> asyncio.run(call(limiter))
            >>> limiter.current_usage()
            420

        """

    def reserve_blocking(
        self, tokens: _Estimate, *, ttl: _Period | None = None, timeout: _Period | None = None
    ) -> BudgetLease:
        """Do as `reserve_wait` does, in a thread: without the GIL, and Ctrl-C ends it.

        Args:
            tokens: What the call may use: tokens, or a `UsageEstimate`.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the limiter's
                `lease_ttl`.
            timeout: How long to wait at most: seconds or a timedelta, 0 to not wait; default None, for ever.

        Returns:
            The lease to commit with what was used.

        Raises:
            RateLimitExceeded: The estimate can never fit; nothing was changed.
            WaitTimeout: It took too long.
            InvalidAmount: The estimate is no whole number.
            PolicyError: The time to live or the timeout is not allowed.

        """

    def record_usage(self, tokens: _Estimate) -> None:
        """Book what was used; never refused, even above the limit.

        The oldest amount that `acquire_slot` or `try_acquire` still holds is held no more.

        Args:
            tokens: What was used: tokens, or a `Usage`.

        Raises:
            InvalidAmount: `tokens` is no whole number.

        """

    def current_usage(self) -> int:
        """Return the tokens that were used in the window."""

    def retry_after(self, tokens: _Amount = ...) -> float:
        """Return the seconds until `try_acquire(tokens)` could pass: 0.0 for now, `inf` for never.

        Args:
            tokens: Tokens that the call will use, if known; default 0.

        Returns:
            Seconds; those who wait already come first.

        Raises:
            InvalidAmount: `tokens` is no whole number.

        """

    def observe(
        self,
        headers: _Headers,
        status: int = ...,
    ) -> None:
        """Take in what a provider's response says of its own rate limit: it is never admitted above.

        Read are the headers of the OpenAI family (`x-ratelimit-limit-tokens`, `-remaining-tokens`,
        `-reset-tokens` and the same of `-requests`), of Anthropic (`anthropic-ratelimit-tokens-limit`,
        ...), `retry-after` (RFC 9110) and `retry-after-ms`, in any case. What is missing, negative or
        unreadable is ignored; 0 is honoured. With status 429 nothing is admitted until the time that the
        response says (one slot where it says none); with 503 and 529 where it says one.

        Where a call is booked (`record_usage`, or the commit of its lease) before its response is observed,
        what is left is exactly what the response says; the other way round the call counts a second time.

        Args:
            headers: The headers of the response: a mapping, or pairs.
            status: The status of the response; default 200.

        Raises:
            PolicyError: The headers are neither, or the status is no status code.

        Example:
            >>> limiter = RateLimiter(100_000)
            >>> limiter.observe({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"})
            >>> limiter.try_acquire(), round(limiter.retry_after())
            (False, 360)

        """

    def _try_slot(self, tokens: _Amount, timeout: _Period | None) -> bool: ...
    def _wait_for_slot(self, tokens: _Amount, timeout: _Period | None, mailbox: Mailbox) -> Wait: ...
    def _try_reserve(
        self, tokens: _Estimate, ttl: _Period | None, timeout: _Period | None
    ) -> BudgetLease | None: ...
    def _wait(
        self, tokens: _Estimate, ttl: _Period | None, timeout: _Period | None, mailbox: Mailbox
    ) -> Wait: ...

@final
class Mailbox:
    """Where an event loop finds which of its waits have ended; `outlay` makes one per loop.

    Args:
        wake: Called, from any thread and under no lock, when something was posted or is to be looked at
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
        """Serve who is due; return the seconds until the next look, None where time alone changes nothing."""

    def looks_in(self) -> float | None:
        """Return the seconds until the next look."""

@final
class Wait:
    """A request that waits for its turn. Dropped, it leaves the queue.

    Example:
        >>> from outlay import _core
        >>> limiter = RateLimiter(100)
        >>> lease = limiter.reserve(100)
        >>> wait = limiter._wait(50, None, None, _core.Mailbox(lambda: None))
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
        """Whether it is still in a queue."""

    def result(self) -> BudgetLease | None:
        """Return what it was given, once: a lease, None for a slot; raise what refused it."""

    def leave(self) -> None:
        """Leave the queue; what was given and not taken is given back."""

# Prices

@final
class PriceTable:
    """What models cost: read once, then asked by every call.

    "input" and "output" are required; "cache_read" and "cache_write" cost what input costs unless they are
    given, "reasoning" (a part of the output) what output costs. "cache_write_1h" is the part of what was
    written to a cache that is kept for an hour; unless it is given, it costs twice the input for Anthropic's
    models (the provider is "anthropic", or the name has "claude" or "anthropic" in it) and what "cache_write"
    costs for all others. "tiers" are the prices of long prompts, a list of mappings with
    "above_input_tokens", "input", "output" and the others: the whole call costs what the highest tier says
    that its input is above. Prices are text, so that they are exact.

    Args:
        prices: USD per million tokens by model, such as `{"gpt-x": {"input": "2.50", "output": "10.00"}}`.

    Raises:
        PolicyError: It has another shape, a required price is missing, or a price is not plain decimal text.

    Example:
        >>> table = PriceTable({"gpt-x": {"input": "2.50", "output": "10.00", "cache_read": "0.25"}})
        >>> table.cost("gpt-x", Usage(input_tokens=1_000, output_tokens=100, cache_read_tokens=800))
        1700
        >>> long = {"above_input_tokens": 200_000, "input": "5", "output": "20"}
        >>> table = PriceTable({"gpt-y": {"input": "2.50", "output": "10", "tiers": [long]}})
        >>> table.cost("gpt-y", Usage(input_tokens=200_001, output_tokens=0))
        1000005

    """

    def __new__(cls, prices: _Prices) -> Self: ...
    def knows(self, model: str) -> bool:
        """Return whether the model has a price.

        Args:
            model: The name of the model.

        """

    def cost(self, model: str, usage: Usage | UsageEstimate, *, provider: str | None = None) -> int:
        """Return what a usage costs in micro-USD, rounded up once.

        Tokens of which only the total is known are priced at the dearer of input and output.

        Args:
            model: The name of the model.
            usage: What was used, or may be.
            provider: Whose API it was, such as "anthropic"; default None, what the name says.

        Raises:
            PolicyError: The model has no price: it never costs 0.
            InvalidAmount: It is no usage.

        """

# Guards

@final
class Guard:
    """All limits of a policy at once: every rule whose scope matches a request's labels, in one step.

    A rule that names a label is not about requests without it: `[defaults] require` refuses such requests,
    and of those that no rule is about the logger "outlay" warns, once for each set of names of labels. `"*"`
    gives each value of a label a counter of its own; a text with `*` in it is a pattern, whose values share
    one. What a call costs is said by the price of its model: that of the policy, by "provider:model" or
    "model", else that of genai-prices. A guard is a budget of every `wrap`, which gives it the labels
    `provider` and `model`, `agent` where the framework knows it, `tool` for calls of tools, and those of the
    wrap. docs/policy.md describes the policy.

    Args:
        policy: A dict, or the path of a TOML file: a policy, or a pyproject.toml with `[tool.outlay]`.
        clock: Where time comes from; default None, the machine's clocks.

    Raises:
        PolicyError: The policy has an unknown key or an impossible value; the file and the line are named.
        OSError: The file can not be read.

    Example:
        >>> guard = Guard({
        ...     "budget": [{"name": "per-agent", "scope": {"agent": "*"}, "limit": {"tokens": 1_000}}],
        ... })
        >>> with guard.reserve(800, agent="a-1") as lease:
        ...     lease.commit(300)
        >>> try:
        ...     guard.reserve(800, agent="a-1")
        ... except BudgetExceeded as refused:
        ...     refused.message, refused.remaining
        ('Token budget exceeded: per-agent', 700)
        >>> guard.reserve(800, agent="a-2").state
        'open'

    """

    def __new__(cls, policy: _Policy, *, clock: _Clock | None = None) -> Self: ...
    @classmethod
    def from_toml(cls, path: _Path, *, clock: _Clock | None = None) -> Guard:
        """Make a guard of a policy file.

        Args:
            path: A policy in TOML, or a pyproject.toml with `[tool.outlay]`.
            clock: Where time comes from; default None, the machine's clocks.

        Raises:
            PolicyError: The policy has an unknown key or an impossible value, named with its line.
            OSError: The file can not be read.

        Example:
            >>> import pathlib, tempfile
            >>> with tempfile.TemporaryDirectory() as directory:
            ...     path = pathlib.Path(directory, "policy.toml")
            ...     _ = path.write_text('budget = [{ name = "all", limit = { calls = 2 } }]')
            ...     Guard.from_toml(path).advice()["remaining"]
            {'calls': 2}

        """

    @classmethod
    def from_dict(cls, policy: dict[str, Any], *, clock: _Clock | None = None) -> Guard:
        """Make a guard of a dict with the keys of the policy file.

        Args:
            policy: The policy; money may be a `Decimal`.
            clock: Where time comes from; default None, the machine's clocks.

        Raises:
            PolicyError: The policy has an unknown key or an impossible value.

        Example:
            >>> guard = Guard.from_dict({"budget": [{"name": "all", "limit": {"usd": "1.50"}}]})
            >>> guard.advice()["remaining"]
            {'cost_micros_usd': 1500000}

        """

    @property
    def allowances(self) -> AllowanceService:
        """The allowances, model quotas and repositories of the policy, as a service that jobs begin in.

        Example:
            >>> guard = Guard({"allowance": [{"agent": "a-1", "concurrent_jobs": 1}]})
            >>> with guard.allowances.start_job("a-1", "job-1"):
            ...     guard.allowances.check("a-1").reason
            'concurrent job limit reached'

        """

    def reserve(
        self, estimate: _Estimate | None = None, *, ttl: _Period | None = None, **labels: str
    ) -> BudgetLease:
        """Hold the estimate under every limit that matches, or refuse and change nothing.

        The refusal names the first refusing rule in the order of the policy. Soft rules let everything pass
        and tell the event "exceeded", rules in shadow the event "denied".

        Args:
            estimate: What the call may use: a `UsageEstimate`, or tokens; default None, one call of none. An
                estimate without a cost costs what the policy's price says, and so does the committed usage.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the policy's
                `lease_ttl`.
            **labels: Whom the call is about (agent, model, provider, workflow, run, repo, tool, user, ...).
                Those of the scopes around it are added. With `model=` it is the call of a model, whatever
                else it is labelled; with `tool=` and no `model=` that of a tool, in a scope of a model too.

        Returns:
            The lease to commit; its commit settles under every limit.

        Raises:
            LimitExceeded: A rule refuses: `BudgetExceeded`, `ThresholdExceeded`, `RateLimitExceeded`,
                `AllowanceExceeded`. `scope` and the message name the rule.
            PolicyError: Cost is limited, and nobody knows the price of the model; or the policy requires a
                label that is missing.
            InvalidAmount: The estimate is no whole number.
            InvalidId: A label is no text of 1 to 1,024 bytes.

        Example:
            >>> guard = Guard({
            ...     "budget": [{"name": "day", "limit": {"usd": "0.01"}, "window": "calendar:day"}],
            ...     "prices": {"gpt-x": {"input": "2.50", "output": "10.00"}},
            ... })
            >>> estimate = UsageEstimate(input_tokens=1_000, output_tokens=500)
            >>> with guard.reserve(estimate, model="gpt-x") as lease:
            ...     lease.reserved.cost_micros_usd
            ...     lease.commit(Usage(input_tokens=1_000, output_tokens=100))
            7500
            >>> guard.advice(model="gpt-x")["remaining"]
            {'cost_micros_usd': 6500}

        """

    async def reserve_wait(
        self,
        estimate: _Estimate | None = None,
        *,
        ttl: _Period | None = None,
        timeout: _Period | None = None,
        **labels: str,
    ) -> BudgetLease:
        """Do as `reserve` does, and wait, first in, first out, where a rule says `on_limit = { wait = ... }`.

        Only pools and limiters are waited for; every other refusal comes at once. Cancelled, it leaves the
        queue, and releases what it was given and has not received.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the policy's
                `lease_ttl`.
            timeout: How long to wait at most: seconds or a timedelta; default None, the shortest wait of the
                rules that match.
            **labels: Whom the call is about.

        Returns:
            The lease to commit.

        Raises:
            LimitExceeded: A rule refuses that nobody waits for; nothing was changed.
            WaitTimeout: It took too long.
            PolicyError: A price or a required label is missing, or a time is not allowed.

        Example:
            >>> import asyncio
            >>> guard = Guard({"pool": [{"name": "one", "max_concurrent": 1, "on_limit": {"wait": "30s"}}]})
            >>> async def second(first):
            ...     waiting = asyncio.ensure_future(guard.reserve_wait(model="gpt-x"))
            ...     await asyncio.sleep(0)
            ...     first.release()
            ...     return await waiting
            >>> asyncio.run(second(guard.reserve(model="gpt-x"))).state
            'open'

        """

    def reserve_blocking(
        self,
        estimate: _Estimate | None = None,
        *,
        ttl: _Period | None = None,
        timeout: _Period | None = None,
        **labels: str,
    ) -> BudgetLease:
        """Do as `reserve_wait` does, in a thread: without the GIL, and Ctrl-C ends it.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the policy's
                `lease_ttl`.
            timeout: How long to wait at most: seconds or a timedelta; default None, the shortest wait of the
                rules that match.
            **labels: Whom the call is about.

        Returns:
            The lease to commit.

        Raises:
            LimitExceeded: A rule refuses that nobody waits for; nothing was changed.
            WaitTimeout: It took too long.
            PolicyError: A price or a required label is missing, or a time is not allowed.

        Example:
            >>> guard = Guard({"pool": [{"name": "one", "max_concurrent": 1, "on_limit": {"wait": "30s"}}]})
            >>> first = guard.reserve(model="gpt-x")
            >>> try:
            ...     guard.reserve_blocking(model="gpt-x", timeout=0)
            ... except WaitTimeout:
            ...     "no slot"
            'no slot'

        """

    def check(self, estimate: _Estimate | None = None, **labels: str) -> None:
        """Raise what `reserve` would raise now; change nothing. Soft limits are checked as if they were hard.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            **labels: Whom the call is about.

        Raises:
            LimitExceeded: A rule refuses, or would if it were hard.
            PolicyError: Cost is limited, and nobody knows the price of the model; or a required label is
                missing.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 100}, "mode": "soft"}]})
            >>> try:
            ...     guard.check(101)
            ... except BudgetExceeded as refused:
            ...     refused.remaining
            100

        """

    def charge_step(self, **labels: str) -> None:
        """Charge one step to the workflows that match, or refuse and change nothing.

        Args:
            **labels: Whom the step is about: `workflow` is the name of the rule.

        Raises:
            StepLimitExceeded: A workflow has no step left.
            PolicyError: A required label is missing.

        Example:
            >>> guard = Guard({"workflow": [{"name": "release", "limit": {"steps": 1}}]})
            >>> guard.charge_step(workflow="release", run="r-1")
            >>> try:
            ...     guard.charge_step(workflow="release", run="r-1")
            ... except StepLimitExceeded as refused:
            ...     refused.max_steps
            1

        """

    def scope(self, **labels: str) -> AbstractContextManager[None]:
        """Add labels to every request of every guard inside the `with` block.

        The labels of a request, and those of a scope within, come before those of a scope around it. Tasks
        that are started inside inherit the scope; bare threads and executors do not: `outlay.in_scope` hands
        it on to them.

        Args:
            **labels: The labels.

        Raises:
            PolicyError: A label is no text.

        Example:
            >>> guard = Guard({"budget": [{"name": "u", "scope": {"user": "*"}, "limit": {"calls": 1}}]})
            >>> with guard.scope(user="ann"):
            ...     guard.reserve().commit()
            ...     guard.advice()["remaining"]
            {'calls': 0}

        """

    def run(self, run_id: str | None = None, **labels: str) -> AbstractContextManager[str]:
        """Be a run inside the `with` block: a rule with `window = "run"` counts it by itself.

        Args:
            run_id: The label `run`; default None, a new one.
            **labels: More labels, as of `scope`.

        Returns:
            A context manager that gives the id of the run.

        Example:
            >>> guard = Guard({"budget": [{"name": "r", "limit": {"calls": 1}, "window": "run"}]})
            >>> for number in range(2):
            ...     with guard.run(f"r-{number}"):
            ...         guard.reserve().commit()

        """

    def step(self, name: str = "default", **labels: str) -> AbstractContextManager[None]:
        """Charge one step as the `with` block begins; inside, the limits of `step.NAME` hold for it alone.

        Args:
            name: The name of the step; default "default". A step without limits of its own has those of
                `step.default`.
            **labels: More labels, as of `scope`.

        Returns:
            A context manager; to enter it raises `StepLimitExceeded` where no step is left.

        Example:
            >>> guard = Guard({"workflow": [{"name": "release", "step": {"review": {"tokens": 500}}}]})
            >>> with guard.run(workflow="release"):
            ...     for _ in range(2):
            ...         with guard.step("review"):
            ...             guard.reserve(500).commit()

        """

    def landing(self) -> AbstractContextManager[None]:
        """Allow what budgets keep back (`landing`) inside the `with` block: for the final answer.

        Example:
            >>> rule = {"name": "all", "limit": {"tokens": 1_000}, "landing": {"tokens": 200}}
            >>> guard = Guard({"budget": [rule]})
            >>> guard.reserve(800).commit()
            >>> guard.advice()["landing"]
            True
            >>> with guard.landing():
            ...     guard.reserve(200).commit()

        """

    def allot(
        self,
        *,
        tokens: _Amount | None = None,
        cost_micros_usd: _Amount | None = None,
        calls: _Amount | None = None,
        ttl: _Period | None = None,
        **labels: str,
    ) -> Allotment:
        """Set a part of all budgets that match aside for a sub-agent, or refuse and change nothing.

        Sliding windows, limiters and slots are not set aside: the requests of the part ask them as all
        others do, and so they do for what is not set aside.

        Args:
            tokens: Tokens; default None, not set aside.
            cost_micros_usd: Millionths of a US dollar; default None, not set aside.
            calls: Calls; default None, not set aside.
            ttl: When the part takes no more requests, in seconds or as a timedelta; it runs out then, or when
                its last lease has ended; default None, 100 years.
            **labels: Whose budgets; the requests of the part have these labels too.

        Returns:
            The part.

        Raises:
            LimitExceeded: A budget has not as much left.
            PolicyError: Nothing is to be set aside, or a required label is missing.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000}}]})
            >>> with guard.allot(tokens=600) as part:
            ...     part.reserve(400).commit(100)
            ...     guard.advice()["remaining"]
            {'tokens': 400}
            >>> guard.advice()["remaining"]
            {'tokens': 900}

        """

    def observe(self, headers: _Headers, status: int = ..., **labels: str) -> None:
        """Take in what a provider says of its own rate limit, as `RateLimiter.observe` does.

        The limiters that match and say `adaptive = "headers"` are told.

        Args:
            headers: The headers of the response: a mapping, or pairs.
            status: The status of the response; default 200.
            **labels: Whom the call was about.

        Raises:
            PolicyError: The headers are neither, or the status is no status code.

        Example:
            >>> rule = {"name": "tpm", "tokens_per_minute": 90_000, "adaptive": "headers"}
            >>> guard = Guard({"limiter": [rule]})
            >>> said = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m"}
            >>> guard.observe(said, model="gpt-x")
            >>> try:
            ...     guard.reserve(1, model="gpt-x")
            ... except RateLimitExceeded as refused:
            ...     refused.scope["limiter"]
            'tpm'

        """

    def update(self, policy: _Policy) -> None:
        """Lay down another policy. What a rule with the same kind, name, scope and window counted stays.

        Args:
            policy: A dict, or the path of a TOML file.

        Raises:
            PolicyError: The policy makes no sense; the former one stays in force.
            OSError: The file can not be read.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 100}}]})
            >>> guard.reserve(100).commit()
            >>> guard.update({"budget": [{"name": "all", "limit": {"tokens": 150}}]})
            >>> guard.advice()["remaining"]
            {'tokens': 50}

        """

    def explain(self, **labels: str) -> list[dict[str, Any]]:
        """Return the counters that a request with these labels is asked of, in the order of the policy.

        Args:
            **labels: Whom the request would be about.

        Returns:
            Dicts with `name`, `kind` (the table of the rule), `scope`, `values` (the labels by which its
            counters are told apart), `window`, `mode`, `resets_in` and `wait` (seconds or None), and
            `limits`: by unit a dict of `limit`, `used`, `reserved`, `remaining` and `kept_back`, where money
            is in micro-USD.

        Example:
            >>> guard = Guard({
            ...     "budget": [{"name": "coder", "scope": {"agent": "coder"}, "limit": {"tokens": 100}}],
            ... })
            >>> [rule["name"] for rule in guard.explain(agent="coder")], guard.explain(agent="other")
            (['coder'], [])

        """

    def snapshot(self) -> list[dict[str, Any]]:
        """Return every counter that was ever asked, as dicts like those of `explain`.

        Example:
            >>> guard = Guard({"budget": [{"name": "a", "scope": {"agent": "*"}, "limit": {"calls": 9}}]})
            >>> for agent in ("a-1", "a-2"):
            ...     guard.reserve(agent=agent).commit()
            >>> [counter["values"] for counter in guard.snapshot()]
            [{'agent': 'a-1'}, {'agent': 'a-2'}]

        """

    def advice(self, *, estimate: UsageEstimate | _Amount | None = None, **labels: str) -> dict[str, Any]:
        """Return what is left for requests with these labels: what a prompt may tell the model.

        Args:
            estimate: What the next call may use, a `UsageEstimate` or tokens; default None, as the calls so
                far.
            **labels: Whom the requests are about.

        Returns:
            `remaining`, a dict of the least that any hard limit leaves of "tokens", "cost_micros_usd",
            "calls", "tool_calls" and "steps", where they are limited; `usd`, the money left as text, where it
            is limited; `rates`, what limiters and rolling windows leave now, by rule and unit: it comes back
            by itself; `calls_left_estimate`, for how many such calls that may do, or None; `landing`, whether
            the next such call does not fit above what is kept back for the final answer.

        Raises:
            InvalidAmount: The estimate is no whole number of at least 0.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000}}]})
            >>> guard.reserve(300).commit(250)
            >>> guard.advice()
            {'remaining': {'tokens': 750}, 'rates': {}, 'calls_left_estimate': 3, 'landing': False}

        """

    def events(self, callback: Callable[[dict[str, Any]], object]) -> None:
        """Call `callback` with everything that happens from now on, under no lock.

        Args:
            callback: Takes a dict with `event` ("reserved", "committed", "released", "expired", "charged",
                "denied", "warned", "exceeded", "unmatched"), `name` of the rule, `lease` (its id or None) and
                `amounts` by unit. "unmatched" is a request that passes where no rule is about it (in a policy
                with budgets or workflows: none of these); it has `labels`, a dict. What it raises
                is reported as unraisable, and changes nothing. The collector may end a lease within it, so
                that it is called in itself: a lock that it takes has to be reentrant.

        Raises:
            PolicyError: It can not be called.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 10}, "mode": "shadow"}]})
            >>> seen = []
            >>> guard.events(seen.append)
            >>> guard.reserve(11).commit()
            >>> [event["event"] for event in seen], seen[1]["amounts"]
            (['reserved', 'denied', 'committed'], {'tokens': 11})

        """

    def _try_reserve(
        self,
        estimate: _Estimate | None,
        ttl: _Period | None,
        timeout: _Period | None,
        labels: dict[str, str],
    ) -> BudgetLease | None: ...
    def _wait(
        self,
        estimate: _Estimate | None,
        ttl: _Period | None,
        timeout: _Period | None,
        labels: dict[str, str],
        mailbox: Mailbox,
    ) -> Wait: ...
    def _estimating(self) -> tuple[Literal["strict", "expected"] | None, int | None]: ...
    def _allowance_ledger(self) -> AllowanceLedger: ...

@final
class Allotment:
    """A part of a guard's budgets, set aside for a sub-agent by `Guard.allot`.

    It is one lease of the parent: all parts together are never more than the parent has. It takes requests
    until it is closed; when it is closed and its last lease has ended, what is left goes back. It is a budget
    of every `wrap`, as its guard is. Dropped, it is closed. Its requests have its labels beside their own;
    where one is missing that the policy requires, they raise `PolicyError`.

    Example:
        >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000, "calls": 10}}]})
        >>> with guard.allot(tokens=300, calls=2) as part:
        ...     part.reserve(200).commit()
        ...     try:
        ...         part.reserve(200)
        ...     except BudgetExceeded as refused:
        ...         refused.remaining
        100
        >>> guard.advice()["remaining"]
        {'tokens': 800, 'calls': 9}

    """

    @property
    def closed(self) -> bool:
        """Whether it was closed."""

    def reserve(
        self, estimate: _Estimate | None = None, *, ttl: _Period | None = None, **labels: str
    ) -> BudgetLease:
        """Hold the estimate in the part, and under the limits that are not set aside.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the policy's
                `lease_ttl`.
            **labels: Whom the call is about, beside the labels of the part.

        Returns:
            The lease to commit.

        Raises:
            LimitExceeded: The part has not as much left, or a rule refuses; nothing was changed.
            LeaseFinalized: The part was closed.
            LeaseExpired: The part has run out.
            PolicyError: Cost is limited, and nobody knows the price of the model.

        """

    async def reserve_wait(
        self,
        estimate: _Estimate | None = None,
        *,
        ttl: _Period | None = None,
        timeout: _Period | None = None,
        **labels: str,
    ) -> BudgetLease:
        """Do as `reserve` does, and wait as `Guard.reserve_wait` does; the part itself is not waited for.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the policy's
                `lease_ttl`.
            timeout: How long to wait at most: seconds or a timedelta; default None, the shortest wait of the
                rules that match.
            **labels: Whom the call is about, beside the labels of the part.

        Returns:
            The lease to commit.

        Raises:
            LimitExceeded: The part has not as much left, or a rule refuses that nobody waits for.
            WaitTimeout: It took too long.
            LeaseFinalized: The part was closed.
            LeaseExpired: The part has run out.

        """

    def reserve_blocking(
        self,
        estimate: _Estimate | None = None,
        *,
        ttl: _Period | None = None,
        timeout: _Period | None = None,
        **labels: str,
    ) -> BudgetLease:
        """Do as `reserve_wait` does, in a thread: without the GIL, and Ctrl-C ends it.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the policy's
                `lease_ttl`.
            timeout: How long to wait at most: seconds or a timedelta; default None, the shortest wait of the
                rules that match.
            **labels: Whom the call is about.

        Returns:
            The lease to commit.

        Raises:
            LimitExceeded: The part or a rule refuses that nobody waits for; nothing was changed.
            WaitTimeout: It took too long.
            LeaseFinalized: The part is closed.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000}}]})
            >>> guard.allot(tokens=300).reserve_blocking(300).state
            'open'

        """

    def check(self, estimate: _Estimate | None = None, **labels: str) -> None:
        """Raise what `reserve` would raise now; change nothing. Soft limits are checked as if they were hard.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            **labels: Whom the call is about.

        Raises:
            LimitExceeded: The part or a rule refuses.
            LeaseFinalized: The part is closed.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000}}]})
            >>> try:
            ...     guard.allot(tokens=300).check(301)
            ... except BudgetExceeded as refused:
            ...     refused.remaining
            300

        """

    def charge_step(self, **labels: str) -> None:
        """Charge one step to the guard's workflows that match, or refuse: steps are not set aside.

        Args:
            **labels: Whom the step is about, beside the labels of the part.

        Raises:
            StepLimitExceeded: A workflow has no step left.
            LeaseFinalized: The part is closed.

        Example:
            >>> guard = Guard({"workflow": [{"name": "w", "limit": {"steps": 1, "tokens": 100}}]})
            >>> with guard.allot(tokens=50, workflow="w", run="r-1") as part:
            ...     part.charge_step()
            ...     try:
            ...         part.charge_step()
            ...     except StepLimitExceeded as refused:
            ...         refused.max_steps
            1

        """

    def observe(self, headers: _Headers, status: int = ..., **labels: str) -> None:
        """Take in what a provider says of its own rate limit, as `Guard.observe` does.

        Args:
            headers: The headers of the response: a mapping, or pairs.
            status: The status of the response; default 200.
            **labels: Whom the call was about, beside the labels of the part.

        Raises:
            PolicyError: The headers are neither, or the status is no status code.
            LeaseFinalized: The part is closed.

        Example:
            >>> rule = {"name": "tpm", "tokens_per_minute": 90_000, "adaptive": "headers"}
            >>> guard = Guard({"limiter": [rule], "budget": [{"name": "all", "limit": {"tokens": 1_000}}]})
            >>> part = guard.allot(tokens=100)
            >>> part.observe({"retry-after": "60"}, 429)
            >>> try:
            ...     part.reserve(1)
            ... except RateLimitExceeded as refused:
            ...     refused.retry_after > 59
            True

        """

    def allot(
        self,
        *,
        tokens: _Amount | None = None,
        cost_micros_usd: _Amount | None = None,
        calls: _Amount | None = None,
        ttl: _Period | None = None,
        **labels: str,
    ) -> Allotment:
        """Set a part of this part aside, as `Guard.allot` does.

        Args:
            tokens: Tokens; default None, not set aside.
            cost_micros_usd: Millionths of a US dollar; default None, not set aside.
            calls: Calls; default None, not set aside.
            ttl: When the part takes no more requests, in seconds or as a timedelta; it runs out then, or when
                its last lease has ended; default None, 100 years.
            **labels: More labels.

        Returns:
            The part of the part.

        Raises:
            LimitExceeded: There is not as much left.
            LeaseFinalized: This part was closed.
            LeaseExpired: This part has run out.
            PolicyError: Nothing is to be set aside.

        """

    def remaining(self) -> dict[str, int | None]:
        """Return what is left of the part: "tokens", "cost_micros_usd" and "calls", None if not set aside.

        Raises:
            LeaseFinalized: The part was closed.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000}}]})
            >>> guard.allot(tokens=300).remaining()
            {'tokens': 300, 'cost_micros_usd': None, 'calls': None}

        """

    def close(self) -> None:
        """Take no more requests; what is left goes back once the last lease has ended. It never raises."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> Literal[False]: ...
    def _estimating(self) -> tuple[Literal["strict", "expected"] | None, int | None]: ...
    def _accounts(self) -> list[int]: ...
    def _try_reserve(
        self,
        estimate: _Estimate | None,
        ttl: _Period | None,
        timeout: _Period | None,
        labels: dict[str, str],
    ) -> BudgetLease | None: ...
    def _wait(
        self,
        estimate: _Estimate | None,
        ttl: _Period | None,
        timeout: _Period | None,
        labels: dict[str, str],
        mailbox: Mailbox,
    ) -> Wait: ...

# Refusals

@final
class Denial:
    """The numbers of a refusal: what every `LimitExceeded` carries as its only argument.

    Its texts are made when they are read. Code that raises refusals of its own, or tests handlers of them,
    makes one by hand.

    Args:
        error: Which kind of account refuses, such as "budget_exceeded".
        kind: What ran out, such as "token".
        id: Whose account: the agent's or the workflow's id; default None.
        limit: The maximum in the window; default 0.
        used: What was booked in the window; default 0.
        reserved: What open leases hold; default 0.
        requested: What was asked for; default 0.
        remaining: What could still be admitted; default 0.
        retry_after: The time until the same request could pass, in seconds or as a timedelta; default None,
            waiting never helps.
        resets_in: The time until the next window, in seconds or as a timedelta; default None, none will come.
        period: The length of the window, in seconds or as a timedelta; default None.
        reason: The message; default None, the usual sentence.
        scope: Further labels; default None.

    Raises:
        PolicyError: The error or the kind is not known, or a time is negative.
        InvalidAmount: A number is no whole number from 0 to 2**64 - 1.
        InvalidId: The id is not allowed.

    Example:
        >>> refused = BudgetExceeded(Denial("budget_exceeded", "token", id="a-1", limit=100, requested=200))
        >>> refused.message, refused.agent_id, refused.total
        ('Token budget exceeded', 'a-1', 100)

    """

    def __new__(
        cls,
        error: str,
        kind: str,
        *,
        id: _Id | None = None,
        limit: _Amount = ...,
        used: _Amount = ...,
        reserved: _Amount = ...,
        requested: _Amount = ...,
        remaining: _Amount = ...,
        retry_after: _Period | None = None,
        resets_in: _Period | None = None,
        period: _Period | None = None,
        reason: str | None = None,
        scope: dict[str, str] | None = None,
    ) -> Self: ...
    @property
    def error(
        self,
    ) -> Literal[
        "not_configured",
        "budget_exceeded",
        "request_budget_exceeded",
        "threshold_exceeded",
        "workflow_quota_exceeded",
        "rate_limit_exceeded",
        "allowance_exceeded",
    ]:
        """Which kind of account refuses."""

    @property
    def kind(
        self,
    ) -> Literal[
        "token",
        "call",
        "cost",
        "workflow_limit",
        "step_limit",
        "rate",
        "job",
        "concurrency",
        "not_configured",
    ]:
        """What ran out."""

    @property
    def message(self) -> str:
        """What ran out, in a sentence."""

    @property
    def id(self) -> str | None:
        """Whose account, None where it has no id."""

    @property
    def limit(self) -> int:
        """The maximum in the window."""

    @property
    def used(self) -> int:
        """What was booked in the window."""

    @property
    def reserved(self) -> int:
        """What open leases hold."""

    @property
    def requested(self) -> int:
        """What was asked for."""

    @property
    def remaining(self) -> int:
        """What could still be admitted."""

    @property
    def retry_after(self) -> float | None:
        """Seconds until the same request could pass, None where waiting never helps."""

    @property
    def resets_in(self) -> float | None:
        """Seconds until the next window, None where none will come."""

    @property
    def retryable(self) -> bool:
        """Whether waiting is the cure; False where the budget is spent."""

    @property
    def suggestion(self) -> str:
        """What to do now."""

    @property
    def scope(self) -> dict[str, str]:
        """Who and what was refused, by label."""

    def to_json(self) -> str:
        """Return the refusal as one line of JSON of at most 1 KB; long ids are cut."""

    def __eq__(self, other: object, /) -> bool: ...

# What the package's own modules stand on

@final
class AllowanceLedger:
    """The jobs of agents, and what they use of models and repositories: what the allowances stand on.

    A limit of 0 is no limit; days are UTC. An empty `model` is none.

    Args:
        clock: Where time comes from; default None, `SystemClock()`.

    Raises:
        PolicyError: It is no clock.

    Example:
        >>> from outlay._core import AllowanceLedger
        >>> ledger = AllowanceLedger()
        >>> ledger.set_allowance("a-1", 1_000, 0, 1, None, [])
        >>> ledger.start_job("a-1", "j-1", "", None, 400)
        >>> ledger.check("a-1", "", None)
        (False, 'exceeded', 600, -1, 'concurrent job limit reached')
        >>> ledger.record("a-1", "j-1", "job_failed", "", 7, 0, 0)
        True
        >>> ledger.usage("a-1")[:3]
        (4, 1, 0)

    """

    def __new__(cls, *, clock: _Clock | None = None) -> Self: ...
    def set_allowance(
        self,
        agent_id: _Id,
        daily_token_limit: _Amount,
        daily_job_limit: _Amount,
        concurrent_jobs: _Amount,
        max_job_duration: _Period | None,
        model_allowlist: Sequence[_Id],
    ) -> None:
        """Set or change what an agent may do; what it used and what runs stays.

        Args:
            agent_id: The agent.
            daily_token_limit: Tokens in a day.
            daily_job_limit: Jobs begun in a day.
            concurrent_jobs: Jobs that run at once.
            max_job_duration: When a job's slot is free whatever became of it; None or 0 for never.
            model_allowlist: The models of its jobs; empty for all.

        Raises:
            PolicyError: The duration is not allowed.

        """

    def set_model_quota(
        self,
        model: _Id,
        daily_token_budget: _Amount,
        hourly_rate_limit: _Amount,
        cost_ceiling_micros_usd: _Amount,
    ) -> None:
        """Set or change what all agents may use of a model; what they used stays.

        Args:
            model: The model.
            daily_token_budget: Tokens in a day.
            hourly_rate_limit: Jobs begun in any hour.
            cost_ceiling_micros_usd: Cost for ever: jobs begin only while less was spent.

        """

    def set_repo_limit(
        self,
        repo: _Id,
        max_daily_prs: _Amount,
        max_daily_issues: _Amount,
        cooldown_after_failure: _Period | None,
    ) -> None:
        """Set or change what all agents may do in a repository; the counts and a cooldown stay.

        Args:
            repo: The repository.
            max_daily_prs: Pull requests in a day.
            max_daily_issues: Issues in a day.
            cooldown_after_failure: How long it rests after a failed job; None or 0 for not at all.

        Raises:
            PolicyError: The duration is not allowed.

        """

    def model_quota(self, model: _Id) -> tuple[int, int, int] | None:
        """Return what was set for a model, None where nothing was.

        Args:
            model: The model.

        Returns:
            The tokens of a day, the requests of an hour and the micro-USD for ever.

        """

    def allowance(self, agent_id: _Id) -> tuple[tuple[int, int, int], float, list[str]] | None:
        """Return what was set for an agent, None where nothing was.

        Args:
            agent_id: The agent.

        Returns:
            The tokens and jobs of a day and the jobs at once, the longest duration in seconds (0 for none),
            and the models.

        """

    def is_configured(self, agent_id: _Id) -> bool:
        """Return whether an agent has an allowance.

        Args:
            agent_id: The agent.

        """

    def usage(self, agent_id: _Id) -> tuple[int, int, int, int]:
        """Return today's tokens and jobs, the jobs that run, and when the day began in ns since 1970.

        Args:
            agent_id: The agent; zeros for one that nothing is known of.

        """

    def model_usage(self, model: _Id) -> int:
        """Return the tokens of a model that were charged today.

        Args:
            model: The model.

        """

    def check(self, agent_id: _Id, model: _Id, repo: _Id | None) -> _Checked:
        """Return whether a job of one token would pass: advice, which changes nothing.

        Args:
            agent_id: The agent.
            model: The model, or "".
            repo: The repository, or None.

        Returns:
            allowed, "ok" or "warning" or "exceeded", the tokens and the jobs that are left (-1 for no limit),
            and why not ("" where it is allowed).

        Raises:
            NotConfigured: The agent has no allowance.

        """

    def start_job(
        self, agent_id: _Id, job_id: _Id, model: _Id, repo: _Id | None, estimated_tokens: _Amount
    ) -> int | None:
        """Begin a job, or refuse it and change nothing.

        Args:
            agent_id: The agent.
            job_id: A name of the agent's own.
            model: The model, or "".
            repo: The repository, or None.
            estimated_tokens: What it holds until it ends.

        Returns:
            When it has run for too long, in ns since 1970, or None for never.

        Raises:
            AllowanceExceeded: A limit refuses.
            NotConfigured: The agent has no allowance.
            ValueError: A job of that id runs, or has ended today or yesterday.

        """

    def withdraw_job(self, agent_id: _Id, job_id: _Id) -> bool:
        """Take back a job that has just begun: what it holds and counts, and its id.

        Args:
            agent_id: The agent.
            job_id: The job.

        Returns:
            Whether such a job ran.

        """

    def record(
        self,
        agent_id: _Id,
        job_id: _Id,
        event: _JobEvent,
        model: _Id,
        tokens_in: _Amount,
        tokens_out: _Amount,
        cost_micros_usd: _Amount,
    ) -> bool:
        """Take in what happened to a job; False where it was known and changes nothing.

        Args:
            agent_id: The agent.
            job_id: The job.
            event: What happened.
            model: The model, or "".
            tokens_in: Tokens sent, or of a beginning what may be sent.
            tokens_out: Tokens received, or of a beginning what may be received.
            cost_micros_usd: What it has cost, at its end.

        Raises:
            PolicyError: The event is not known.

        """

    def preview(
        self,
        agent_id: _Id,
        job_id: _Id,
        event: _JobEvent,
        model: _Id,
        tokens_in: _Amount,
        tokens_out: _Amount,
    ) -> tuple[int, int, int, bool, str] | None:
        """Return what `record` would change now, None for nothing.

        Args:
            agent_id: The agent.
            job_id: The job.
            event: What happened.
            model: The model, or "".
            tokens_in: Tokens sent.
            tokens_out: Tokens received.

        Returns:
            The jobs it counts, what an end charges in all and what of it comes back, whether a job that was
            known to run ends, and the model it is counted for.

        Raises:
            PolicyError: The event is not known.

        """

    def overdue(self) -> list[tuple[str, str, str, str | None, int]]:
        """Return the jobs that have run for too long, the longest overdue first.

        Returns:
            The agent, the job, the model, the repository and the deadline in ns since 1970 of each.

        """

    def reset_agent(self, agent_id: _Id) -> None:
        """Forget what an agent used today; jobs that run keep their slots.

        Args:
            agent_id: The agent.

        """

    def check_repo(self, repo: _Id, action: _RepoAction) -> _Checked:
        """Return whether a repository takes one more action: advice, which changes nothing.

        Args:
            repo: The repository.
            action: "pr" or "issue".

        Returns:
            As of `check`: what is left is of the action, and no jobs are counted (-1).

        Raises:
            PolicyError: The action is not known.

        """

    def charge_repo(self, repo: _Id, action: _RepoAction) -> None:
        """Count one action of a repository, or refuse it.

        Args:
            repo: The repository.
            action: "pr" or "issue".

        Raises:
            AllowanceExceeded: The limit of the day is reached, or it rests after a failure.
            PolicyError: The action is not known.

        """

    def record_failure(self, repo: _Id) -> None:
        """Let a repository rest for its cooldown from now on.

        Args:
            repo: The repository.

        """

    def sync_agent(
        self, agent_id: _Id, tokens_used: _Amount, jobs_started: _Amount, active_elsewhere: _Amount
    ) -> None:
        """Take over what a store says of an agent's day.

        Args:
            agent_id: The agent.
            tokens_used: Tokens charged today.
            jobs_started: Jobs begun today.
            active_elsewhere: Jobs that run and that this ledger does not know of.

        """

    def sync_model(self, model: _Id, tokens_used: _Amount) -> None:
        """Take over what a store says of a model's day.

        Args:
            model: The model.
            tokens_used: Tokens charged today.

        """

def reserve_together(
    budgets: Sequence[_Asked],
    estimate: UsageEstimate,
    *,
    operation: str | None = None,
    ttl: _Period | None = None,
    timeout: _Period | None = None,
    labels: Mapping[str, str] | None = None,
    covered: Sequence[int] = ...,
) -> BudgetLease | None:
    """Hold an estimate of several budgets in one lease, or refuse and change nothing.

    A budget that is named twice is asked once. A `WorkflowToken` is asked for one step, an `AgentBudget` for
    the tokens and one call. With a timeout it waits in this thread, first in, first out, where a pool or a
    limiter refuses; the other budgets never wait. Where a guard's policy says so, it waits without one.

    Args:
        budgets: At least one budget.
        estimate: What the call may use.
        operation: What an `AgentTokenBudget` weighs; default None, "query".
        ttl: When the lease runs out, in seconds or as a timedelta; default None, the `lease_ttl` of each.
        timeout: How long to wait at most: seconds or a timedelta; default None, not at all unless a guard's
            policy says so.
        labels: What guards are asked with, beside those of the scopes around; default None, none.
        covered: The numbers (`account_id`) of accounts that a call around this one pays for; default none.

    Returns:
        The lease, whose end settles in every budget; None where a call around this one pays for all.

    Raises:
        LimitExceeded: A budget refuses; nothing was changed anywhere.
        WaitTimeout: It took too long.
        PolicyError: There is no budget, a guard knows no price, or the time to live is not allowed.
        InvalidId: The name of the operation is not allowed.
        TypeError: Something is no budget of this package.

    Example:
        >>> from outlay._core import reserve_together
        >>> pool, budget = SharedPool(capacity_tokens=1_000), AgentTokenBudget.hourly("a-1", 500)
        >>> with reserve_together([pool, budget], UsageEstimate(total_tokens=400)) as lease:
        ...     lease.commit(300)
        >>> pool.remaining().tokens, budget.remaining()
        (700, 200)

    """

def wait_together(
    budgets: Sequence[_Asked],
    estimate: UsageEstimate,
    mailbox: Callable[[], Mailbox],
    *,
    operation: str | None = None,
    ttl: _Period | None = None,
    timeout: _Period | None = None,
    labels: Mapping[str, str] | None = None,
    covered: Sequence[int] = ...,
) -> BudgetLease | Wait | None:
    """Do as `reserve_together` does for an event loop; `mailbox` is told when the wait has ended.

    Args:
        budgets: At least one budget.
        estimate: What the call may use.
        mailbox: That of the event loop.
        operation: What an `AgentTokenBudget` weighs; default None, "query".
        ttl: When the lease runs out, in seconds or as a timedelta; default None, the `lease_ttl` of each.
        timeout: How long to wait at most: seconds or a timedelta; default None, not at all unless a guard's
            policy says so.
        labels: What guards are asked with, beside those of the scopes around; default None, none.
        covered: The numbers (`account_id`) of accounts that a call around this one pays for; default none.

    Returns:
        A lease, a wait, which may have ended already, or None where a call around this one pays for all.

    Raises:
        LimitExceeded: A budget refuses that nobody waits for; nothing was changed.
        PolicyError: There is no budget, or a time is not allowed.

    """

def record_together(
    budgets: Sequence[_Native | Guard | Allotment],
    usage: UsageEstimate,
    *,
    operation: str | None = None,
    labels: dict[str, str] | None = None,
    covered: list[int] = ...,
) -> None:
    """Book in several budgets what a call has used already, of which nothing was held: nothing refuses it.

    Args:
        budgets: The budgets.
        usage: What was used.
        operation: The operation that an `AgentTokenBudget` weighs; default None, "query".
        labels: Whom the call was about, for guards; default None, nobody.
        covered: Accounts that are paid for already.

    Raises:
        InvalidId: The name of the operation is not allowed.
        TypeError: Something is no budget of this package.

    """

def charge_together(
    budgets: Sequence[_Native | Guard | Allotment], operation: str, *, labels: dict[str, str] | None = None
) -> None:
    """Charge one step to several budgets, or refuse and change nothing.

    An `AgentTokenBudget` books one token of the operation, an `AgentBudget` one call, a `WorkflowToken` one
    step, a `Guard` one step of the workflows that match the labels.

    Args:
        budgets: The budgets.
        operation: The name of the tool.
        labels: Whom the step is about, for guards; default None, nobody.

    Raises:
        LimitExceeded: A budget refuses; nothing was changed anywhere.
        PolicyError: A `SharedPool` is among them: it counts tokens, which a tool call has none of.
        InvalidId: The name of the operation is not allowed.
        TypeError: Something is no budget of this package.

    """

def account_id(budget: _Native) -> int:
    """Return a number that all handles of one account share, and no other account alive has.

    Args:
        budget: A budget of this package.

    Raises:
        TypeError: It is none.

    """

def cost_capped(budget: _Native) -> bool:
    """Return whether a budget limits money.

    Args:
        budget: A budget of this package.

    Raises:
        TypeError: It is none.

    """

def check_amount(value: _Amount, argument: str) -> int:
    """Return a whole number as an int: what the value classes in Python check theirs with.

    Args:
        value: The number.
        argument: What it is called where it is refused.

    Raises:
        InvalidAmount: It is no whole number from 0 to 2**64 - 1.

    """

def check_id(value: _Id, argument: str) -> str:
    """Return the text of an identifier.

    Args:
        value: The identifier.
        argument: What it is called where it is refused.

    Raises:
        InvalidId: It is no `str` (or UUID) of 1 to 1,024 bytes.

    """

def check_period(value: _Period, argument: str) -> float:
    """Return a time that may be 0, in seconds.

    Args:
        value: Seconds or a timedelta.
        argument: What it is called where it is refused.

    Raises:
        PolicyError: It is no duration from 0 to 100 years.

    """

def after_fork_in_child() -> None:
    """Refuse the accounts of the parent from now on; the package calls it in forked children."""

def at_exit() -> None:
    """Wait for the callbacks under way and begin no more; the package calls it when Python exits."""

def set_exceptions(module: ModuleType) -> None:
    """Remember the exception classes that refusals and faults are raised as.

    Args:
        module: The module that has them all.

    """

def set_labels_var(get: Callable[[], dict[str, str] | None]) -> None:
    """Say where the labels of scopes are found; the package calls it once.

    Args:
        get: Gives the labels of the scopes around the present code, or None.

    """

def scope_begins() -> None:
    """Say that there are scopes: requests ask for their labels from now on."""

def set_end_block(end: Callable[[BudgetLease, BaseException], None]) -> None:
    """Say who ends a lease whose block an `Exception` left; the package calls it once.

    Args:
        end: Takes the lease and the exception, and ends the lease.

    """

def set_price_resolver(resolver: Callable[[str, str | None], _Price | None]) -> None:
    """Say who knows the prices that a policy does not name; the package calls it once.

    Args:
        resolver: Takes a model and its provider (or None), and gives its price or None.

    """

def restore_denial(
    names: tuple[tuple[str, str, str], str | None],
    numbers: Sequence[int],
    times: Sequence[int | None],
    texts: tuple[str | None, list[tuple[str, str]]],
) -> Denial:
    """Return a pickled `Denial`.

    Args:
        names: The error, the kind and the unit; the id.
        numbers: limit, used, reserved, requested and remaining.
        times: retry_after, resets_in and period in nanoseconds.
        texts: The reason and the labels.

    """

@final
class EmptyMethods:
    """Methods that do nothing, with the kinds of arguments that the real ones take: the floor of the benches.

    Example:
        >>> from outlay._core import EmptyMethods
        >>> EmptyMethods().consume("query", 1)

    """

    def __new__(cls) -> Self: ...
    def consume(self, _operation: str, _estimated_tokens: int) -> None:
        """Do nothing with a text and a whole number, both converted: what every table divides by."""

    def consume_objects(self, _operation: Any, _estimated_tokens: Any) -> None:
        """Do nothing with two objects, as `AgentTokenBudget.consume` takes them."""

    def execute_step(self) -> None:
        """Do nothing without an argument, as `WorkflowToken.execute_step` is called."""
