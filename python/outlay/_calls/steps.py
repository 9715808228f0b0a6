"""Steps: a call of a tool or a turn of an agent, charged to several budgets in one decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar, Token
from typing import Any

from outlay._calls.asked import all_labels
from outlay._calls.budgets import AnyBudget, Budgets, Key
from outlay._calls.call import Call, Entered
from outlay._calls.ends import end_each, release_each
from outlay._calls.listing import normalise
from outlay._calls.own import check_no_coroutine, reserve_each
from outlay._calls.protocols import Lease
from outlay._core import (
    BudgetLease,
    RateLimiter,
    SharedPool,
    StepCharge,
    UsageEstimate,
    WorkflowToken,
    charge_together,
)
from outlay._errors import PolicyError

# The longest name that an operation can have.
_NAME_BYTES_MAX = 1024
# The subject of the innermost step, and the budgets that have paid for it.
_around: ContextVar[tuple[Any, frozenset[Key]] | None] = ContextVar("outlay_step", default=None)


def operation_of(tool: str) -> str:
    """Return the operation named like the tool; a model may invent a name that no operation can have."""
    size = len(tool.encode(errors="replace"))
    return tool if 0 < size <= _NAME_BYTES_MAX else "tool"


def step_budgets(budget: AnyBudget | Sequence[AnyBudget]) -> Budgets:
    """Read the budgets of steps.

    Args:
        budget: One budget, or a list of them.

    Raises:
        PolicyError: As `normalise` says, or a budget cannot count steps.

    """
    budgets = normalise(budget)
    for _, one in budgets.native:
        kind = type(one).__name__
        if isinstance(one, SharedPool | RateLimiter):
            raise PolicyError(
                f"budget: a {kind} counts tokens, and a step uses none; give it to the wrap of a model"
            )
    for _, own in budgets.own:
        check_no_coroutine(own)
    return budgets


def countable(budgets: Budgets) -> Budgets:
    """Return the budgets without those that count tokens alone: a step uses no tokens."""
    native = tuple(each for each in budgets.native if not isinstance(each[1], SharedPool | RateLimiter))
    return Budgets(native, budgets.own)


class Step:
    """The leases of one step. A `with` block around the step ends them."""

    __slots__ = ("_about", "_charged", "_entered", "_interrupts", "_keys", "_leases", "_token", "_turn")

    def __init__(self, leases: list[Lease], about: Any, keys: frozenset[Key], turn: Call | None) -> None:
        self._leases = leases
        self._charged: StepCharge | None = None
        self._interrupts: tuple[type[BaseException], ...] = ()
        self._about = about
        self._keys = keys
        self._turn = turn
        self._entered: Entered | None = None
        self._token: Token[tuple[Any, frozenset[Key]] | None] | None = None

    def __enter__(self) -> None:
        self._token = _around.set((self._about, self._keys))
        if self._turn is not None:
            self._entered = self._turn.entered()
            self._entered.__enter__()

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        if self._turn is not None and self._entered is not None:
            self._entered.__exit__()
            self._turn.release()
        if self._token is not None:
            # A coroutine that is thrown away unfinished ends in another context, where nothing was set.
            with suppress(ValueError):
                _around.reset(self._token)
        if kind is not None and issubclass(kind, self._interrupts):
            release_each(self._leases)
            if self._charged is not None:
                self._charged.give_back()
            return
        # Cancelled or interrupted, the step may have done its work all the same.
        failed = kind is not None and issubclass(kind, Exception)
        end_each(_ending(lease, failed=failed) for lease in self._leases)


def _ending(lease: Any, *, failed: bool) -> tuple[Any, tuple[Any, ...]]:
    # A step of outlay's own budgets counts from its start: a tool that fails would run for ever otherwise.
    if failed and not isinstance(lease, BudgetLease):
        return (lease.close, ())
    return (lease.commit, (None,))


def charge_step(
    budgets: Budgets,
    *,
    operation: str,
    labels: Mapping[str, str],
    about: Any = None,
    interrupts: tuple[type[BaseException], ...] = (),
) -> Step:
    """Charge one step (a tool call, a turn of an agent) in one decision.

    Steps join no outer call: a tool that runs an agent of its own makes steps of its own.

    Args:
        budgets: The budgets of one middleware.
        operation: The name of the tool: the operation of which an `AgentTokenBudget` consumes one.
        labels: Passed to the user's own objects.
        about: The host's object for the step, the same for each middleware. If two have the same budget, the
            outer one pays. Default None, a step by itself.
        interrupts: What a host raises to stop a step that it runs again later. The step is given back, and
            paid when it runs again. Default none.

    Returns:
        The step: run it in a `with` block.

    Raises:
        LimitExceeded: A budget refused; nothing was changed.

    """
    around = _around.get()
    paid = around[1] if around is not None and around[0] is about and about is not None else frozenset()
    native = [each for each in budgets.native if each[0] not in paid]
    own = [each for each in budgets.own if each[0] not in paid]
    leases: list[Lease] = []
    charged: StepCharge | None = None
    # A call of a tool is a request to a guard; a turn is a step of its workflows.
    requests: list[Any] = [one for key, one in native if key[0] == "guard" and "tool" in labels]
    steps = [one for _, one in native if one not in requests]
    try:
        # The step is the call of the tool, also where the wrap has the label of a model.
        tool_labels = {name: value for name, value in labels.items() if name != "model"}
        leases.extend(guard.reserve(labels=tool_labels) for guard in requests)
        # The core's charge is final, so the objects that can still give back come first.
        if own:
            reserve_each(own, leases, UsageEstimate(), all_labels(None, labels))
        if steps:
            charged = charge_together(steps, operation, labels=dict(labels), returnable=bool(interrupts))
    except BaseException:
        release_each(leases)
        raise
    keys = paid.union(key for key, _ in (*native, *own))
    step = Step(leases, about, keys, None if "tool" in labels else _turn(budgets))
    step._charged, step._interrupts = charged, interrupts
    return step


def _turn(budgets: Budgets) -> Call | None:
    """Return a call that covers the model's calls in a workflow, which counts a turn as one step."""
    steps = [key for key, one in budgets.native if isinstance(one, WorkflowToken)]
    if not steps:
        return None
    turn = Call()
    turn.stand_in(steps)
    return turn
