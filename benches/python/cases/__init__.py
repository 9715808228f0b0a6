"""The measured cases: a module for each group, with its cases in ``GROUP``; each runs in a fresh process."""

from __future__ import annotations

GROUPS = [
    "charges",
    "leases",
    "written",
    "refusals",
    "guards",
    "labels",
    "limiter",
    "awaits",
    "functions",
    "wraps.langchain",
    "wraps.openai",
    "wraps.anthropic",
    "wraps.httpx",
    "wraps.pydantic_ai",
    "wraps.openai_agents",
    "wraps.litellm",
    "wraps.mcp",
]
