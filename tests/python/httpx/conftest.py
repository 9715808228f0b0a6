"""What the transport tests share: each runs on httpx and on httpx2, as far as they are installed."""

from __future__ import annotations

import gc
import importlib
from types import SimpleNamespace

import pytest

from outlay import SharedPool
from outlay.testing import ProviderServer


@pytest.fixture(params=["httpx", "httpx2"])
def hx(request):
    """Return the HTTP library."""
    return pytest.importorskip(request.param)


@pytest.fixture
def faces(hx):
    """Return the integration for it: `outlay.httpx` or `outlay.httpx2`."""
    return importlib.import_module(f"outlay.{hx.__name__}")


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


@pytest.fixture(params=["transport", "wrap"])
def guard(request, hx, faces):
    """Make guarded clients of both kinds, by a transport and by `wrap`."""

    def client(budget, *, inner=None, **keywords):
        if request.param == "transport":
            return hx.Client(transport=faces.transport(budget, inner=inner, **keywords))
        return faces.wrap(hx.Client(transport=inner), budget, **keywords)

    def async_client(budget, *, inner=None, **keywords):
        if request.param == "transport":
            return hx.AsyncClient(transport=faces.async_transport(budget, inner=inner, **keywords))
        return faces.wrap(hx.AsyncClient(transport=inner), budget, **keywords)

    return SimpleNamespace(client=client, async_client=async_client)
