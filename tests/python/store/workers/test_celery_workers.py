"""Forked workers of celery share the budgets of the module that they import."""

from __future__ import annotations

import os
import sys

import pytest
from worker_support import CALLS, DEADLINE, HERE, LIMIT, environment, host, is_used_up

pytest.importorskip("celery")


@pytest.fixture
def app(url, tmp_path, monkeypatch):
    """Return the application of celery, imported for this store."""
    for folder in ("queue", "control", "results"):
        (tmp_path / folder).mkdir()
    monkeypatch.setitem(os.environ, "OUTLAY_TEST_STORE", url)
    monkeypatch.setitem(os.environ, "OUTLAY_TEST_BROKER", str(tmp_path))
    monkeypatch.syspath_prepend(str(HERE))
    for name in ("celery_app", "worker_app"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import celery_app

    return celery_app


def test_prefork_workers_use_one_budget_to_the_last_unit(app, url, tmp_path):
    command = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "--pool", "prefork"]
    command += ["--concurrency", "3", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    with host(command, url, tmp_path, OUTLAY_TEST_BROKER=str(tmp_path)):
        sent = [app.use.delay(LIMIT // 20) for _ in range(30)]
        told = [one.get(timeout=DEADLINE) for one in sent]
        total = [sum(column) for column in zip(*(got for _, *got in told), strict=True)]
        assert total == [LIMIT, LIMIT, CALLS]
        assert len({process for process, *_ in told}) == 3
    is_used_up(url)
    assert environment(url)["OUTLAY_TEST_STORE"] == url
