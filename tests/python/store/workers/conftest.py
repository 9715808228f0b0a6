"""Fixtures of the tests of workers."""

from __future__ import annotations

import socket
import sys

import pytest

if sys.platform == "win32":
    collect_ignore_glob = ["test_*"]


@pytest.fixture
def port():
    """Return a port of this machine that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
