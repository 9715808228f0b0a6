"""A model of the OpenAI Agents SDK that returns a response that is there."""

from __future__ import annotations

from typing import Any

from agents import Model, ModelResponse, ModelSettings, ModelTracing
from agents.testing import assistant_message
from agents.usage import Usage
from timing import PLENTY, Loop

import outlay
from cases import floors
from outlay.openai_agents import wrap

GROUP = floors.with_floors("OpenAI Agents SDK: what `wrap` adds", awaits=True)
BARE = "Agents SDK's model, not wrapped"


class Nothing(Model):
    """A model that does nothing."""

    async def get_response(self, *_arguments: Any, **_more: Any) -> ModelResponse:
        usage = Usage(requests=1, input_tokens=9, output_tokens=2, total_tokens=11)
        return ModelResponse(output=ANSWER, usage=usage, response_id=None)

    def stream_response(self, *_arguments: Any, **_more: Any) -> Any:
        raise NotImplementedError("nothing is streamed here")


ANSWER = [assistant_message("Hello.")]


def asking(model: Model) -> Loop:
    settings = ModelSettings()
    off = ModelTracing.DISABLED

    async def run(count):
        for _ in range(count):
            await model.get_response(
                None, "Say hello.", settings, [], None, [], off,
                previous_response_id=None, conversation_id=None, prompt=None,
            )  # fmt: skip

    return run


@GROUP.case(BARE)
def bare() -> Loop:
    return asking(Nothing())


@GROUP.case("Agents SDK: `wrap(model, pool)`", less=BARE)
def wrapped() -> Loop:
    return asking(wrap(Nothing(), outlay.SharedPool(capacity_tokens=PLENTY)))
