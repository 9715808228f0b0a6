"""Estimates of prompts of LangChain messages, by the rule of `outlay._usage.prompt`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.utils.function_calling import convert_to_openai_tool

from outlay._wraps import (
    OUTPUT_LIMITS,
    REQUEST_NAMES,
    SCHEMAS,
    Prompt,
    json_bytes,
    media_tokens,
    output_limit,
    provider_at,
    text_bytes,
    tokens_of,
    ways_asked,
)

# Where the models of LangChain keep the address of their client.
_ADDRESSES = ("openai_api_base", "anthropic_api_url", "base_url", "api_base")
# As the providers name them, and as LangChain's integration for Gemini does.
_SCHEMAS = (*SCHEMAS, "response_schema", "response_json_schema", "generation_config")


def read_prompt(model: BaseChatModel, messages: Iterable[BaseMessage], kwargs: Mapping[str, Any]) -> Prompt:
    """Estimate one call of a chat model.

    Args:
        model: The model that is called.
        messages: Its messages.
        kwargs: The keyword arguments of the call: tools, limits and the model's name may be among them.

    Returns:
        The estimate, in tokens.

    """
    params = model._get_ls_params(**kwargs)
    # What the model sends with every call, of OpenAI's and of many others.
    always = getattr(model, "model_kwargs", None)
    sent = {**always, **kwargs} if isinstance(always, Mapping) and always else kwargs
    params = {**params, "ls_provider": _provider(model, params.get("ls_provider"))}
    own = {name: getattr(model, name, None) for name in REQUEST_NAMES}
    sent = {**{name: value for name, value in own.items() if value is not None}, **sent}
    return read_messages(messages, sent, params, getattr(model, "n", None))


def _provider(model: BaseChatModel, own: Any) -> Any:
    """Return the provider at the address of a model, or the one that LangChain names."""
    address = next((one for name in _ADDRESSES if (one := getattr(model, name, None))), None)
    return provider_at(address, own) if isinstance(own, str) else own


def read_messages(
    messages: Iterable[BaseMessage], kwargs: Mapping[str, Any], params: Mapping[str, Any], choices: Any = None
) -> Prompt:
    """Estimate messages as they are sent, by what LangChain says of the model.

    Args:
        messages: The messages.
        kwargs: As in `read_prompt`.
        params: LangChain's own words for the model: `ls_model_name`, `ls_provider`, `ls_max_tokens`.
        choices: How many answers the model gives unless the call says otherwise.

    """
    size = sum(_message_bytes(message) for message in messages)
    count = sum(1 for _ in messages)
    media = sum(_media_tokens(message) for message in messages)
    size += sum(_schema_bytes(kwargs[name]) for name in _SCHEMAS if kwargs.get(name) is not None)
    choices = kwargs.get("n") or choices
    provider = params.get("ls_provider")
    return Prompt(
        model_name=called_name(params, kwargs),
        input_tokens=tokens_of(size, count, media),
        output_limit=_output_limit(params, kwargs),
        choices=choices if isinstance(choices, int) and choices > 0 else 1,
        labels={**({"provider": provider} if isinstance(provider, str) else {}), **running_agent()},
        billed_as=ways_asked(kwargs),
    )


def running_agent() -> dict[str, str]:
    """Return the label `agent` if an agent with a name is running, else no labels."""
    config = var_child_runnable_config.get() or {}
    name = (config.get("metadata") or {}).get("lc_agent_name")
    return {"agent": name} if isinstance(name, str) and name else {}


def called_name(params: Mapping[str, Any], kwargs: Mapping[str, Any]) -> str | None:
    """Return the name of the model in the request to the provider, or None if it is unknown."""
    name = kwargs.get("model") or params.get("ls_model_name")
    return name if isinstance(name, str) and name else None


def _output_limit(params: Mapping[str, Any], kwargs: Mapping[str, Any]) -> int | None:
    # The limit of the call replaces the model's own.
    return output_limit((*(kwargs.get(name) for name in OUTPUT_LIMITS), params.get("ls_max_tokens")))


def _message_bytes(message: BaseMessage) -> int:
    size = text_bytes(message.name or "") + text_bytes(getattr(message, "tool_call_id", None) or "")
    blocks = [message.content] if isinstance(message.content, str) else message.content
    size += sum(_block_bytes(block) for block in blocks)
    if isinstance(message.content, str) or not any(_is_call(block) for block in blocks):
        # Some providers repeat the calls in the content; they are sent once.
        size += sum(json_bytes(call) for call in getattr(message, "tool_calls", ()))
    return size


def _block_bytes(block: Any) -> int:
    if isinstance(block, str):
        return text_bytes(block)
    if isinstance(block, Mapping):
        if media_tokens(block) is not None:
            return 0
        if isinstance(block.get("text"), str):
            return text_bytes(block["text"])
    return json_bytes(block)


def _media_tokens(message: BaseMessage) -> int:
    if isinstance(message.content, str):
        return 0
    blocks = (block for block in message.content if isinstance(block, Mapping))
    return sum(media_tokens(block) or 0 for block in blocks)


def _kind(block: Mapping[str, Any]) -> Any:
    return block.get("type")


def _is_call(block: Any) -> bool:
    return isinstance(block, Mapping) and _kind(block) in ("tool_use", "tool_call", "function_call")


def _schema_bytes(schema: Any) -> int:
    if isinstance(schema, list | tuple):
        return sum(_schema_bytes(one) for one in schema)
    if isinstance(schema, Mapping):
        return json_bytes(schema)
    try:
        return json_bytes(convert_to_openai_tool(schema))
    except Exception:
        # A schema in a form of the provider's own: its text is the best that we can measure.
        return text_bytes(repr(schema))
