"""Fixtures of the Pydantic AI tests: real models on loopback."""

from __future__ import annotations

import pytest
from host_support import async_openai, billed, make_pool, pool  # noqa: F401 (fixtures)

try:
    import httpx2  # noqa: F401 (the client's)
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    APIS = {"chat": OpenAIChatModel, "responses": OpenAIResponsesModel}
except ImportError:
    # Without the framework there is nothing here to test.
    APIS, collect_ignore_glob = {}, ["test_*.py"]


@pytest.fixture(params=APIS)
def real(request):
    """Make a real model of each OpenAI API that talks to a loopback server."""
    return model_maker(request.param)


@pytest.fixture
def chat():
    """Make a real model of the chat API that talks to a loopback server."""
    return model_maker("chat")


def model_maker(api):
    def make(server, name="gpt-test", retries=0):
        return APIS[api](name, provider=OpenAIProvider(openai_client=async_openai(server, retries)))

    return make
