"""Refusals that the Agents SDK passes on: each is the class of outlay and `AgentsException` in one."""

from __future__ import annotations

from agents.exceptions import AgentsException

from outlay._wraps import host_errors

# The host sets run_data on what it raises, and its own __init__ would have made it None.
as_agents_error = host_errors(globals(), AgentsException, run_data=None)
