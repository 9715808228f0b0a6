"""How many bytes an agent takes: the resident memory of a process before and after a million.

Run: python benches/python/memory.py [--agents N] [--check]
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
from pathlib import Path

import outlay

BYTES_MAX = 250


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize()
    # Elsewhere only the peak is to be had; nothing is freed between the two readings.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def bytes_per_agent(agents: int) -> float:
    """Set ``agents`` budgets with ids of 16 bytes, tokens and calls in a window; measure."""
    manager = outlay.BudgetManager()
    limit = outlay.BudgetLimit
    manager.set_budget(limit(agent_id="warm up", token_budget=1, calls_budget=1, window_secs=60))
    gc.collect()
    before = resident()
    for number in range(agents):
        agent_id = f"agent-{number:010}"
        manager.set_budget(limit(agent_id=agent_id, token_budget=1000, calls_budget=10, window_secs=3600))
    gc.collect()
    after = resident()
    assert manager.remaining("agent-0000000000").tokens_remaining == 1000
    return (after - before) / agents


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agents", type=int, default=1_000_000)
    parser.add_argument("--check", action="store_true", help=f"exit with 1 above {BYTES_MAX} bytes")
    options = parser.parse_args()
    figure = bytes_per_agent(options.agents)
    print(f"{options.agents:,} agents with ids of 16 bytes: {figure:.0f} bytes an agent")
    return 1 if options.check and figure > BYTES_MAX else 0


if __name__ == "__main__":
    sys.exit(main())
