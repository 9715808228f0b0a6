"""Any function under a budget: plain, async and streaming, in one pool."""

import asyncio

from outlay import BudgetExceeded, SharedPool, UsageEstimate, governed

PRICES = {"writer-1": {"input": "2.00", "output": "10.00"}}
pool = SharedPool(capacity_tokens=2_000, capacity_cost_micros_usd=20_000)


def complete(prompt: str, words: int) -> dict:
    """Stand in for any SDK: a response as OpenAI shapes it."""
    usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": words}
    return {"model": "writer-1", "choices": [{"message": {"content": "word " * words}}], "usage": usage}


def most(prompt: str, words: int) -> UsageEstimate:
    """Say what a call may use at most: the bytes of the prompt, and all the words asked for."""
    return UsageEstimate(input_tokens=len(prompt.encode()), output_tokens=words)


@governed(pool, estimate=most, prices=PRICES, model="writer-1")
def write(prompt: str, words: int) -> dict:
    """Booked by the usage in the response."""
    return complete(prompt, words)


@governed(pool, estimate=most, prices=PRICES, model="writer-1")
async def write_soon(prompt: str, words: int) -> dict:
    """Do the same on an event loop."""
    await asyncio.sleep(0)
    return complete(prompt, words)


@governed(pool, estimate=lambda words: words, usage=len, prices=PRICES, model="writer-1")
def stream(words: int):
    """Booked by what was streamed; a consumer that leaves early pays for what it got."""
    for number in range(words):
        yield f"word{number} "


write("Describe a harbour.", 300)
asyncio.run(write_soon("Describe a mountain.", 300))
print(f"two answers: {pool.committed().total_tokens} tokens")

for number, _ in enumerate(stream(500)):
    if number == 9:
        break
print(f"ten words of a stream: {pool.committed().total_tokens} tokens")

try:
    write("Describe the whole world.", 1_500)
except BudgetExceeded as refusal:
    print(f"denied before it ran: {refusal}")
print(f"cost: {pool.committed().cost_micros_usd} micro-USD, open leases: {len(pool.open_leases())}")
