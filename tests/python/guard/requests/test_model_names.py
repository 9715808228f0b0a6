"""A dated or prefixed name of a model finds its rules and its price; another suffix is another model."""

from __future__ import annotations

import re

import pytest
from guard_support import budget, figures, new_guard, refused, spend
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay import (
    AgentAllowance,
    AllowanceService,
    Guard,
    ManualClock,
    ModelQuota,
    PriceTable,
    Usage,
    UsageReport,
)
from outlay._core import model_names

MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-flash", "o3")
SUFFIXES = ("-2024-08-06", "-20250929", "@20250929", "@default", "-v1", "-v2:0", "-latest", "-preview-05-20")
OTHERS = (
    "-mini",
    "-preview",
    "-turbo",
    "-instruct",
    ":free",
    "-0613",
    "-001",
    "-preview-09-2025",
    "-2024-13-01",
)
PREFIXES = (
    "openai/",
    "openrouter/openai/",
    "azure:",
    "models/",
    "us.",
    "eu.",
    "apac.",
    "us.anthropic.",
    "global.",
)

# The same rule, written another way: what may stand before and after the name of a model.
BEFORE = r"(?:[^/]+/|[A-Za-z0-9_-]+:|(?:[a-z]{2}|apac|global)\.|anthropic\.)*"
DATE = r"-\d{4}(-?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])"
PREVIEW = r"-preview-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
AFTER = (DATE, r"@[^/:]+", r"-v\d+(?::\d+)?", "-latest", PREVIEW)


def named_like(text: str, model: str) -> bool:
    """Say whether a text is a model's name with prefixes and suffixes, by regular expressions alone."""
    while not re.fullmatch(BEFORE + re.escape(model), text):
        shorter = [re.sub(f"{after}$", "", text) for after in AFTER]
        text = min(shorter, key=len) if min(map(len, shorter)) < len(text) else ""
        if not text:
            return False
    return True


@st.composite
def requested(draw):
    """Draw the name that a request may have: a model with up to two prefixes and suffixes."""
    before = "".join(draw(st.lists(st.sampled_from(PREFIXES), max_size=1)))
    after = "".join(draw(st.lists(st.sampled_from(SUFFIXES + OTHERS), max_size=2)))
    return before + draw(st.sampled_from(MODELS)) + after


@given(requested(), st.sampled_from(MODELS))
@settings(max_examples=1_500, deadline=None)
def test_a_name_means_its_model_and_no_other(text, model):
    """Random names against regular expressions: rules, prices, allowlists and quotas agree."""
    expected = named_like(text, model)
    assert (model in model_names(text)) is expected
    price = {"input": "1", "output": "1"}
    assert PriceTable({model: price}).knows(text) is expected
    guard = Guard(
        {
            **budget(scope={"model": model}, limit={"tokens": 9}),
            "model_quota": [{"model": model, "daily_token_budget": 9}],
            "allowance": [{"agent": "*", "model_allowlist": [model]}],
            "prices": {model: price},
        },
        clock=ManualClock(),
    )
    if expected:
        spend(guard, 9, agent="a", model=text)
        assert figures(guard, "b") == (9, 0)
        assert guard.allowances.get_model_usage(model) == 9
        refused(guard.reserve, 1, agent="b", model=model)
    else:
        assert not any(counter["name"] == "b" for counter in guard.explain(model=text))
        assert "not in allowlist" in refused(guard.reserve, 1, agent="a", model=text).message


@given(st.text(max_size=60) | st.text("gpt4o-/:@.v0129", max_size=60))
@settings(max_examples=500, deadline=None)
def test_any_text_has_a_few_names_that_are_parts_of_it(text):
    """The first is the text itself."""
    names = model_names(text)
    assert names[0] == text
    assert len(names) <= 45
    assert all(name in text for name in names)


