"""A chat model of LangChain that returns a message that is there."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from timing import PLENTY, Loop

import outlay
from cases import floors
from outlay.langchain import wrap

GROUP = floors.with_floors("LangChain: what `wrap` adds", awaits=True)
BARE, BARE_ASYNC = "LangChain model, not wrapped", "LangChain model, not wrapped, async"
ASKED = [HumanMessage("Say hello.")]
USAGE = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}


class Nothing(BaseChatModel):
    """A model that does nothing."""

    @property
    def _llm_type(self) -> str:
        return "nothing"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **_more: Any) -> ChatResult:
        answer = AIMessage("Hello.", usage_metadata=USAGE)
        return ChatResult(generations=[ChatGeneration(message=answer)])

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **more: Any) -> Any:
        return self._generate(messages, stop, None, **more)


def asking(model) -> Loop:
    def run(count):
        for _ in range(count):
            model.invoke(ASKED)

    return run


def awaiting(model) -> Loop:
    async def run(count):
        for _ in range(count):
            await model.ainvoke(ASKED)

    return run


def wrapped() -> BaseChatModel:
    return wrap(Nothing(), outlay.SharedPool(capacity_tokens=PLENTY))


GROUP.case(BARE)(lambda: asking(Nothing()))
GROUP.case(BARE_ASYNC)(lambda: awaiting(Nothing()))
GROUP.case("LangChain: `wrap(model, pool).invoke`", less=BARE)(lambda: asking(wrapped()))
GROUP.case("LangChain: the same, `ainvoke`", less=BARE_ASYNC)(lambda: awaiting(wrapped()))
