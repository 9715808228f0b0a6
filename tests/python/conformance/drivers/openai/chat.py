"""OpenAI's client, chat completions."""

from __future__ import annotations

import openai
from openai_kit import ChatDriver, Word, WrappedDriver

from outlay.openai import wrap


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

    def unparsed_answer(self, server, budget):
        """Parse an answer that is cut short."""
        with openai.OpenAI(base_url=server.base_url, api_key="none") as client:
            messages = [{"role": "user", "content": "Hi"}]
            wrap(client, budget).chat.completions.parse(
                model="gpt-test", messages=messages, response_format=Word
            )


DRIVER = Driver()
