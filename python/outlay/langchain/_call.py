"""One call of a wrapped chat model, and the usage of its streams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from outlay import PolicyError
from outlay._wraps import Layer, ModelCall, StreamUsage
from outlay.langchain._errors import as_model_error
from outlay.langchain._estimate import read_prompt

LAYERS = "outlay_layers"
# In the metadata of a run: its model is wrapped.
GUARDED = "outlay_guarded"


class MessageUsage(StreamUsage):
    """The usage in the chunks of a stream, or in the events of LangChain's event protocol, so far."""

    def add(self, chunk: Any) -> None:
        """Read one `ChatGenerationChunk`, or one event of the event protocol."""
        message = getattr(chunk, "message", None)
        if message is None or getattr(message, "usage_metadata", None) or message.response_metadata:
            super().add(chunk)
        else:
            # Nearly all chunks are text alone.
            self.started = True


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
