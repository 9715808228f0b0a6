"""The provider of the audit run, what goes wrong on its calls, and the bill that it keeps by call."""

from __future__ import annotations

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from outlay.testing import ProviderServer, Reply
from outlay.testing._apis.chat import Chat
from outlay.testing.openai_server import count_tokens

AGENTS, SUBS = 50, 20
MAX_CONCURRENT, PER_SECOND = 24, 100
# Of the agents that share a limit of requests, failing ones too; their calls ask for more than that.
STORM_AGENTS, STORM_REQUESTS = 3, 30
TIME_OUT, TIME_OUT_RETRIES = 0.5, 1
PRICES = {
    "openai:gpt-x": {"input": "2.50", "output": "10.00", "cache_read": "0.31"},
    "gpt-y": {"input": "0.15", "output": "0.61", "cache_read": "0.07"},
}
POLICY = {
    "budget": [
        {"name": "per-agent", "scope": {"agent": "*"}, "limit": {"usd": "0.09", "tokens": 7_000}},
        {"name": "per-sub", "scope": {"sub": "*"}, "limit": {"usd": "0.02", "tokens": 2_000}},
        {"name": "tight", "scope": {"agent": "tight-*"}, "limit": {"tokens": 12_000}},
        {"name": "all", "limit": {"usd": "50", "tokens": 5_000_000}, "window": "rolling:24h"},
    ],
    "workflow": [{"name": "audit", "limit": {"usd": "0.10", "calls": 24}}],
    "pool": [{"name": "llm", "max_concurrent": MAX_CONCURRENT, "on_limit": {"wait": "60s"}}],
    "limiter": [
        {
            "name": "openai",
            "scope": {"model": "openai:*"},
            "requests_per_second": PER_SECOND,
            "tokens_per_minute": 20_000_000,
            "adaptive": "headers",
            "on_limit": {"wait": "60s"},
        },
        {"name": "storm", "scope": {"agent": "storm-*"}, "requests_per_hour": STORM_REQUESTS},
    ],
    "prices": PRICES,
}
# What goes wrong, and how often; the names are those of `Call.kind`.
WEIGHTS = {
    "plain": 26,
    "stream": 14,
    "500, then good": 8,
    "429, then good": 8,
    "500": 5,
    "429": 4,
    "502 in the body": 4,
    "timed out": 4,
    "unparsed": 5,
    "running totals": 5,
    "no usage": 6,
    "stream without usage": 4,
    "left early": 6,
    "never read": 3,
    "cancelled before": 4,
    "cancelled in the queue": 4,
    "cancelled on the way": 5,
    "cancelled in the stream": 3,
}
STREAMS = {
    "stream",
    "running totals",
    "stream without usage",
    "left early",
    "never read",
    "cancelled in the stream",
}
TOLD = {"plain", "stream", "running totals", "500, then good", "429, then good", "unparsed"}
REFUSED_BY_PROVIDER = {"500", "429", "502 in the body"}
HELD = {"timed out", "cancelled on the way", "cancelled in the stream", "left early", "never read"}
SLOW_DOWN = {
    "retry-after-ms": "20",
    "x-ratelimit-limit-requests": "100000",
    "x-ratelimit-remaining-requests": "90000",
    "x-ratelimit-limit-tokens": "30000000",
    "x-ratelimit-remaining-tokens": "29000000",
    "x-ratelimit-reset-tokens": "10ms",
}


@dataclass(frozen=True)
class Call:
    """The call of one sub-agent, and what will go wrong on it."""

    sub: str
    agent: str
    kind: str
    part: str  # "own", "nested" or "shared"
    threaded: bool
    model: str
    prompt: str
    text: str
    max_tokens: int
    cached: int

    @property
    def labels(self):
        """Who it is, for the guard."""
        return {"agent": self.agent, "workflow": "audit", "run": f"run-of-{self.agent}"}

    @property
    def request(self):
        """What the client is asked."""
        messages = [{"role": "user", "content": self.prompt}]
        return {"model": self.model, "messages": messages, "user": self.sub, "max_tokens": self.max_tokens}

    @property
    def allotment(self):
        """What its agent sets aside for it: enough."""
        tokens = len(self.prompt) // 3 + 20 + self.max_tokens
        return {"tokens": tokens, "cost_micros_usd": tokens * 10, "calls": 1}


