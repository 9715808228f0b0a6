"""The models of the OpenAI Agents SDK: chat completions and responses."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from corpus_entry import Entry
from corpus_world import Provider

from surfaces.base import Surface, base_of, prices_of


class OpenAIAgents(Surface):
    """A wrapped model, asked as the runner asks it."""

    name = "openai-agents"
    says = "`outlay.openai_agents.wrap`: its models of chat completions and of responses ask for it"
    shapes = {"chat": "agents.models.interface", "responses": "agents.models.interface"}
    others = "the Agents SDK has no model for it"

    def call(self, entry: Entry, provider: Provider, budget: Any) -> None:
        """Make one request."""
        asyncio.run(_ask(entry, provider, budget))


async def _ask(entry: Entry, provider: Provider, budget: Any) -> None:
    import openai
    from agents import (
        AgentsException,
        ModelSettings,
        ModelTracing,
        OpenAIChatCompletionsModel,
        OpenAIResponsesModel,
    )

    from outlay.openai_agents import wrap

    kind = OpenAIResponsesModel if entry.shape == "responses" else OpenAIChatCompletionsModel
    base = base_of(entry, provider)
    async with openai.AsyncOpenAI(base_url=base, api_key="none", max_retries=0) as client:
        guarded = wrap(kind(entry.model, client), budget, prices=prices_of(entry))
        tier = {} if entry.tier is None else {"service_tier": entry.tier}
        asked = {
            "system_instructions": None,
            "input": "Hi",
            "model_settings": ModelSettings(include_usage=True, extra_args=tier),
            "tools": [],
            "output_schema": None,
            "handoffs": [],
            "tracing": ModelTracing.DISABLED,
            "previous_response_id": None,
            "conversation_id": None,
            "prompt": None,
        }
        if not entry.streams:
            await guarded.get_response(**asked)
            return
        # The SDK refuses a response that was cut; it is billed all the same.
        with contextlib.suppress(AgentsException):
            async for _ in guarded.stream_response(**asked):
                pass
