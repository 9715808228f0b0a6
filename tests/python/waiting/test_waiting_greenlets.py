"""Waiting where `threading` is patched: a greenlet that waits lets the others run.

Each test is a process of its own: a patch is for ever.
"""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
import textwrap

import pytest

PATCHES = {
    "gevent": """
        import gevent.monkey; gevent.monkey.patch_all()
        import gevent
        from gevent import sleep, spawn
        def join(*greenlets): gevent.joinall(greenlets, timeout=30, raise_error=True)
        def in_native_thread(function): return gevent.get_hub().threadpool.spawn(function).get
        def native_sleep(seconds): gevent.monkey.get_original("time", "sleep")(seconds)
    """,
    "eventlet": """
        import warnings; warnings.simplefilter("ignore")
        import eventlet; eventlet.monkey_patch()
        from eventlet import sleep, spawn, tpool
        def join(*greenlets): [one.wait() for one in greenlets]
        def in_native_thread(function): return spawn(tpool.execute, function).wait
        def native_sleep(seconds): eventlet.patcher.original("time").sleep(seconds)
    """,
}
HEAD = """
    import os, signal, sys
    from outlay import Guard, RateLimiter, SharedPool, WaitTimeout, governed
    log = []
    def turns():
        for _ in range(5): sleep(0)
"""


@pytest.fixture(params=PATCHES)
def program(request):
    """Return what runs a program after one of the patches, and returns what it prints."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    head = textwrap.dedent(PATCHES[request.param]) + textwrap.dedent(HEAD)

    def run(text: str) -> list[str]:
        command = [sys.executable, "-c", head + textwrap.dedent(text)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout.splitlines()

    return run


BUDGETS = {
    "pool": "budget = SharedPool(capacity_tokens=1); wait = lambda: budget.reserve_blocking(1, timeout=20)",
    "limiter": "budget = RateLimiter(1); wait = lambda: budget.reserve_blocking(1, timeout=20)",
    "slot": (
        "budget = RateLimiter(1, threshold=1.0); wait = lambda: budget.acquire_slot_blocking(1, timeout=20)"
    ),
    "guard": (
        'budget = Guard({"pool": [{"name": "p", "max_concurrent": 1, "on_limit": {"wait": "20s"}}]}); '
        "wait = lambda: budget.reserve_blocking(1)"
    ),
    "wrap": (
        "budget = SharedPool(capacity_tokens=1); call = lambda: log.append('called'); "
        "wait = governed(budget, estimate=1, usage=lambda _: 0, wait=20)(call)"
    ),
}


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_greenlet_that_waits_lets_the_holder_run(program, budget):
    """No greenlet ran meanwhile: the holder could not release before the waiter had timed out."""
    assert program(f"""
        {BUDGETS[budget]}
        held = budget.reserve(1)
        def holder(): turns(); log.append("released"); held.release()
        def waiter(): wait(); log.append("granted")
        join(spawn(waiter), spawn(holder))
        print([word for word in log if word != "called"])
    """) == ["['released', 'granted']"]


def test_greenlets_are_served_in_the_order_of_asking(program):
    """Two hundred, each of which asks for all."""
    assert program("""
        pool, order = SharedPool(capacity_tokens=10), []
        held = pool.reserve(10)
        def wait(number):
            lease = pool.reserve_blocking(10, timeout=30)
            order.append(number)
            sleep(0)
            lease.release()
        waiting = []
        for number in range(200):
            waiting.append(spawn(wait, number))
            sleep(0)
        held.release()
        join(*waiting)
        print(order == list(range(200)), pool.remaining().tokens)
    """) == ["True 10"]


def test_a_greenlet_times_out_and_is_served_by_time(program):
    """The timeout ends one wait, the passing of the window another; both let others run."""
    assert program("""
        pool, limiter = SharedPool(capacity_tokens=1), RateLimiter.per(1, 0.2)
        held = pool.reserve(1)
        limiter.record_usage(1)
        def out_of_time():
            try: pool.reserve_blocking(1, timeout=0.05)
            except WaitTimeout: log.append("timed out")
        def served(): limiter.reserve_blocking(1, timeout=20).release(); log.append("served")
        def other(): log.append("another ran")
        join(spawn(out_of_time), spawn(served), spawn(other))
        print(log)
    """) == ["['another ran', 'timed out', 'served']"]


def test_a_native_thread_wakes_a_greenlet(program):
    """It releases what the greenlet waits for; and one waits itself."""
    assert program("""
        pool = SharedPool(capacity_tokens=1)
        held = pool.reserve(1)
        def release(): native_sleep(0.05); held.release()
        ended = in_native_thread(release)
        lease = pool.reserve_blocking(1, timeout=20)
        ended()
        ended = in_native_thread(lambda: pool.reserve_blocking(1, timeout=20).release())
        sleep(0.05)
        lease.release()
        ended()
        print(pool.remaining().tokens)
    """) == ["1"]


def test_a_greenlet_that_is_killed_leaves_the_queue(program):
    """So that what becomes free goes to the next."""
    assert program("""
        pool = SharedPool(capacity_tokens=1)
        held = pool.reserve(1)
        killed = spawn(pool.reserve_blocking, 1)
        turns()
        killed.kill()
        held.release()
        turns()
        pool.reserve(1).release()
        print(pool.open_leases(), pool.remaining().tokens)
    """) == ["[] 1"]


def test_a_process_with_greenlets_that_wait_ends(program):
    """It does not wait for them."""
    assert program("""
        pool = SharedPool(capacity_tokens=1)
        held = pool.reserve(1)
        spawn(pool.reserve_blocking, 1)
        turns()
        print("end")
    """) == ["end"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent by their number")
def test_ctrl_c_ends_the_wait_of_the_main_greenlet(program):
    """While nothing else runs."""
    assert program(f"""
        import contextlib, subprocess
        pool = SharedPool(capacity_tokens=1)
        held = pool.reserve(1)
        sender = subprocess.Popen([sys.executable, "-c", "import os, sys, time; time.sleep(0.2); "
                                   "os.kill(int(sys.argv[1]), {int(signal.SIGINT)})", str(os.getpid())])
        with contextlib.redirect_stderr(open(os.devnull, "w")):  # gevent's hub names the exception there
            try: pool.reserve_blocking(1, timeout=20)
            except KeyboardInterrupt: print("interrupted")
        held.release()
        pool.reserve(1).release()
        sender.wait()
    """) == ["interrupted"]
