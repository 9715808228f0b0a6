"""The class `Store`: how it is opened, what it says, how it ends."""

from __future__ import annotations

import copy
import pickle

import pytest
from store_support import Worker

import outlay


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"on_down": "maybe"}, 'on_down must be one of "deny", "local", "allow", not "maybe"'),
        ({"durable": 5}, 'durable must be one of "grant", "process", "commit", not a int'),
        ({"ttl": 0.5}, "ttl must be from 1s"),
        ({"timeout": 0}, "timeout must be seconds"),
        ({"connect_timeout": "5"}, "connect_timeout must be seconds"),
        ({"clock": 5}, "clock must be SystemClock() or ManualClock()"),
    ],
)
def test_a_bad_option_is_named_with_what_is_allowed(url, keywords, said):
    with pytest.raises(outlay.PolicyError) as raised:
        outlay.Store(url, **keywords)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "bad", ["budgets.db", "redis://localhost", "sqlite://budgets.db", "sqlite:///", 5, None]
)
def test_what_is_no_address_is_refused(bad):
    with pytest.raises(outlay.PolicyError):
        outlay.Store(bad)


def test_a_namespace_that_is_none_is_an_invalid_id(url):
    with pytest.raises(outlay.InvalidId):
        outlay.Store(url, namespace="")


def test_a_folder_that_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(outlay.StoreUnavailable, match="nowhere"):
        outlay.Store(f"sqlite:///{tmp_path / 'nowhere' / 'budgets.db'}")


