"""The surfaces at which outlay meets a payload, in the order of the table's columns."""

from surfaces.anthropic_client import AnthropicClient
from surfaces.base import Surface
from surfaces.by_hand import AsDict, AsObject, Governed
from surfaces.http_clients import Httpx, Httpx2
from surfaces.langchain_models import LangChain
from surfaces.litellm_functions import LiteLLM
from surfaces.openai_agents_models import OpenAIAgents
from surfaces.openai_client import OpenAIClient
from surfaces.pydantic_ai_models import PydanticAI

SURFACES: dict[str, Surface] = {
    one.name: one
    for one in (
        AsDict(),
        AsObject(),
        Governed(),
        Httpx(),
        Httpx2(),
        OpenAIClient(),
        AnthropicClient(),
        LangChain(),
        LiteLLM(),
        PydanticAI(),
        OpenAIAgents(),
    )
}

__all__ = ["SURFACES", "Surface"]
