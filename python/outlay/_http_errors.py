"""Refusals that pass through the SDKs whose HTTP client raises them.

An SDK takes an unknown exception of its HTTP client for a broken connection: it tries again, and raises a
connection error of its own in the end. Errors of its own kind it lets through at once. A transport does not
know whose client it serves, so its refusals are of the kind of every such SDK that is loaded.
"""

from __future__ import annotations

import sys
from typing import Any

from outlay._errors import LimitExceeded
from outlay._host_errors import host_errors
from outlay._model_call import AsHostError

_SDK_ERRORS = (("openai", "OpenAIError"), ("anthropic", "AnthropicError"))
_made: dict[tuple[type[BaseException], ...], AsHostError] = {}


def as_sdk_error(refusal: LimitExceeded) -> LimitExceeded:
    """Return a refusal that the loaded SDKs neither retry nor wrap; outlay's own where none is loaded."""
    bases = tuple(
        error
        for module, name in _SDK_ERRORS
        if isinstance(error := getattr(sys.modules.get(module), name, None), type)
    )
    if not bases:
        return refusal
    convert = _made.get(bases)
    if convert is None:
        host = bases[0] if len(bases) == 1 else type("SdkError", bases, {"__module__": __name__})
        # Which SDKs are loaded differs from process to process, so what is pickled is outlay's own class.
        convert = _made[bases] = host_errors({"__name__": __name__}, host, __reduce__=_as_outlays_own)
    return convert(refusal)


def _as_outlays_own(self: LimitExceeded) -> tuple[Any, ...]:
    plain = type(self).__mro__[1]
    return (plain, self.args, self.__dict__) if self.__dict__ else (plain, self.args)
