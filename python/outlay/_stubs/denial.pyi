"""The facts of a refusal, as an exception carries them."""

from typing import Literal, Self, final

from outlay._stubs.arguments import Amount, Id, Period

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
        id: Id | None = None,
        limit: Amount = 0,
        used: Amount = 0,
        reserved: Amount = 0,
        requested: Amount = 0,
        remaining: Amount = 0,
        retry_after: Period | None = None,
        resets_in: Period | None = None,
        period: Period | None = None,
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
        """The labels of the request that was refused."""

    def to_json(self) -> str:
        """Return the refusal as one line of JSON of at most 1 KB; long ids are cut.

        It has the names and totals that ``show`` of the policy allows.
        """

    def note(self) -> str:
        """Return what a person needs to know: limit and rule, labels, amounts, times.

        It has all names and totals, whatever ``show`` says. Money is in dollars.
        """

    def __eq__(self, other: object, /) -> bool: ...
