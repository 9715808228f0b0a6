"""An error in a policy names the file, the line, the path of keys and the allowed values."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Hashable
from decimal import Decimal

import pytest

from outlay import BudgetExceeded, Guard, InvalidId, PolicyError, UsageEstimate

HEAD = '[[budget]]\nname = "b"\nlimit = { calls = 1 }\n'

BAD = {
    "unknown table": ("[[budgets]]\n", 1, "budgets", "allowed are version, store"),
    "unknown key": (HEAD + "limits = 1\n", 4, "budget[0].limits", "allowed are name, scope, limit"),
    "no name": ("[[budget]]\nlimit = { calls = 1 }\n", 1, "budget[0]", '"name" is missing'),
    "no limit": ('[[budget]]\nname = "b"\n', 1, "budget[0]", '"limit" is missing'),
    "empty limit": ('[[budget]]\nname = "b"\nlimit = {}\n', 3, "budget[0].limit", "give one of usd"),
    "float usd": ('[[budget]]\nname = "b"\nlimit = { usd = 0.5 }\n', 3, "limit.usd", 'such as "12.34"'),
    "negative": ('[[budget]]\nname = "b"\nlimit = { calls = -1 }\n', 3, "limit.calls", "0 or more, not -1"),
    "bool": ('[[budget]]\nname = "b"\nlimit = { calls = true }\n', 3, "limit.calls", "not true"),
    "text": ('[[budget]]\nname = "b"\nlimit = { calls = "5" }\n', 3, "limit.calls", 'not "5"'),
    "unknown unit": ('[[budget]]\nname = "b"\nlimit = { coins = 1 }\n', 3, "limit.coins", "allowed are usd"),
    "steps of budget": ('[[budget]]\nname = "b"\nlimit = { steps = 1 }\n', 3, "limit.steps", "unknown key"),
    "window": (HEAD + 'window = "daily"\n', 4, "budget[0].window", "calendar:hour"),
    "window of nothing": (HEAD + 'window = "rolling:0s"\n', 4, "budget[0].window", "more than 0"),
    "window too long": (HEAD + 'window = "fixed:5300w"\n', 4, "budget[0].window", "100 years"),
    "calendar year": (HEAD + 'window = "calendar:year"\n', 4, "budget[0].window", "calendar:month"),
    "zone": (HEAD + 'timezone = "Europe/Berlln"\n', 4, "budget[0].timezone", "Europe/Berlln"),
    "zone in window": (HEAD + 'window = "calendar:day Mars/X"\n', 4, "budget[0].window", "Mars/X"),
    "mode": (HEAD + 'mode = "loud"\n', 4, "budget[0].mode", '"hard", "enforce", "soft", "shadow"'),
    "share": (HEAD + "warn_at = 1.5\n", 4, "budget[0].warn_at", "above 0 and at most 1"),
    "share zero": (HEAD + "warn_at = [0.5, 0]\n", 4, "budget[0].warn_at", "above 0 and at most 1"),
    "kept back": (HEAD + "landing = { calls = 2 }\n", 4, "landing", "at most the limit, 1"),
    "kept of nothing": (HEAD + "landing = { tokens = 2 }\n", 4, "landing", "no limit"),
    "scope text": (HEAD + 'scope = "agent"\n', 4, "budget[0].scope", "must be a table"),
    "scope number": (HEAD + "scope = { agent = 5 }\n", 4, "scope.agent", "must be text, not 5"),
    "scope empty": (HEAD + 'scope = { agent = "" }\n', 4, "scope.agent", "must be text"),
    "twice": (HEAD + HEAD, None, "", 'two budget entries are named "b"'),
    "version": ("version = 2\n", 1, "version", "must be 1, not 2"),
    "store": ('[store]\nurl = "mysql://"\n', 2, "store.url", "memory://"),
    "ttl": ('[store]\nlease_ttl = "0s"\n', 2, "store.lease_ttl", "a duration such as"),
    "defaults": ('[defaults]\non_cancel = "keep"\n', 2, "defaults.on_cancel", '"charge_estimate"'),
    "no fallback": ('[defaults]\non_unknown_price = "fallback"\n', 1, "defaults", "fallback_price"),
    "pool of nothing": ('[[pool]]\nname = "p"\n', 1, "pool[0]", '"max_concurrent" or "limit"'),
    "workflow of nothing": ('[[workflow]]\nname = "w"\n', 1, "workflow[0]", '"limit" or "step"'),
    "limiter of nothing": ('[[limiter]]\nname = "l"\n', 1, "limiter[0]", "tokens_per_minute"),
    "on_limit": ('[[limiter]]\nname="l"\nrequests_per_day=1\non_limit="x"\n', 4, "on_limit", '"deny"'),
    "wait": ('[[limiter]]\nname="l"\nrequests_per_day=1\non_limit={wait="x"}\n', 4, "wait", "a duration"),
    "tool tokens": ('[[tool]]\nname = "t"\nlimit = { tokens = 1 }\n', 3, "tool[0].limit", "are calls"),
    "tool scope": (
        '[[tool]]\nname = "t"\nscope = { tool = "x" }\nlimit = { calls = 1 }\n', 1, "tool[0]", "second"
    ),
    "price": ('[prices.m]\ninput = "1"\n', 1, "prices.m", '"input" and "output"'),
    "price key": ('[prices.m]\ninput = "1"\noutput = "1"\nx = "1"\n', 1, "prices.m", "input, output"),
    "price float": ("[prices.m]\ninput = 1.5\n", 2, "prices.m.input", "must be text"),
    "not a list": ('[budget]\nname = "b"\n', 1, "budget", "must be a list"),
    "syntax": ("version = 1\nbudget = [\n", None, "", ""),
    "key twice": ("version = 1\nversion = 1\n", 2, "", "duplicate key"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "path", "allowed"), BAD.values(), ids=BAD)
def test_an_error_names_the_file_the_line_the_keys_and_what_is_allowed(text, line, path, allowed, tmp_path):
    """For each kind of mistake."""
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(PolicyError) as caught:
        Guard(file)
    said = str(caught.value)
    assert said.startswith(str(file)), said
    assert line is None or said.startswith(f"{file}:{line}:"), said
    assert path in said, said
    assert allowed in said, said


@pytest.mark.parametrize("face", [Guard.from_toml, Guard])
def test_a_file_that_is_not_there_is_an_os_error(face, tmp_path):
    """And a bad one of a pyproject says what is missing."""
    with pytest.raises(FileNotFoundError):
        face(tmp_path / "none.toml")
    file = tmp_path / "pyproject.toml"
    file.write_text("[project]\nname = 'x'\n")
    with pytest.raises(PolicyError, match=r"\[tool.outlay\]"):
        face(file)


def test_a_file_that_is_not_there_is_named(tmp_path):
    """As Python's own open does."""
    with pytest.raises(FileNotFoundError) as caught:
        Guard.from_toml(tmp_path / "none.toml")
    assert caught.value.filename == str(tmp_path / "none.toml")


