"""Budgets for the OpenAI Agents SDK: `wrap` a model, `BudgetProvider` a run, `guard_tools` the tools.

Before a request, an estimate is reserved. The input is a third of the prompt's UTF-8 bytes, 4 tokens an item
and 2,000 a picture. The output is the whole `max_tokens` of the model settings, else `output_tokens`. After
the request, the usage in the response is booked, or the estimate if it has none. A stream that is left early,
is cancelled or times out is billed, so it is charged. A provider's error gives the tokens back, unless the
budget says `on_error="charge"`, and counts as a request. A refusal is also an `agents.AgentsException`:
`Runner` raises it as it is and never retries it.

Example:
    >>> from agents import Agent, RunConfig, Runner
    >>> from agents.testing import ScriptedModel, assistant_message
    >>> from outlay import SharedPool
    >>> from outlay.openai_agents import wrap
    >>> pool = SharedPool(capacity_tokens=10_000)
    >>> agent = Agent("greeter", model=wrap(ScriptedModel([[assistant_message("Hello.")]]), pool))
    >>> Runner.run_sync(agent, "Say hello.", run_config=RunConfig(tracing_disabled=True)).final_output
    'Hello.'
    >>> pool.committed().total_tokens > 0
    True

"""

from __future__ import annotations

try:
    import agents.models.interface  # noqa: F401
except ImportError as missing:
    raise ImportError(
        "outlay.openai_agents needs the OpenAI Agents SDK: pip install outlay[openai-agents]"
    ) from missing

from outlay.openai_agents._provider import BudgetProvider
from outlay.openai_agents._tools import guard_tools
from outlay.openai_agents._wrap import wrap

__all__ = ["BudgetProvider", "guard_tools", "wrap"]
