"""A policy file, `[tool.outlay]` of a pyproject.toml and a dict of the same policy make the same guard."""

from __future__ import annotations

import tomllib

import pytest
from guard_support import refused, spend, usage

from outlay import AgentAllowance, Guard, ModelQuota, PolicyError

POLICY = """
version = 1
[store]
lease_ttl = "10m"
[defaults]
on_cancel = "release"
timezone = "Europe/Berlin"
warn_at = 0.9
[[budget]]
name = "day"
scope = { agent = "*", model = "openai:*" }
limit = { usd = "20.00", tokens = 5_000, calls = 20 }
landing = { tokens = 500 }
window = "calendar:day"
[[budget]]
name = "soft"
limit = { output_tokens = 10 }
mode = "soft"
window = "rolling:24h"
[[workflow]]
name = "release"
limit = { usd = "3.00", steps = 4, tool_calls = 2 }
step.default = { tokens = 60 }
step.review = { tokens = 150, usd = "0.80" }
[[pool]]
name = "llm"
max_concurrent = 3
[[limiter]]
name = "tpm"
scope = { model = "openai:*" }
tokens_per_minute = 4_500
on_limit = { wait = "30s" }
[[tool]]
name = "web_*"
limit = { calls = 2 }
window = "run"
[prices."openai:gpt-x"]
input = "3.00"
output = "12.00"
[[prices."openai:gpt-x".tiers]]
above_input_tokens = 200
input = "6.00"
output = "24.00"
"""


def prefixed(text):
    """Return the same tables under `tool.outlay`."""
    lines = []
    for line in text.replace("\nversion = 1\n", "\n[tool.outlay]\nversion = 1\n").splitlines():
        if line.startswith("[[") or (line.startswith("[") and line != "[tool.outlay]"):
            head = "[[" if line.startswith("[[") else "["
            line = line.replace(head, f"{head}tool.outlay.", 1)
        lines.append(line)
    return "\n".join(lines)


def replay(guard):
    """Do the same things with any guard; what it says of itself after each."""
    told = []
    events = []
    # A refusal is told by the account that is asked first, which is any of those that refuse.
    guard.events(lambda e: e["event"] == "denied" or events.append((e["event"], e["name"], e["amounts"])))
    for number in range(6):
        with guard.scope(
            agent=f"a{number % 2}", provider="openai", model="gpt-x", workflow="release", run="r"
        ):
            for step in ("review", "draft"):
                try:
                    with guard.step(step):
                        lease = guard.reserve(usage(50 + number))
                        lease.commit(usage(45))
                except Exception as error:
                    scope = {k: v for k, v in error.scope.items() if k != "step_id"}
                    told.append((type(error).__name__, scope, error.requested))
            try:
                spend(guard, tool="web_search")
            except Exception as error:
                told.append((type(error).__name__, error.scope))
            told.append(guard.advice())
    for counter in guard.snapshot():
        counter["values"].pop("step_id", None)
        told.append(counter)
    # Within one step the accounts are told of in no order.
    told.append(sorted(events, key=repr))
    return told


def as_file(tmp_path, clock):
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    return Guard(file, clock=clock)


def as_pyproject(tmp_path, clock):
    file = tmp_path / "pyproject.toml"
    file.write_text("[project]\nname = 'x'\n" + prefixed(POLICY))
    return Guard.from_toml(str(file), clock=clock)


def as_dict(tmp_path, clock):
    return Guard.from_dict(tomllib.loads(POLICY), clock=clock)


@pytest.mark.parametrize("make", [as_pyproject, as_dict])
def test_each_source_gives_the_same_guard(make, tmp_path, clock):
    """The same refusals, the same advice, the same events, the same books."""
    told = replay(as_file(tmp_path, clock))
    assert replay(make(tmp_path, clock)) == told
    assert any(entry[0] == "BudgetExceeded" for entry in told if isinstance(entry, tuple))


def test_a_policy_that_is_not_told_limits_nothing(clock):
    """An empty dict is a lawful policy."""
    guard = Guard({}, clock=clock)
    assert spend(guard, 2**60, agent="a").state == "committed"
    assert guard.snapshot() == []


def test_decimal_and_text_dollars_are_the_same(clock):
    """And a float is refused."""
    from decimal import Decimal

    for dollars in ("0.000010", Decimal("0.00001")):
        guard = Guard({"budget": [{"name": "b", "limit": {"usd": dollars}}]}, clock=clock)
        spend(guard, usage(cost=10))
        refused(guard.reserve, usage(cost=1))
    with pytest.raises(PolicyError):
        Guard({"budget": [{"name": "b", "limit": {"usd": 0.00001}}]})


def test_the_order_of_the_labels_of_a_scope_does_not_matter(clock, tmp_path):
    """A file whose scope names its labels in another order counts on."""
    guard = Guard(
        {"budget": [{"name": "b", "scope": {"a": "*", "b": "2"}, "limit": {"calls": 1}}]}, clock=clock
    )
    spend(guard, a="1", b="2")
    file = tmp_path / "policy.toml"
    file.write_text('[[budget]]\nname = "b"\nscope = { b = "2", a = "*" }\nlimit = { calls = 1 }\n')
    guard.update(file)
    refused(guard.reserve, a="1", b="2")


def test_the_allowances_tell_what_the_policy_has_set_and_an_update_changes():
    policy = {
        "allowance": [{"agent": "a", "daily_job_limit": 7, "model_allowlist": ["m"]}],
        "model_quota": [{"model": "m", "daily_token_budget": 5}],
    }
    guard = Guard(policy)
    service = guard.allowances
    assert service.get_allowance("a") == AgentAllowance(
        agent_id="a", daily_job_limit=7, model_allowlist=["m"]
    )
    assert service.get_model_quota("m") == ModelQuota(model="m", daily_token_budget=5)
    service.set_model_quota(ModelQuota(model="m", daily_token_budget=6))
    assert service.get_model_quota("m").daily_token_budget == 6
    guard.update({**policy, "model_quota": [{"model": "m", "daily_token_budget": 8}]})
    assert service.get_model_quota("m").daily_token_budget == 8
    assert service.get_model_quota("another") is service.get_allowance("another") is None
