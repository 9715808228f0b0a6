"""What all tests share: a clock that is moved by hand."""

from __future__ import annotations

import pytest

from outlay import ManualClock


@pytest.fixture
def clock():
    """Return a clock that stands still until the test moves it."""
    return ManualClock()
