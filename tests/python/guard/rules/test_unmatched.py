"""A request that no rule is about passes, but not in silence: an event each, a warning for each set."""

from __future__ import annotations

import logging

import pytest
from guard_support import budget, listen, new_guard, spend

EACH = budget("u", scope={"user": "*"}, limit={"calls": 1})
LIMITER = {"limiter": [{"name": "l", "requests_per_minute": 100}]}


def strays(events):
    """Return the labels of the requests that were told as unmatched."""
    return [event["labels"] for event in events if event["event"] == "unmatched"]


def warnings(caplog):
    """Return the names of labels that were warned of."""
    texts = [record.getMessage() for record in caplog.records if record.name == "outlay"]
    return [text.partition("its labels: ")[2].partition(". Give")[0] for text in texts]


def test_an_event_tells_each_request_that_no_rule_is_about(clock):
    """With its labels and what it asked for."""
    guard = new_guard(clock, EACH)
    events = listen(guard)
    spend(guard, 5)
    spend(guard, 6, agent="a")
    spend(guard, 7, user="ann")
    told = [event for event in events if event["event"] == "unmatched"]
    kept = ("name", "lease", "amounts", "labels", "rule", "values")
    assert [{key: event[key] for key in kept} for event in told] == [
        {
            "name": "guard",
            "lease": None,
            "amounts": {"tokens": tokens},
            "labels": labels,
            "rule": None,
            "values": {},
        }
        for tokens, labels in ((5, {}), (6, {"agent": "a"}))
    ]


@pytest.mark.parametrize(
    ("policy", "labels", "is_told"),
    [
        (EACH, {}, True),
        (EACH, {"user": "ann"}, False),
        ({**EACH, **LIMITER}, {"model": "m"}, True),
        (LIMITER, {"model": "m"}, False),
        (LIMITER, {"tool": "t"}, True),
        ({"workflow": [{"name": "w", "limit": {"calls": 9}}]}, {}, True),
        ({"workflow": [{"name": "w", "limit": {"calls": 9}}]}, {"workflow": "w"}, False),
        ({"workflow": [{"name": "w", "step": {"a": {"calls": 9}}}]}, {"workflow": "w", "step": "a"}, False),
        ({"allowance": [{"agent": "a", "daily_token_limit": 5}]}, {"agent": "a"}, False),
        ({"allowance": [{"agent": "*", "daily_token_limit": 5}]}, {"agent": "b"}, False),
        ({"allowance": [{"agent": "a", "daily_token_limit": 5}]}, {"agent": "b"}, True),
        ({"model_quota": [{"model": "m", "daily_token_budget": 5}]}, {}, True),
        ({"repo": [{"repo": "r", "max_daily_prs": 5}]}, {}, False),
        ({"tool": [{"name": "t", "limit": {"calls": 9}}]}, {"tool": "t"}, False),
        ({"tool": [{"name": "t", "limit": {"calls": 9}}]}, {"tool": "t", "model": "m"}, True),
        (budget(limit={"calls": 9}, mode="shadow"), {}, False),
        ({}, {}, False),
    ],
)
def test_what_counts_as_a_match(policy, labels, is_told, clock, caplog):
    """Of budgets and workflows where there are any, else of any rule; a policy without rules means it."""
    guard = new_guard(clock, policy)
    events = listen(guard)
    spend(guard, **labels)
    assert bool(strays(events)) is is_told
    assert bool(warnings(caplog)) is is_told


def test_one_warning_for_each_set_of_names(clock, caplog):
    """Whatever their values and their order."""
    guard = new_guard(clock, EACH)
    for number in range(50):
        spend(guard, agent=f"a{number}", model="m")
        spend(guard, model=f"m{number}", agent="a")
        spend(guard)
    assert warnings(caplog) == ["agent, model", "no label"]
    record = caplog.records[0]
    assert (record.levelno, record.name) == (logging.WARNING, "outlay")
    assert "[[budget]] or [[workflow]]" in record.getMessage()


def test_what_is_remembered_is_bounded(clock, caplog):
    """Of names that somebody makes up."""
    guard = new_guard(clock, EACH)
    for number in range(300):
        spend(guard, **{f"label-{number}": "x"})
    assert len(warnings(caplog)) == 256


def test_what_only_looks_is_not_told(clock, caplog):
    """It asks for nothing."""
    guard = new_guard(clock, EACH)
    events = listen(guard)
    guard.check(1)
    guard.explain()
    guard.advice()
    guard.observe({})
    assert (strays(events), warnings(caplog)) == ([], [])


async def test_every_request_tells(clock):
    """Waiting ones, parts, steps, and those of a part."""
    guard = new_guard(clock, EACH)
    events = listen(guard)
    guard.reserve_blocking(1, a="1").commit()
    (await guard.reserve_wait(1, a="2")).commit()
    guard.charge_step(a="3")
    with guard.allot(tokens=5, a="4") as part:
        part.reserve(1, a="5").commit()
    assert [labels["a"] for labels in strays(events)] == ["1", "2", "3", "4", "5"]


def test_an_update_decides_anew(clock):
    """For labels that were asked before."""
    guard = new_guard(clock, EACH)
    events = listen(guard)
    spend(guard, agent="a")
    guard.update(budget(limit={"calls": 9}))
    spend(guard, agent="a")
    assert strays(events) == [{"agent": "a"}]
