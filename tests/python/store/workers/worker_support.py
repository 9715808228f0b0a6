"""What the tests of workers share: hosts as processes of their own, and what a store says at the end."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import outlay

HERE = Path(__file__).parent
#: The longest that a test waits for anything, in seconds.
DEADLINE = 30.0
LIMIT = 300
CALLS = 20


def environment(url, **more):
    """Return the environment of a host: the address of the store, and where the application is."""
    path = os.pathsep.join([str(HERE), *sys.path])
    return {**os.environ, "OUTLAY_TEST_STORE": url, "PYTHONPATH": path, **more}


def until(holds, why):
    """Wait until `holds()` is true, and return that. Fail after the deadline."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        found = holds()
        if found:
            return found
        os.sched_yield()
    raise AssertionError(why)


@contextmanager
def host(command, url, folder, **more):
    """Run a host; at the end send it SIGTERM, which must end it well."""
    log = folder / "host.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(url, **more), stdout=out, stderr=subprocess.STDOUT
        )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0, log.read_text()[-3000:]
    except BaseException:
        print(log.read_text()[-3000:])
        raise
    finally:
        process.kill()
        process.wait()


class Answers:
    """What the workers of a host got, by process, heard over HTTP on a port."""

    def __init__(self, port):
        self.port = port
        self.by_process = {}

    def ask(self):
        """Make one request on a connection of its own. Return whether there was an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse().read().decode()
        except OSError:
            return False
        finally:
            connection.close()
        process, *got = map(int, answer.split())
        before = self.by_process.get(process, [0, 0, 0])
        self.by_process[process] = [old + new for old, new in zip(before, got, strict=True)]
        return True

    def total(self):
        """Return what all workers got of each."""
        return [sum(column) for column in zip(*self.by_process.values(), strict=True)]


def is_used_up(url):
    """Check that the store counts as used all that there was, and that no share is out."""
    with outlay.Store(url, timeout=5) as store:
        budget = outlay.AgentTokenBudget.daily("researcher", LIMIT, store=store)
        pool = outlay.SharedPool(capacity_tokens=LIMIT, store=store)
        store.sync()
        assert budget.used() == LIMIT
        assert pool.remaining().tokens == 0
