"""The model behind the demo's server: it has no plan but what it reads in the messages of the request.

It is a small program in place of a large model. Like a model, it sees the conversation alone, asks for tools
and reads their results. When a tool call comes back as a refusal, it reads the JSON and ends the run.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from outlay.testing.openai_server import Reply

__all__ = ["FUEL_TASK", "WEATHER_TASK", "answer"]

FUEL_TASK = "What did each ferry's fuel cost per crossing in 2025, and which ferry is the cheapest to run?"
WEATHER_TASK = "Which ferry had the most cancelled crossings in 2025?"


@dataclass(frozen=True)
class Seen:
    """One tool call of the conversation with what came back: text, or the refusal as an object."""

    name: str
    argument: str
    text: str
    refusal: dict[str, Any] | None


def answer(request: dict[str, Any]) -> Reply:
    """Answer one chat request from its messages alone."""
    messages = request["messages"]
    task = next(message["content"] for message in messages if message["role"] == "user")
    seen = _seen(messages)
    return _fuel(seen) if "fuel" in task else _weather(seen)


def _fuel(seen: list[Seen]) -> Reply:
    """Read the contract and each ferry's log, calculate each cost, then compare."""
    refusal = next((each.refusal for each in seen if each.refusal), None)
    if refusal is not None:
        return Reply(text=_landing(seen, refusal))
    names = _names(seen)
    if not names:
        return _ask("First I look at which documents there are.", "list_documents")
    texts = _texts(seen)
    if "fuel-contract" not in texts:
        return _ask("The price of fuel is probably in the contract.", "read_document", name="fuel-contract")
    costs = _costs(seen)
    for ferry in [name for name in names if name.startswith("ferry-")]:
        if ferry not in texts:
            return _ask(f"Now the log of {ferry}.", "read_document", name=ferry)
        if ferry not in costs:
            return _ask(
                f"With that I can calculate {ferry}.", "calculate", expression=_expression(texts, ferry)
            )
    return Reply(text=f"Fuel cost per crossing: {_listed(costs)}. {_cheapest(costs)} is the cheapest to run.")


def _landing(seen: list[Seen], refusal: dict[str, Any]) -> str:
    """Finish with what there is, and say what is missing and why."""
    costs = _costs(seen)
    missing = [name for name in _names(seen) if name.startswith("ferry-") and name not in costs]
    details = refusal.get("details", {})
    reason = f"{refusal.get('message')} ({refusal['error']}, {refusal.get('type')}"
    if "max_steps" in details:
        reason += f", {details.get('steps_executed')} of {details['max_steps']} steps"
    again = "waiting would help" if refusal.get("retryable") else "trying again would not help"
    return (
        f"I was stopped: {reason}); {again}, so I answer with what I have. "
        f"Fuel cost per crossing: {_listed(costs)}. Of these, {_cheapest(costs)} is the cheapest to run. "
        f"Not examined: {', '.join(missing)}."
    )


def _weather(seen: list[Seen]) -> Reply:
    """Read every log, then name the ferry with the most cancelled crossings."""
    names = _names(seen)
    if not names:
        return _ask(
            "I look for the documents that mention it.", "search_documents", words="crossings cancelled"
        )
    texts = _texts(seen)
    unread = [name for name in names if name not in texts]
    if unread:
        return _ask(f"I read {unread[0]}.", "read_document", name=unread[0])
    worst = max(names, key=lambda name: _number("Crossings cancelled: ", texts[name]))
    return Reply(text=f"{worst} had the most cancelled crossings.")


def _seen(messages: list[dict[str, Any]]) -> list[Seen]:
    asked: dict[str, dict[str, Any]] = {}
    seen = []
    for message in messages:
        for call in message.get("tool_calls") or ():
            asked[call["id"]] = call["function"]
        if message["role"] == "tool":
            function = asked[message["tool_call_id"]]
            argument = next(iter(json.loads(function["arguments"]).values()), "")
            seen.append(Seen(function["name"], argument, message["content"], _refusal(message["content"])))
    return seen


def _refusal(text: str) -> dict[str, Any] | None:
    """Read a tool's answer as a refusal, if it is one: an object of JSON with the key `error`."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return content if isinstance(content, dict) and "error" in content else None


def _names(seen: list[Seen]) -> list[str]:
    lists = [each.text for each in seen if each.name in ("list_documents", "search_documents")]
    return lists[0].splitlines() if lists else []


def _texts(seen: list[Seen]) -> dict[str, str]:
    return {each.argument: each.text for each in seen if each.name == "read_document" and not each.refusal}


def _costs(seen: list[Seen]) -> dict[str, str]:
    texts = _texts(seen)
    results = {each.argument: each.text for each in seen if each.name == "calculate" and not each.refusal}
    expressions = {name: _expression(texts, name) for name in texts if name.startswith("ferry-")}
    return {name: results[text] for name, text in expressions.items() if text in results}


def _expression(texts: dict[str, str], ferry: str) -> str:
    price = _number("Price: ", texts["fuel-contract"])
    return f"{_number('Fuel bought: ', texts[ferry])} * {price} / {_number('Crossings made: ', texts[ferry])}"


def _number(label: str, text: str) -> float:
    found = re.search(re.escape(label) + r"([0-9.]*[0-9])", text)
    if found is None:
        raise ValueError(f"{label!r} is not in the text")
    return float(found.group(1))


def _listed(costs: dict[str, str]) -> str:
    return ", ".join(f"{name} {cost} EUR" for name, cost in costs.items()) or "none yet"


def _cheapest(costs: dict[str, str]) -> str:
    return min(costs, key=lambda name: float(costs[name]), default="none")


def _ask(thought: str, tool: str, **arguments: str) -> Reply:
    return Reply(text=thought, tool_calls=[{"name": tool, "args": arguments}])
