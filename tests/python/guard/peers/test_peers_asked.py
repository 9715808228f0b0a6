"""What users of other systems ask for, and where those break; held here for the guard.

See test_peers for what other tests hold already.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import multiprocessing
import threading

import openai
import pytest
from test_peers import PRICES, figures, guard_of, passes

import outlay
from outlay import Guard, ManualClock, Usage, usd
from outlay.openai import wrap
from outlay.testing import ProviderServer, Reply

ASKED = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def client_of(server, budget, **labels):
    """Return a guarded client of a loopback server, whose own retries are on."""
    return wrap(openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=2), budget, **labels)


def test_a_spent_budget_is_terminal_and_a_full_rate_is_retryable():
    """Elsewhere both look alike: 1.6 million retries of what could never pass."""
    clock = ManualClock()
    limiter = {"name": "rate", "tokens_per_minute": 50}
    pool = {"name": "slots", "max_concurrent": 1, "scope": {"kind": "slow"}}
    budget = {"name": "b", "scope": {"agent": "*"}, "limit": {"tokens": 40}}
    guard = Guard({"budget": [budget], "limiter": [limiter], "pool": [pool]}, clock=clock)
    with pytest.raises(outlay.BudgetExceeded) as spent:
        guard.reserve(41, agent="a")
    assert (spent.value.retryable, spent.value.retry_after) == (False, None)
    guard.reserve(50).commit(50)
    with pytest.raises(outlay.RateLimitExceeded) as full:
        guard.reserve(1)
    assert full.value.retryable
    clock.advance(full.value.retry_after)
    with guard.reserve(1, kind="slow"), pytest.raises(outlay.AllowanceExceeded) as busy:
        guard.reserve(1, kind="slow")
    assert busy.value.retryable


def test_a_refusal_is_not_sent_again_by_the_client():
    """Elsewhere the whole context is sent nine times more."""
    guard = guard_of({"tokens": 10})
    seen = []
    guard.events(lambda event: seen.append(event["event"]))
    with ProviderServer([]) as server:
        with pytest.raises(outlay.BudgetExceeded):
            client_of(server, guard).chat.completions.create(**ASKED)
        assert server.calls == 0
    assert seen == ["denied", "decision"]


def test_a_small_max_tokens_buys_nothing():
    """Elsewhere max_tokens=1 reserves one token, whatever the provider then sends and bills."""
    guard = guard_of({"tokens": 400})
    usage = {"prompt_tokens": 5, "completion_tokens": 500}
    with ProviderServer([Reply(text="much", usage=usage)]) as server:
        client = client_of(server, guard)
        client.chat.completions.create(**ASKED, max_tokens=1)
        assert figures(guard) == (505, 0)
        with pytest.raises(outlay.BudgetExceeded):
            client.chat.completions.create(**ASKED, max_tokens=1)
        assert server.calls == 1


def test_a_call_that_names_no_limit_is_guarded_all_the_same():
    """Elsewhere a limit of tokens refuses every call without max_tokens, or holds nothing for it."""
    guard = guard_of({"tokens": 2_000})
    gate = threading.Event()
    with ProviderServer([Reply(text="Hi.", gate=gate)]) as server:
        client = client_of(server, guard)
        call = threading.Thread(target=client.chat.completions.create, kwargs=ASKED)
        call.start()
        assert server.wait_for(lambda: server.calls == 1)
        used, reserved = figures(guard)
        gate.set()
        call.join()
        assert used == 0
        assert reserved > 1_024
        assert figures(guard) == (server.billed[0]["total_tokens"], 0)


def test_cached_tokens_are_counted_once_and_apart():
    """Elsewhere they are added to the input, or a cached context trips the cap of its price."""
    prices = {"m": {"input": "10", "output": "10", "cache_read": "1", "cache_write": "12.50"}}
    limit = {"tokens": 10_000, "cache_read_tokens": 900, "cache_write_tokens": 9_000, "usd": "1"}
    guard = Guard({"budget": [{"name": "b", "limit": limit}], "prices": prices})
    details = {"cached_tokens": 800, "cache_write_tokens": 100}
    usage = {"prompt_tokens": 1_000, "completion_tokens": 10, "prompt_tokens_details": details}
    with ProviderServer([Reply(text="Hi.", usage=usage)]) as server:
        client_of(server, guard).chat.completions.create(**ASKED)
    assert figures(guard) == (1_010, 0)
    assert figures(guard, "cache_read_tokens") == (800, 0)
    assert figures(guard, "cache_write_tokens") == (100, 0)
    # 100 new at $10, 800 read at $1, 100 written at $12.50 and 10 made at $10 a million.
    assert figures(guard, "cost_micros_usd") == (1_000 + 800 + 1_250 + 100, 0)


def test_reasoning_tokens_are_part_of_the_output():
    guard = guard_of({"tokens": 10_000, "reasoning_tokens": 5_000, "output_tokens": 5_000})
    made = {"completion_tokens": 90, "completion_tokens_details": {"reasoning_tokens": 70}}
    with ProviderServer([Reply(text="Hi.", usage={"prompt_tokens": 10, **made})]) as server:
        client_of(server, guard).chat.completions.create(**ASKED)
    told = [figures(guard, unit)[0] for unit in ("tokens", "output_tokens", "reasoning_tokens")]
    assert told == [100, 90, 70]


async def test_parallel_tool_calls_are_counted_before_they_start():
    """Elsewhere 792 calls of one turn all see a count of zero."""
    tools = [{"name": "search", "limit": {"calls": 5}, "window": "run"}]
    guard = Guard({"tool": tools, "workflow": [{"name": "w", "limit": {"tool_calls": 7}}]})
    begun = []

    async def tool(name):
        with guard.reserve(tool=name):
            begun.append(name)
            await asyncio.sleep(0)

    with guard.run("r", workflow="w"):
        calls = [tool(name) for name in ["search"] * 400 + ["read"] * 392]
        ends = await asyncio.gather(*calls, return_exceptions=True)
    assert begun == ["search"] * 5 + ["read"] * 2
    refused = [end for end in ends if end is not None]
    assert len(refused) == 785
    assert all(isinstance(end, outlay.LimitExceeded) for end in refused)
    with guard.run("another", workflow="w"):
        await tool("search")


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)])
def test_a_day_of_a_time_zone_is_as_long_as_it_is(day, hours):
    """Elsewhere the day ends at midnight of UTC, or an hour off twice a year."""
    clock = ManualClock()
    summer = day[1] in (6, 10)
    clock.set_time(dt.datetime(*day, tzinfo=dt.timezone(dt.timedelta(hours=2 if summer else 1))))
    guard = guard_of({"tokens": 100}, window="calendar:day", timezone="Europe/Berlin", clock=clock)
    guard.reserve(100).commit(100)
    with pytest.raises(outlay.BudgetExceeded) as refused:
        guard.reserve(1)
    assert refused.value.retry_after == hours * 3_600
    clock.advance(hours * 3_600 - 1)
    assert passes(guard.reserve, 1) is None
    clock.advance(1)
    assert passes(guard.reserve, 100)


def test_the_final_answer_still_fits():
    """Elsewhere the run ends in the midst, and what it found is lost."""
    guard = guard_of({"tokens": 1_000}, landing={"tokens": 200})
    guard.reserve(800).commit(800)
    assert passes(guard.reserve, 1) is None
    assert guard.advice()["landing"]
    with guard.landing():
        guard.reserve(200).commit(200)
        assert passes(guard.reserve, 1) is None
    assert figures(guard) == (1_000, 0)


def test_sub_agents_share_or_have_a_part_of_their_own():
    guard = guard_of({"tokens": 1_000}, scope={"agent": "*"})
    with guard.scope(agent="a"):
        alone = guard.allot(tokens=400)
        shared = [passes(guard.reserve, 300) for _ in range(3)]
    assert [bool(lease) for lease in shared] == [True, True, False]
    assert passes(alone.reserve, 400)
    assert guard.advice(agent="a")["remaining"] == {"tokens": 0}


def test_a_rate_and_a_slot_are_one_decision():
    """Elsewhere who is refused by the one has taken of the other."""
    limiter = {"name": "rate", "requests_per_minute": 2, "tokens_per_minute": 100}
    guard = Guard({"limiter": [limiter], "pool": [{"name": "slots", "max_concurrent": 2}]})
    assert passes(guard.reserve, 101) is None
    assert figures(guard, "concurrent", "slots") == (0, 0)
    leases = [guard.reserve(10), guard.reserve(10)]
    assert passes(guard.reserve, 10) is None
    assert figures(guard, "calls", "rate") == (0, 2)
    for lease in leases:
        lease.commit(10)
    assert passes(guard.reserve, 10) is None
    assert figures(guard, "concurrent", "slots") == (0, 0)


def test_a_rule_is_observed_before_it_is_enforced():
    guard = guard_of({"tokens": 100}, mode="shadow")
    seen = []
    guard.events(lambda event: seen.append(event["event"]))
    for _ in range(3):
        guard.reserve(60).commit(60)
    assert figures(guard) == (180, 0)
    assert seen.count("denied") == 2
    guard.update({"budget": [{"name": "b", "limit": {"tokens": 100}}]})
    assert passes(guard.reserve, 1) is None


def test_a_run_goes_on_when_its_limit_is_raised():
    guard = guard_of({"usd": "1"}, window="run")
    guard.reserve(outlay.UsageEstimate(cost_micros_usd=usd("1")), run="r").commit()
    assert passes(guard.reserve, 1, model="m", run="r") is None
    rule = {"name": "b", "limit": {"usd": "2"}, "window": "run"}
    guard.update({"budget": [rule], "prices": PRICES})
    guard.reserve(outlay.UsageEstimate(input_tokens=10), model="m", run="r").commit(Usage(input_tokens=10))
    assert figures(guard, "cost_micros_usd") == (usd("1.0001"), 0)


def test_one_guard_serves_many_event_loops_and_threads():
    """Elsewhere a limiter belongs to the loop in which it was first used."""
    guard = Guard({"pool": [{"name": "slots", "max_concurrent": 2, "on_limit": {"wait": "1h"}}]})
    inside, most, lock = [], [], threading.Lock()

    def enter(lease):
        with lock:
            inside.append(lease)
            most.append(len(inside))

    def leave(lease):
        with lock:
            inside.remove(lease)
        lease.commit()

    async def task():
        lease = await guard.reserve_wait()
        enter(lease)
        await asyncio.sleep(0)
        leave(lease)

    async def loop():
        await asyncio.gather(*(task() for _ in range(50)))

    def blocking():
        for _ in range(50):
            lease = guard.reserve_blocking()
            enter(lease)
            leave(lease)

    targets = [lambda: asyncio.run(loop())] * 3 + [blocking] * 2
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (250, 2)
    assert figures(guard, "concurrent", "slots") == (0, 0)


def _in_child(ask, answers):
    try:
        ask()
    except outlay.ForkedLedger:
        answers.put("refused")
    else:
        answers.put("a copy of the limit")


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_forked_child_has_no_copy_of_the_limits():
    """Elsewhere N workers have N times the limit."""
    guard = guard_of({"tokens": 100})
    part = guard.allot(tokens=10)
    process = multiprocessing.get_context("fork")
    for ask in (
        lambda: guard.reserve(1),
        lambda: part.reserve(1),
        guard.snapshot,
        lambda: guard.allot(calls=1),
    ):
        answers = process.SimpleQueue()
        child = process.Process(target=_in_child, args=(ask, answers))
        child.start()
        child.join()
        assert answers.get() == "refused"
    assert figures(guard) == (0, 10)


def test_every_door_of_the_client_is_metered():
    """Elsewhere embeddings, the older completions or raw responses pass beside the limit."""
    guard = guard_of({"tokens": 10})
    with ProviderServer([]) as server:
        client = client_of(server, guard)
        doors = [
            lambda: client.chat.completions.create(**ASKED, stream=True),
            lambda: client.with_raw_response.chat.completions.create(**ASKED),
            lambda: client.with_options(timeout=5).responses.create(model="m", input="Hello"),
            lambda: client.embeddings.create(model="m", input="Hello " * 100),
            lambda: client.completions.create(model="m", prompt="Hello " * 100),
        ]
        for door in doors:
            with pytest.raises(outlay.BudgetExceeded):
                door()
        assert server.calls == 0
