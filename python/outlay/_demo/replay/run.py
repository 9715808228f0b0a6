"""Replays a trace through outlay, call by call, beside the plain re-computation."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from outlay import (
    BudgetExceeded,
    BudgetLease,
    BudgetLimit,
    BudgetManager,
    LimitExceeded,
    ManualClock,
    SharedPool,
    StepLimitExceeded,
    ThresholdExceeded,
    Usage,
    UsageEstimate,
    WorkflowQuota,
    WorkflowToken,
)
from outlay._core import reserve_together
from outlay._demo.audit import Limits, PlainBook
from outlay._demo.replay.file import TracedCall, schedule

__all__ = ["Result", "TracedAccounts", "replay"]


@dataclass
class Result:
    """What the replay came to; `differences` says in words where the two sides disagreed."""

    calls: int = 0
    sessions: int = 0
    admitted: int = 0
    tokens_admitted: int = 0
    refused: dict[TracedCall, str] = field(default_factory=dict)
    tokens_refused: int = 0
    not_asked: int = 0
    tokens_not_asked: int = 0
    overruns: int = 0
    underruns: int = 0
    compared: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether the two sides agreed on everything."""
        return not self.differences

    def compare(self, what: str, outlay: object, plain: object) -> None:
        """Note one comparison, and the difference where there is one."""
        self.compared += 1
        if outlay != plain:
            self.differences.append(f"{what}: outlay says {outlay}, the plain re-computation {plain}")


class TracedAccounts:
    """The accounts that each call goes through: its session's workflow, its agent's budget and the pool."""

    def __init__(self, limits: Limits) -> None:
        self._clock = ManualClock()
        self._now_us = 0
        self.quota = WorkflowQuota(limits.workflows, limits.steps, limits.workflows_period, clock=self._clock)
        self.manager = BudgetManager(clock=self._clock)
        for agent, tokens in limits.agent_tokens.items():
            calls, window = limits.agent_calls[agent], limits.agent_window
            limit = BudgetLimit(agent_id=agent, token_budget=tokens, calls_budget=calls, window_secs=window)
            self.manager.set_budget(limit)
        self.agents = {agent: self.manager.agent(agent) for agent in limits.agent_tokens}
        self.pool = SharedPool(
            capacity_tokens=limits.pool_tokens,
            stop_threshold_tokens=limits.pool_stop_threshold,
            clock=self._clock,
        )
        self._workflows: dict[str, WorkflowToken] = {}
        self._leases: dict[TracedCall, BudgetLease] = {}

    def move_to(self, time_us: int) -> None:
        """Move the clock, in whole microseconds so that nothing is rounded."""
        self._clock.advance(timedelta(microseconds=time_us - self._now_us))
        self._now_us = time_us

    def start(self, call: TracedCall) -> str | None:
        """Reserve one call everywhere in one step; name the limit that refused it, None if admitted."""
        try:
            if call.workflow not in self._workflows:
                self._workflows[call.workflow] = self.quota.begin_workflow(call.workflow)
            workflow = self._workflows[call.workflow]
            estimate = UsageEstimate(input_tokens=call.input_tokens, output_tokens=call.output_estimate)
            agent = self.agents[call.agent]
            lease = reserve_together([workflow, agent, self.pool], estimate)
        except LimitExceeded as denial:
            return _limit_of(denial)
        if lease is not None:
            self._leases[call] = lease
        return None

    def end(self, call: TracedCall) -> bool:
        """Commit what the call really used, if it was admitted."""
        lease = self._leases.pop(call, None)
        if lease is None:
            return False
        lease.commit(Usage(input_tokens=call.input_tokens, output_tokens=call.output_tokens))
        return True

    def end_workflow(self, call: TracedCall) -> None:
        """End the session's workflow, if it had begun."""
        if call.workflow in self._workflows:
            self.quota.end_workflow(call.workflow)

    def figures(self, call: TracedCall) -> dict[str, int | None]:
        """List what outlay reports about the accounts of this call."""
        agent = self.manager.full_info(call.agent)
        assert agent is not None
        workflow = self._workflows.get(call.workflow)
        return {
            "agent tokens used": agent.tokens_used,
            "agent tokens remaining": agent.tokens_remaining,
            "agent calls used": agent.calls_used,
            "agent calls remaining": agent.calls_remaining,
            "pool tokens committed": self.pool.committed().total_tokens,
            "pool tokens reserved": self.pool.reserved().total_tokens,
            "pool tokens remaining": self.pool.remaining().tokens,
            "steps executed": workflow.steps_executed() if workflow else None,
            "steps remaining": workflow.remaining_steps() if workflow else None,
        }


def replay(calls: list[TracedCall], limits: Limits, progress: Callable[[Result], None]) -> Result:
    """Send every call through outlay and through the plain re-computation, and compare after each event."""
    accounts, plain, result = TracedAccounts(limits), PlainBook(limits), Result(len(calls))
    turns_left = Tally(call.workflow for call in calls)
    result.sessions = len(turns_left)
    cut: set[str] = set()
    for event in schedule(calls):
        call, name = event.call, f"{event.call.workflow} turn {event.call.turn}"
        accounts.move_to(event.time_us)
        if event.starts:
            turns_left[call.workflow] -= 1
            if call.workflow in cut:
                result.not_asked += 1
                result.tokens_not_asked += call.actual
                progress(result)
                continue
            refused_by = accounts.start(call)
            _count(result, call, refused_by)
            refusing = plain.start(call, event.time_us)
            # Where several limits refuse, which of them is named is outlay's choice: it must be one of them.
            agreed = refused_by if refused_by in refusing else sorted(refusing) or None
            result.compare(f"{name}: refused by", refused_by, agreed)
            if refused_by:
                cut.add(call.workflow)
            progress(result)
        else:
            settled = accounts.end(call)
            result.compare(f"{name}: settled", settled, plain.end(call, event.time_us))
            if not settled:
                continue
        figures, expected = accounts.figures(call), plain.figures(call, event.time_us)
        for figure, value in figures.items():
            result.compare(f"{name}: {figure}", value, expected[figure])
        if call.workflow in cut or not (event.starts or turns_left[call.workflow]):
            accounts.end_workflow(call)
    _compare_totals(accounts, result)
    return result


def _count(result: Result, call: TracedCall, refused_by: str | None) -> None:
    if refused_by:
        result.refused[call] = refused_by
        result.tokens_refused += call.actual
        return
    result.admitted += 1
    result.tokens_admitted += call.actual
    result.overruns += call.actual > call.estimate
    result.underruns += call.actual < call.estimate


def _compare_totals(accounts: TracedAccounts, result: Result) -> None:
    """Compare the end with the trace itself: every admitted token is booked, and nothing is still held."""
    result.compare("tokens in all", accounts.pool.committed().total_tokens, result.tokens_admitted)
    result.compare("tokens still reserved", accounts.pool.reserved().total_tokens, 0)
    result.compare("open leases", len(accounts.pool.open_leases()), 0)
    result.compare("active workflows", accounts.quota.active_count(), 0)


def _limit_of(denial: LimitExceeded) -> str:
    if isinstance(denial, StepLimitExceeded):
        return "steps"
    if isinstance(denial, ThresholdExceeded):
        return "pool"
    return f"agent {denial.kind}s" if isinstance(denial, BudgetExceeded) else "workflows"
