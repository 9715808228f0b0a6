"""The quota of workflows and of their steps."""

from types import TracebackType
from typing import Any, Literal, Self, final

from outlay._stubs.arguments import Amount, Id, Period
from outlay._stubs.clocks import Clock
from outlay._stubs.stores.store import StoreArg

@final
class WorkflowQuota:
    """How many workflows may begin in each period, and how many steps each may take.

    The first period starts when the quota is made. It counts what begins: ending a workflow makes no room.
    A workflow that nobody ends is forgotten when nobody has had its token for a day, or for a period if
    that is longer.

    Args:
        max_workflows: How many workflows may begin in a period.
        max_steps: How many steps each workflow may take.
        period: The length of a period: seconds or a timedelta.
        clock: Where time comes from; default None, the machine's clocks.
        store: Where the counts are kept, for all processes and after a restart: a URL or a `Store`; default
            None, in this object alone.
        name: What tells it from others of its class in its store; default None, "workflows".

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

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Self: ...
    def __new__(
        cls,
        max_workflows: Amount,
        max_steps: Amount,
        period: Period,
        *,
        clock: Clock | None = None,
        store: StoreArg | None = None,
        name: str | None = None,
    ) -> Self: ...
    @classmethod
    def hourly(
        cls,
        max_workflows: Amount,
        max_steps: Amount,
        *,
        clock: Clock | None = None,
        store: StoreArg | None = None,
        name: str | None = None,
    ) -> Self:
        """Return a quota of so many workflows in each hour from now (not calendar hours).

        Args:
            max_workflows: How many workflows may begin in an hour.
            max_steps: How many steps each workflow may take.
            clock: Where time comes from; default None, the machine's clocks.
            store: Where the counts are kept, for all processes and after a restart: a URL or a `Store`;
                default None, in this object alone.
            name: What tells it from others of its class in its store; default None, "workflows".
        """

    def begin_workflow(self, workflow_id: Id, *, resume: bool = False) -> WorkflowToken:
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

    def end_workflow(self, workflow_id: Id) -> bool:
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

    def get(self, workflow_id: Id) -> WorkflowToken | None:
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

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Self: ...
    @property
    def id(self) -> str:
        """The workflow's id."""

    @property
    def max_steps(self) -> int:
        """How many steps it may take."""

    def execute_step(self, n: Amount = 1) -> None:
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
