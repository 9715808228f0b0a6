"""The recipes run the real packages; a test whose package is not installed is skipped and says so."""

from __future__ import annotations

import os

import pytest

# Before the packages are imported: some of them report to their makers.
os.environ |= {"CREWAI_DISABLE_TELEMETRY": "true", "OTEL_SDK_DISABLED": "true"}


@pytest.fixture
def serve():
    """Start servers that end with the test; none may end with an error of its script."""
    from outlay.testing import ProviderServer

    servers = []

    def start(script, **keywords):
        servers.append(ProviderServer(script, **keywords).start())
        return servers[-1]

    yield start
    for server in servers:
        server.close()
        assert server.errors == []


@pytest.fixture
def make_pool():
    """Make pools; after the test none of them may have an open lease."""
    from outlay import SharedPool

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
    return make_pool()


def billed(server):
    """Return what the provider bills, in tokens."""
    return sum(bill["total_tokens"] for bill in server.billed)


@pytest.fixture(name="billed")
def billed_fixture():
    return billed
