"""Of all rules that refuse, the first in the order of the file is named: on every way to ask."""

from __future__ import annotations

import itertools

import pytest
from guard_support import refused, spend

from outlay import Guard, ManualClock, SharedPool, UsageEstimate
from outlay._core import charge_together, reserve_together

TABLES = {
    "tool": '[[tool]]\nname = "search"\nlimit = { calls = 0 }\n',
    "budget": '[[budget]]\nname = "all"\nlimit = { tokens = 1 }\n',
    "pool": '[[pool]]\nname = "p"\nscope = { tool = "*" }\nlimit = { tokens = 2 }\n',
    "limiter": '[[limiter]]\nname = "l"\nscope = { tool = "*" }\ntokens_per_minute = 3\n',
}
NAMES = {"tool": "search", "budget": "all", "pool": "p", "limiter": "l"}


@pytest.mark.parametrize("order", list(itertools.permutations(TABLES)), ids="-".join)
def test_tables_in_any_order_in_a_file_and_in_a_dict(order, tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text("".join(TABLES[table] for table in order))
    rules = {
        "tool": {"name": "search", "limit": {"calls": 0}},
        "budget": {"name": "all", "limit": {"tokens": 1}},
        "pool": {"name": "p", "scope": {"tool": "*"}, "limit": {"tokens": 2}},
        "limiter": {"name": "l", "scope": {"tool": "*"}, "tokens_per_minute": 3},
    }
    first = {order[0]: NAMES[order[0]]}
    for guard in (Guard.from_toml(path), Guard({table: [rules[table]] for table in order})):
        for ask in (guard.reserve, guard.check, guard.reserve_blocking):
            scope = refused(ask, 100, tool="search").scope
            assert next(iter(scope.items())) == (order[0], first[order[0]])
        explained = [rule["kind"] for rule in guard.explain(tool="search")]
        assert explained == list(order)


ENTANGLED = """
[[budget]]
name = "one"
limit = { tokens = 10 }
[[budget]]
name = "two"
scope = { agent = "*" }
limit = { tokens = 5 }
[[budget]]
name = "three"
limit = { tokens = 5 }
[[allowance]]
agent = "a"
daily_token_limit = 5
[[budget]]
name = "four"
limit = { tokens = 5 }
"""


def entangled(tmp_path, text=ENTANGLED):
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return Guard.from_toml(path, clock=ManualClock())


def asks(guard):
    """Each way to ask for six tokens."""
    labels = {"agent": "a"}
    yield lambda: guard.reserve(6, **labels)
    yield lambda: guard.check(6, **labels)
    yield lambda: guard.reserve_blocking(6, timeout=0, **labels)
    yield lambda: reserve_together([guard], UsageEstimate(input_tokens=6), labels=labels)
    yield lambda: reserve_together([SharedPool(), guard], UsageEstimate(input_tokens=6), labels=labels)


def test_rules_of_one_scope_that_stand_apart(tmp_path):
    """One, three and four share an account; two stands between them."""
    for ask in asks(entangled(tmp_path)):
        assert refused(ask).scope["budget"] == "two"


def test_an_allowance_has_its_place_too(tmp_path):
    guard = entangled(tmp_path, ENTANGLED.replace("tokens = 5", "tokens = 9", 2))
    for ask in asks(guard):
        assert refused(ask).message == "daily token limit exceeded"
    last = ENTANGLED.rindex("[[budget]]")
    first = ENTANGLED[last:] + ENTANGLED[:last]
    for ask in asks(entangled(tmp_path, first)):
        assert refused(ask).scope["budget"] == "four"


def test_a_rule_that_an_update_puts_first_is_named_first():
    rule = {"limit": {"tokens": 5}}
    guard = Guard({"budget": [{"name": "old", **rule}]})
    guard.update({"budget": [{"name": "new", **rule}, {"name": "old", **rule}]})
    for ask in asks(guard):
        assert refused(ask).scope["budget"] == "new"


def test_a_wait_in_vain_names_the_first_and_how_long_it_was(tmp_path):
    text = """
[[limiter]]
name = "apart"
scope = { agent = "*" }
tokens_per_minute = 50
on_limit = { wait = "9s" }
[[limiter]]
name = "later"
tokens_per_minute = 50
on_limit = { wait = "9s" }
"""
    for policy, name in ((text, "apart"), (_swapped(text), "later")):
        guard = entangled(tmp_path, policy)
        spend(guard, 50, agent="a")
        refusal = refused(guard.reserve_blocking, 1, timeout=0, agent="a")
        assert (refusal.scope["limiter"], refusal.message) == (
            name,
            f"Rate limit exceeded: {name} (waited 0 s for it)",
        )


def _swapped(text):
    _, one, two = text.split("[[limiter]]")
    return f"[[limiter]]{two}[[limiter]]{one}"


def test_steps_name_the_first_workflow_and_a_list_its_first_budget():
    guard = Guard(
        {
            "workflow": [
                {"name": "w", "scope": {"user": "*"}, "limit": {"steps": 0}},
                {"name": "w*", "limit": {"steps": 0}},
            ]
        }
    )
    with guard.run(workflow="w", user="u"):
        assert refused(lambda: charge_together([guard], "step")).scope["workflow"] == "w"
        pool = SharedPool(capacity_tokens=1)
        estimate = UsageEstimate(input_tokens=6)
        strict = Guard({"budget": [{"name": "b", "limit": {"tokens": 1}}]})
        assert refused(lambda: reserve_together([strict, pool], estimate)).scope == {"budget": "b"}
        assert refused(lambda: reserve_together([pool, strict], estimate)).scope == {}


def test_a_workflow_and_a_step_whose_names_hold_step_are_told_apart():
    guard = Guard({"workflow": [{"name": "a.step.b", "limit": {"tokens": 5}, "step": {"c": {"tokens": 1}}}]})
    with guard.run(workflow="a.step.b"), guard.step("c"):
        refusal = refused(guard.reserve, 3)
    assert refusal.payload["details"]["scope"] == {
        "workflow": "a.step.b",
        "step": "c",
        "run": refusal.scope["run"],
    }


def test_the_step_of_another_workflow_does_not_stand_in_for_the_default():
    """Of "a" the step "b.step.c" has the default; "c" of "a.step.b" is called the same in full."""
    guard = Guard(
        {
            "workflow": [
                {"name": "a", "step": {"default": {"tokens": 1}}},
                {"name": "a.step.b", "step": {"c": {"tokens": 9}}},
            ]
        }
    )
    with guard.run(workflow="a"), guard.step("b.step.c"):
        assert refused(guard.reserve, 3).limit == 1


def test_a_refusal_at_once_names_a_rule_that_nobody_waits_for():
    """The first rule of the file is full too, but a request would wait for it."""
    slow = {"name": "slow", "requests_per_minute": 1, "on_limit": {"wait": "60s"}}
    hourly = {"name": "hourly", "requests_per_hour": 1}
    guard = Guard({"limiter": [slow, hourly]}, clock=ManualClock())
    guard.reserve(1).commit(1)
    assert refused(guard.reserve_blocking, 1, timeout=5).scope == {"limiter": "hourly"}
