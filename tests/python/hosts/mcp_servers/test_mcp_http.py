"""Over a real socket: a FastMCP server on loopback, and two sessions at once."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import fastmcp
import pytest
from mcp_support import Tools, fast, raw_call, text_of, token_of

from outlay import Guard
from outlay.mcp import BudgetMiddleware, wrap

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


async def test_a_call_over_http_that_is_cancelled_or_fails_is_counted_once_and_leaves_nothing_open():
    """The tool may have done its work: each call counts from its start, whatever becomes of the answer."""
    began, gate = asyncio.Event(), asyncio.Event()
    server = fastmcp.FastMCP("slow")

    @server.tool
    async def wait(word: str) -> str:
        """Wait to be let go."""
        began.set()
        await gate.wait()
        return word

    @server.tool
    async def fail(word: str) -> str:
        """Fail."""
        raise RuntimeError(word)

    guard = Guard({"tool": [{"name": name, "limit": {"calls": 9}} for name in ("wait", "fail")]})

    def counts():
        counters = {one["name"]: one["limits"]["calls"] for one in guard.snapshot()}
        return {name: (one["used"], one["reserved"]) for name, one in counters.items()}

    async with served(server) as url, wrap(fastmcp.Client(url), guard) as client:
        assert (await raw_call(client, "fail", {"word": "a"})).is_error
        call = asyncio.create_task(raw_call(client, "wait", {"word": "a"}))
        await began.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        gate.set()
        assert counts() == {"fail": (1, 0), "wait": (1, 0)}
        assert text_of(await raw_call(client, "wait", {"word": "b"})) == "b"
    assert counts() == {"fail": (1, 0), "wait": (2, 0)}
