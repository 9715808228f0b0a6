"""Processes that share one store: each runs a program of its own, and they begin at once."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time

#: The longest that a test waits for a process, in seconds.
DEADLINE = 60
PRELUDE = """
import json, sys
import outlay
url, number = sys.argv[1], int(sys.argv[2])
def meet():
    print(json.dumps("here"), flush=True)
    sys.stdin.readline()
def tell(found):
    print(json.dumps(found), flush=True)
"""


class Worker:
    """A process with a program."""

    def __init__(self, program, url, number=0):
        command = [sys.executable, "-c", PRELUDE + program, url, str(number)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, text=True, **pipes)

    def hear(self):
        """Return the next thing that it tells; fail with its errors if it ends before."""
        ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.process.kill()
            raise AssertionError(f"it told nothing: {self.process.communicate()[1][-2000:]}")
        return json.loads(line)

    def go(self):
        """Let it go on from where it meets the others."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self):
        """Wait for its end, which must be a good one, and return what it took."""
        begun = time.monotonic()
        _, errors = self.process.communicate(timeout=DEADLINE)
        assert (self.process.returncode, errors) == (0, ""), errors
        return time.monotonic() - begun

    def kill(self):
        """End it as a power cut does."""
        self.process.kill()
        self.process.communicate(timeout=DEADLINE)


def together(program, url, count):
    """Run a program in so many processes, all beyond their imports; return what each tells at its end."""
    workers = [Worker(program, url, number) for number in range(count)]
    try:
        for worker in workers:
            assert worker.hear() == "here"
        for worker in workers:
            worker.go()
        told = [worker.hear() for worker in workers]
        for worker in workers:
            worker.end()
    finally:
        for worker in workers:
            worker.process.kill()
    return told
