"""`host_errors`: it makes refusals that a host does not retry, of outlay's class and of the host's error.

Frameworks and SDKs retry unknown errors, or wrap them into errors of their own. A refusal that is also of the
host's "do not retry" type passes through them unchanged, and is still caught as outlay's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import outlay._errors as _outlay
from outlay._errors import LimitExceeded

_CLASSES = (
    _outlay.LimitExceeded,
    _outlay.BudgetExceeded,
    _outlay.RequestBudgetExceeded,
    _outlay.ThresholdExceeded,
    _outlay.QuotaExceeded,
    _outlay.WorkflowLimitExceeded,
    _outlay.StepLimitExceeded,
    _outlay.RateLimitExceeded,
    _outlay.AllowanceExceeded,
    _outlay.NotConfigured,
    _outlay.WaitTimeout,
)


def host_errors(
    namespace: dict[str, Any], host: type[BaseException], **attributes: Any
) -> Callable[[LimitExceeded], LimitExceeded]:
    """Make the refusals of one integration and put them into its module, so that they pickle.

    Args:
        namespace: The `globals()` of the module that they stand in.
        host: The error class that the host does not retry.
        **attributes: Class attributes that the host looks at, such as an `is_retryable` property.

    Returns:
        A function that turns a refusal of outlay into that of the host; a user's own subclass stays as
        it is.

    """
    made: dict[type, type[LimitExceeded]] = {}
    for plain in _CLASSES:
        own = {
            **attributes,
            "__module__": namespace["__name__"],
            "__doc__": f"A refusal by a wrapped call; see `outlay.{plain.__name__}`.",
        }
        parents = tuple(made[base] for base in plain.__mro__[1:] if base in made)
        # Every class of outlay's own tree keeps its place, and the host's error comes last.
        bases = (plain, *_nearest(parents)) if parents else (plain, host)
        made[plain] = namespace[plain.__name__] = type(plain.__name__, bases, own)

    def as_host_error(refusal: LimitExceeded) -> LimitExceeded:
        known = made.get(type(refusal))
        if known is None:
            return refusal
        error = known(*refusal.args)
        error.__dict__.update(refusal.__dict__)
        return error.with_traceback(refusal.__traceback__)

    return as_host_error


def _nearest(parents: tuple[type, ...]) -> tuple[type, ...]:
    def is_nearest(one: type) -> bool:
        return not any(other is not one and issubclass(other, one) for other in parents)

    return tuple(one for one in parents if is_nearest(one))
