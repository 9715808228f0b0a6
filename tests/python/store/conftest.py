"""Fixtures of the tests of stores."""

from __future__ import annotations

import pytest


@pytest.fixture
def url(tmp_path):
    """Return the address of a file that is not there yet."""
    return f"sqlite:///{tmp_path / 'budgets.db'}"
