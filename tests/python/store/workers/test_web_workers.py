"""Workers of gunicorn and uvicorn share the budgets of the module that they serve."""

from __future__ import annotations

import sys

import pytest
from worker_support import CALLS, LIMIT, Answers, host, is_used_up, until

HOSTS = {
    "gunicorn": ["gunicorn", "--preload", "--workers", "2", "--bind", "127.0.0.1:{port}", "worker_app:wsgi"],
    "gunicorn-threads": [
        *("gunicorn", "--preload", "--workers", "2", "--threads", "4"),
        *("--bind", "127.0.0.1:{port}", "worker_app:wsgi"),
    ],
    "uvicorn": ["uvicorn", "--workers", "2", "--port", "{port}", "worker_app:asgi"],
}


@pytest.mark.parametrize("name", HOSTS)
def test_workers_use_one_budget_to_the_last_unit(name, url, port, tmp_path):
    pytest.importorskip(HOSTS[name][0])
    command = [sys.executable, "-m", *(part.format(port=port) for part in HOSTS[name])]
    answers = Answers(port)
    with host(command, url, tmp_path):
        until(answers.ask, "no worker answers")
        until(lambda: answers.ask() and len(answers.by_process) == 2, "one worker answers alone")
        for _ in range(LIMIT):
            assert answers.ask()
        # What a worker had drawn and did not use has come back by now, or comes to the other.
        until(lambda: answers.ask() and answers.total() == [LIMIT, LIMIT, CALLS], "something is left")
        for _ in range(10):
            answers.ask()
        assert answers.total() == [LIMIT, LIMIT, CALLS]
    is_used_up(url)
