"""Estimates what one request of the Agents SDK will use, by the rule of `outlay._usage.prompt`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from agents.models.interface import Model
from agents.tracing import get_current_span

from outlay._wraps import REQUEST_NAMES, Prompt, provider_at, read_body


def read_prompt(
    model: Model,
    instructions: str | None,
    items: Any,
    settings: Any,
    tools: Iterable[Any],
    schema: Any,
    handoffs: Iterable[Any],
) -> Prompt:
    """Estimate one request.

    Args:
        model: The model that is asked.
        instructions: The system prompt.
        items: The input: text, or items as OpenAI's responses name them.
        settings: The `ModelSettings` of the request.
        tools: The tools that the model may call.
        schema: The schema of the output; None where it is text.
        handoffs: The agents that it may hand over to; each is a tool to the model.

    Returns:
        The estimate, in tokens.

    """
    name = model_name(model)
    body: dict[str, Any] = {
        "model": name,
        "instructions": instructions,
        "input": items,
        "tools": [*map(_tool, tools), *map(_handoff, handoffs)] or None,
        "text": _schema(schema),
        "max_output_tokens": getattr(settings, "max_tokens", None),
        **_ways(settings),
    }
    for sent in (getattr(settings, "extra_body", None), getattr(settings, "extra_args", None)):
        if isinstance(sent, Mapping):
            body |= {part: sent[part] for part in REQUEST_NAMES if part in sent}
    address = getattr(getattr(model, "_client", None), "base_url", None)
    prompt = read_body(body, provider=provider_at(address, _provider(name)))
    agent = current_agent()
    return prompt if agent is None else replace(prompt, labels={**prompt.labels, "agent": agent})


def _ways(settings: Any) -> dict[str, Any]:
    """Return how the settings ask to be billed: the SDK passes their other keywords on as they are."""
    passed: dict[str, Any] = {}
    for name in ("extra_body", "extra_args"):
        value = getattr(settings, name, None)
        if isinstance(value, Mapping):
            passed |= {each: value[each] for each in REQUEST_NAMES if each in value}
    return passed


def model_name(model: Model) -> str | None:
    """Return the name that the provider is asked for; None where the model does not tell it."""
    name = getattr(model, "model", None)
    return name if isinstance(name, str) and name else None


def current_agent() -> str | None:
    """Return the name of the agent whose turn it is, which only the trace knows; None outside a run."""
    data = getattr(get_current_span(), "span_data", None)
    name = getattr(data, "agent_name", None)
    if name is None and getattr(data, "type", None) == "agent":
        name = getattr(data, "name", None)
    return name if isinstance(name, str) and name else None


def _provider(name: str | None) -> str:
    # Names with a prefix ("litellm/...", "anthropic/...") say whose they are; the others are OpenAI's.
    return name.split("/")[0] if name is not None and "/" in name else "openai"


def _tool(tool: Any) -> dict[str, Any]:
    return {
        "name": getattr(tool, "name", None),
        "description": getattr(tool, "description", None),
        "parameters": getattr(tool, "params_json_schema", None),
    }


def _handoff(handoff: Any) -> dict[str, Any]:
    return {
        "name": getattr(handoff, "tool_name", None),
        "description": getattr(handoff, "tool_description", None),
        "parameters": getattr(handoff, "input_json_schema", None),
    }


def _schema(schema: Any) -> Any:
    return None if schema is None or schema.is_plain_text() else schema.json_schema()
