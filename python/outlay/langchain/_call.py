"""One call of a wrapped chat model, and what its streams say of their usage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage

from outlay._errors import PolicyError
from outlay._layer import Layer, known_fields
from outlay._model_call import ModelCall
from outlay._responses import Fields
from outlay.langchain._errors import as_model_error
from outlay.langchain._estimate import read_prompt

LAYERS = "outlay_layers"
# In the metadata of a run: its model is wrapped.
GUARDED = "outlay_guarded"


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


def model_call(model: BaseChatModel, messages: Iterable[BaseMessage], kwargs: Mapping[str, Any]) -> ModelCall:
    """Begin one call over all layers of a wrapped model; nothing is reserved yet.

    Raises:
        PolicyError: The model has no budget, or no price where it needs one.

    """
    layers: tuple[Layer, ...] = getattr(model, LAYERS)
    if not layers:
        # Built from the class of a wrapped model: unguarded where a guard was meant.
        raise PolicyError("this model has no budget: it was made from a wrapped model's class; wrap it")
    return ModelCall(layers, read_prompt(model, messages, kwargs), as_model_error)
