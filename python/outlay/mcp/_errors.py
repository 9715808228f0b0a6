"""Refusals that FastMCP hands to the client: each is the class of outlay and FastMCP's `ToolError` in one."""

from __future__ import annotations

import logging

from fastmcp.exceptions import ToolError

from outlay._wraps import host_errors

# FastMCP reads the level when it logs a tool's error: a refusal is no fault of the server.
as_tool_error = host_errors(globals(), ToolError, log_level=logging.INFO)
