"""The note of a refusal: what a person reads in a traceback."""

from __future__ import annotations

import pickle
import traceback

import pytest
from guard_support import estimate, refused

from outlay import AgentTokenBudget, BudgetExceeded, Guard, LimitExceeded, ManualClock, PolicyError

HOSTILE = "x\x1b[31m\u202e\u200b\U000e0041\ufeff"


def test_it_has_dollars_rule_labels_and_the_time_of_the_reset():
    rule = {"name": "per-user", "scope": {"user": "*"}, "limit": {"usd": "2.00"}, "window": "fixed:24h"}
    guard = Guard({"budget": [rule]}, clock=ManualClock())
    guard.reserve(estimate(cost=1_500_000), user="u-1").commit()
    open_lease = guard.reserve(estimate(cost=250_000), user="u-1")
    refusal = refused(guard.reserve, estimate(cost=1_000_000), user="u-1")
    assert refusal.__notes__ == [
        'Cost budget exceeded: per-user. Labels: user="u-1". Limit $2.00, used $1.50, '
        "held by open calls $0.25, left $0.25, asked for $1.00. "
        "It could pass in 1 d; its window ends in 1 d. "
        "Wait for budget reset or request a higher allocation."
    ]
    open_lease.release()


def test_a_traceback_prints_it_once_and_it_is_there_after_pickling():
    refusal = refused(Guard({"budget": [{"name": "b", "limit": {"calls": 0}}]}).reserve)
    for error in (refusal, pickle.loads(pickle.dumps(refusal))):
        assert "".join(traceback.format_exception(error)).count("Call budget exceeded: b. Limit") == 1


def test_notes_of_others_are_kept_beside_it():
    refusal = refused(AgentTokenBudget.hourly("a-1", 5).consume, "query", 6)
    refusal.add_note("in the loop of the researcher")
    assert [note.split(".")[0] for note in refusal.__notes__] == [
        "Token budget exceeded",
        "in the loop of the researcher",
    ]
    assert pickle.loads(pickle.dumps(refusal)).__notes__ == refusal.__notes__
    refusal.__notes__ = ["only this"]
    assert refusal.__notes__ == ["only this"]
    assert LimitExceeded("by hand").__notes__ == []


def test_what_a_reader_could_not_see_is_escaped_in_the_json_and_in_the_note():
    guard = Guard({"budget": [{"name": HOSTILE, "scope": {"agent": "*"}, "limit": {"calls": 0}}]})
    refusal = refused(guard.reserve, agent=HOSTILE * 50)
    text = refusal.to_llm_message()
    assert text.isascii() or set(text) - {"…"} <= set(map(chr, range(32, 127)))
    assert len(text.encode()) <= 1024
    assert refusal.payload["details"]["scope"]["budget"] == HOSTILE
    assert not set(HOSTILE[1:2] + HOSTILE[6:]) & set("".join(refusal.__notes__))


def test_the_error_for_a_model_without_a_price_says_the_key_to_write():
    policy = {"budget": [{"name": "b", "limit": {"usd": "1"}}]}
    for labels, key in (
        ({"model": "m-x"}, '[prices."m-x"]'),
        ({"model": "m-x", "provider": "acme"}, '[prices."acme:m-x"]'),
    ):
        with pytest.raises(PolicyError) as caught:
            Guard(policy).reserve(5, **labels)
        for way in (key, "genai-prices", 'pip install "outlay[prices]"', "on_unknown_price"):
            assert way in str(caught.value)
        name = key.removeprefix('[prices."').removesuffix('"]')
        priced = {**policy, "prices": {name: {"input": "1", "output": "1"}}}
        Guard(priced).reserve(5, **labels).release()


def test_a_refusal_is_as_cheap_as_its_numbers_until_it_is_read():
    refusal = refused(AgentTokenBudget.hourly("a-1", 5).consume, "query", 6)
    assert isinstance(refusal, BudgetExceeded)
    assert "_notes" not in vars(refusal)
    assert refusal.__notes__ is refusal.__notes__
