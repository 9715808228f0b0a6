"""The demo's agent: real LangChain, real tools and the real OpenAI client, against a server on loopback."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from langsmith import tracing_context
from pydantic import SecretStr

from outlay import AgentTokenBudget, LimitExceeded, SharedPool, WorkflowQuota, WorkflowToken, usd
from outlay._demo.script import FUEL_TASK, WEATHER_TASK, answer
from outlay._demo.show import View
from outlay._demo.tools import make_tools
from outlay.langchain import BudgetMiddleware, wrap
from outlay.testing.openai_server import OpenAIServer, Reply

__all__ = ["PRICES", "Accounts", "AgentOutcome", "offline", "run_agent"]

MODEL = "demo-large"
PRICES = {MODEL: {"input": "2.50", "output": "10.00"}}
SYSTEM = "You keep the books of a ferry company. Work with the tools and answer from the documents only."
OUTPUT_TOKENS_MAX = 120
POOL_TOKENS = 40_000
POOL_COST = usd("0.25")
WORKFLOWS_MAX = 5


@dataclass(frozen=True)
class Accounts:
    """The three accounts that every call of the demo goes through."""

    budget: AgentTokenBudget
    quota: WorkflowQuota
    pool: SharedPool

    @classmethod
    def open(cls, view: View) -> Accounts:
        """Open them so that the first task meets the step limit and the second runs out of tokens."""
        budget = AgentTokenBudget.daily("bookkeeper", 11_400, on_warning=view.warning)
        pool = SharedPool(capacity_tokens=POOL_TOKENS, capacity_cost_micros_usd=POOL_COST)
        return cls(budget, WorkflowQuota.hourly(WORKFLOWS_MAX, max_steps=10), pool)

    def figures(self) -> list[tuple[str, int, int, int, int]]:
        """List each account with its limit, used, reserved and remaining."""
        budget, quota, left = self.budget, self.quota, self.pool.remaining()
        used, held = self.pool.committed(), self.pool.reserved()
        tokens, cost = left.tokens or 0, left.cost_micros_usd or 0
        return [
            (
                "agent budget, tokens",
                budget.total_tokens,
                budget.used(),
                budget.reserved(),
                budget.remaining(),
            ),
            ("shared pool, tokens", POOL_TOKENS, used.total_tokens, held.total_tokens, tokens),
            ("shared pool, micro-USD", POOL_COST, used.cost_micros_usd, held.cost_micros_usd, cost),
            (
                "quota, workflows",
                WORKFLOWS_MAX,
                quota.period_count(),
                quota.active_count(),
                quota.remaining(),
            ),
        ]


@dataclass
class AgentOutcome:
    """What happened, as far as the audit needs it."""

    accounts: Accounts
    billed: list[dict[str, Any]] = field(default_factory=list)
    answered: int = 0
    tools_run: list[str] = field(default_factory=list)
    steps: int = 0
    requests: int = 0
    server_errors: list[Exception] = field(default_factory=list)


def run_agent(view: View) -> AgentOutcome:
    """Let the agent work through both tasks and return what the audit needs."""
    accounts = Accounts.open(view)
    outcome = AgentOutcome(accounts)

    def script(request: dict[str, Any]) -> Reply:
        # The request is at the provider now: what is reserved at this moment is the estimate of this call.
        view.model_called(estimate=accounts.budget.reserved())
        return answer(request)

    with offline(), OpenAIServer(script) as server:
        model = ChatOpenAI(
            model=MODEL,
            api_key=SecretStr("not-needed"),
            base_url=server.base_url,
            max_completion_tokens=OUTPUT_TOKENS_MAX,
            max_retries=0,
            timeout=30,
        )
        guarded = wrap(
            model, [accounts.budget, accounts.pool], prices=PRICES, output_tokens=OUTPUT_TOKENS_MAX
        )
        for workflow_id, task in (("fuel-report", FUEL_TASK), ("weather-report", WEATHER_TASK)):
            with view.task(workflow_id, task), accounts.quota.begin_workflow(workflow_id) as workflow:
                _run_task(guarded, task, workflow, outcome, view)
                outcome.steps += workflow.steps_executed()
        outcome.billed, outcome.requests = server.billed, server.calls
        outcome.server_errors = server.errors
    return outcome


def _run_task(model: Any, task: str, workflow: WorkflowToken, outcome: AgentOutcome, view: View) -> None:
    middleware = [BudgetMiddleware(workflow)]
    agent = create_agent(model, make_tools(outcome.tools_run), system_prompt=SYSTEM, middleware=middleware)
    updates = agent.stream({"messages": [HumanMessage(task)]}, stream_mode="updates")
    asked: dict[str, dict[str, Any]] = {}
    budget = outcome.accounts.budget
    try:
        for message in _messages(updates):
            if isinstance(message, AIMessage):
                outcome.answered += 1
                actual = message.usage_metadata["total_tokens"] if message.usage_metadata else 0
                view.model_answered(actual, budget.used(), budget.total_tokens, budget.remaining())
                asked |= {str(call["id"]): dict(call) for call in message.tool_calls}
                if not message.tool_calls:
                    view.landed(message.text)
            elif isinstance(message, ToolMessage):
                steps = (workflow.steps_executed(), workflow.max_steps)
                view.tool_done(asked[message.tool_call_id], message.status, message.text, *steps)
    except LimitExceeded as denial:
        view.model_denied(denial, budget.used(), budget.total_tokens, budget.remaining())


def _messages(updates: Iterator[Any]) -> Iterator[Any]:
    for update in updates:
        for state in update.values():
            yield from (state or {}).get("messages", ())


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Keep the user's tracing, proxy and OpenAI settings out of the demo: it talks to loopback alone."""
    ours = {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false", "NO_PROXY": "*", "no_proxy": "*"}
    theirs = [name for name in os.environ if name.startswith("OPENAI_")]
    before = {name: os.environ.get(name) for name in [*ours, *theirs]}
    os.environ.update(ours)
    for name in theirs:
        del os.environ[name]
    try:
        with tracing_context(enabled=False):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
