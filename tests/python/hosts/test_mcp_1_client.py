"""A client session of mcp 1, as agent frameworks still use it, can be wrapped; its servers cannot."""

from __future__ import annotations

import json

import pytest

from outlay import PolicyError, WorkflowQuota

fastmcp_1 = pytest.importorskip("mcp.server.fastmcp", reason="this is a test with mcp 1")
memory = pytest.importorskip("mcp.shared.memory", reason="this is a test with mcp 1")
if not hasattr(memory, "create_connected_server_and_client_session"):
    pytest.skip("this is a test with mcp 1", allow_module_level=True)


async def test_each_call_of_a_session_is_a_step():
    from outlay.mcp import wrap

    server, ran = fastmcp_1.FastMCP("words"), []

    @server.tool()
    def look_up(word: str) -> str:
        ran.append(word)
        return "found " + word

    token = WorkflowQuota.hourly(5, 1).begin_workflow("w-1")
    async with memory.create_connected_server_and_client_session(server._mcp_server) as session:
        wrap(session, token)
        results = [await session.call_tool("look_up", {"word": word}) for word in "ab"]
    assert [result.isError for result in results] == [False, True]
    assert json.loads(results[1].content[0].text)["type"] == "step_limit"
    assert ran == ["a"]
    with pytest.raises(PolicyError, match="mcp 2"):
        wrap(server, token)
