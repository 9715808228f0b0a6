"""`lease_ttl`, `unsettled` and `on_error` of a guard: each holds instead of what the policy says."""

from __future__ import annotations

import json

import pytest

from outlay import Guard, ManualClock, PolicyError

RULE = {"name": "b", "limit": {"tokens": 1_000}}
SAYS = {
    "store": {"lease_ttl": "10s"},
    "defaults": {"on_missing_usage": "release", "on_error": "charge"},
}
TOML = """
[store]
lease_ttl = "10s"
[defaults]
on_missing_usage = "release"
on_error = "charge"
[[budget]]
name = "b"
limit = { tokens = 1_000 }
"""


def by_class(policy, folder, **keywords):
    """Make a guard of a dict."""
    return Guard(policy, **keywords)


def by_dict(policy, folder, **keywords):
    """Make it by `from_dict`."""
    return Guard.from_dict(policy, **keywords)


def by_toml(policy, folder, **keywords):
    """Make it of a file."""
    (folder / "policy.toml").write_text(TOML if "store" in policy else TOML[TOML.index("[[budget]]") :])
    return Guard.from_toml(folder / "policy.toml", **keywords)


@pytest.fixture(params=[by_class, by_dict, by_toml])
def made(request, tmp_path):
    """Return what makes a guard with a manual clock."""
    return lambda policy, **keywords: request.param(policy, tmp_path, clock=ManualClock(), **keywords)


def used(guard):
    """Return the tokens that the rule counts."""
    return guard.snapshot()[0]["limits"]["tokens"]["used"]


def drop(guard):
    """Drop a lease of 100 tokens whose usage never came."""
    guard.reserve(100)


def fail(guard):
    """Leave a block of 100 tokens by an error."""
    with pytest.raises(ValueError, match="the call failed"), guard.reserve(100):
        raise ValueError("the call failed")


@pytest.mark.parametrize("says", [{}, SAYS], ids=["policy says nothing", "policy says another"])
def test_a_keyword_holds_whatever_the_policy_says(made, says):
    guard = made({**says, "budget": [RULE]}, lease_ttl=60, unsettled="charge", on_error="release")
    assert guard.reserve(1).expires_in() == 60
    assert used(guard) == 1
    drop(guard)
    assert used(guard) == 101
    fail(guard)
    assert used(guard) == 101


def test_the_other_values_hold_too(made):
    guard = made({"budget": [RULE]}, unsettled="release", on_error="charge")
    drop(guard)
    assert used(guard) == 0
    fail(guard)
    assert used(guard) == 100


def test_without_a_keyword_the_policy_holds(made):
    guard = made({**SAYS, "budget": [RULE]})
    assert guard.reserve(1).expires_in() == 10
    drop(guard)
    assert used(guard) == 0
    fail(guard)
    assert used(guard) == 100


def test_an_update_keeps_the_keywords(made):
    guard = made({"budget": [RULE]}, lease_ttl=60, unsettled="release")
    guard.update({**SAYS, "defaults": {"on_missing_usage": "charge"}, "budget": [RULE]})
    assert guard.reserve(1).expires_in() == 60
    drop(guard)
    assert used(guard) == 0


def test_allotments_have_them_too(made):
    guard = made({"budget": [RULE]}, unsettled="release", lease_ttl=60)
    with guard.allot(tokens=500) as part:
        assert part.reserve(1).expires_in() == 60
        drop(part)
    assert used(guard) == 0


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("lease_ttl", 0), ("lease_ttl", -1), ("lease_ttl", "1m"), ("unsettled", "keep"), ("on_error", True)],
)
def test_a_bad_keyword_is_named(made, keyword, value):
    with pytest.raises(PolicyError, match=keyword) as caught:
        made({"budget": [RULE]}, **{keyword: value})
    assert json.dumps(value).strip('"') in str(caught.value) or type(value).__name__ in str(caught.value)
