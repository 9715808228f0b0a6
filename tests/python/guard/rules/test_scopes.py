"""The rules that match a request: exact values, one counter per value, patterns, providers."""

from __future__ import annotations

import pytest
from guard_support import budget, figures, new_guard, refused, spend


def test_a_scope_without_labels_is_about_every_request(clock):
    """One counter for all."""
    guard = new_guard(clock, budget(limit={"calls": 2}))
    spend(guard)
    spend(guard, agent="a", model="m")
    assert refused(guard.reserve, agent="b").scope == {"budget": "b"}


def test_a_star_is_one_counter_per_value(clock):
    """And a request without the label is not meant."""
    guard = new_guard(clock, budget(scope={"agent": "*"}, limit={"calls": 1}))
    for agent in ("a", "b", "*"):
        spend(guard, agent=agent)
        denied = refused(guard.reserve, agent=agent)
        assert denied.payload["details"]["scope"] == {"budget": "b", "agent": agent}
        assert denied.agent_id == agent
    for _ in range(5):
        spend(guard)
        spend(guard, model="a")


def test_a_pattern_with_a_star_in_it_is_one_counter_for_all(clock):
    """gpt-5 and gpt-4 share it."""
    guard = new_guard(clock, budget(scope={"model": "gpt-*"}, limit={"calls": 2}))
    spend(guard, model="gpt-5")
    spend(guard, model="gpt-4")
    refused(guard.reserve, model="gpt-")
    spend(guard, model="xgpt-5")


@pytest.mark.parametrize(
    ("pattern", "labels", "meant"),
    [
        ("openai:*", {"model": "gpt-5", "provider": "openai"}, True),
        ("openai:*", {"model": "openai:gpt-5"}, True),
        ("openai:*", {"model": "gpt-5", "provider": "azure"}, False),
        ("openai:*", {"model": "gpt-5"}, False),
        ("openai:gpt-5", {"model": "gpt-5", "provider": "openai"}, True),
        ("gpt-5", {"model": "gpt-5", "provider": "openai"}, True),
        ("gpt-5", {"model": "openai:gpt-5"}, True),
        ("*-mini", {"model": "gpt-mini"}, True),
        ("a*b*c", {"model": "a-c-b"}, False),
    ],
)
def test_a_model_may_be_named_with_its_provider(clock, pattern, labels, meant):
    """Other labels never are."""
    guard = new_guard(clock, budget(scope={"model": pattern}, limit={"calls": 0}))
    if meant:
        refused(guard.reserve, **labels)
    else:
        spend(guard, **labels)
    other = new_guard(clock, budget(scope={"team": "openai:*"}, limit={"calls": 0}))
    spend(other, team="x", provider="openai")


def test_all_labels_of_a_scope_must_match(clock):
    """One that is missing or other is enough for the rule to stand aside."""
    guard = new_guard(clock, budget(scope={"agent": "*", "repo": "r"}, limit={"calls": 1}))
    spend(guard, agent="a", repo="r")
    refused(guard.reserve, agent="a", repo="r", more="x")
    spend(guard, agent="b", repo="r")
    spend(guard, agent="a", repo="s")
    spend(guard, agent="a")
    assert figures(guard, "b", "calls", agent="a") == (1, 0)


def test_values_that_look_like_two_labels_do_not_meet(clock):
    """Separators inside of values are text."""
    guard = new_guard(clock, budget(scope={"a": "*", "b": "*"}, limit={"calls": 1}))
    pairs = [("x", "y;1:b=1:z"), ("x;1:b=1:y", "z"), ("x\0", "y"), ("x", "\0y"), ("xy", "z")]
    for a, b in pairs:
        spend(guard, a=a, b=b)
    assert len(guard.snapshot()) == len(pairs)


def test_all_rules_decide_in_one_step_and_the_first_is_named(clock):
    """A refusal changes no counter; it names the first refusing rule in the order of the policy."""
    rules = [{"name": f"b{n}", "scope": {f"l{n}": "1"}, "limit": {"calls": 1}} for n in range(8)]
    guard = new_guard(clock, {"budget": rules})
    for number in reversed(range(2, 8)):
        spend(guard, **{f"l{number}": "1"})
    before = None
    denied = refused(guard.reserve, **{f"l{number}": "1" for number in range(8)})
    before = [counter for counter in guard.snapshot() if counter["name"] in ("b0", "b1")]
    assert all(counter["limits"]["calls"]["used"] == 0 for counter in before)
    assert denied.scope == {"budget": "b2"}
    assert "b2" in denied.message
    assert denied.payload["details"]["scope"] == {"budget": "b2"}


