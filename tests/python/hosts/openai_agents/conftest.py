"""Fixtures of the Agents SDK tests: real models on loopback, and runs without tracing."""

from __future__ import annotations

import pytest
from host_support import async_openai, billed, make_pool, pool  # noqa: F401 (fixtures)

try:
    import httpx2  # noqa: F401 (the client's)
    from agents import ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, RunConfig

    APIS = {"chat": OpenAIChatCompletionsModel, "responses": OpenAIResponsesModel}
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


@pytest.fixture
def quiet():
    """Return the settings of a run: no trace leaves the machine, and streams tell their usage."""
    # The SDK asks for the usage of a chat stream by itself only where the address is OpenAI's.
    return RunConfig(tracing_disabled=True, model_settings=ModelSettings(include_usage=True))


def model_maker(api):
    return lambda server, name="gpt-test": APIS[api](name, async_openai(server))
