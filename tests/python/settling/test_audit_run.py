"""The audit: a thousand calls of real clients under one guard, beside what the provider bills.

Fifty agents have twenty sub-agents each; some have an allotment of their own, the others share. The provider
is a server on loopback that fails, refuses, keeps its usage to itself and is left in the midst; tasks are
cancelled before the call, in the queue, on the way and in a stream. OUTLAY_AUDIT_SEED chooses what goes wrong
where.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from audit_support import (
    MAX_CONCURRENT,
    POLICY,
    REFUSED_BY_PROVIDER,
    STORM_REQUESTS,
    STREAMS,
    TIME_OUT,
    TIME_OUT_RETRIES,
    TOLD,
    AuditServer,
    Call,
    plan,
)
from pydantic import BaseModel, ValidationError

import outlay
from outlay.openai import wrap

SEED = int(os.environ.get("OUTLAY_AUDIT_SEED", "20261122"))
ENDED = {"committed", "released", "expired"}
# Streams are left on purpose. CPython 3.11 may collect httpx's generator in the thread that watches, while
# the loop's thread closes it. It then reports that the generator is executing, and nothing else comes of it.
LEFT = "Exception ignored in. <async_generator object Response.aiter_raw"
pytestmark = pytest.mark.filterwarnings(f"ignore:{LEFT}:pytest.PytestUnraisableExceptionWarning")


class Word(BaseModel):
    """What an answer is to be parsed as, and never can be."""

    word: int


class Watch:
    """Looks at a guard while it works: the leases that are open, and every limit that was crossed."""

    def __init__(self, guard: outlay.Guard) -> None:
        self.guard = guard
        self.open: dict[str, Counter] = {}
        self.crossed: list[str] = []
        self.most: Counter[str] = Counter()
        self.looks = 0
        self._events = 0
        # The collector may end a lease, which tells an event, while this thread tells one.
        self._lock = threading.RLock()
        guard.events(self.happened)

    def happened(self, event: dict) -> None:
        """Keep the book of leases, and look at the limits now and then."""
        with self._lock:
            lease = self.open.setdefault(event["lease"], Counter()) if event["lease"] else None
            if lease is not None and event["event"] == "reserved":
                lease["reserved"] += 1
            elif lease is not None and event["event"] in ENDED:
                lease["ended"] += 1
            self._events += 1
            due = self._events % 301 == 0
        if due:
            self.look()

    def look(self) -> None:
        """Note every limit that is crossed now."""
        self.looks += 1
        for counter in self.guard.snapshot():
            for unit, figures in counter["limits"].items():
                held = figures["used"] + figures["reserved"]
                if figures["limit"] is not None and held > figures["limit"]:
                    self.crossed.append(f"{counter['name']} {counter['values']} {unit}: {figures}")
                word = f"{counter['name']}, {unit}"
                self.most[word] = max(self.most[word], held)

    def until(self, done: threading.Event) -> None:
        """Look until it is done, from a thread of its own."""
        while not done.wait(0.1):
            self.look()

    def unended(self) -> dict:
        """Return the leases that were reserved in an account and not ended there."""
        return {name: dict(seen) for name, seen in self.open.items() if seen["reserved"] != seen["ended"]}


class Run:
    """All calls of a plan, each to its own end."""

    def __init__(self, server: AuditServer, calls: list[Call]) -> None:
        self.server, self.calls = server, calls
        self.guard = outlay.Guard(POLICY)
        self.watch = Watch(self.guard)
        self.ends: dict[str, str] = {}
        self.refusals: Counter[str] = Counter()
        self.tasks: dict[str, asyncio.Task] = {}
        options = {"base_url": server.base_url, "api_key": "none", "max_retries": 2}
        self.sync_client = openai.OpenAI(**options)
        self.async_client = openai.AsyncOpenAI(**options)

    @contextlib.contextmanager
    def client_of(self, call: Call, client):
        """Give a client that spends for the sub-agent: of an allotment, or of what its agent has."""
        if call.part == "shared":
            with self.guard.scope(sub=call.sub):
                yield wrap(client, self.guard, **call.labels)
            return
        with contextlib.ExitStack() as parts:
            part = parts.enter_context(self.guard.allot(**call.allotment, **call.labels))
            if call.part == "nested":
                part = parts.enter_context(part.allot(**call.allotment))
            yield wrap(client, part, sub=call.sub)
            left = part.remaining()
            assert all(amount >= 0 for amount in left.values())

    @contextlib.contextmanager
    def ended(self, call: Call):
        """Note how a call ends; an error that nobody planned fails the run."""
        try:
            yield
            self.ends[call.sub] = "answered"
        except outlay.LimitExceeded as refusal:
            self.ends[call.sub] = "refused"
            scope = refusal.scope
            self.refusals[scope.get("budget") or scope.get("workflow") or scope.get("limiter")] += 1
        except asyncio.CancelledError:
            self.ends[call.sub] = "cancelled"
        except openai.APITimeoutError:
            self.ends[call.sub] = "timed out" if call.kind == "timed out" else "timed out, never planned"
        except ValidationError:
            self.ends[call.sub] = "unusable" if call.kind == "unparsed" else "unusable, never planned"
        except openai.APIStatusError as error:
            self.ends[call.sub] = (
                "failed" if str(error.status_code) == call.kind else "failed as never planned"
            )
            self.guard.observe(error.response.headers, error.status_code, provider="openai", model=call.model)

    def asked(self, call: Call, client):
        """Ask as the call is planned: in a hurry, for an answer of some form, or plainly."""
        if call.kind == "timed out":
            client = client.with_options(timeout=TIME_OUT, max_retries=TIME_OUT_RETRIES)
        if call.kind == "unparsed":
            return client.chat.completions.parse(**call.request, response_format=Word)
        return client.chat.completions.create(**call.request, stream=call.kind in STREAMS)

    def call_in_thread(self, call: Call) -> None:
        """Make a call with the client that blocks."""
        with self.ended(call), self.client_of(call, self.sync_client) as client:
            answer = self.asked(call, client)
            if call.kind == "left early":
                next(iter(answer))
                answer.close()
            elif call.kind in STREAMS and call.kind != "never read":
                for _ in answer:
                    pass

    async def call_in_task(self, call: Call) -> None:
        """Make a call with the client that awaits."""
        with self.ended(call), self.client_of(call, self.async_client) as client:
            answer = await self.asked(call, client)
            if call.kind == "never read" or call.kind not in STREAMS:
                return
            async for _ in answer:
                if call.kind == "left early":
                    await answer.close()
                    break
                if call.kind == "cancelled in the stream":
                    asyncio.current_task().cancel()

    async def together(self) -> None:
        """Begin all of them at once, and wait for their ends."""
        loop = asyncio.get_running_loop()
        arrivals = 0

        def cancel(sub: str) -> None:
            nonlocal arrivals
            # All tasks have begun before the first of their requests is sent.
            arrivals += sub in self.tasks
            for call in self.calls:
                waits = arrivals == 1 and call.kind == "cancelled in the queue"
                if waits or (call.sub == sub and call.kind == "cancelled on the way"):
                    self.tasks[call.sub].cancel()

        self.server.on_arrival = lambda sub: loop.call_soon_threadsafe(cancel, sub)
        threaded = [call for call in self.calls if call.threaded]
        with ThreadPoolExecutor(len(threaded)) as threads:
            blocking = [loop.run_in_executor(threads, self.call_in_thread, call) for call in threaded]
            for call in self.calls:
                if not call.threaded:
                    self.tasks[call.sub] = loop.create_task(self.call_in_task(call))
                    if call.kind == "cancelled before":
                        self.tasks[call.sub].cancel()
                        self.ends[call.sub] = "cancelled"
            await asyncio.gather(*blocking)
            ended = await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        for end in ended:
            if isinstance(end, Exception):
                raise end
        await self.async_client.close()

    def all_of_it(self) -> None:
        """Run the plan under the eyes of a watch."""
        done = threading.Event()
        eyes = threading.Thread(target=self.watch.until, args=(done,))
        eyes.start()
        try:
            asyncio.run(self.together())
        finally:
            done.set()
            eyes.join()
            self.sync_client.close()
        gc.collect()
        self.watch.look()


@pytest.fixture(scope="module")
def run():
    """Run the whole plan once; the tests look at what it leaves behind."""
    calls = plan(SEED)
    with AuditServer(calls) as server:
        run = Run(server, calls)
        run.all_of_it()
        assert server.errors == []
        yield run


def booked(run: Run, name: str, label: str | None = None) -> dict[str, tuple[int, int]]:
    """Return the tokens and micro-USD that the counters of a rule have, by a label."""
    found = {}
    for counter in run.guard.snapshot():
        if counter["name"] == name:
            figures = counter["limits"]
            used = [figures.get(unit, {}).get("used", 0) for unit in ("tokens", "cost_micros_usd")]
            found[counter["values"].get(label, "")] = tuple(used)
    return found


def test_the_plan_is_a_thousand_calls_and_every_kind_of_fault(run):
    kinds = Counter(call.kind for call in run.calls)
    ends = Counter(run.ends.values())
    print(f"seed {SEED}: {dict(kinds)}, ends {dict(ends)}, refused by {dict(run.refusals)}")
    print(f"{run.watch.looks} looks, at most {dict(run.watch.most)}")
    assert len(run.calls) == len(run.ends) == 1_000
    assert set(ends) == {"answered", "refused", "cancelled", "failed", "timed out", "unusable"}
    assert len(kinds) == 18
    # The budgets refuse the second request of most that time out: those end as refused.
    assert ends.pop("timed out") > 0
    assert min(ends.values()) > 5
    assert run.watch.most["llm, concurrent"] > MAX_CONCURRENT // 2
    assert set(run.refusals) >= {"per-agent", "tight", "audit", "storm"}


def test_the_ledger_is_never_below_the_bill(run):
    ledger = booked(run, "per-sub", "sub")
    below = {
        sub: (ledger.get(sub), billed)
        for sub, billed in run.server.bill.items()
        if ledger.get(sub, (0, 0))[0] < billed[0] or ledger.get(sub, (0, 0))[1] < billed[1]
    }
    assert below == {}
    for unit in (0, 1):
        assert sum(used[unit] for used in ledger.values()) >= sum(b[unit] for b in run.server.bill.values())


def test_calls_whose_usage_came_are_booked_to_the_token_and_the_micro_usd(run):
    ledger = booked(run, "per-sub", "sub")
    told = [c for c in run.calls if c.kind in TOLD and run.ends[c.sub] in ("answered", "unusable")]
    assert len(told) > 300
    assert {c.sub: ledger[c.sub] for c in told} == {c.sub: run.server.bill[c.sub] for c in told}


def test_calls_that_never_reached_the_provider_or_that_it_refused_cost_nothing(run):
    ledger = booked(run, "per-sub", "sub")
    free = [
        call
        for call in run.calls
        if call.kind in REFUSED_BY_PROVIDER
        or call.kind == "cancelled before"
        or (run.ends[call.sub] == "refused" and not run.server.arrived[call.sub])
    ]
    assert len(free) > 100
    assert {c.sub: used for c in free if (used := ledger.get(c.sub, (0, 0))) != (0, 0)} == {}
    # Of those that were cancelled in the queue, a few had just been let through: they may be under way.
    queued = [call for call in run.calls if call.kind == "cancelled in the queue"]
    left = [call for call in queued if ledger.get(call.sub, (0, 0)) == (0, 0)]
    assert len(left) >= len(queued) // 2


def test_calls_that_timed_out_are_booked_at_their_estimate_once_for_each_request(run):
    ledger = booked(run, "per-sub", "sub")
    # The budgets refused the second request of some.
    late = [call for call in run.calls if call.kind == "timed out" and run.server.arrived[call.sub]]
    assert len(late) > 15
    # A third of the bytes of the prompt, 4 for the message, and the output in full.
    estimates = {c.sub: -(-len(c.prompt) // 3) + 4 + c.max_tokens for c in late}
    assert {c.sub: ledger[c.sub][0] for c in late} == {
        c.sub: run.server.arrived[c.sub] * estimates[c.sub] for c in late
    }
    assert {run.server.arrived[c.sub] for c in late} <= set(range(1, 2 + TIME_OUT_RETRIES))


def test_no_more_requests_reach_the_provider_than_the_limit_lets_through(run):
    """Of the agents of the storm: whatever failed, was tried again, timed out or was cancelled."""
    storm = [call for call in run.calls if call.agent.startswith("storm-")]
    arrived = sum(run.server.arrived[call.sub] for call in storm)
    refused = [call for call in storm if run.ends[call.sub] == "refused"]
    counted = [one for one in run.guard.snapshot() if one["name"] == "storm"]
    assert refused
    assert arrived <= counted[0]["limits"]["calls"]["used"] <= STORM_REQUESTS
    assert sum(call.kind in ("500", "429", "timed out") for call in storm) > 3


def test_every_account_is_the_sum_of_its_calls(run):
    ledger = booked(run, "per-sub", "sub")

    def total(calls):
        used = [ledger.get(call.sub, (0, 0)) for call in calls]
        return (sum(tokens for tokens, _ in used), sum(cost for _, cost in used))

    by_agent = {a: total(c for c in run.calls if c.agent == a) for a in {c.agent for c in run.calls}}
    assert booked(run, "per-agent", "agent") == by_agent
    workflow = booked(run, "audit", "run")
    assert {run_id: cost for run_id, (_, cost) in workflow.items()} == {
        f"run-of-{agent}": cost for agent, (_, cost) in by_agent.items()
    }
    assert booked(run, "all") == {"": total(run.calls)}
    assert booked(run, "tight")[""][0] == total(c for c in run.calls if c.agent.startswith("tight-"))[0]


def test_no_limit_was_crossed_at_any_moment(run):
    assert run.watch.looks > 30
    assert run.watch.crossed == []


def test_nothing_is_left_reserved_and_no_lease_is_open(run):
    left = [
        (counter["name"], counter["values"], unit, figures)
        for counter in run.guard.snapshot()
        for unit, figures in counter["limits"].items()
        if figures["reserved"]
    ]
    assert left == []
    assert run.watch.unended() == {}
