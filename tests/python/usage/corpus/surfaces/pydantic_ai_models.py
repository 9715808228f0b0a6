"""Pydantic AI's models of OpenAI, Anthropic and Google."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from corpus_entry import Entry
from corpus_world import Provider

from surfaces.base import Surface, base_of, prices_of


class PydanticAI(Surface):
    """A wrapped model, asked without an agent."""

    name = "pydantic-ai"
    says = "`outlay.pydantic_ai.wrap`: the model of its API asks for it"
    shapes = {
        "chat": "pydantic_ai",
        # Its model of responses asks for fields of openai 3; this module is in no openai 2.
        "responses": "openai.types.responses.response_configuration_update_item",
        "messages": "pydantic_ai",
        "gemini": "google.genai",
    }
    others = "Pydantic AI has no model for it among those that outlay is tested with"

    def call(self, entry: Entry, provider: Provider, budget: Any) -> None:
        """Make one request."""
        asyncio.run(_ask(entry, provider, budget))


async def _ask(entry: Entry, provider: Provider, budget: Any) -> None:
    from pydantic_ai import direct
    from pydantic_ai.messages import ModelRequest

    from outlay.pydantic_ai import wrap

    asked = [ModelRequest.user_text_prompt("Hi")]
    # Without a limit, the model of Anthropic's API streams.
    settings: Any = {"max_tokens": 16}
    if entry.tier is not None:
        settings["service_tier"] = entry.tier
    async with _model(entry, provider) as model:
        guarded = wrap(model, budget, prices=prices_of(entry))
        if not entry.streams:
            await direct.model_request(guarded, asked, model_settings=settings)
            return
        async with direct.model_request_stream(guarded, asked, model_settings=settings) as stream:
            async for _ in stream:
                pass


@asynccontextmanager
async def _model(entry: Entry, provider: Provider) -> AsyncIterator[Any]:
    if entry.shape == "gemini":
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider

        yield GoogleModel(entry.model, provider=GoogleProvider(api_key="none", base_url=provider.url))
        return
    if entry.shape == "messages":
        import anthropic
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        options: Any = {"base_url": base_of(entry, provider), "api_key": "none", "max_retries": 0}
        async with anthropic.AsyncAnthropic(**options) as client:
            yield AnthropicModel(entry.model, provider=AnthropicProvider(anthropic_client=client))
        return
    import openai
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    kind = OpenAIResponsesModel if entry.shape == "responses" else OpenAIChatModel
    async with openai.AsyncOpenAI(base_url=base_of(entry, provider), api_key="none", max_retries=0) as client:
        yield kind(entry.model, provider=OpenAIProvider(openai_client=client))
