"""Fixtures of the transport tests: each runs on httpx and on httpx2, if they are installed."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import pytest


@pytest.fixture(params=["httpx", "httpx2"])
def hx(request):
    """Return the HTTP library."""
    return pytest.importorskip(request.param)


@pytest.fixture
def faces(hx):
    """Return the integration for it: `outlay.httpx` or `outlay.httpx2`."""
    return importlib.import_module(f"outlay.{hx.__name__}")


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
