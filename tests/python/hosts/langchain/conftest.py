"""Fixtures of the LangChain tests: a real client on loopback."""

from __future__ import annotations

import openai
import pytest
from host_support import make_pool, pool  # noqa: F401 (fixtures)
from langchain_openai import ChatOpenAI

# "hi": ceil(2 bytes / 3) + 4 for the message + 1,024 for the output.
HI_ESTIMATE = 1 + 4 + 1024


@pytest.fixture
def hi_estimate():
    """Return what a wrapped model reserves for the prompt "hi"."""
    return HI_ESTIMATE


@pytest.fixture
def chat():
    """Make a real `ChatOpenAI` that talks to a loopback server."""

    def make(server, **keywords):
        # LangChain keeps a client for each address, of one event loop, and ports are used again.
        keywords.setdefault("http_async_client", openai.DefaultAsyncHttpxClient())
        return ChatOpenAI(
            model="gpt-test", base_url=server.base_url, api_key="none", max_retries=0, **keywords
        )

    return make
