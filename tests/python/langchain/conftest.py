"""What the LangChain tests share: pools that must end without open leases, and a real client on loopback."""

from __future__ import annotations

import pytest
from langchain_openai import ChatOpenAI

from outlay import SharedPool
from outlay.testing import OpenAIServer

# "hi": ceil(2 bytes / 3) + 4 for the message + 1,024 for the output.
HI_ESTIMATE = 1 + 4 + 1024


@pytest.fixture
def hi_estimate():
    """Return what a wrapped model reserves for the prompt "hi"."""
    return HI_ESTIMATE


@pytest.fixture(autouse=True)
def make_pool():
    """Make pools; after the test none of them may have an open lease."""
    pools = []

    def make(capacity_tokens=100_000, **keywords):
        pool = SharedPool(capacity_tokens=capacity_tokens, **keywords)
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        assert pool.open_leases() == []
        assert pool.reserved().total_tokens == 0


@pytest.fixture
def pool(make_pool):
    """Return a pool with room for many calls."""
    return make_pool()


@pytest.fixture
def serve():
    """Start loopback servers; their scripts must not have failed."""
    servers = []

    def start(script):
        server = OpenAIServer(script).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()
        assert server.errors == []


@pytest.fixture
def chat():
    """Make a real `ChatOpenAI` that talks to a loopback server."""

    def make(server, **keywords):
        return ChatOpenAI(
            model="gpt-test", base_url=server.base_url, api_key="none", max_retries=0, **keywords
        )

    return make


def billed(server):
    """Return the tokens that the other side bills."""
    return sum(usage["total_tokens"] for usage in server.billed)