def plan(seed: int) -> list[Call]:
    """Make the calls of a seed."""
    dice = random.Random(seed)
    calls = []
    for number in range(AGENTS):
        agent = _name(number)
        threaded = number % 5 == 4
        for index in range(SUBS):
            kind = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            while threaded and kind.startswith("cancelled"):
                kind = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            text = "word " * dice.randint(1, 300)
            call = Call(
                sub=f"{agent}/{index}",
                agent=agent,
                kind=kind,
                part=("own", "shared", "nested", "shared")[index % 4],
                threaded=threaded,
                model=dice.choice(["gpt-x", "gpt-y"]),
                prompt="tell me " * dice.randint(1, 200),
                text=text,
                max_tokens=count_tokens(text) + dice.randint(0, 200),
                cached=dice.choice([0, 0, dice.randint(1, 90)]),
            )
            calls.append(call)
    dice.shuffle(calls)
    return calls


def _name(number: int) -> str:
    if number < 3:
        return f"tight-{number}"
    return f"storm-{number}" if number < 3 + STORM_AGENTS else f"agent-{number}"


def cost_of(model: str, usage: dict) -> int:
    """Price a usage with decimals, and round it up once: not as the package does it."""
    row = PRICES.get(model) or PRICES[f"openai:{model}"]
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    dollars_a_million = (
        (usage["prompt_tokens"] - cached) * Decimal(row["input"])
        + cached * Decimal(row["cache_read"])
        + usage["completion_tokens"] * Decimal(row["output"])
    )
    return int(dollars_a_million.to_integral_value(ROUND_CEILING))


class AuditServer(ProviderServer):
    """A provider that plays a plan, and bills by sub-agent.

    Attributes:
        bill: The tokens and the micro-USD of each sub-agent; also of answers that tell no usage.
        arrived: How many requests of each sub-agent came.
        on_arrival: Called with each sub-agent whose request arrives.

    """

    def __init__(self, calls: list[Call]) -> None:
        super().__init__(self._answer)
        self._plan = {call.sub: call for call in calls}
        self._lock = threading.Lock()
        self.bill: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        self.arrived: Counter[str] = Counter()
        self.on_arrival: Callable[[str], None] = lambda sub: None
        self.never = threading.Event()

    def _answer(self, request: dict) -> Reply:
        call = self._plan[request["user"]]
        with self._lock:
            self.arrived[call.sub] += 1
            attempt = self.arrived[call.sub]
        self.on_arrival(call.sub)
        status = int(call.kind[:3]) if call.kind[:3].isdigit() else 200
        if status != 200 and (call.kind in REFUSED_BY_PROVIDER or attempt == 1):
            headers = SLOW_DOWN if status == 429 else {"retry-after-ms": "5"}
            return Reply(status=status, headers=headers, in_body="body" in call.kind)
        prompt = Chat().count(request)
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": count_tokens(call.text),
            "prompt_tokens_details": {"cached_tokens": min(call.cached, prompt)},
        }
        with self._lock:
            tokens, cost = self.bill[call.sub]
            total = usage["prompt_tokens"] + usage["completion_tokens"]
            self.bill[call.sub] = (tokens + total, cost + cost_of(call.model, usage))
        silent = call.kind in ("no usage", "stream without usage")
        gate = self.never if call.kind in HELD else None
        totals = call.kind == "running totals"
        return Reply(text=call.text, usage=None if silent else usage, gate=gate, totals=totals)
