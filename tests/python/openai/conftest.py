"""What the tests of OpenAI's client share: pools that must end without open leases, and real clients."""

from __future__ import annotations

import gc

import pytest

openai = pytest.importorskip("openai")

from outlay import SharedPool  # noqa: E402
from outlay.testing import ProviderServer  # noqa: E402

MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.fixture(autouse=True)
def make_pool():
    """Make pools; after the test none of them may have an open lease."""
    pools = []

    def make(capacity_tokens=100_000, **keywords):
        pool = SharedPool(capacity_tokens=capacity_tokens, **keywords)
        pools.append(pool)
        return pool

    yield make
    gc.collect()
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

    def start(*script):
        server = ProviderServer(script[0] if callable(script[0]) else script).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()
        assert server.errors == []


@pytest.fixture
def plain():
    """Make an unguarded `OpenAI`, which does not retry."""

    def make(server, cls=openai.OpenAI, **options):
        options = {"api_key": "none", "max_retries": 0, "timeout": 10, **options}
        return cls(base_url=server.base_url, **options)

    return make


@pytest.fixture
async def plain_async():
    """Make an unguarded `AsyncOpenAI`, which is closed after the test."""
    made = []

    def make(server, cls=openai.AsyncOpenAI, **options):
        options = {"api_key": "none", "max_retries": 0, "timeout": 10, **options}
        made.append(cls(base_url=server.base_url, **options))
        return made[-1]

    yield make
    for client in made:
        await client.close()


@pytest.fixture
def bill():
    """Return a function that says how many tokens the other side bills."""
    return lambda server: sum(usage["total_tokens"] for usage in server.billed)
