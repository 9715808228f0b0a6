"""Fixtures of the allowance tests: services on each kind of store, and a store that is watched."""

from __future__ import annotations

import pytest
from allowance_support import STORES, Watched, allow, new_service

from outlay import AllowanceService, MemoryStore


@pytest.fixture(params=STORES)
def service(request, clock):
    """Return an AllowanceService on each kind of store."""
    return new_service(request.param, clock)


@pytest.fixture
def store(clock):
    """Return a watched store."""
    return Watched(MemoryStore(clock=clock))


@pytest.fixture
def watched(store, clock):
    """Return a service on the watched store, with an agent that is allowed everything."""
    service = AllowanceService(store, clock=clock)
    allow(service)
    store.written()
    return service
