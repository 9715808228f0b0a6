"""Every example runs as a user would run it, and prints what it promises."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"

PROMISED = {
    "token_budget.py": ["warning: 86%", '"error":"budget_exceeded"', "the next day: used 2000"],
    "workflow_quota.py": ["step 3 of 3", '"type":"step_limit"', "2 begun, 1 active"],
    "budget_manager.py": ["tokens_used=4200", "No budget configured", "used 4200 tokens"],
    "shared_pool.py": ["calls done", "request_budget_exceeded"],
    "allowances.py": [
        '"message":"concurrent job limit reached"',
        "gpt-y: model not in allowlist",
        "10000 tokens left",
    ],
    "rate_limiter.py": ["3 done, 3 wait", '"error":"rate_limit_exceeded"', '"retry_after_seconds":20'],
    "waiting.py": ['"retryable":false', "task 0, task 1", "left: 6500"],
    "governed.py": [
        "two answers: 606",
        "ten words of a stream: 616",
        "denied before it ran",
        "open leases: 0",
    ],
    "guard.py": [
        "no second search: Call budget exceeded: web_search",
        "too much for a review: Token budget exceeded: release.step.review",
        '"type":"step_limit"',
        "the sub-agent has 2000 tokens left",
        "time to land: True",
        "per-agent 9900 tokens, 32600 micro-USD",
    ],
    "fastapi_workers.py": ["20 answered by ", ", 140 refused", "Cost budget exceeded: service-day"],
    "langchain_agent.py": ["tool error: {", "I could not look up Tromso.", "open leases 0"],
}


def test_every_example_is_run_here():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(PROMISED)


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_example_runs(name):
    if "langchain" in name:
        pytest.importorskip("langchain")
    if "fastapi" in name:
        pytest.importorskip("fastapi")
        pytest.importorskip("uvicorn")
    environment = {**os.environ, "LANGSMITH_TRACING": "false"}
    process = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", EXAMPLES / name],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert process.returncode == 0, process.stderr
    output = process.stdout.replace('": ', '":')
    for text in PROMISED[name]:
        assert text in output, process.stdout
