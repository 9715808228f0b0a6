"""FastAPI with four workers that share one budget: together they spend it once.

Run it: python examples/fastapi_workers.py. It starts the service with four workers on a free port, sends
160 requests of 40 users, and stops it. Without the store each worker would have the whole budget, and four
times as many requests would pass.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from outlay import Guard, LimitExceeded, Usage, UsageEstimate

POLICY = {
    "budget": [
        {"name": "service-day", "limit": {"usd": "0.02"}, "window": "calendar:day"},
        {"name": "per-user", "scope": {"user": "*"}, "limit": {"calls": 5}, "window": "calendar:day"},
    ],
    "prices": {"gpt-x": {"input": "2.50", "output": "10.00"}},
}

CALL = UsageEstimate(input_tokens=200, output_tokens=50)  # what a call may use: a tenth of a cent

app = FastAPI()
# Each worker that imports this file is a process of its own; the file of the store is what they share. The
# process that starts them counts nothing, and has no store.
guard = Guard(POLICY, store=os.environ.get("BUDGETS", "memory://"))


@app.post("/ask")
async def ask(user: str) -> JSONResponse:
    """Answer a question of a user, or say in JSON why not."""
    try:
        async with await guard.reserve_wait(CALL, user=user, model="gpt-x") as lease:
            # answer = await client.chat.completions.create(...)
            lease.commit(Usage(input_tokens=200, output_tokens=50))
    except LimitExceeded as refused:
        return JSONResponse(json.loads(str(refused)), status_code=429)
    return JSONResponse({"worker": os.getpid()})


def main() -> None:
    """Start four workers, send requests, and show what came out."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        service = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "fastapi_workers:app", "--workers", "4", "--port", str(port)],
            cwd=Path(__file__).parent,
            env={**os.environ, "BUDGETS": f"sqlite:///{folder}/budgets.db"},
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            address = f"http://127.0.0.1:{port}/ask"
            wait_for(address)
            with ThreadPoolExecutor(16) as pool:
                answers = list(pool.map(lambda number: post(address, f"user-{number % 40}"), range(160)))
        finally:
            service.terminate()
            service.wait(20)
    statuses = Counter(answer.status_code for answer in answers)
    workers = {answer.json()["worker"] for answer in answers if answer.status_code == 200}
    print(f"{statuses[200]} answered by {len(workers)} workers, {statuses[429]} refused")
    refused = next(answer.json() for answer in answers if answer.status_code == 429)
    print(refused["message"])


def post(address: str, user: str) -> httpx.Response:
    """Ask once."""
    return httpx.post(address, params={"user": user}, timeout=30)


def wait_for(address: str) -> None:
    """Wait until the service answers (a GET is not allowed, and answered with 405)."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            httpx.get(address, timeout=1)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("the service did not start")


if __name__ == "__main__":
    main()
