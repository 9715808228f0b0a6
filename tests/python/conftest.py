"""What tests share: a clock that is moved by hand, and the kinds of event loops."""

from __future__ import annotations

import pytest

from outlay import ManualClock


@pytest.fixture
def clock():
    """Return a clock that stands still until the test moves it."""
    return ManualClock()


@pytest.fixture(params=["asyncio", "uvloop"])
def new_loop(request):
    """Return what makes an event loop of each kind."""
    return pytest.importorskip(request.param).new_event_loop
