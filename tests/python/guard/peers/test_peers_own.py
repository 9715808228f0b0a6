"""Defects that the guard itself had, found by looking for those of others."""

from __future__ import annotations

import openai
import pytest
from test_peers import figures, guard_of, passes

from outlay import BudgetExceeded, Guard, ManualClock
from outlay.openai import wrap
from outlay.testing import ProviderServer, Reply

ASKED = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 50}


@pytest.mark.parametrize("outer", ["part", "guard"])
def test_a_part_and_its_guard_in_one_stack_charge_a_call_once(outer):
    """An agent of a part, over a client that the whole process guards: its budget paid for both."""
    guard = guard_of({"tokens": 1_000}, scope={"agent": "*"})
    with ProviderServer([Reply(text="Hi.")]) as server, guard.allot(tokens=100, agent="a") as part:
        client = openai.OpenAI(base_url=server.base_url, api_key="none")
        layers = [guard, part] if outer == "part" else [part, guard]
        for budget in layers:
            client = wrap(client, budget, agent="a")
        client.chat.completions.create(**ASKED)
    del part, layers, client, budget
    assert figures(guard) == (server.billed[0]["total_tokens"], 0)


def test_a_part_of_yesterday_spends_nothing_today():
    """What was set aside of one day was spent on the next, on top of all that this one has."""
    clock = ManualClock()
    guard = guard_of({"tokens": 100}, window="calendar:day", clock=clock)
    part = guard.allot(tokens=100)
    clock.advance(86_400)
    today = sum(bool(passes(reserve, 100)) for reserve in (guard.reserve, part.reserve))
    assert today == 1


def test_looking_changes_no_advice():
    """Every check and every refusal counted as a call, so that calls seemed to cost less and less."""
    guard = guard_of({"tokens": 1_000})
    guard.reserve(100).commit(100)
    before = guard.advice()
    for _ in range(9):
        guard.check(100)
    assert guard.advice() == before


def test_an_event_names_the_rule_that_it_is_about():
    """Of rules about the same requests, the first was named for all of them."""
    rules = [
        {"name": "wide", "limit": {"tokens": 1_000}},
        {"name": "narrow", "limit": {"tokens": 100}, "warn_at": "0.5", "window": "fixed:1h"},
    ]
    guard, seen = Guard({"budget": rules}), []
    guard.events(lambda event: seen.append((event["event"], event["name"])))
    guard.reserve(60).commit(60)
    assert passes(guard.reserve, 60) is None
    assert {
        ("warned", "narrow"),
        ("denied", "narrow"),
        ("committed", "wide"),
        ("committed", "narrow"),
    } <= set(seen)


def test_a_refusal_of_a_step_names_its_rule():
    """The label of the same name took the place of the rule."""
    guard = Guard({"workflow": [{"name": "w", "step": {"default": {"tokens": 10}}}]})
    refuses = pytest.raises(BudgetExceeded)
    with guard.run("r", workflow="w"), guard.step("x"), refuses as refused:
        guard.reserve(11)
    assert refused.value.message == "Token budget exceeded: w.step.default"
    assert (refused.value.scope["workflow"], refused.value.scope["step"]) == ("w", "x")
