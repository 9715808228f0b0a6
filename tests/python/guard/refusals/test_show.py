"""`show`: what the model that is refused reads of others. The attributes and the note have all."""

from __future__ import annotations

import copy
import json
import pickle

import jsonschema
import pytest
from guard_support import refused, spend

from outlay import LLM_MESSAGE_SCHEMA as SCHEMA
from outlay import Guard, LimitExceeded, WaitTimeout

#: A budget that all share, and one of each user. The ids of others are in none of the texts.
POLICY = {
    "budget": [
        {"name": "acme", "scope": {"customer": "*"}, "limit": {"tokens": 100}},
        {"name": "mine", "scope": {"user": "*"}, "limit": {"tokens": 90}},
    ]
}
LABELS = {"customer": "acme corp", "user": "u-1", "agent": "coder", "model": "m"}


def with_show(show, policy=POLICY):
    return {**policy, "defaults": {"show": show}}


def told(refusal):
    """Return the payload; it is the text of the exception, in the schema, and it survives pickling."""
    payload = json.loads(refusal.to_llm_message())
    jsonschema.validate(payload, SCHEMA)
    assert payload == refusal.payload == json.loads(str(refusal))
    for twin in (pickle.loads(pickle.dumps(refusal)), copy.deepcopy(refusal), copy.copy(refusal)):
        assert str(twin) == str(refusal)
        assert twin.__notes__ == refusal.__notes__
        assert (twin.used, twin.scope) == (refusal.used, refusal.scope)
    return payload


def test_own_names_no_customer_and_no_total_that_others_share():
    guard = Guard(POLICY)
    spend(guard, 90, **{**LABELS, "user": "u-2"})
    payload = told(refused(guard.reserve, 20, **LABELS))
    assert payload["details"] == {
        "requested": 20,
        "remaining": 10,
        "unit": "tokens",
        "resets_in_seconds": None,
        "scope": {"budget": "acme"},
    }
    assert payload["message"] == "Token budget exceeded: acme"
    assert "acme corp" not in json.dumps(payload)


def test_own_has_the_totals_of_a_counter_of_one_user_alone_without_the_name():
    guard = Guard(POLICY)
    spend(guard, 45, **LABELS)
    guard.update({"budget": [{**POLICY["budget"][1], "limit": {"tokens": 50}}]})
    details = told(refused(guard.reserve, 20, **LABELS))["details"]
    assert (details["total"], details["used"], details["reserved"]) == (50, 45, 0)
    assert details["scope"] == {"budget": "mine"}


@pytest.mark.parametrize("label", ["agent", "model", "tool", "run", "workflow", "step", "user", "team"])
def test_own_names_the_six_labels_alone(label):
    guard = Guard({"budget": [{"name": "b", "scope": {label: "*"}, "limit": {"calls": 0}}]})
    details = told(refused(guard.reserve, **{label: "x"}))["details"]
    named = {} if label in ("user", "team") else {label: "x"}
    assert details["scope"] == {"budget": "b", **named}
    assert ("total" in details) is (label in ("agent", "run", "workflow", "user"))


def test_all_is_everything_and_nothing_is_neither_names_nor_totals():
    for show, scope, message in (
        ("all", {"budget": "acme", "customer": "acme corp"}, "Token budget exceeded: acme"),
        ("nothing", None, "Token budget exceeded"),
    ):
        guard = Guard(with_show(show))
        spend(guard, 90, **{**LABELS, "user": "u-2"})
        refusal = refused(guard.reserve, 20, **LABELS)
        payload = told(refusal)
        assert payload["details"].get("scope") == scope
        assert payload["message"] == message
        assert ("total" in payload["details"]) is (show == "all")
        assert (payload["details"]["requested"], payload["details"]["remaining"]) == (20, 10)
        assert (refusal.limit, refusal.used) == (100, 90)
        assert refusal.scope == {"budget": "acme", "customer": "acme corp"}
        assert refusal.message == "Token budget exceeded: acme"