def test_a_file_that_is_not_utf_8_is_a_policy_error_with_its_line(tmp_path):
    """Whatever it is instead."""
    file = tmp_path / "policy.toml"
    file.write_bytes(HEAD.encode() + b"# \xff\n")
    with pytest.raises(PolicyError, match=r"policy.toml:4: the policy is not UTF-8 text"):
        Guard.from_toml(file)
    file.write_bytes(b"\xef\xbb\xbf" + HEAD.replace("\n", "\r\n").encode())
    Guard.from_toml(file)


@pytest.mark.parametrize(
    ("bad", "said"), [(float("nan"), "float values"), (float("inf"), "float values"), ("\ud800", "UTF-8")]
)
def test_what_a_dict_can_hold_and_toml_can_not_is_said(bad, said):
    """Not where a parser stumbles over it."""
    with pytest.raises(PolicyError, match=said):
        Guard({"budget": [{"name": "b", "limit": {"tokens": bad}}]})


@pytest.mark.parametrize("name", ["", "x" * 1025])
def test_the_name_of_a_label_is_an_id_too(name):
    """As its value is."""
    guard = Guard({"budget": [{"name": "b", "limit": {"calls": 1}}]})
    with pytest.raises(InvalidId, match="a name in labels must be text of 1 to 1024 bytes"):
        guard.reserve(1, **{name: "v"})
    guard.reserve(1, **{"x" * 1024: "v"})


