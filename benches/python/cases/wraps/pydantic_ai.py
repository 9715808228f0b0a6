"""A model of Pydantic AI that returns a response that is there."""

from __future__ import annotations

from typing import Any

from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.usage import RequestUsage
from timing import PLENTY, Loop

import outlay
from cases import floors
from outlay.pydantic_ai import wrap

GROUP = floors.with_floors("Pydantic AI: what `wrap` adds", awaits=True)
BARE = "Pydantic AI's model, not wrapped"


class Nothing(Model):
    """A model that does nothing."""

    @property
    def model_name(self) -> str:
        return "nothing"

    @property
    def system(self) -> str:
        return "nothing"

    async def request(
        self, messages: Any, model_settings: Any, model_request_parameters: Any
    ) -> ModelResponse:
        usage = RequestUsage(input_tokens=9, output_tokens=2)
        return ModelResponse(parts=[TextPart("Hello.")], usage=usage, model_name="nothing")


def asking(model: Model) -> Loop:
    messages, parameters = [ModelRequest.user_text_prompt("Say hello.")], ModelRequestParameters()

    async def run(count):
        for _ in range(count):
            await model.request(messages, None, parameters)

    return run


@GROUP.case(BARE)
def bare() -> Loop:
    return asking(Nothing())


@GROUP.case("Pydantic AI: `wrap(model, pool)`", less=BARE)
def wrapped() -> Loop:
    return asking(wrap(Nothing(), outlay.SharedPool(capacity_tokens=PLENTY)))