def test_a_file_of_something_else_is_corrupt_and_stays_as_it_is(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, not a database" * 100)
    with pytest.raises(outlay.StoreCorrupt):
        outlay.Store(f"sqlite:///{path}")
    assert path.read_text() == "these are my notes, not a database" * 100


def test_one_address_with_equal_options_is_one_store(url):
    with outlay.Store(url, ttl=20) as store:
        assert outlay.Store(url, ttl=20) == store
        assert copy.copy(store) is store
        assert copy.deepcopy(store) is store
        with pytest.raises(outlay.PolicyError, match="options"):
            outlay.Store(url, ttl=21)
        assert outlay.Store(url, ttl=20, namespace="other") != store
        outlay.Store(url, ttl=20, namespace="other").close()


def test_namespaces_share_nothing(url):
    with outlay.Store(url) as one, outlay.Store(url, namespace="other") as other:
        outlay.AgentTokenBudget.daily("a", 100, store=one).consume("query", 60)
        assert outlay.AgentTokenBudget.daily("a", 100, store=other).used() == 0


def test_the_status_says_what_this_process_has(url):
    with outlay.Store(url) as store:
        budget = outlay.AgentTokenBudget.daily("a", 100, store=store)
        lease = budget.reserve("query", 20)
        budget.consume("query", 10)
        status = store.status()
        [share] = status["shares"]
        assert (status["connected"], status["problem"], status["namespace"]) == (True, None, "default")
        assert (share["used"], share["reserved"]) == (10, 20)
        assert share["out"] == 30 + share["free"] <= 100
        assert 0 <= status["round_trip"] < 60
        assert status["live"] == 1
        lease.release()


def test_inspect_says_what_all_have(url):
    with outlay.Store(url) as store:
        budget = outlay.AgentTokenBudget.daily("a", 100, store=store)
        budget.consume("query", 10)
        store.sync()
        [limit] = store.inspect()
        [holder] = limit["holders"]
        assert "AgentTokenBudget" in limit["name"]
        assert '"a"' in limit["name"]
        assert (limit["limit"], limit["used"], limit["window"]) == (100, 10, "fixed:86400s")
        assert (holder["used"], holder["live"]) == (10, True)
        assert holder["share"] == 10 + limit["out"]


def test_after_sync_used_and_remaining_are_exact(url):
    other = Worker(
        """
budget = outlay.AgentTokenBudget.daily("a", 1_000, store=url)
for _ in range(7):
    budget.consume("query", 11)
outlay.Store(url).sync()
tell(budget.used())
sys.stdin.readline()
""",
        url,
    )
    assert other.hear() == 77
    with outlay.Store(url) as store:
        budget = outlay.AgentTokenBudget.daily("a", 1_000, store=store)
        budget.consume("query", 23)
        store.sync()
        assert (budget.used(), budget.remaining()) == (100, 900)
    other.go()
    other.end()


def test_a_closed_store_refuses_what_needs_a_share(url):
    store = outlay.Store(url)
    budget = outlay.AgentTokenBudget.daily("a", 100, store=store)
    store.close()
    store.close()
    with pytest.raises(outlay.StoreUnavailable):
        budget.consume("query", 50)
    with pytest.raises(outlay.StoreUnavailable):
        store.sync()
    with outlay.Store(url) as store:
        assert outlay.AgentTokenBudget.daily("a", 100, store=store).used() == 0


def test_a_strict_store_is_created_once(url):
    with pytest.raises(outlay.StoreUnavailable, match="outlay migrate"):
        outlay.Store(url, strict=True)
    from outlay.__main__ import main

    assert main(["migrate", url, "--create"]) == 0
    with outlay.Store(url, strict=True) as store:
        outlay.AgentTokenBudget.daily("a", 100, store=store).consume("query", 50)
    assert main(["migrate", url, "--create"]) == 0
    with outlay.Store(url, strict=True) as store:
        assert outlay.AgentTokenBudget.daily("a", 100, store=store).used() == 50


def makers(store):
    """Return one of each class that keeps accounts, on a store."""
    return [
        outlay.AgentTokenBudget.daily("a", 100, store=store),
        outlay.AgentTokenBudget("b", 100, 60, hard_limit=False, unsettled="release", store=store),
        outlay.WorkflowQuota.hourly(5, 5, store=store),
        outlay.BudgetManager(store=store),
        outlay.SharedPool(capacity_tokens=100, store=store, name="llm"),
        outlay.RateLimiter(100, store=store),
        outlay.RateLimiter.per(100, 10, store=store, name="slow"),
        outlay.Guard({"budget": [{"name": "all", "limit": {"tokens": 100}}]}, store=store),
        outlay.AllowanceService(store),
    ]


def test_what_has_a_store_pickles_as_what_made_it(url):
    with outlay.Store(url) as store:
        for given in (url, store):
            for made in makers(given):
                assert type(pickle.loads(pickle.dumps(made))) is type(made)
        budget = outlay.AgentTokenBudget.daily("a", 100, store=store)
        budget.consume("query", 40)
        assert pickle.loads(pickle.dumps(budget)).used() == 40
        assert pickle.loads(pickle.dumps(store)) == store


def test_what_is_in_memory_does_not_pickle():
    for made in makers("memory://"):
        with pytest.raises(TypeError, match="can not be pickled"):
            pickle.dumps(made)


def test_a_guard_with_a_callback_does_not_pickle(url):
    guard = outlay.Guard({"budget": [{"name": "all", "limit": {"tokens": 100}}]}, store=url)
    guard.events(print)
    with pytest.raises(TypeError, match="callback"):
        pickle.dumps(guard)
    outlay.Store(url).close()


def test_another_clock_than_the_stores_is_refused(url, clock):
    with outlay.Store(url, clock=clock) as store:
        assert outlay.AgentTokenBudget.daily("a", 100, store=store).time_until_reset() == 86_400
        outlay.AgentTokenBudget.daily("a", 100, store=store, clock=clock)
        with pytest.raises(outlay.PolicyError, match="clock"):
            outlay.AgentTokenBudget.daily("a", 100, store=store, clock=outlay.ManualClock())


@pytest.mark.parametrize("bad", [5, b"sqlite:///x.db", ["sqlite:///x.db"]])
def test_what_is_no_store_is_refused(bad):
    with pytest.raises(outlay.PolicyError, match="store must be"):
        outlay.SharedPool(store=bad)
