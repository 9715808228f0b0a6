"""The plain re-computation: the same limits kept a second time, knowing nothing of outlay.

Integers, dicts and one rule, written for reading. A limit admits ``used + reserved + amount <= limit``. A
commit is never refused. A lease settles in the window in which it was reserved; its usage above the estimate
counts in the window of the commit.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from outlay._demo.replay.file import TracedCall

__all__ = ["Counter", "Limits", "PlainBook"]


@dataclass(frozen=True)
class Limits:
    """The limits of a replay; periods and windows are in seconds and start with the replay."""

    workflows: int
    workflows_period: int
    steps: int
    agent_tokens: dict[str, int]
    agent_calls: dict[str, int]
    agent_window: int
    pool_tokens: int
    pool_stop_threshold: int

    @classmethod
    def fitting(cls, calls: list[TracedCall]) -> Limits:
        """Choose limits for a trace that let most of it through and cut some of its sessions."""
        period, window = 3600, 600
        turns: dict[str, int] = defaultdict(int)
        begun: dict[int, int] = defaultdict(int)
        tokens: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        number_of: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for call in calls:
            second = call.start_us // 1_000_000
            begun[second // period] += call.workflow not in turns
            turns[call.workflow] += 1
            tokens[call.agent][second // window] += call.actual
            number_of[call.agent][second // window] += 1
        return cls(
            workflows=_share(95, max(begun.values())),
            workflows_period=period,
            steps=sorted(turns.values())[_share(90, len(turns)) - 1],
            agent_tokens={agent: _share(85, max(windows.values())) for agent, windows in tokens.items()},
            agent_calls={agent: _share(95, max(windows.values())) for agent, windows in number_of.items()},
            agent_window=window,
            pool_tokens=_share(80, sum(call.actual for call in calls)),
            pool_stop_threshold=_share(5, sum(call.actual for call in calls)),
        )


@dataclass
class Counter:
    """One limit: what is used and reserved of it."""

    limit: int
    used: int = 0
    reserved: int = 0

    def admits(self, amount: int) -> bool:
        """Say whether the amount fits: this is the law."""
        return self.used + self.reserved + amount <= self.limit

    @property
    def remaining(self) -> int:
        """What is left, never below zero."""
        return max(0, self.limit - self.used - self.reserved)


@dataclass
class Window:
    """An agent's counters in one window."""

    number: int
    tokens: Counter
    calls: Counter


@dataclass
class PlainBook:
    """Decides every call of the trace by itself and keeps its own totals."""

    limits: Limits
    steps: dict[str, Counter] = field(default_factory=dict)
    pool: Counter = field(init=False)
    _windows: dict[str, Window] = field(default_factory=dict)
    _begun: Counter = field(init=False)
    _period: int = 0
    _open: dict[TracedCall, Window] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pool = Counter(self.limits.pool_tokens)
        self._begun = Counter(self.limits.workflows)

    def start(self, call: TracedCall, now_us: int) -> set[str]:
        """Decide one call; the names of the limits that refuse it, none where it is admitted."""
        refusing = self._begin(call, now_us) or self._refusing(call, now_us)
        if refusing:
            return refusing
        window = self.window(call.agent, now_us)
        for counter, amount in self._parts(call, window):
            counter.reserved += amount
        self._open[call] = window
        return refusing

    def end(self, call: TracedCall, now_us: int) -> bool:
        """Settle one call, if it was admitted."""
        reserved_in = self._open.pop(call, None)
        if reserved_in is None:
            return False
        now_in = self.window(call.agent, now_us)
        for counter, amount in self._parts(call, reserved_in):
            counter.reserved -= amount
        self.steps[call.workflow].used += 1
        self.pool.used += call.actual
        reserved_in.calls.used += 1
        reserved_in.tokens.used += min(call.actual, call.estimate)
        now_in.tokens.used += max(0, call.actual - call.estimate)
        return True

    def figures(self, call: TracedCall, now_us: int) -> dict[str, int | None]:
        """List what this side has in its accounts of this call."""
        window, steps = self.window(call.agent, now_us), self.steps.get(call.workflow)
        return {
            "agent tokens used": window.tokens.used,
            "agent tokens remaining": window.tokens.remaining,
            "agent calls used": window.calls.used,
            "agent calls remaining": window.calls.remaining,
            "pool tokens committed": self.pool.used,
            "pool tokens reserved": self.pool.reserved,
            "pool tokens remaining": self.pool.remaining,
            "steps executed": steps.used if steps else None,
            "steps remaining": steps.remaining if steps else None,
        }

    def window(self, agent: str, now_us: int) -> Window:
        """Find the agent's window at this time; a new one starts empty, whatever is still open."""
        number = now_us // (self.limits.agent_window * 1_000_000)
        window = self._windows.get(agent)
        if window is None or window.number != number:
            limits = self.limits
            window = Window(number, Counter(limits.agent_tokens[agent]), Counter(limits.agent_calls[agent]))
            self._windows[agent] = window
        return window

    def _begin(self, call: TracedCall, now_us: int) -> set[str]:
        if call.workflow in self.steps:
            return set()
        period = now_us // (self.limits.workflows_period * 1_000_000)
        if period != self._period:
            self._period, self._begun = period, Counter(self.limits.workflows)
        if not self._begun.admits(1):
            return {"workflows"}
        self._begun.used += 1
        self.steps[call.workflow] = Counter(self.limits.steps)
        return set()

    def _refusing(self, call: TracedCall, now_us: int) -> set[str]:
        window = self.window(call.agent, now_us)
        # The threshold is kept free: it lowers what is admitted, not what is reported.
        pool = Counter(self.pool.limit - self.limits.pool_stop_threshold, self.pool.used, self.pool.reserved)
        asked = {
            "steps": self.steps[call.workflow].admits(1),
            "agent tokens": window.tokens.admits(call.estimate),
            "agent calls": window.calls.admits(1),
            "pool": pool.admits(call.estimate),
        }
        return {name for name, admitted in asked.items() if not admitted}

    def _parts(self, call: TracedCall, window: Window) -> list[tuple[Counter, int]]:
        agent = [(window.tokens, call.estimate), (window.calls, 1)]
        return [*agent, (self.steps[call.workflow], 1), (self.pool, call.estimate)]


def _share(percent: int, amount: int) -> int:
    return -(-amount * percent // 100)
