"""One call of a wrapped model: reserved before the provider is touched, ended whatever happens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage

from outlay._budget import Call, _Entered
from outlay._errors import LimitExceeded, PolicyError
from outlay._responses import Fields
from outlay.langchain._errors import as_model_error
from outlay.langchain._estimate import read_prompt
from outlay.langchain._layer import Layer, known_fields

LAYERS = "outlay_layers"


class StreamUsage:
    """What the chunks of a stream have said so far."""

    def __init__(self) -> None:
        self.started = False
        self._sum: UsageMetadata | None = None
        self._last: Fields | None = None

    def add(self, chunk: Any) -> None:
        """Read one `ChatGenerationChunk`, or one event of the event protocol."""
        self.started = True
        if isinstance(chunk, Mapping):
            if chunk.get("usage"):
                self._last = known_fields({"usage_metadata": chunk["usage"]})
            return
        usage = getattr(chunk.message, "usage_metadata", None)
        if usage:
            # LangChain's chunks are meant to be added up, whatever the provider sent.
            self._sum = add_usage(self._sum, usage)
        elif chunk.message.response_metadata:
            self._last = known_fields(chunk.message) or self._last

    def fields(self) -> Fields | None:
        """Return the usage as `Usage` names it, or None if no chunk told it."""
        if self._sum is not None:
            return known_fields({"usage_metadata": self._sum})
        return self._last


class ModelCall:
    """The leases of one call over all layers of a wrapped model."""

    def __init__(
        self, model: BaseChatModel, messages: Iterable[BaseMessage], kwargs: Mapping[str, Any]
    ) -> None:
        self._layers: tuple[Layer, ...] = getattr(model, LAYERS)
        if not self._layers:
            # Built from the class of a wrapped model: unguarded where a guard was meant.
            raise PolicyError("this model has no budget: it was made from a wrapped model's class; wrap it")
        self._prompt = read_prompt(model, messages, kwargs)
        self._estimates = [layer.estimate(self._prompt) for layer in self._layers]
        self._call = Call()

    def reserve(self) -> None:
        """Reserve in all layers, or raise the refusal as an error of the model."""
        try:
            for layer, estimate in zip(self._layers, self._estimates, strict=True):
                self._call.reserve(layer.budgets, estimate, **layer.terms())
        except LimitExceeded as refusal:
            raise as_model_error(refusal) from refusal.__cause__

    async def reserve_async(self) -> None:
        """Do as `reserve` does; where it waits, the event loop goes on."""
        try:
            for layer, estimate in zip(self._layers, self._estimates, strict=True):
                await self._call.reserve_async(layer.budgets, estimate, **layer.terms())
        except LimitExceeded as refusal:
            raise as_model_error(refusal) from refusal.__cause__

    def entered(self) -> _Entered:
        """Mark what runs inside the `with` block as part of this call."""
        return self._call.entered()

    def commit(self, fields: Fields | None, *, cut: bool = False) -> None:
        """Book what was used; None books the estimate."""
        self._call.commit(*(layer.usage(fields, self._prompt, cut=cut) for layer in self._layers))

    def fail(self, error: BaseException, seen: StreamUsage | None = None) -> None:
        """End a call that did not come to its end.

        A stream that has begun is billed; a call that the provider refused is left to the budget's
        `on_error`; one that was cancelled may be under way, and is charged.
        """
        if seen is not None and seen.started:
            self.commit(seen.fields(), cut=True)
        elif isinstance(error, Exception):
            self._call.close()
        else:
            self.commit(None)
