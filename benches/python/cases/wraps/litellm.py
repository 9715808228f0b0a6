"""LiteLLM's `completion` with an answer of its own (`mock_response`): nothing is sent."""

from __future__ import annotations

import os

from timing import PLENTY, Loop

from cases import floors
from cases.wraps.answers import MESSAGES

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it fetches prices when it is imported

import litellm

import outlay
from outlay.litellm import wrap

GROUP = floors.with_floors("LiteLLM: what `wrap` adds")
BARE = "LiteLLM's completion, not wrapped"


def asking(completion) -> Loop:
    def run(count):
        for _ in range(count):
            completion(model="openai/gpt-x", messages=MESSAGES, mock_response="Hello.")

    return run


@GROUP.case(BARE)
def bare() -> Loop:
    return asking(litellm.completion)


@GROUP.case("LiteLLM: `wrap(completion, pool)`", less=BARE)
def wrapped() -> Loop:
    return asking(wrap(litellm.completion, outlay.SharedPool(capacity_tokens=PLENTY)))
