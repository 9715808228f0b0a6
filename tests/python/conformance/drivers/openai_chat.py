"""OpenAI's client, chat completions."""

from __future__ import annotations

from openai_kit import ChatDriver, WrappedDriver


class Driver(ChatDriver, WrappedDriver):
    """Chat completions, sync and async."""

    name = "openai-chat"
    package = "openai"
    gaps = {
        "fallback": "an SDK has no fallback models",
        "five_tools": "an SDK runs no tools",
        "refused_inside_tool": "an SDK runs no tools",
        "sub_agent": "an SDK has no agents",
        "internal_call": "an SDK makes no calls of its own",
        "cache_hit": "an SDK has no cache of responses",
    }


DRIVER = Driver()