def test_an_error_in_a_pyproject_names_the_path_from_its_root(tmp_path):
    """Line and keys are those of the file."""
    file = tmp_path / "pyproject.toml"
    file.write_text("[project]\nname = 'x'\n[[tool.outlay.budget]]\nname = 'b'\nlimit = { coins = 1 }\n")
    with pytest.raises(PolicyError, match=r"pyproject.toml:5: tool.outlay.budget\[0\].limit.coins: unknown"):
        Guard(file)


@pytest.mark.parametrize("bad", [5, None, b"x\0", object(), ["a"]])
def test_a_policy_that_is_none_is_refused(bad):
    """By what it is."""
    with pytest.raises((PolicyError, OSError, ValueError)):
        Guard(bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"budget": [{"name": "b", "limit": {"tokens": float("nan")}}]},
        {"budget": [{"name": "b", "limit": {"tokens": 2**64}}]},
        {"budget": [{"name": "b", "limit": {"tokens": None}}]},
        {"budget": [{"name": "b\ud800", "limit": {"tokens": 1}}]},
        {"budget": [{"name": "x" * 1025, "limit": {"tokens": 1}}]},
        {"budget": {"name": "b"}},
        {"budget": [5]},
        {5: 5},
        {"budget": [{"name": "b", "limit": {"usd": "18446744073709.551616"}}]},
    ],
)
def test_a_bad_dict_is_a_policy_error(bad):
    """Whatever is wrong with it."""
    with pytest.raises(PolicyError, match=r"^policy"):
        Guard.from_dict(bad)


@pytest.mark.parametrize("make", [lambda: {("a",): 1}, lambda: _circular()])
def test_a_dict_that_is_no_policy_at_all_is_a_policy_error(make):
    """A key that is a tuple, a dict inside itself."""
    with pytest.raises(PolicyError):
        Guard(make())


def _circular():
    policy = {}
    policy["budget"] = policy
    return policy


def test_a_step_whose_full_name_is_too_long_is_refused_when_it_is_read():
    """Not at its first request."""
    with pytest.raises(PolicyError):
        Guard({"workflow": [{"name": "w" * 1000, "step": {"s" * 100: {"calls": 1}}}]})


class Agent(enum.Enum):
    """Names of agents, of which the text is "Agent.CODER"."""

    CODER = "coder"


@pytest.mark.parametrize("value", [b"coder", {"coder"}, frozenset(["coder"]), Agent.CODER, object(), 1, None])
def test_a_value_that_is_no_text_is_no_scope(value):
    """As text, such as "Agent.CODER", it would match no request, and the limit would hold for nobody."""
    rule = {"name": "b", "limit": {"calls": 1}}
    for policy in (
        {"budget": [{**rule, "scope": {"agent": value}}]},
        {"budget": [{**rule, "scope": {value: "coder"}}]} if isinstance(value, Hashable) else {"x": value},
        {"defaults": {"require": [value]}},
        {"tool": [{**rule, "name": value}]},
        {"allowance": [{"agent": value, "daily_token_limit": 1}]},
    ):
        for read in (Guard, Guard.from_dict, Guard({}).update):
            with pytest.raises(PolicyError):
                read(policy)


def test_money_as_decimal_and_labels_as_uuid_are_as_their_text():
    user = uuid.uuid4()
    rule = {"name": "b", "scope": {"user": user}, "limit": {"usd": Decimal("0.000005")}}
    guard = Guard({"budget": [rule]})
    guard.reserve(UsageEstimate(cost_micros_usd=5), user=user).commit()
    with pytest.raises(BudgetExceeded):
        guard.reserve(UsageEstimate(cost_micros_usd=1), user=str(user))


def test_a_path_that_no_file_can_have_is_a_policy_error():
    for read in (Guard, Guard.from_toml):
        with pytest.raises(PolicyError, match="must be a dict or the path of a file"):
            read("a\0b.toml")
