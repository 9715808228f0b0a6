"""The tests of outlay.mcp run the real packages: mcp 2 and FastMCP 4, over their in-memory transports."""

from __future__ import annotations

import importlib.util

_FOUND = importlib.util.find_spec("mcp") and importlib.util.find_spec("mcp.server.mcpserver")
collect_ignore_glob = [] if _FOUND and importlib.util.find_spec("fastmcp") else ["test_*.py"]


def pytest_report_header():
    return "tests of outlay.mcp: left out, they need mcp 2 and fastmcp 4" if collect_ignore_glob else None
