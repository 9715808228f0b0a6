"""What the Pydantic AI tests share: pools that must end without open leases, and real models on loopback."""

from __future__ import annotations

import pytest

from outlay import SharedPool
from outlay.testing import ProviderServer

try:
    import httpx2
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    APIS = {"chat": OpenAIChatModel, "responses": OpenAIResponsesModel}
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


def model_maker(api):
    def make(server, name="gpt-test", retries=0):
        # No connection is kept, as each event loop needs its own.
        http = httpx2.AsyncClient(limits=httpx2.Limits(max_keepalive_connections=0))
        client = AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=retries, http_client=http)
        return APIS[api](name, provider=OpenAIProvider(openai_client=client))

    return make


@pytest.fixture
def billed():
    """Return what the other side bills, in tokens."""
    return lambda server: sum(usage["total_tokens"] for usage in server.billed)
