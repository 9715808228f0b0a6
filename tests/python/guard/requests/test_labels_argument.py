"""`labels=`: labels as a mapping, in every method that takes them as keywords."""

from __future__ import annotations

import inspect
import types
import uuid

import pytest
from guard_support import budget, figures, new_guard, refused

from outlay import Allotment, BoundGuard, Guard, InvalidId, PolicyError

ODD = {"ttl": "a", "timeout": "b", "estimate": "c", "class": "d", "self": "e", "labels": "f", "a b": "g"}


def takers():
    """Return each method that takes labels as keywords."""
    for owner in (Guard, BoundGuard, Allotment):
        for name, method in vars(owner).items():
            if name.startswith("_") or not callable(method):
                continue
            kinds = [one.kind for one in inspect.signature(method).parameters.values()]
            if inspect.Parameter.VAR_KEYWORD in kinds:
                yield pytest.param(method, id=f"{owner.__name__}.{name}")


@pytest.mark.parametrize("method", list(takers()))
def test_each_method_with_labels_takes_a_mapping_too(method):
    """As a keyword that has a default."""
    given = inspect.signature(method).parameters["labels"]
    assert given.kind is inspect.Parameter.KEYWORD_ONLY
    assert given.default is None


def test_labels_may_have_any_name(clock):
    """Those of the arguments of `reserve` too, and keywords of Python."""
    guard = new_guard(clock, budget(scope=dict.fromkeys(ODD, "*"), limit={"calls": 9}))
    guard.reserve(labels=ODD).commit()
    guard.reserve(5, ttl=60, labels=types.MappingProxyType(ODD)).commit()
    guard.bind(labels=ODD).reserve().commit()
    with guard.scope(labels=ODD):
        guard.reserve().commit()
        guard.reserve_blocking().commit()
    with guard.run("r", labels=ODD):
        guard.reserve().commit()
    with guard.allot(calls=1, labels=ODD) as part:
        part.reserve(labels=ODD).commit()
    assert figures(guard, "b", "calls", **ODD) == (7, 0)
    assert guard.explain(labels=ODD)[0]["values"] == ODD
    assert guard.advice(labels=ODD)["remaining"] == {"calls": 2}


async def test_waits_take_a_mapping(clock):
    """Where they pass at once, and where they wait."""
    rule = {"name": "one", "scope": {"class": "x"}, "max_concurrent": 1, "on_limit": {"wait": "5s"}}
    guard = new_guard(clock, {"pool": [rule]})
    lease = await guard.reserve_wait(model="m", labels={"class": "x"})
    refused(guard.check, 1, model="m", labels={"class": "x"})
    lease.release()
    lease = guard.reserve_blocking(1, model="m", labels={"class": "x"})
    refused(guard.reserve, model="m", labels={"class": "x"})
    lease.release()


def test_a_mapping_and_keywords_join(clock):
    """The same value twice is no matter."""
    guard = new_guard(clock, budget(scope={"user": "*", "team": "*"}, limit={"calls": 9}))
    guard.reserve(user="ann", labels={"user": "ann", "team": "t"}).commit()
    ident = uuid.uuid4()
    guard.reserve(labels={"user": ident, "team": "t"}).commit()
    with guard.scope(user="ann", labels={"team": "t"}):
        guard.reserve().commit()
    assert figures(guard, "b", "calls", user="ann", team="t") == (2, 0)
    assert figures(guard, "b", "calls", user=str(ident), team="t") == (1, 0)


@pytest.mark.parametrize(
    ("labels", "error", "text"),
    [
        ("user", PolicyError, "labels must be a mapping"),
        ({"user": "bob"}, PolicyError, "label ['\"]user['\"] is given twice"),
        ({1: "x"}, InvalidId, "a name in labels must be"),
        ({"team": ""}, InvalidId, "team must be"),
        ({"team": None}, InvalidId, "team must be"),
    ],
)
def test_a_bad_mapping_is_refused_by_name(clock, labels, error, text):
    """In requests, and in scopes."""
    guard = new_guard(clock, budget(limit={"calls": 9}))
    part = guard.allot(calls=1)
    for call in (guard.reserve, guard.check, guard.explain, guard.charge_step, part.reserve, guard.bind):
        with pytest.raises(error, match=text):
            call(user="ann", labels=labels)
    for scope in (guard.scope, guard.run, guard.step):
        with pytest.raises(error, match=text), scope(user="ann", labels=labels):
            raise AssertionError("it has begun")


@pytest.mark.parametrize("name", ["", "\ud800", "a" * 1_025, " x", " landing"])
def test_a_name_that_no_label_can_have_is_refused_by_every_method(clock, name):
    """As a keyword too; a name with a space at its start is a mark of outlay's own."""
    guard = new_guard(clock, budget(limit={"tokens": 900}, landing={"tokens": 300}))
    part = guard.allot(tokens=100)
    asked = (guard.reserve, guard.check, guard.explain, guard.advice, guard.charge_step, guard.bind)
    for call in (*asked, guard.bind().reserve, guard.bind().bind, guard.bind().run, part.reserve):
        for given in ({"labels": {name: "x"}}, {name: "x"}):
            with pytest.raises(InvalidId, match="a name in labels must be"):
                call(**given)
    for scope in (guard.scope, guard.run, guard.step):
        for given in ({"labels": {name: "x"}}, {name: "x"}):
            with pytest.raises(InvalidId, match="a name in labels must be"), scope(**given):
                raise AssertionError("it has begun")
