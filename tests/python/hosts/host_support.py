"""Fixtures of the tests of agent hosts: pools that must end without open leases.

A folder's conftest imports those that its tests use.
"""

from __future__ import annotations

import pytest

from outlay import SharedPool


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
def billed():
    """Return what the other side bills, in tokens."""
    return lambda server: sum(usage["total_tokens"] for usage in server.billed)


def async_openai(server, retries=0):
    """Make OpenAI's own client for a loopback server."""
    import httpx2
    from openai import AsyncOpenAI

    # No connection is kept, as each event loop needs its own.
    http = httpx2.AsyncClient(limits=httpx2.Limits(max_keepalive_connections=0))
    return AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=retries, http_client=http)
