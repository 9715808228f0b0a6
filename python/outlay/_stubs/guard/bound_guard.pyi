"""The bound guard: a guard with labels that all of its requests have."""

from types import TracebackType
from typing import Any, Literal, Self, final

from outlay._stubs.amounts import Estimate
from outlay._stubs.arguments import Amount, Headers, Labels, Period
from outlay._stubs.guard.allotment import Allotment
from outlay._stubs.guard.guard import Guard
from outlay._stubs.leases import BudgetLease, Mailbox, Wait

@final
class BoundGuard:
    """A view of a guard with labels bound, made by `Guard.bind`.

    Its requests have these labels wherever they are made: it needs no context, so it is safe in generators,
    callbacks and threads. It decides with the guard's own counters. It is a budget of every `wrap`; a list
    that names it beside its guard is refused, because the guard would pay twice. The labels of a request come
    before those that are bound, and these before the labels of the scopes around. It can be used in a `with`
    block, which gives the view itself and ends nothing.

    Example:
        >>> rule = {"name": "runs", "limit": {"calls": 2}, "window": "run"}
        >>> guard = Guard({"budget": [rule]})
        >>> def conversation(view):
        ...     while True:
        ...         view.reserve().commit()
        ...         yield view.labels["run"]
        >>> one, two = conversation(guard.bind(run="r-1")), conversation(guard.bind(run="r-2"))
        >>> [next(stream) for stream in (one, two, one, two)]
        ['r-1', 'r-2', 'r-1', 'r-2']
    """

    @property
    def guard(self) -> Guard:
        """The guard that it is a view of."""

    @property
    def labels(self) -> dict[str, str]:
        """The labels that are bound, as a new dict.

        Example:
            >>> Guard({}).bind(user="ann").bind(agent="a-1").labels
            {'user': 'ann', 'agent': 'a-1'}
        """

    def bind(self, *, labels: Labels | None = None, **named: str) -> BoundGuard:
        """Return a view with these labels too; they replace those of the same name.

        Args:
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels.

        Raises:
            InvalidId: A label is no text of 1 to 1,024 bytes.
            PolicyError: A label is given twice, with two values.
        """

    def run(self, run_id: str | None = None, *, labels: Labels | None = None, **named: str) -> BoundGuard:
        """Return a view of a new run: `run` is bound, so that `window = "run"` counts it by itself.

        Args:
            run_id: The label `run`; default None, a new one.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: More labels to bind.

        Raises:
            InvalidId: A label is no text of 1 to 1,024 bytes.
            PolicyError: A label is given twice, with two values.

        Example:
            >>> guard = Guard({"budget": [{"name": "b", "limit": {"calls": 1}, "window": "run"}]})
            >>> with guard.bind(user="ann").run() as view:
            ...     view.reserve().commit()
            >>> with guard.bind(user="ann").run("r-2") as view:
            ...     view.reserve().commit()
            >>> view.labels
            {'user': 'ann', 'run': 'r-2'}
        """

    def step(self, name: str = "default", *, labels: Labels | None = None, **named: str) -> BoundGuard:
        """Charge one step, and return a view of it: the limits of `step.NAME` hold for that view alone.

        Args:
            name: The name of the step; default "default".
            labels: Labels as a mapping, beside the keywords; default None.
            **named: More labels to bind.

        Returns:
            The view of the step.

        Raises:
            StepLimitExceeded: A workflow has no step left.
            PolicyError: A required label is missing.

        Example:
            >>> guard = Guard({"workflow": [{"name": "w", "step": {"review": {"tokens": 500}}}]})
            >>> with guard.bind(workflow="w").run().step("review") as view:
            ...     view.reserve(500).commit()
        """

    def landing(self) -> BoundGuard:
        """Return a view that may use what budgets keep back (`landing`): for the final answer.

        Example:
            >>> rule = {"name": "all", "limit": {"tokens": 1_000}, "landing": {"tokens": 200}}
            >>> view = Guard({"budget": [rule]}).bind(user="ann")
            >>> view.reserve(800).commit()
            >>> view.landing().reserve(200).commit()
        """

    def reserve(
        self,
        estimate: Estimate | None = None,
        *,
        ttl: Period | None = None,
        labels: Labels | None = None,
        **named: str,
    ) -> BudgetLease:
        """Do as `Guard.reserve` does, with the labels that are bound.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            ttl: When the lease runs out: seconds or a timedelta; default None, the policy's `lease_ttl`.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call, before those that are bound.

        Returns:
            The lease to commit.

        Raises:
            LimitExceeded: A rule refuses; nothing was changed.
            PolicyError: Cost is limited, and the model has no price; or a required label is missing.
            InvalidAmount: The estimate is no whole number.
            InvalidId: A label is no text of 1 to 1,024 bytes.
        """

    async def reserve_wait(
        self,
        estimate: Estimate | None = None,
        *,
        ttl: Period | None = None,
        timeout: Period | None = None,
        labels: Labels | None = None,
        **named: str,
    ) -> BudgetLease:
        """Do as `Guard.reserve_wait` does, with the labels that are bound.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            ttl: When the lease runs out: seconds or a timedelta; default None, the policy's `lease_ttl`.
            timeout: How long to wait at most, as `ttl` says it; default None, the shortest wait of the rules.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call, before those that are bound.

        Raises:
            LimitExceeded: A rule refuses that nobody waits for; nothing was changed.
            WaitTimeout: It took too long.
            PolicyError: A price or a required label is missing, or a time is not allowed.
        """

    def reserve_blocking(
        self,
        estimate: Estimate | None = None,
        *,
        ttl: Period | None = None,
        timeout: Period | None = None,
        labels: Labels | None = None,
        **named: str,
    ) -> BudgetLease:
        """Do as `Guard.reserve_blocking` does, with the labels that are bound.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            ttl: When the lease runs out: seconds or a timedelta; default None, the policy's `lease_ttl`.
            timeout: How long to wait at most, as `ttl` says it; default None, the shortest wait of the rules.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call, before those that are bound.

        Raises:
            LimitExceeded: A rule refuses that nobody waits for; nothing was changed.
            WaitTimeout: It took too long.
            PolicyError: A price or a required label is missing, or a time is not allowed.
        """

    def check(self, estimate: Estimate | None = None, *, labels: Labels | None = None, **named: str) -> None:
        """Raise what `reserve` would raise now; change nothing.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call, before those that are bound.

        Raises:
            LimitExceeded: A rule refuses, or would if it were hard.
            PolicyError: A price or a required label is missing.
        """

    def charge_step(self, *, labels: Labels | None = None, **named: str) -> None:
        """Charge one step to the workflows that match, or refuse and change nothing.

        Args:
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the step, before those that are bound.

        Raises:
            StepLimitExceeded: A workflow has no step left.
            PolicyError: A required label is missing.
        """

    def allot(
        self,
        *,
        tokens: Amount | None = None,
        cost_micros_usd: Amount | None = None,
        calls: Amount | None = None,
        ttl: Period | None = None,
        labels: Labels | None = None,
        **named: str,
    ) -> Allotment:
        """Set a part of all budgets that match aside for a sub-agent, as `Guard.allot` does.

        Args:
            tokens: Tokens; default None, not set aside.
            cost_micros_usd: Millionths of a US dollar; default None, not set aside.
            calls: Calls; default None, not set aside.
            ttl: When the part takes no more requests: seconds or a timedelta; default None, 100 years.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: More labels; the requests of the part have all of them.

        Returns:
            The part.

        Raises:
            LimitExceeded: A budget has not as much left.
            PolicyError: Nothing is to be set aside, or a required label is missing.
        """

    def observe(
        self,
        headers: Headers,
        status: int = 200,
        *,
        body: str | bytes | dict[str, Any] | list[Any] | None = None,
        labels: Labels | None = None,
        **named: str,
    ) -> None:
        """Take in what a provider says of its own rate limit, as `Guard.observe` does.

        Args:
            headers: The headers of the response: a mapping, or pairs.
            status: The status of the response; default 200.
            body: The body of an error: its text or bytes, or the dict or list that they hold; default None.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call, before those that are bound.

        Raises:
            PolicyError: The headers or the body are neither, or the status is no status code.
        """

    def explain(self, *, labels: Labels | None = None, **named: str) -> list[dict[str, Any]]:
        """Return which counters such a request meets, and how full each is, as `Guard.explain` does.

        Args:
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call, before those that are bound.
        """

    def advice(
        self, *, estimate: Estimate | None = None, labels: Labels | None = None, **named: str
    ) -> dict[str, Any]:
        """Return what is left, as `Guard.advice` does.

        Args:
            estimate: What the next call may use; default None, what calls before it used.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call, before those that are bound.
        """

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> Literal[False]: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Self: ...
    def _estimating(self) -> tuple[Literal["strict", "expected"] | None, int | None]: ...
    def _cost_source(self) -> Literal["larger", "provider", "computed"]: ...
    def _try_reserve(
        self,
        estimate: Estimate | None,
        ttl: Period | None,
        timeout: Period | None,
        labels: Labels | None,
        named: dict[str, str],
    ) -> BudgetLease | None: ...
    def _wait(
        self,
        estimate: Estimate | None,
        ttl: Period | None,
        timeout: Period | None,
        labels: Labels | None,
        named: dict[str, str],
        mailbox: Mailbox,
    ) -> Wait: ...
