"""What the tests of the Agents SDK share: pools that must end without leases, real models on loopback."""

from __future__ import annotations

import pytest

from outlay import SharedPool
from outlay.testing import ProviderServer

try:
    import httpx2
    from agents import ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, RunConfig
    from openai import AsyncOpenAI

    APIS = {"chat": OpenAIChatCompletionsModel, "responses": OpenAIResponsesModel}
except ImportError:
    # Without the framework there is nothing here to test.
    APIS, collect_ignore_glob = {}, ["test_*.py"]


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
        server = ProviderServer(script).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()
        assert server.errors == []


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
    def make(server, name="gpt-test"):
        return APIS[api](name, client(server))

    return make


def client(server):
    # No connection is kept, as each event loop needs its own.
    http = httpx2.AsyncClient(limits=httpx2.Limits(max_keepalive_connections=0))
    return AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=0, http_client=http)


@pytest.fixture
def billed():
    """Return what the other side bills, in tokens."""
    return lambda server: sum(usage["total_tokens"] for usage in server.billed)
