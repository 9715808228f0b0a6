"""Helpers of the tests of the allowances: services on every kind of store, and stores of users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from outlay import (
    AgentAllowance,
    AllowanceService,
    ManualClock,
    MemoryStore,
    ModelQuota,
    UsageReport,
)

METHODS = [
    "get_allowance",
    "set_allowance",
    "get_usage",
    "increment_usage",
    "decrement_active_jobs",
    "return_tokens",
    "reset_usage",
    "get_model_quota",
    "get_model_usage",
    "increment_model_usage",
]


@dataclass
class OwnRecord:
    """What `OwnStore` keeps of an agent: not a value of outlay."""

    tokens_used: int = 0
    jobs_started: int = 0
    active_jobs: int = 0


class OwnStore:
    """A user's store: no weak references, no hash, None for the unknown, no quotas, no days.

    It may fall below zero, and its reset forgets the jobs that run.
    """

    __slots__ = ("allowances", "models", "usage")

    def __init__(self):
        self.allowances: dict[str, Any] = {}
        self.usage: dict[str, OwnRecord] = {}
        self.models: dict[str, int] = {}

    def __eq__(self, other):
        return isinstance(other, OwnStore)

    __hash__ = None

    def get_allowance(self, agent):
        """Return None for the unknown."""
        return self.allowances.get(agent)

    def set_allowance(self, allowance):
        """See the protocol."""
        self.allowances[allowance.agent_id] = allowance

    def get_usage(self, agent):
        """See the protocol."""
        return self.usage.get(agent)

    def increment_usage(self, agent, tokens, jobs):
        """See the protocol."""
        record = self.usage.setdefault(agent, OwnRecord())
        record.tokens_used += tokens
        record.jobs_started += jobs
        record.active_jobs += jobs

    def decrement_active_jobs(self, agent):
        """See the protocol."""
        self.usage[agent].active_jobs -= 1

    def return_tokens(self, agent, tokens):
        """See the protocol."""
        self.usage[agent].tokens_used -= tokens

    def reset_usage(self, agent):
        """See the protocol."""
        self.usage[agent] = OwnRecord()

    def get_model_quota(self, model):
        """See the protocol."""
        return

    def get_model_usage(self, model):
        """Raise a KeyError for the unknown."""
        return self.models[model]

    def increment_model_usage(self, model, tokens):
        """See the protocol."""
        self.models[model] = self.models.get(model, 0) + tokens


STORES = {
    "no store": lambda clock: None,
    "MemoryStore": lambda clock: MemoryStore(clock=clock),
    "MemoryStore of another clock": lambda clock: MemoryStore(),
    "own store": lambda clock: OwnStore(),
}


def new_service(kind: str, clock: ManualClock) -> AllowanceService:
    """Return a service on that kind of store."""
    return AllowanceService(STORES[kind](clock), clock=clock)


def allow(service: AllowanceService, agent_id: str = "a", **limits: Any) -> None:
    """Set the allowance of an agent."""
    service.set_allowance(AgentAllowance(agent_id=agent_id, **limits))


def quota(service: AllowanceService, model: str = "m", **limits: Any) -> None:
    """Set the quota of a model."""
    service.set_model_quota(ModelQuota(model=model, **limits))


def report(
    event: str, job_id: str = "j", tokens_in: int = 0, tokens_out: int = 0, **more: Any
) -> UsageReport:
    """Return a report of a job of agent "a"."""
    given = {"agent_id": "a", **more}
    return UsageReport(job_id=job_id, event=event, tokens_in=tokens_in, tokens_out=tokens_out, **given)


def counts(service: AllowanceService, agent_id: str = "a") -> tuple[int, int, int]:
    """Return an agent's tokens used, jobs started and jobs that run."""
    record = service.get_usage(agent_id)
    return record.tokens_used, record.jobs_started, record.active_jobs


class Watched:
    """A store that writes down what it is told, and fails where it is asked to."""

    def __init__(self, store):
        self.store = store
        self.calls = []
        self.failing = {}

    def __getattr__(self, name):
        method = getattr(self.store, name)

        def call(*arguments):
            if name in self.failing:
                raise self.failing[name]
            if not name.startswith("get_"):
                self.calls.append((name, *arguments))
            return method(*arguments)

        return call

    def written(self):
        """Return what was written since the last call."""
        calls, self.calls = self.calls, []
        return calls
