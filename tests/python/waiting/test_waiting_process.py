"""Waiting and the process: Ctrl-C, the exit, forks, and warnings that are errors."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from face_support import SOAK, ran_clean, run_script

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

CTRL_C = """
import os, signal, sys, threading, time
import outlay
pool = outlay.SharedPool(capacity_tokens=10)
limiter = outlay.RateLimiter(10, threshold=1.0)
limiter.record_usage(10)
held = pool.reserve(6)
WAITS = {
    "pool": lambda: pool.reserve_blocking(10),
    "limiter": lambda: limiter.reserve_blocking(10),
    "slot": lambda: limiter.acquire_slot_blocking(10),
}
class Stopped(Exception): pass
def raises(number, frame): raise Stopped
sent = []
def send():
    sent.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)
def interrupted(wait, kind):
    threading.Timer(0.07, send).start()
    try:
        wait()
    except kind:
        return time.monotonic() - sent.pop()
    raise AssertionError("it was not interrupted")
"""


@pytest.mark.parametrize("way", ["pool", "limiter", "slot"])
def test_ctrl_c_ends_a_blocking_wait_at_once_and_leaves_the_queue_clean(way):
    """Within 100 ms (the best of five: the machine may be busy), by KeyboardInterrupt or another."""
    ran_clean(
        CTRL_C
        + f"""
took = [interrupted(WAITS[{way!r}], KeyboardInterrupt) for _ in range(5)]
assert min(took) < 0.1 and max(took) < 2, took
signal.signal(signal.SIGINT, raises)
took = [interrupted(WAITS[{way!r}], Stopped) for _ in range(5)]
assert min(took) < 0.1 and max(took) < 2, took
pool.reserve(4).release()  # nobody is in the way
held.release()
pool.reserve(10).release()
assert pool.committed().total_tokens == 0 and limiter.current_usage() == 10
"""
    )


def test_a_signal_whose_handler_returns_does_not_end_the_wait():
    """It runs while the main thread waits; a handler that releases ends the wait by what it frees."""
    ran_clean(
        CTRL_C
        + """
ran = []
signal.signal(signal.SIGINT, lambda *_: ran.append(1))
threading.Timer(0.05, send).start()
threading.Timer(0.15, held.release).start()
pool.reserve_blocking(10).release()
assert ran == [1]
held = pool.reserve(6)
signal.signal(signal.SIGINT, lambda *_: held.release())
threading.Timer(0.05, send).start()
pool.reserve_blocking(10).release()
"""
    )


def test_ctrl_c_during_asyncio_run_leaves_the_queue_clean():
    """The main task is cancelled; those that wait beside it, too."""
    ran_clean(
        CTRL_C
        + """
import asyncio
async def main():
    others = [asyncio.create_task(pool.reserve_wait(10)) for _ in range(5)]
    threading.Timer(0.05, send).start()
    await limiter.acquire_slot(10)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    pool.reserve(4).release()
else:
    raise AssertionError("it was not interrupted")
"""
    )


EXITS = """
import asyncio, os, signal, sys, threading
import outlay
def daemons(*works):
    started = [threading.Event() for _ in works]
    def run(work, event):
        work()
        event.set()
        while True: work()
    for both in zip(works, started): threading.Thread(target=run, args=both, daemon=True).start()
    for event in started: event.wait(10)
def attempt(wait, seconds):
    try: return wait(1, timeout=seconds)
    except outlay.WaitTimeout: return None
def blocked():
    limiter = outlay.RateLimiter.per(1, 0.01, threshold=1.0)
    pool = outlay.SharedPool(capacity_tokens=3)
    kept.append(pool.reserve(3))
    for _ in range(4): threading.Thread(target=pool.reserve_blocking, args=(1,), daemon=True).start()
    waits = (pool.reserve_blocking, limiter.acquire_slot_blocking)
    refused = lambda: [attempt(wait, 0.0001) for wait in waits]
    daemons(lambda: limiter.reserve_blocking(1).commit(), refused, refused)
def handed_on():
    sys.setswitchinterval(1e-6)
    pool = outlay.SharedPool(capacity_tokens=1, unsettled="release")
    daemons(*[lambda: attempt(pool.reserve_blocking, 1)] * 12)
def loops():
    pool = outlay.SharedPool(capacity_tokens=2)
    limiter = outlay.RateLimiter.per(2, 0.05)
    async def work():
        for _ in range(3):
            lease = await pool.reserve_wait(1)
            await asyncio.sleep(0)
            lease.release()
            try: await limiter.acquire_slot(1, timeout=0.001)
            except outlay.WaitTimeout: pass
    async def all_work(): await asyncio.gather(*[work() for _ in range(8)])
    daemons(*[lambda: asyncio.run(all_work())] * 3)
kept = []
for number in range(int(sys.argv[2])):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        {"blocked": blocked, "handed on": handed_on, "loops": loops}[sys.argv[1]]()
        sys.exit(0)
    status = os.waitpid(pid, 0)[1]
    assert status == 0, f"exit {number} ended with {status}"
"""


@forks
@pytest.mark.parametrize(("kind", "exits"), [("blocked", 5), ("handed on", 10), ("loops", 5)])
def test_exit_while_daemon_threads_wait_is_clean(kind, exits):
    """All end with 0, none hangs, none aborts, none says a word."""
    done = run_script(EXITS, kind, str(exits * SOAK), seconds=120 * SOAK)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_main_thread_waits_for_what_daemon_threads_release():
    """Leases and windows; then it exits while they still wait for each other."""
    source = """
import threading
import outlay
pool = outlay.SharedPool(capacity_tokens=2)
def work():
    while True:
        pool.reserve_blocking(1).release()
