"""The native functions that only the package's own modules use."""

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Self, TypeAlias, final

from outlay._stubs.agent_token_budget import AgentTokenBudget
from outlay._stubs.amounts import UsageEstimate
from outlay._stubs.arguments import Amount, Id, Path, Period, Price
from outlay._stubs.budget_manager import AgentBudget
from outlay._stubs.denial import Denial
from outlay._stubs.guard.allotment import Allotment
from outlay._stubs.guard.bound_guard import BoundGuard
from outlay._stubs.guard.guard import Guard
from outlay._stubs.leases import BudgetLease, Mailbox, Wait
from outlay._stubs.rate_limiter import RateLimiter
from outlay._stubs.shared_pool import SharedPool
from outlay._stubs.workflow_quota import WorkflowToken

_Native: TypeAlias = AgentTokenBudget | AgentBudget | SharedPool | RateLimiter | WorkflowToken

Asked: TypeAlias = _Native | Guard | BoundGuard | Allotment

def reserve_together(
    budgets: Sequence[Asked],
    estimate: UsageEstimate,
    *,
    operation: str | None = None,
    ttl: Period | None = None,
    timeout: Period | None = None,
    labels: Mapping[str, str] | None = None,
    covered: Sequence[int] = (),
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
    budgets: Sequence[Asked],
    estimate: UsageEstimate,
    mailbox: Callable[[], Mailbox],
    *,
    operation: str | None = None,
    ttl: Period | None = None,
    timeout: Period | None = None,
    labels: Mapping[str, str] | None = None,
    covered: Sequence[int] = (),
) -> BudgetLease | Wait | None:
    """Do as `reserve_together` does for an event loop; `mailbox` is notified when the wait has ended.

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
    budgets: Sequence[_Native | Guard | BoundGuard | Allotment],
    usage: UsageEstimate,
    *,
    operation: str | None = None,
    labels: dict[str, str] | None = None,
    scope: dict[str, str] | None = None,
    covered: Sequence[int] = (),
) -> None:
    """Book in several budgets what a call has used already, of which nothing was held: nothing refuses it.

    Args:
        budgets: The budgets.
        usage: What was used.
        operation: The operation that an `AgentTokenBudget` weighs; default None, "query".
        labels: The labels of the call, for guards; default None, no labels.
        scope: The labels of the scopes that were around the call; default None, those around this code.
        covered: Accounts that are paid for already.

    Raises:
        InvalidId: The name of the operation is not allowed.
        TypeError: Something is no budget of this package.
    """

@final
class StepCharge:
    """A step that `charge_together` has charged.

    Example:
        >>> from outlay._core import charge_together
        >>> quota = WorkflowQuota.hourly(max_workflows=1, max_steps=1)
        >>> token = quota.begin_workflow("w")
        >>> charged = charge_together([token], "search", returnable=True)
        >>> charged.give_back()
        >>> token.steps_executed()
        0
    """

    def give_back(self) -> None:
        """Give the step back, in the windows that still run; once."""

def charge_together(
    budgets: Sequence[_Native | Guard | BoundGuard | Allotment],
    operation: str,
    *,
    labels: dict[str, str] | None = None,
    returnable: bool = False,
) -> StepCharge | None:
    """Charge one step to several budgets, or refuse and change nothing.

    An `AgentTokenBudget` books one token of the operation, an `AgentBudget` one call, a `WorkflowToken` one
    step, a `Guard` one step of the workflows that match the labels.

    Args:
        budgets: The budgets.
        operation: The name of the tool.
        labels: The labels of the step, for guards; default None, no labels.
        returnable: Whether the step may be given back; default False.

    Returns:
        What gives it back. None if it is not `returnable`, or if no budget counts it.

    Raises:
        LimitExceeded: A budget refuses; nothing was changed anywhere.
        PolicyError: A `SharedPool` is among them: it counts tokens, which a tool call has none of.
        InvalidId: The name of the operation is not allowed.
        TypeError: Something is no budget of this package.
    """

def policy_tables(path: Path) -> str:
    """Return the tables of a policy file as JSON: of a pyproject.toml, those of `[tool.outlay]`.

    Args:
        path: The file.

    Raises:
        PolicyError: It cannot be read, or it is no TOML.
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

def check_amount(value: Amount, argument: str) -> int:
    """Return a whole number as an int: what the value classes in Python check theirs with.

    Args:
        value: The number.
        argument: What it is called where it is refused.

    Raises:
        InvalidAmount: It is no whole number from 0 to 2**64 - 1.
    """

def check_id(value: Id, argument: str) -> str:
    """Return the text of an identifier.

    Args:
        value: The identifier.
        argument: What it is called where it is refused.

    Raises:
        InvalidId: It is no `str` (or UUID) of 1 to 1,024 bytes.
    """

def check_period(value: Period, argument: str) -> float:
    """Return a time that may be 0, in seconds.

    Args:
        value: Seconds or a timedelta.
        argument: What it is called where it is refused.

    Raises:
        PolicyError: It is no duration from 0 to 100 years.
    """

def attached_doc(name: str) -> str:
    """Return the docstring of what the package writes in Python and attaches to a native class.

    Args:
        name: The class and the attribute, such as "Guard.scope".

    Raises:
        KeyError: Nothing of that name is attached.
    """

def after_fork_in_child() -> None:
    """Refuse the accounts of the parent from now on; the package calls it in forked children."""

def before_fork() -> None:
    """Let the files of stores go, so that no connection goes through a fork; the package calls it."""

def after_fork_in_parent() -> None:
    """Let stores go on after a fork; the package calls it in the parent."""

def at_exit() -> None:
    """Close all stores within 200 ms, wait for the callbacks under way and begin no more.

    The package calls it when Python exits.
    """

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

def set_price_resolver(resolver: Callable[[str, str | None], Price | None]) -> None:
    """Say who knows the prices that a policy does not name; the package calls it once.

    Args:
        resolver: Takes a model and its provider (or None), and gives its price or None.
    """

def restore_denial(
    names: tuple[tuple[str, str, str], str | None],
    numbers: Sequence[int],
    times: Sequence[int | None],
    texts: tuple[tuple[str | None, tuple[str, str] | None, str | None], list[tuple[str, str]], str],
    shown: tuple[str, bool],
) -> Denial:
    """Return a pickled `Denial`.

    Args:
        names: The error, the kind and the unit; the id.
        numbers: limit, used, reserved, requested and remaining.
        times: retry_after, resets_in and period in nanoseconds.
        texts: The reason, the subject and the remark; the labels; the cause.
        shown: What the model reads, and whether others use the same counter.
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

    def consume_objects(self, _operation: object, _estimated_tokens: object) -> None:
        """Do nothing with two objects, as `AgentTokenBudget.consume` takes them."""

    def execute_step(self) -> None:
        """Do nothing without an argument, as `WorkflowToken.execute_step` is called."""
