"""What the Anthropic tests share: pools that must end without open leases, and real clients on loopback."""

from __future__ import annotations

import gc

import pytest

from outlay import SharedPool
from outlay.testing import ProviderServer

try:
    # Not the bare name, which this folder has too.
    import anthropic.types
except ImportError:
    collect_ignore_glob = ["test_*"]

HI = [{"role": "user", "content": "Hi"}]


@pytest.fixture
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

    def start(script, **keywords):
        server = ProviderServer(script, **keywords).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()
        assert server.errors == []


@pytest.fixture
def client():
    """Make an `Anthropic` that talks to a loopback server."""

    def make(server, *, max_retries=0, **keywords):
        return anthropic.Anthropic(
            api_key="none", base_url=server.anthropic_url, max_retries=max_retries, **keywords
        )

    return make


@pytest.fixture
def async_client():
    """Make an `AsyncAnthropic` that talks to a loopback server."""

    def make(server, *, max_retries=0, **keywords):
        return anthropic.AsyncAnthropic(
            api_key="none", base_url=server.anthropic_url, max_retries=max_retries, **keywords
        )

    return make


@pytest.fixture
def hi():
    """Return the arguments of a short call: 1 + 4 tokens of input, and 100 of output, are reserved."""
    return {"model": "claude-test", "max_tokens": 100, "messages": HI}


@pytest.fixture
def hi_estimate():
    """Return what that call reserves."""
    return 1 + 4 + 100


@pytest.fixture(autouse=True)
def no_delays(monkeypatch):
    """Let the SDK's retries follow at once."""
    monkeypatch.setattr("anthropic._base_client.INITIAL_RETRY_DELAY", 0.0)
    monkeypatch.setattr("anthropic._base_client.MAX_RETRY_DELAY", 0.0)