def test_a_rule_says_it_for_itself():
    rules = [{**POLICY["budget"][0], "show": "nothing"}, {**POLICY["budget"][1], "limit": {"tokens": 50}}]
    guard = Guard({"budget": rules, "defaults": {"show": "all"}})
    spend(guard, 45, **LABELS)
    assert told(refused(guard.reserve, 20, **LABELS))["details"]["scope"] == {"budget": "mine", "user": "u-1"}
    spend(guard, 50, **{**LABELS, "user": "u-2"})
    assert "scope" not in told(refused(guard.reserve, 20, **{**LABELS, "user": "u-3"}))["details"]
    assert [rule["show"] for rule in guard.explain(**LABELS)] == ["nothing", "all"]


def test_an_update_changes_what_is_shown():
    guard = Guard(with_show("all", {"budget": [{"name": "b", "limit": {"calls": 0}}]}))
    assert "total" in refused(guard.reserve).payload["details"]
    guard.update(with_show("nothing", {"budget": [{"name": "b", "limit": {"calls": 0}}]}))
    assert "total" not in refused(guard.reserve).payload["details"]


def test_every_way_to_be_refused_keeps_to_it():
    secret = {"customer": "acme corp"}
    policy = {
        "workflow": [{"name": "rule-w", "limit": {"steps": 0}}],
        "pool": [{"name": "rule-p", "scope": {"customer": "*"}, "limit": {"calls": 0}}],
        "limiter": [
            {"name": "rule-l", "scope": {"customer": "*"}, "tokens_per_minute": 5, "on_limit": {"wait": "1s"}}
        ],
    }
    guard = Guard(with_show("nothing", policy))
    waiting = Guard(with_show("nothing", {"limiter": policy["limiter"]}))
    spend(waiting, 5, **secret)
    part = Guard(with_show("nothing", {"budget": [{"name": "b", "limit": {"tokens": 9}}]})).allot(tokens=5)
    for ask in (
        lambda: guard.reserve(1, **secret),
        lambda: guard.check(1, **secret),
        lambda: guard.reserve_blocking(1, timeout=0, **secret),
        lambda: waiting.reserve_blocking(1, timeout=0, **secret),
        lambda: waiting.reserve_blocking(6, **secret),
        lambda: part.reserve(6, **secret),
        lambda: _step(guard),
    ):
        payload = told(refused(ask))
        assert not {"total", "used", "scope", "steps_executed"} & set(payload["details"]), payload
        assert not any(name in json.dumps(payload) for name in ("acme", "rule-", "allotment"))


def _step(guard):
    with guard.run(workflow="rule-w"), guard.step("s"):
        pass


def test_a_wait_in_vain_says_how_long_it_was_and_no_name():
    guard = Guard(
        with_show("nothing", {"limiter": [{"name": "l", "tokens_per_minute": 5, "on_limit": {"wait": "1s"}}]})
    )
    spend(guard, 5)
    refusal = refused(guard.reserve_blocking, 1, timeout=0)
    assert isinstance(refusal, WaitTimeout)
    assert told(refusal)["message"] == "Rate limit exceeded (waited 0 s for it)"
    assert refusal.message == "Rate limit exceeded: l (waited 0 s for it)"


def test_allowances_in_a_guard_keep_to_it():
    policy = {
        "allowance": [{"agent": "*", "daily_token_limit": 10, "model_allowlist": ["m"]}],
        "model_quota": [{"model": "*", "daily_token_budget": 20}],
    }
    for show, agent_total, shared_total, named in (("all", 1, 1, 1), ("own", 1, 0, 1), ("nothing", 0, 0, 0)):
        guard = Guard(with_show(show, policy))
        spend(guard, 10, agent="a", model="m")
        own = told(refused(guard.reserve, 5, agent="a", model="m"))
        assert ("total" in own["details"], own["details"].get("agent_id")) == (
            agent_total,
            "a" if named else None,
        )
        shared = told(refused(guard.reserve, 5, agent="b", model="m")) if _fill(guard) else None
        assert ("total" in shared["details"], shared["message"].endswith(" for: m")) == (shared_total, named)
        denied = told(refused(guard.reserve, 1, agent="a", model="secret"))
        assert ("secret" in json.dumps(denied)) is bool(named)


def _fill(guard):
    spend(guard, 5, agent="b", model="m")
    return spend(guard, 5, agent="c", model="m")


def test_single_budgets_say_all():
    from outlay import AgentTokenBudget

    with pytest.raises(LimitExceeded) as caught:
        AgentTokenBudget.hourly("a-1", 5).consume("query", 6)
    assert caught.value.payload["details"]["total"] == 5
