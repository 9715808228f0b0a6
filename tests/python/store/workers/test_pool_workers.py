"""Pools of processes: what a module made at import, and what is sent to them, is one budget for all."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import pickle
import sys

import pytest
from worker_support import CALLS, DEADLINE, HERE, LIMIT, is_used_up

import outlay

KINDS = ["fork", "spawn", "forkserver"]


@pytest.fixture
def app(url, monkeypatch):
    """Return the module of the budgets, imported in this process, too."""
    monkeypatch.setitem(os.environ, "OUTLAY_TEST_STORE", url)
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.delitem(sys.modules, "worker_app", raising=False)
    import worker_app

    yield worker_app
    worker_app.store.close()


def total(told):
    return [sum(column) for column in zip(*told, strict=True)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_pool_of_processes_uses_one_budget_to_the_last_unit(kind, app, url):
    context = multiprocessing.get_context(kind)
    with context.Pool(3) as pool:
        told = pool.map_async(app.use_all, range(3), chunksize=1).get(DEADLINE)
        told.append(app.use_all())
        assert total(told) == [LIMIT, LIMIT, CALLS]
        pool.close()
        pool.join()
    is_used_up(url)


@pytest.mark.parametrize("kind", KINDS)
def test_an_executor_does_the_same(kind, app, url):
    context = multiprocessing.get_context(kind)
    with concurrent.futures.ProcessPoolExecutor(3, mp_context=context) as pool:
        told = list(pool.map(app.use_all, range(3), timeout=DEADLINE))
    told.append(app.use_all())
    assert total(told) == [LIMIT, LIMIT, CALLS]
    is_used_up(url)


def test_loky_does_the_same(app, url):
    joblib = pytest.importorskip("joblib")
    with joblib.parallel_config(backend="loky", n_jobs=2):
        told = joblib.Parallel(timeout=DEADLINE)(joblib.delayed(app.use_all)(number) for number in range(3))
    told.append(app.use_all())
    assert total(told) == [LIMIT, LIMIT, CALLS]
    joblib.externals.loky.get_reusable_executor().shutdown(wait=True)
    is_used_up(url)


def test_what_has_a_store_is_sent_as_what_made_it(url):
    with outlay.Store(url) as store:
        budget = outlay.AgentTokenBudget.daily("sent", 10, store=store)
        budget.consume("query", 4)
        again = pickle.loads(pickle.dumps(budget))
        assert (again.used(), again.agent_id) == (4, "sent")
        again.consume("query", 6)
        assert not budget.try_consume("query", 1)
        lease = outlay.SharedPool(capacity_tokens=10, store=store).reserve(1)
        with pytest.raises(TypeError, match="BudgetLease can not be pickled"):
            pickle.dumps(lease)
        lease.release()
    with pytest.raises(TypeError, match="AgentTokenBudget can not be pickled"):
        pickle.dumps(outlay.AgentTokenBudget.daily("a", 1))
