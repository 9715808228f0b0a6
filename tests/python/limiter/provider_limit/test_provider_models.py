"""What a provider says is kept by model and by the name of its window; a body may name the wait."""

import json

import pytest
from face_support import refusal_of
from headers_support import of, openai

from outlay import Guard, InvalidId, ManualClock, PolicyError

RULE = {"name": "tpm", "tokens_per_minute": 1_000, "adaptive": "headers"}
EMPTY = openai(remaining_tokens=0, reset_tokens="30s")


@pytest.fixture(params=["limiter", "guard"])
def face(request, clock):
    """Return how to reserve for a model and how to tell of one, with a limiter and with a guard."""
    if request.param == "limiter":
        return of(1_000, clock)
    return Guard({"limiter": [RULE]}, clock=clock)


def test_what_is_said_of_one_model_bounds_no_other(face, clock):
    """Until its reset; the limit itself is one for all."""
    face.observe(EMPTY, model="a")
    assert refusal_of(lambda: face.reserve(1, model="a")).retry_after == 30
    face.reserve(900, model="b").commit()
    assert refusal_of(lambda: face.reserve(101, model="b"))
    clock.advance(30)
    face.reserve(100, model="a").commit()


def test_a_429_of_one_model_closes_no_other(face):
    """Nor does a wait for it."""
    face.observe({"retry-after": "20"}, 429, model="a")
    assert refusal_of(lambda: face.reserve(1, model="a")).retry_after == 20
    face.reserve(500, model="b").commit()


@pytest.mark.parametrize("told", ["gpt-4o", "gpt-4o-2024-08-06"])
@pytest.mark.parametrize("asked", ["gpt-4o", "gpt-4o-2024-11-20"])
def test_a_dated_name_finds_its_model(told, asked, face):
    """The versions of a model share a limit; a name that goes on is another model."""
    face.observe(EMPTY, model=told)
    assert refusal_of(lambda: face.reserve(1, model=asked))
    face.reserve(1, model="gpt-4o-mini").commit()


def test_what_is_said_without_a_model_bounds_all_calls_of_a_limiter(clock):
    """And a call that does not name its model is bound by what is said of any."""
    limiter = of(1_000, clock)
    limiter.observe(EMPTY)
    assert refusal_of(lambda: limiter.reserve(1, model="a"))
    limiter = of(1_000, clock)
    limiter.observe(EMPTY, model="a")
    assert refusal_of(lambda: limiter.reserve(1))
    assert not limiter.try_acquire()


async def test_who_waits_for_one_model_holds_no_other_up(clock):
    """It waits in a queue of its own."""
    limiter = of(1_000, clock)
    limiter.observe(EMPTY, model="a")
    waiting = limiter.reserve_wait(1, model="a", timeout=0)
    with pytest.raises(Exception, match="waited"):
        await waiting
    limiter.reserve(1, model="b").commit()


def test_each_label_and_model_hears_for_itself(clock):
    """A rule for each user has a limit of each model for each user."""
    guard = Guard({"limiter": [{**RULE, "scope": {"user": "*"}}]}, clock=clock)
    guard.observe(EMPTY, user="ann", model="a")
    assert refusal_of(lambda: guard.reserve(1, user="ann", model="a"))
    guard.reserve(1, user="bob", model="a").commit()
    guard.reserve(1, user="ann", model="b").commit()
    # What providers say is no counter of the policy.
    assert [one["values"] for one in guard.snapshot()] == [{"user": "ann"}, {"user": "bob"}]


def test_an_update_of_the_policy_forgets_nothing_that_was_said(clock):
    """A higher limit of our own is not the provider's."""
    guard = Guard({"limiter": [RULE]}, clock=clock)
    guard.observe(EMPTY, model="a")
    guard.update({"limiter": [{**RULE, "tokens_per_minute": 5_000}]})
    assert refusal_of(lambda: guard.reserve(1, model="a")).retry_after == 30
    guard.reserve(4_000, model="b").commit()


def test_windows_are_kept_by_their_names(face, clock):
    """What a later response says of the minute leaves the day as it was."""
    day = openai(remaining_tokens_day=300, reset_tokens_day=3600)
    face.observe({**day, **openai(remaining_tokens_minute=50, reset_tokens_minute=20)}, model="a")
    face.observe(openai(remaining_tokens_minute=80, reset_tokens_minute=20), model="a")
    assert refusal_of(lambda: face.reserve(81, model="a"))
    face.reserve(70, model="a").commit()
    clock.advance(60)
    assert refusal_of(lambda: face.reserve(231, model="a")).retry_after == 3540
    face.reserve(230, model="a").commit()


def test_the_policies_of_the_draft_are_kept_by_their_names(face):
    """A policy that counts something else is none of ours."""
    said = {
        "RateLimit-Policy": '"burst";q=10;w=60, "day";q=1000;w=86400, "bytes";q=5;qu="content-bytes"',
        "RateLimit": '"burst";r=5;t=9, "day";r=0;t=600, "bytes";r=0;t=5000',
    }
    face.observe(said, model="a")
    assert refusal_of(lambda: face.reserve(1, model="a")).retry_after == 600


BODIES = {
    "gemini": {
        "error": {
            "code": 429,
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}],
        }
    },
    "openai": {"error": {"message": "Rate limit reached. Please try again in 34s. Visit the page."}},
    "azure": {"error": {"code": "429", "message": "Please retry after 34 seconds."}},
    "field": {"error": {"retry_after": 34}},
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("form", [lambda body: body, json.dumps, lambda body: json.dumps(body).encode()])
def test_a_body_names_the_wait(name, form, face):
    """As what it holds, as text and as bytes; the longer one counts of it and of the header."""
    face.observe({"retry-after": "2"}, 429, body=form(BODIES[name]), model="a")
    assert refusal_of(lambda: face.reserve(1, model="a")).retry_after == 34


def test_a_body_that_is_none_is_refused(face):
    """An argument in the wrong place."""
    with pytest.raises(PolicyError, match="body must be a text, bytes, or the dict or list"):
        face.observe({}, 429, body=object())
    face.observe({}, 200, body={"x": {1, 2}})


@pytest.mark.parametrize("bad", [1, "", "x" * 2_000])
def test_a_model_that_is_no_name_is_refused(bad):
    """As a label is."""
    with pytest.raises((PolicyError, InvalidId), match="model"):
        of(1, ManualClock()).reserve(0, model=bad)