for _ in range(5):
    threading.Thread(target=work, daemon=True).start()
for _ in range(50):
    pool.reserve_blocking(2).release()
assert pool.committed().total_tokens == 0
"""
    for _ in range(3):
        ran_clean(source)


FORKS = """
import asyncio, gc, os, signal, sys, threading
import outlay
def accounts():
    pool, limiter = outlay.SharedPool(capacity_tokens=10), outlay.RateLimiter.per(10, 0.1, threshold=1.0)
    limiter.record_usage(10)
    return pool, limiter, pool.reserve(10)
def fresh_ones_wait():
    pool, limiter, held = accounts()
    async def main():
        tasks = [asyncio.create_task(pool.reserve_wait(10)) for _ in range(3)]
        slot = asyncio.create_task(limiter.acquire_slot(10))
        await asyncio.sleep(0)
        held.release()
        for task in tasks: (await task).release()
        await slot
    asyncio.run(main())
    held = pool.reserve(10)
    threading.Timer(0.02, held.release).start()
    pool.reserve_blocking(10).release()
    limiter.reserve_blocking(10).commit(10)
    try: limiter.reserve_blocking(10, timeout=0.01)
    except outlay.WaitTimeout: pass
    else: raise AssertionError("it did not wait")
def refused(pool, limiter):
    def forked(call):
        try: call()
        except outlay.ForkedLedger: return
        raise AssertionError("an account of the parent answered")
    for call in (pool.reserve_blocking, limiter.reserve_blocking, limiter.acquire_slot_blocking):
        forked(lambda: call(1))
    for call in (pool.reserve_wait, limiter.reserve_wait, limiter.acquire_slot):
        forked(lambda: call(1).send(None))
        forked(lambda: call(1, timeout=0).send(None))
def in_child(work):
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        try: work()
        except BaseException:
            import traceback
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert status == 0, f"the child ended with {status}"
"""


@forks
def test_a_child_waits_on_accounts_of_its_own_whatever_its_parent_waits_for():
    """Tasks and threads of the parent wait at the fork: they go on as if nothing had been."""
    ran_clean(
        FORKS
        + """
pool, limiter, held = accounts()
granted = []
threads = [threading.Thread(target=lambda: granted.append(pool.reserve_blocking(1))) for _ in range(4)]
for thread in threads: thread.start()
async def main():
    tasks = [asyncio.create_task(pool.reserve_wait(1)) for _ in range(4)]
    slots = [asyncio.create_task(limiter.acquire_slot(2)) for _ in range(5)]
    await asyncio.sleep(0)
    def child():
        gc.collect()
        refused(pool, limiter)
        fresh_ones_wait()
        held.close()
        for task in tasks: task.cancel()
        tasks.clear(); slots.clear()
        gc.collect()
        in_child(fresh_ones_wait)
    in_child(child)
    in_child(child)
    await asyncio.gather(*slots)
    assert not any(task.done() for task in tasks) and not granted
    held.release()
    granted.extend(await asyncio.gather(*tasks))
asyncio.run(main())
for thread in threads: thread.join(10)
assert len(granted) == 8 and pool.reserved().total_tokens == 8
"""
    )


@forks
def test_a_fork_while_other_threads_wait_and_release_hangs_no_child():
    """15 children wait on accounts of their own."""
    ran_clean(
        FORKS
        + """
pool, limiter, held = accounts()
held.release()
stop = threading.Event()
def work():
    while not stop.is_set():
        try: pool.reserve_blocking(6, timeout=0.001).release()
        except outlay.WaitTimeout: pass
def loop():
    async def one():
        while not stop.is_set():
            lease = await pool.reserve_wait(6)
            await asyncio.sleep(0)
            lease.release()
    async def main(): await asyncio.gather(one(), one())
    asyncio.run(main())
threads = [threading.Thread(target=target) for target in (work, work, loop)]
for thread in threads: thread.start()
def child():
    refused(pool, limiter)
    fresh_ones_wait()
    gc.collect()
try:
    for _ in range(15): in_child(child)
finally:
    stop.set()
    for thread in threads: thread.join()
pool.reserve(10).release()
""",
        seconds=60,
    )


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_nothing_warns_where_warnings_are_errors(kind):
    """-W error, debug mode, collections at every step: not a word on stderr."""
    pytest.importorskip(kind)
    source = f"""
import asyncio, gc, threading
import {kind} as kind
import outlay
gc.set_threshold(1, 1, 1)
pool = outlay.SharedPool(capacity_tokens=5)
limiter = outlay.RateLimiter.per(5, 0.02, threshold=1.0)
async def main():
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 60
    held = pool.reserve(5)
    tasks = [asyncio.create_task(pool.reserve_wait(1)) for _ in range(30)]
    slots = [asyncio.create_task(limiter.acquire_slot(1)) for _ in range(10)]
    await asyncio.sleep(0)
    for task in tasks[::2]: task.cancel()
    threading.Thread(target=held.release).start()
    for task in tasks[1::2]: (await task).release()
    await asyncio.gather(*slots)
    held = pool.reserve(5)
    for call in (limiter.acquire_slot(6), pool.reserve_wait(6), pool.reserve_wait(5, timeout=0.001)):
        try: await call
        except outlay.LimitExceeded as refused: str(refused)
    held.release()
    for _ in range(5): asyncio.create_task(limiter.reserve_wait(5))
for _ in range(3):
    with asyncio.Runner(loop_factory=kind.new_event_loop) as runner: runner.run(main())
gc.collect()
assert pool.reserved().total_tokens == 0
"""
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