def test_an_exact_model_counts_its_dated_and_prefixed_forms(clock):
    """One counter for all of them; another capital or another suffix is another model."""
    guard = new_guard(clock, budget("4o", scope={"model": "gpt-4o"}, limit={"calls": 1}))
    spend(guard, model="gpt-4o")
    for model in ("gpt-4o", "gpt-4o-2024-08-06", "openai/gpt-4o", "openai:gpt-4o"):
        assert refused(guard.reserve, model=model).scope["budget"] == "4o"
    for model in ("GPT-4o", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", "gpt-4o-audio-preview"):
        spend(guard, model=model)
    assert figures(guard, "4o", "calls") == (1, 0)


def test_an_exact_model_of_a_provider_counts_its_dated_forms(clock):
    """The provider may be a label of its own."""
    guard = new_guard(clock, budget(scope={"model": "openai:gpt-4o"}, limit={"calls": 0}))
    refused(guard.reserve, model="gpt-4o-2024-08-06", provider="openai")
    refused(guard.reserve, model="openai:gpt-4o-latest")
    spend(guard, model="gpt-4o-2024-08-06", provider="azure")


def test_a_dated_rule_is_about_its_version_alone(clock):
    """The undated name may mean another version."""
    guard = new_guard(clock, budget(scope={"model": "gpt-4o-2024-08-06"}, limit={"calls": 0}))
    refused(guard.reserve, model="azure/gpt-4o-2024-08-06")
    spend(guard, model="gpt-4o")
    spend(guard, model="gpt-4o-2024-05-13")


def test_a_star_counts_by_the_name_that_was_given(clock):
    """Two versions have two counters."""
    guard = new_guard(clock, budget(scope={"model": "*"}, limit={"calls": 1}))
    spend(guard, model="gpt-4o")
    spend(guard, model="gpt-4o-2024-08-06")
    assert figures(guard, "b", "calls", model="gpt-4o-2024-08-06") == (1, 0)


def test_a_pattern_is_tried_on_the_other_names_too(clock):
    """As on Bedrock, where the maker stands before the name."""
    guard = new_guard(clock, budget(scope={"model": "claude-*"}, limit={"calls": 0}))
    refused(guard.reserve, model="us.anthropic.claude-sonnet-4-5-20250929-v1:0")
    spend(guard, model="us.amazon.nova-pro-v1:0")


def test_other_labels_have_no_other_names(clock):
    """A user is no model."""
    guard = new_guard(clock, budget(scope={"user": "ann"}, limit={"calls": 0}))
    spend(guard, user="ann-2024-08-06")
    spend(guard, user="acme/ann")


@pytest.mark.parametrize(
    ("asked", "micros"),
    [
        ({"model": "m-2024-08-06"}, 2),
        ({"model": "m"}, 1),
        ({"model": "azure/m-2024-08-06"}, 2),
        ({"model": "m-2025-01-01"}, 1),
        ({"model": "m-latest", "provider": "groq"}, 4),
        ({"model": "groq:m"}, 4),
        ({"model": "m-2024-08-06", "provider": "groq"}, 2),
    ],
)
def test_the_exact_price_comes_before_that_of_the_model(clock, asked, micros):
    """Then the closest name counts, with the provider before without."""
    rates = {"m": "1", "m-2024-08-06": "2", "groq:m": "4"}
    prices = {name: {"input": rate, "output": rate} for name, rate in rates.items()}
    guard = new_guard(clock, {**budget(limit={"usd": "1"}), "prices": prices})
    spend(guard, 1, **asked)
    assert figures(guard, "b", "cost_micros_usd") == (micros, 0)


def test_a_price_of_genai_prices_is_that_of_its_own_version(clock):
    """Two versions of one model are priced apart, whichever is asked first."""
    pytest.importorskip("genai_prices")
    guard = new_guard(clock, budget(limit={"usd": "100"}))
    spend(guard, Usage(input_tokens=1_000_000, output_tokens=0), model="gpt-4o", provider="openai")
    old = Usage(input_tokens=1_000_000, output_tokens=0)
    spend(guard, old, model="gpt-4o-2024-05-13", provider="openai")
    assert figures(guard, "b", "cost_micros_usd") == (2_500_000 + 5_000_000, 0)


def test_genai_prices_is_asked_for_the_other_names(clock):
    """A gateway's prefix is none of its words."""
    pytest.importorskip("genai_prices")
    guard = new_guard(clock, budget(limit={"usd": "100"}))
    million = Usage(input_tokens=1_000_000, output_tokens=0)
    spend(guard, million, model="gateway/openai/gpt-4o-2024-08-06", provider="openai")
    assert figures(guard, "b", "cost_micros_usd") == (2_500_000, 0)


def test_the_jobs_of_a_dated_name_count_for_the_quota_of_the_model(clock):
    """From the start to the report, and for a report without a start."""
    service = AllowanceService(clock=clock)
    service.set_allowance(AgentAllowance(agent_id="a", model_allowlist=["m"]))
    service.set_model_quota(ModelQuota(model="m", daily_token_budget=100))
    with service.start_job("a", "j", model="openai/m-2024-08-06", estimated_tokens=60) as job:
        assert job.model == "openai/m-2024-08-06"
        job.complete(50, 20)
    service.record_usage(
        UsageReport(agent_id="a", job_id="k", event="job_completed", model="m-latest", tokens_in=30)
    )
    assert service.get_model_usage("m") == service.get_model_usage("m-2024-08-06") == 100
    assert "token budget exceeded for: m" in service.check("a", "m-20240806").reason
    assert "not in allowlist: m-mini" in service.check("a", "m-mini").reason


def test_a_quota_of_its_own_counts_a_dated_name_apart(clock):
    """The closest name with a quota counts."""
    service = AllowanceService(clock=clock)
    service.set_allowance(AgentAllowance(agent_id="a"))
    for model, tokens in (("m", 10), ("m-2024-08-06", 20)):
        service.set_model_quota(ModelQuota(model=model, daily_token_budget=tokens))
    service.start_job("a", "j", model="m-2024-08-06").complete(20, 0)
    assert service.get_model_usage("m") == 0
    assert service.check("a", "m").allowed
    assert not service.check("a", "m-2024-08-06").allowed


def test_two_allowlists_allow_what_both_mean(clock):
    """The narrower name stays."""
    rules = [
        {"agent": "*", "model_allowlist": ["m", "n-2024-08-06"]},
        {"agent": "a", "model_allowlist": ["m-2024-08-06", "n"]},
    ]
    guard = new_guard(clock, {"allowance": rules})
    for model, passes in (("m-2024-08-06", True), ("m", False), ("n", False), ("n-2024-08-06", True)):
        if passes:
            spend(guard, 1, agent="a", model=model)
        else:
            refused(guard.reserve, 1, agent="a", model=model)
