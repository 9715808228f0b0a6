"""The traces that calls leave: for the call around them, for a closed part, for the collector."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import tracemalloc

import pytest
from langchain.agents import create_agent

import outlay
from outlay import Guard, SharedPool, WorkflowQuota, governed
from outlay._usage.prompt import Prompt
from outlay._wraps.arguments import make_layer
from outlay.langchain import BudgetMiddleware, wrap
from outlay.testing import ScriptedChatModel

PROMPT = Prompt(model_name="gpt-x", input_tokens=100)


def _used(guard):
    return guard.snapshot()[0]["limits"]["tokens"]["used"]


async def _left(budget, used, after):
    """Leave a call of `used` tokens to a function that estimates 10, and end it when `after` has run."""
    began, gate = asyncio.Event(), asyncio.Event()

    @governed(budget, estimate=10, usage=lambda _: used)
    async def request():
        began.set()
        await gate.wait()
        return "the answer"

    @governed(budget, estimate=10, usage=lambda _: 1)
    async def outer():
        task = asyncio.create_task(request())
        await began.wait()
        return task

    task = await outer()
    after()
    gate.set()
    return await task


def test_a_turn_hides_nothing_from_the_function_around_it():
    """The function hears of what the model used, above its estimate, whoever counts the turns."""
    pool, workflow = SharedPool(), WorkflowQuota.hourly(1, 9).begin_workflow("w")
    scripted = ScriptedChatModel(script=["Paris."], model_name="gpt-x")
    agent = create_agent(wrap(scripted, pool), [], middleware=[BudgetMiddleware(workflow, steps="turns")])

    @governed(pool, estimate=3)
    def job():
        agent.invoke({"messages": [("user", "The capital of France? " * 50)]})

    job()
    # The script counts a quarter of the 1,150 bytes, 3 for the message, and 2 for the answer.
    assert pool.committed().total_tokens == 288 + 3 + 2
    assert workflow.steps_executed() == 1


async def test_a_call_that_outlives_the_part_that_paid_is_booked_in_its_guard():
    """The part has given back what was left; the answer reaches its caller all the same."""
    guard = Guard({"budget": [{"name": "job", "limit": {"tokens": 10_000}}]})
    part = guard.allot(tokens=5_000)
    assert await _left(part, 700, part.close) == "the answer"
    assert _used(guard) == 701


async def test_a_late_call_waits_for_nobody():
    """Its limiter is in debt and lets calls wait for a minute, but this one is over."""
    limiter = {"name": "tpm", "tokens_per_minute": 100, "on_limit": {"wait": "60s"}}
    guard = Guard({"limiter": [limiter]}, clock=outlay.testing.ManualClock())
    ended = threading.Event()

    def run():
        asyncio.run(_left(guard, 700, lambda: guard.reserve(50).commit(500)))
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    assert await asyncio.to_thread(ended.wait, 20)


async def test_a_late_call_that_cannot_be_booked_gives_its_answer(caplog):
    """A user's own budget may fail as it likes: the call is made and paid for."""

    class Own:
        """A budget whose store goes away."""

        away = False

        def reserve(self, estimate, **labels):
            """Let a pool decide."""
            if self.away:
                raise ConnectionError("the store is away")
            return SharedPool().reserve(estimate)

    own = Own()
    assert await _left(own, 700, lambda: setattr(own, "away", True)) == "the answer"
    assert "the store is away" in caplog.text


def test_a_stream_that_is_cut_after_its_part_was_closed_is_booked_as_reserved():
    """The policy of a closed part is not to be asked; what was reserved is known."""
    guard = Guard(
        {"budget": [{"name": "job", "limit": {"tokens": 10_000}}], "defaults": {"output_tokens": 70}}
    )
    part = guard.allot(tokens=5_000)
    layer = make_layer(part, made_by="test")
    model = wrap(ScriptedChatModel(script=["one two three"], model_name="gpt-x"), part)
    stream = model.stream("Count.")
    next(stream)
    reserved = layer.estimate(PROMPT).output_tokens
    part.close()
    stream.close()
    usage = layer.usage({"input_tokens": 5, "output_tokens": 0}, PROMPT, reserved=reserved)
    assert usage.output_tokens == 70


def test_a_function_that_runs_for_ever_keeps_no_usage_of_each_call():
    """An agent's loop may be governed as a whole."""
    pool = SharedPool()

    @governed(pool, estimate=1)
    def call():
        return 1

    def grown(calls):
        tracemalloc.start()
        for _ in range(calls):
            call()
        gc.collect()
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return size

    @governed(SharedPool())
    def loop():
        return grown(100), grown(2_000)

    few, many = loop()
    assert many < few + 20_000


def test_all_usages_of_many_threads_are_told():
    """The sum is kept while they tell."""
    told = outlay._calls.inner_usage.InnerUsage()
    usage = outlay.Usage(total_tokens=1)
    barrier = threading.Barrier(8)

    def tell():
        barrier.wait()
        for _ in range(1_000):
            told.add(usage)

    threads = [threading.Thread(target=tell) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.total().total_tokens == 8_000


_COLLECTED = """
import gc
import os
from outlay import UsageEstimate, estimates
from outlay._usage.calibration import Calibration
from outlay._usage.prompt import Prompt

learnt, guess = Calibration(), UsageEstimate(input_tokens=9, output_tokens=9)

def learn(name):
    learnt.learn(Prompt(model_name=name, input_tokens=9), guess, {"input_tokens": 9, "output_tokens": 9})

class Dropped:
    def __init__(self):
        self.me = self
    def __del__(self):
        learn(f"dropped-{id(self)}")

for number in range(100):
    gc.disable()
    Dropped()
    gc.set_threshold(gc.get_count()[0] + number)  # the collector comes some objects later, each time one more
    gc.enable()
    learn(f"gpt-{number}")
    estimates()
"""


def test_the_collector_may_end_a_stream_while_we_learn():
    """A dropped stream whose end was seen is learnt from wherever the collector finds it: no deadlock."""
    subprocess.run([sys.executable, "-c", _COLLECTED], check=True, timeout=60)


_FORKED = """
import os, threading
import outlay._wraps.registry
from outlay import SharedPool, governed

held, done = threading.Event(), threading.Event()

def hold():
    with outlay._wraps.registry._lock:
        held.set()
        done.wait()

threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child == 0:
    governed(SharedPool())(print)
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_wraps_although_a_thread_of_its_parent_was_wrapping():
    """That thread is not in the child, and would never let go."""
    subprocess.run([sys.executable, "-c", _FORKED], check=True, timeout=60)
