"""Fixtures of the waiting tests: each runs on every kind of event loop that is installed."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["asyncio", "uvloop"])
def new_loop(request):
    """Return what makes an event loop of each kind."""
    return pytest.importorskip(request.param).new_event_loop
