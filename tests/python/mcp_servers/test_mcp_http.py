"""Over a real socket: a FastMCP server on loopback, and two sessions at once."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import fastmcp
import pytest
from mcp_support import Tools, fast, raw_call, text_of, token_of

from outlay.mcp import BudgetMiddleware

uvicorn = pytest.importorskip("uvicorn", reason="a server on a socket needs uvicorn")


@asynccontextmanager
async def served(server):
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(server.http_app(), log_level="error", lifespan="on")
    http = uvicorn.Server(config)
    serving = asyncio.create_task(http.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
    finally:
        http.should_exit = http.force_exit = True
        await serving


async def test_two_sessions_spend_from_one_budget():
    tools, token = Tools(), token_of(3)
    server = fast(tools)
    server.add_middleware(BudgetMiddleware(token))
    async with served(server) as url, fastmcp.Client(url) as one, fastmcp.Client(url) as two:
        calls = (raw_call(client, "look_up", {"word": "a"}) for client in (one, two, one, two, one))
        results = await asyncio.gather(*calls)
        refused = [json.loads(text_of(result)) for result in results if result.is_error]
        assert [said["type"] for said in refused] == ["step_limit", "step_limit"]
        assert len(await one.list_tools()) == 3
    assert len(tools.ran) == 3
