"""`[store]` of a policy, `on_down` in a rule, and the events of a store."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest
from jsonschema import Draft202012Validator
from test_async_stores import locked, until_back

import outlay
from outlay.types import Event

BUDGET = {"name": "all", "limit": {"tokens": 1_000}}
VALIDATOR = Draft202012Validator(outlay.POLICY_SCHEMA)


def policy(url, rule=BUDGET, **keys):
    """Return a policy with a store."""
    return {"store": {"url": url, **keys}, "budget": [rule]}


def test_a_policy_names_its_store(url):
    guard = outlay.Guard(policy(url, namespace="mine", ttl="20s", timeout="300ms", durable="process"))
    guard.reserve(10).commit(30)
    with outlay.Store(url, namespace="mine", ttl=20, timeout=0.3, durable="process") as store:
        store.sync()
        [limit] = store.inspect()
        assert (limit["used"], limit["limit"]) == (30, 1_000)


def test_the_argument_takes_the_place_of_the_address_and_the_keys_hold_for_it(url, tmp_path):
    said = f"sqlite:///{tmp_path / 'policy.db'}"
    guard = outlay.Guard(policy(said, namespace="mine"), store=url)
    guard.reserve(10).commit()
    assert not (tmp_path / "policy.db").exists()
    with outlay.Store(url, namespace="mine") as store:
        assert len(store.inspect()) == 1


def test_a_store_as_argument_has_its_own_options(url, tmp_path):
    with outlay.Store(url, namespace="given") as store:
        guard = outlay.Guard(policy(f"sqlite:///{tmp_path / 'policy.db'}", namespace="mine"), store=store)
        guard.reserve(10).commit()
        assert len(store.inspect()) == 1
    assert not (tmp_path / "policy.db").exists()


def test_memory_in_the_place_of_a_store(url, tmp_path):
    outlay.Guard(policy(url), store="memory://").reserve(10).commit()
    assert list(tmp_path.iterdir()) == []


def test_a_restart_goes_on_with_another_limit(url):
    outlay.Guard(policy(url)).reserve(600).commit()
    outlay.Store(url).close()
    guard = outlay.Guard(policy(url, {"name": "all", "limit": {"tokens": 700}}))
    guard.reserve(100).commit()
    with pytest.raises(outlay.BudgetExceeded) as refused:
        guard.reserve(1)
    assert (refused.value.limit, refused.value.used) == (700, 700)
    outlay.Store(url).close()


GOOD = {
    "namespace": "a b",
    "ttl": "1s",
    "timeout": "1ms",
    "connect_timeout": 5,
    "on_down": "local",
    "durable": "commit",
    "strict": True,
    "lease_ttl": "10m",
}
BAD = {
    "url": ["mysql://x", "sqlite://budgets.db", "sqlite:///", "sqlite:///b.db?mode=ro", "sqlite:///:memory:"],
    "namespace": ["", 5],
    "ttl": ["0s", True, "soon"],
    "timeout": ["0ms", 0],
    "on_down": ["maybe", True],
    "durable": ["always"],
    "strict": ["yes", 1],
    "path": ["x"],
}


@pytest.mark.parametrize("key", GOOD)
def test_a_good_key_is_read_and_in_the_schema(key):
    tables = policy("sqlite:///budgets.db", **{key: GOOD[key]})
    outlay.Guard(tables, store="memory://")
    VALIDATOR.validate(tables)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in BAD.items() for value in values])
def test_a_bad_key_is_refused_and_by_the_schema(key, value):
    tables = policy("sqlite:///budgets.db") | {"store": {key: value}}
    with pytest.raises(outlay.PolicyError) as raised:
        outlay.Guard(tables, store="memory://")
    assert f"store.{key}" in str(raised.value)
    assert not VALIDATOR.is_valid(tables)


def test_a_time_to_live_below_a_second_is_refused():
    with pytest.raises(outlay.PolicyError, match="store: ttl must be from 1s"):
        outlay.Guard(policy("sqlite:///budgets.db", ttl="500ms"), store="memory://")


@pytest.mark.parametrize("rule", ["deny", "allow"])
def test_on_down_in_a_rule_stands_in_for_the_stores(url, rule):
    other = {"deny": "allow", "allow": "deny"}[rule]
    guard = outlay.Guard(policy(url, {**BUDGET, "on_down": rule}, on_down=other))
    with locked(url):
        if rule == "allow":
            guard.reserve(10).commit()
        else:
            with pytest.raises(outlay.StoreUnavailable):
                guard.reserve(10)
    outlay.Store(url, on_down=other).close()


def test_a_guard_tells_what_happens_between_it_and_its_store(url):
    told = []
    guard = outlay.Guard(policy(url))
    guard.events(told.append)
    guard.reserve(10).commit()
    store = outlay.Store(url)
    store.sync()
    for event in told:
        assert event.keys() == get_type_hints(Event).keys()
        assert event["event"] in get_args(get_type_hints(Event)["event"])
    names = [event["event"] for event in told]
    assert names.index("short") < names.index("drawn")
    drawn = next(event for event in told if event["event"] == "drawn")
    assert (drawn["rule"], drawn["unit"]) == ("all", "tokens")
    assert drawn["amounts"]["tokens"] >= 10
    assert all(event.keys() == told[0].keys() for event in told)
    with locked(url), pytest.raises(outlay.StoreUnavailable):
        guard.reserve(1_000 - 10)
    until_back(store)
    names = [event["event"] for event in told]
    assert names.index("store_down") < names.index("store_back")
    store.close()
