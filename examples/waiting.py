"""Five tasks and a thread share a pool with room for two calls at a time: who waits is served in order."""

import asyncio
import threading

from outlay import SharedPool, WaitTimeout

pool = SharedPool(capacity_tokens=10_000)
served: list[str] = []


async def call(name: str) -> None:
    with await pool.reserve_wait(
        4_000
    ) as lease:  # first in, first out; the lease is released if it is cancelled
        served.append(name)
        await asyncio.sleep(0)  # here the provider would be asked
        lease.commit(500)


def call_in_thread() -> None:
    with pool.reserve_blocking(4_000, timeout=10) as lease:  # without the GIL; Ctrl-C ends it
        served.append("thread")
        lease.commit(500)


async def main() -> None:
    thread = threading.Thread(target=call_in_thread)
    held = pool.reserve(7_000)
    tasks = [asyncio.create_task(call(f"task {number}")) for number in range(5)]
    await asyncio.sleep(0)  # they wait now
    thread.start()
    try:
        await pool.reserve_wait(4_000, timeout=0.01)
    except WaitTimeout as refused:
        print("not within 0.01 s:", refused)
    held.commit(500)  # what it gives back goes to those whose turn it is
    await asyncio.gather(*tasks)
    await asyncio.to_thread(thread.join)


asyncio.run(main())
print("served:", ", ".join(served), "| left:", pool.remaining().tokens)
assert [name for name in served if name != "thread"] == [f"task {number}" for number in range(5)]
assert pool.committed().total_tokens == 3_500
