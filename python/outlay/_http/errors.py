"""The errors that a transport raises, made so that SDKs neither retry nor wrap them.

An SDK takes an unknown exception of its HTTP client for a broken connection: it tries again, and finally
raises a connection error of its own. It lets errors of its own class through at once. A transport does not
know which SDK it serves, so its errors are of the class of every such SDK that is loaded.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from outlay._errors import LimitExceeded, OutlayError
from outlay._wraps.model_call import AsHostError
from outlay._wraps.refusals import host_errors

_SDK_ERRORS = (("openai", "OpenAIError"), ("anthropic", "AnthropicError"))
_Bases = tuple[type[BaseException], ...]
_made: dict[_Bases, AsHostError] = {}


def as_sdk_error(refusal: LimitExceeded) -> LimitExceeded:
    """Return a refusal that the loaded SDKs neither retry nor wrap; outlay's own where none is loaded."""
    bases = _loaded()
    if not bases:
        return refusal
    convert = _made.get(bases)
    if convert is None:
        host = bases[0] if len(bases) == 1 else type("SdkError", bases, {"__module__": __name__})
        # Which SDKs are loaded differs from process to process, so what is pickled is outlay's own class.
        convert = _made[bases] = host_errors({"__name__": __name__}, host, __reduce__=_as_outlays_own)
    return convert(refusal)


@contextmanager
def speaking() -> Iterator[None]:
    """Make errors that outlay raises in the block (a model without a price, a fork) pass through the SDKs."""
    try:
        yield
    except LimitExceeded:
        raise
    except OutlayError as error:
        bases = _loaded()
        if not bases or isinstance(error, bases):
            raise
        kind: Any = type(error)
        fault = _fault_class(kind, bases)(*error.args)
        fault.__dict__.update(error.__dict__)
        raise fault.with_traceback(error.__traceback__) from error.__cause__


def _loaded() -> _Bases:
    return tuple(
        error
        for module, name in _SDK_ERRORS
        if isinstance(error := getattr(sys.modules.get(module), name, None), type)
    )


@functools.cache
def _fault_class(plain: Any, bases: _Bases) -> Any:
    own = {"__module__": __name__, "__doc__": plain.__doc__, "__reduce__": _as_outlays_own}
    return type(plain.__name__, (plain, *bases), own)


def _as_outlays_own(self: OutlayError) -> tuple[Any, ...]:
    plain = type(self).__mro__[1]
    return (plain, self.args, self.__dict__) if self.__dict__ else (plain, self.args)