def test_a_check_names_the_first_refusing_rule_too(clock):
    """As reserve does."""
    rules = [{"name": f"b{n}", "scope": {f"l{n}": "1"}, "limit": {"calls": 1}} for n in range(8)]
    named = set()
    for first in range(8):
        guard = new_guard(clock, {"budget": rules})
        for number in [*range(first, 8), *range(first)]:
            spend(guard, **{f"l{number}": "1"})
        named.add(refused(guard.check, **{f"l{number}": "1" for number in range(8)}).scope["budget"])
    assert named == {"b0"}


def test_rules_of_one_scope_with_another_between_them_refuse_in_their_order(clock):
    """The second of the three is the first that refuses."""
    rules = [
        {"name": "b0", "limit": {"calls": 9}},
        {"name": "b1", "scope": {"agent": "*"}, "limit": {"calls": 0}},
        {"name": "b2", "limit": {"calls": 0}},
    ]
    guard = new_guard(clock, {"budget": rules})
    assert refused(guard.reserve, agent="a").scope["budget"] == "b1"


def test_a_policy_may_have_many_rules_for_the_same_requests(clock):
    """300 budgets; one of them is full."""
    rules = [{"name": f"b{n}", "limit": {"calls": 1 if n == 280 else 9}} for n in range(300)]
    guard = new_guard(clock, {"budget": rules})
    try:
        spend(guard)
    except BaseException as error:
        raise AssertionError("a panic") from error
    assert refused(guard.reserve).scope == {"budget": "b280"}


def test_calls_count_tools_and_tool_calls_only_tools(clock):
    """Pools, slots and limiters are about models alone, unless their scope names tools."""
    policy = {
        "budget": [{"name": "c", "limit": {"calls": 3}}, {"name": "t", "limit": {"tool_calls": 1}}],
        "pool": [{"name": "p", "limit": {"calls": 1}}],
        "limiter": [{"name": "l", "scope": {"tool": "*"}, "requests_per_minute": 1}],
    }
    guard = new_guard(clock, policy)
    spend(guard, model="m")
    spend(guard, tool="x")
    assert figures(guard, "c", "calls") == (2, 0)
    assert figures(guard, "t", "tool_calls") == (1, 0)
    assert figures(guard, "p", "calls") == (1, 0)
    assert refused(guard.reserve, tool="x").scope["budget"] == "t"
    assert refused(guard.reserve).scope == {"pool": "p"}
    assert figures(guard, "l", "calls", tool="x") == (1, 0)


def test_a_tool_is_limited_by_its_name_and_by_patterns(clock):
    """In each run anew where its window says so."""
    policy = {
        "tool": [
            {"name": "search", "limit": {"calls": 1}, "window": "run"},
            {"name": "web_*", "limit": {"calls": 2}},
        ]
    }
    guard = new_guard(clock, policy)
    spend(guard, tool="search", run="1")
    assert refused(guard.reserve, tool="search", run="1").scope == {"tool": "search", "run": "1"}
    spend(guard, tool="search", run="2")
    spend(guard, tool="web_a")
    spend(guard, tool="web_b")
    refused(guard.reserve, tool="web_c", run="3")
    spend(guard, model="search")


def test_explain_says_which_rules_apply_and_how_full_they_are(clock):
    """And nothing of the others."""
    policy = {
        "budget": [
            {"name": "a", "scope": {"agent": "*"}, "limit": {"tokens": 10}, "window": "fixed:1h"},
            {"name": "m", "scope": {"model": "m"}, "limit": {"tokens": 10}},
        ]
    }
    guard = new_guard(clock, policy)
    spend(guard, 4, agent="x")
    guard.reserve(1, agent="x").release()
    held = guard.reserve(3, agent="x")
    (told,) = guard.explain(agent="x")
    assert (told["name"], told["kind"], told["scope"], told["values"]) == (
        "a",
        "budget",
        {"agent": "*"},
        {"agent": "x"},
    )
    expected = {"limit": 10, "used": 4, "reserved": 3, "remaining": 3, "kept_back": 0}
    assert told["limits"] == {"tokens": expected}
    assert told["resets_in"] == 3600.0
    held.release()
