"""The clocks: the machine's, and one that a test moves."""

from datetime import datetime
from typing import Any, Self, TypeAlias, final

from outlay._stubs.arguments import Period

@final
class SystemClock:
    """The machine's clocks: the default of every class that keeps time.

    Windows and leases are timed by a monotonic clock, so that a step of the wall clock refills nothing. On
    Linux it counts the time in which the machine was suspended.

    Example:
        >>> budget = AgentTokenBudget.hourly("a-1", 1_000, clock=SystemClock())
        >>> 0 < budget.time_until_reset() <= 3600
        True
    """

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Self: ...
    def __new__(cls) -> Self: ...

@final
class ManualClock:
    """A clock that moves only when `advance` is called: for tests, simulations and replays.

    It starts at 1970-01-01 00:00 UTC. One clock may serve many budgets. A `timeout` of a wait is time of this
    clock: it ends when the clock was advanced that far, and never by itself.

    Example:
        >>> clock = ManualClock()
        >>> budget = AgentTokenBudget.hourly("a-1", 1_000, clock=clock)
        >>> budget.consume("query", 1_000)
        >>> clock.advance(3600)
        >>> budget.used()
        0
    """

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Self: ...
    def __new__(cls) -> Self: ...
    def advance(self, seconds: Period) -> None:
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

Clock: TypeAlias = SystemClock | ManualClock
