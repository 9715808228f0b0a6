"""One call of a guarded model or client: reserved before the provider is touched, ended whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from outlay._budget import Call, _Entered
from outlay._errors import LimitExceeded
from outlay._guard import current_labels
from outlay._layer import Layer
from outlay._prompt import Prompt
from outlay._responses import Fields

AsHostError = Callable[[LimitExceeded], LimitExceeded]


class Seen(Protocol):
    """What a stream has shown so far."""

    started: bool

    def fields(self) -> Fields | None:
        """Return the usage as `Usage` names it, or None if it is not known."""


class ModelCall:
    """The leases of one call over all layers of what was wrapped.

    Args:
        layers: What the wraps were given, the outermost first.
        prompt: What the call asks for.
        as_host_error: Turns a refusal into one that the host does not retry; see `outlay._host_errors`.

    """

    def __init__(self, layers: Sequence[Layer], prompt: Prompt, as_host_error: AsHostError) -> None:
        self._layers = layers
        self._prompt = prompt
        self._as_host_error = as_host_error
        # An answer is heard when its body ends, which may be in another context.
        self._scope = current_labels()
        self._estimates = [layer.estimate(prompt) for layer in layers]
        self._call = Call()

    def reserve(self) -> None:
        """Reserve in all layers, or raise the refusal as an error of the host."""
        try:
            for layer, estimate in zip(self._layers, self._estimates, strict=True):
                self._call.reserve(layer.budgets, estimate, **layer.terms(self._prompt))
        except LimitExceeded as refusal:
            raise self._as_host_error(refusal) from refusal.__cause__

    async def reserve_async(self) -> None:
        """Do as `reserve` does; where it waits, the event loop goes on."""
        try:
            for layer, estimate in zip(self._layers, self._estimates, strict=True):
                await self._call.reserve_async(layer.budgets, estimate, **layer.terms(self._prompt))
        except LimitExceeded as refusal:
            raise self._as_host_error(refusal) from refusal.__cause__

    def entered(self) -> _Entered:
        """Mark what runs inside the `with` block as part of this call; never across a `yield`."""
        return self._call.entered()

    def commit(self, fields: Fields | None, *, cut: bool = False) -> None:
        """Book what was used; None books the estimate. `cut`: a stream was left before its end."""
        pairs = zip(self._layers, self._estimates, strict=True)
        usages = [
            layer.usage(
                fields,
                self._prompt,
                given=guess.input_tokens,
                reserved=guess.output_tokens if cut else None,
            )
            for layer, guess in pairs
        ]
        self._call.commit(*usages)
        if fields is None or cut:
            return
        for layer, estimate, usage in zip(self._layers, self._estimates, usages, strict=True):
            if usage is not None:
                layer.calibration.learn(self._prompt, estimate, fields)

    def observe(self, headers: Any, status: int) -> None:
        """Tell the limiters of all layers what the provider's answer says of its own rate limit."""
        for layer in self._layers:
            terms = layer.terms(self._prompt)
            layer.observe(headers, status, {**self._scope, **terms["facts"], **terms["labels"]})

    def release(self) -> None:
        """Give everything back: the provider was never touched, or has said that nothing is billed."""
        self._call.release()

    def fail(self, error: BaseException, seen: Seen | None = None) -> None:
        """End a call that did not come to its end.

        A stream that has begun is billed; a call that the provider refused is left to the budget's
        `on_error`; one that was cancelled may be under way, and is charged.
        """
        if seen is not None and seen.started:
            self.commit(seen.fields(), cut=True)
        elif isinstance(error, LimitExceeded):
            # A layer further in has refused: the provider was never touched.
            self._call.release()
        elif isinstance(error, Exception):
            self._call.close()
        else:
            self._call.cancel()
