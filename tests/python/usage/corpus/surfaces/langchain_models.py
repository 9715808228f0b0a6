"""LangChain's chat models of OpenAI, Anthropic and Google."""

from __future__ import annotations

from typing import Any

from corpus_entry import Entry
from corpus_world import Provider

from surfaces.base import Surface, base_of, prices_of


class LangChain(Surface):
    """A wrapped chat model."""

    name = "langchain"
    says = "`outlay.langchain.wrap`: `ChatOpenAI`, `ChatAnthropic` or `ChatGoogleGenerativeAI` asks for it"
    shapes = {
        "chat": "langchain_openai",
        "responses": "langchain_openai",
        "messages": "langchain_anthropic",
        "gemini": "langchain_google_genai",
    }
    others = "LangChain has no chat model for it among those that outlay is tested with"

    def call(self, entry: Entry, provider: Provider, budget: Any) -> None:
        """Invoke the model, or stream."""
        from outlay.langchain import wrap

        guarded = wrap(_model(entry, provider), budget, prices=prices_of(entry))
        if entry.streams:
            list(guarded.stream("Hi"))
        else:
            guarded.invoke("Hi")


def _model(entry: Entry, provider: Provider) -> Any:
    if entry.shape == "messages":
        import langchain_anthropic

        address = base_of(entry, provider)
        options = {"base_url": address, "api_key": "none", "max_retries": 0, "max_tokens": 16}
        return langchain_anthropic.ChatAnthropic(model=entry.model, **options)
    if entry.shape == "gemini":
        import langchain_google_genai

        return langchain_google_genai.ChatGoogleGenerativeAI(
            model=entry.model, base_url=provider.url, api_key="none", max_retries=0
        )
    import langchain_openai

    return langchain_openai.ChatOpenAI(
        model=entry.model,
        base_url=base_of(entry, provider),
        api_key="none",
        max_retries=0,
        stream_usage=True,
        use_responses_api=entry.shape == "responses",
        service_tier=entry.tier,
    )
