"""The end of a process: an orderly one gives its shares back at once, with status 0."""

from __future__ import annotations

import pytest
from store_support import Worker

import outlay

PROGRAM = """
import time
guard = outlay.Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000}}]}, store=url)
guard.reserve(10).commit()
WAY
"""
WAYS = {
    "end of main": "",
    "sys.exit": "sys.exit(0)",
    "daemon threads": """
import threading
def work():
    while True:
        try:
            guard.reserve(1).release()
        except outlay.StoreUnavailable:
            pass
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
""",
    "events": """
guard.events(lambda event: None)
""",
    "a loop": """
import asyncio
async def main():
    await asyncio.gather(*(guard.reserve_wait(1) for _ in range(50)))
asyncio.run(main())
""",
}


@pytest.mark.parametrize("way", WAYS)
def test_an_orderly_end_gives_shares_back(url, way):
    for _ in range(3):
        worker = Worker(PROGRAM.replace("WAY", WAYS[way]), url)
        worker.end()
    with outlay.Store(url) as store:
        [limit] = [limit for limit in store.inspect() if "tokens" in limit["name"]]
        # Each daemon thread may have held one unit at the end.
        held = 9 if way == "daemon threads" else 0
        # The leases of the loop were dropped open, and are charged: 50 of one token in each process.
        used = 180 if way == "a loop" else 30
        assert limit["written_off"] <= limit["out"] <= held
        assert used <= limit["used"] <= used + held


def test_an_exit_while_the_store_is_away_takes_no_longer_than_a_moment(url):
    from test_async_stores import locked

    outlay.Store(url).close()
    worker = Worker(PROGRAM.replace("WAY", "tell('ready'); sys.stdin.readline()"), url)
    assert worker.hear() == "ready"
    with locked(url):
        worker.go()
        assert worker.end() < 5
