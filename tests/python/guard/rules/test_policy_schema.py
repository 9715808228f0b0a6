"""The JSON Schema of a policy and the guard that reads it say the same."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

import outlay

BUDGET = {"name": "b", "limit": {"tokens": 5}}
LIMITER = {"name": "l", "tokens_per_minute": 5}
PRICE = {"input": "2.50", "output": "10"}
# Names as people have them, and what would be taken for one.
PLAIN = (
    "gpt-4o-2024-08-06",
    "openai:gpt-4.1",
    "meta-llama/Llama-3.1:free",
    "models/gemini@001",
    "github.com/acme/payments#main",
    "a!b~c^d=e<f>g$h",
    "DOMAIN\\ann",
    "Acme\\, Inc.",
    "auth0\\|5f7c",
    "\\!x",
    "x\\$",
    "a\\\\|b",
)
NAMES = (*PLAIN, "*", "gpt-*", "DOMAIN\\*", "auth0\\|*")
OPERATORS = (
    "!a",
    " !a",
    "~a",
    "^a",
    "=a",
    "<5",
    ">a",
    "a|b",
    "a,b",
    "a, b",
    "^a$",
    "a$",
    "a$ ",
    "$",
    "a?",
    "[ab]",
    "a]",
)
VALIDATOR = Draft202012Validator(outlay.POLICY_SCHEMA)

GOOD = [
    {},
    {"version": 1},
    {"store": {"url": "memory://", "lease_ttl": "10m"}},
    {"store": {"lease_ttl": 90}},
    {
        "defaults": {
            "on_unknown_price": "fallback",
            "fallback_price": PRICE,
            "on_missing_usage": "charge_estimate",
            "on_cancel": "release",
            "on_error": "charge",
            "mode": "enforce",
            "warn_at": [0.5, 1],
            "timezone": "Europe/Berlin",
            "estimate": "expected",
            "output_tokens": 500,
        }
    },
    {"defaults": {"on_unknown_price": "zero", "warn_at": 0.8}},
    {"budget": []},
    {"budget": [{**BUDGET, "scope": {"ttl": "5", "class": "*"}}], "defaults": {"require": ["timeout"]}},
    {"budget": [BUDGET]},
    {
        "budget": [
            {
                "name": "all",
                "scope": {"agent": "*", "model": "openai:gpt-*", "team": "a"},
                "limit": {
                    "usd": "20.00",
                    "tokens": 5,
                    "input_tokens": 5,
                    "output_tokens": 5,
                    "cache_read_tokens": 5,
                    "cache_write_tokens": 5,
                    "reasoning_tokens": 5,
                    "calls": 5,
                    "tool_calls": 5,
                },
                "window": "calendar:month Europe/Berlin",
                "timezone": "UTC",
                "mode": "soft",
                "warn_at": ["0.8"],
                "landing": {"usd": 1, "tokens": 2},
            }
        ]
    },
    *(
        {"budget": [{**BUDGET, "window": window}]}
        for window in ("lifetime", "run", "rolling:24h", "fixed:90")
    ),
    *({"budget": [{**BUDGET, "limit": {"usd": usd}}]} for usd in (20, "0.5", ".5", "5.", "1.1000000000")),
    {
        "workflow": [
            {"name": "w", "limit": {"usd": "3", "tokens": 5, "calls": 5, "steps": 5, "tool_calls": 5}}
        ]
    },
    {"workflow": [{"name": "w", "step": {"default": {"tokens": 5}, "review": {"usd": "1", "calls": 2}}}]},
    {"workflow": [{"name": "w", "limit": {"steps": 1}, "window": "lifetime", "scope": {"agent": "*"}}]},
    {"pool": [{"name": "p", "max_concurrent": 8, "on_limit": {"wait": "30s"}}]},
    {"pool": [{"name": "p", "limit": {"tokens": 9}, "stop_threshold": {"tokens": 1}, "on_limit": "deny"}]},
    {"limiter": [{**LIMITER, "requests_per_second": 1, "adaptive": "headers", "mode": "shadow"}]},
    {"limiter": [{"name": "l", "input_tokens_per_hour": 1}, {"name": "l", "output_tokens_per_day": 1}]},
    {"tool": [{"name": "web_*", "limit": {"calls": 50}, "window": "run", "scope": {"agent": "a"}}]},
    {"prices": {"openai:gpt-x": {**PRICE, "cache_read": "0.3", "cache_write": "3", "reasoning": "12"}}},
    {"prices": {"gpt-x": {**PRICE, "tiers": [{"above_input_tokens": 200_000, **PRICE}]}}},
    {"prices": {"gpt-x": {**PRICE, "tiers": [{"above_input_tokens": 200_000, "audio_input": "3"}]}}},
    {"prices": {"gpt-x": {**PRICE, "audio_input": "9", "audio_output": "9", "audio_cache_read": "1"}}},
    {"prices": {"gpt-x": {**PRICE, "request": "0.005", "units": {"web_search": "0.000000000001"}}}},
    {"prices": {"gpt-x": {**PRICE, "multipliers": {"batch": ".5", "priority": {"input": "1.000000001"}}}}},
    {"prices": {"tool:search": {"request": "0.005"}}},
    *({"defaults": {"cost_source": source}} for source in ("larger", "provider", "computed")),
    {
        "allowance": [
            {
                "agent": "a",
                "daily_token_limit": 5,
                "daily_job_limit": 5,
                "concurrent_jobs": 5,
                "max_job_duration": "2h",
                "model_allowlist": ["m"],
            }
        ],
        "model_quota": [
            {"model": "m", "daily_token_budget": 5, "hourly_rate_limit": 5, "cost_ceiling_usd": "5"}
        ],
        "repo": [{"repo": "r", "max_daily_prs": 5, "max_daily_issues": 5, "cooldown_after_failure": "10m"}],
    },
    {"defaults": {"require": ["user", "x-team"]}},
    {"defaults": {"require": []}},
    {
        "allowance": [{"agent": "*", "daily_token_limit": 5}, {"agent": "a"}],
        "model_quota": [{"model": "*", "cost_ceiling_usd": "0.000001"}],
        "repo": [{"repo": "*", "max_daily_prs": 5}],
    },
    *({"budget": [{**BUDGET, "scope": {"model": name}}]} for name in NAMES),
    *({"tool": [{"name": name, "limit": {"calls": 1}}]} for name in NAMES),
    *({"workflow": [{"name": name, "step": {name: {"calls": 1}}}]} for name in NAMES),
    *({"prices": {name: PRICE}, "allowance": [{"agent": name, "model_allowlist": [name]}]} for name in PLAIN),
]

BAD = [
    {"version": 2},
    {"budgets": []},
    {"budget": {}},
    {"budget": [5]},
    {"store": {"url": "redis://host"}},
    {"store": {"lease_ttl": 0}},
    {"store": {"path": "x"}},
    {"defaults": {"on_unknown_price": "fallback"}},
    {"defaults": {"fallback_price": PRICE}},
    {"defaults": {"mode": "strict"}},
    {"defaults": {"warn_at": 0}},
    {"defaults": {"warn_at": 1.5}},
    {"defaults": {"on_cancel": True}},
    {"defaults": {"output_tokens": -1}},
    {"budget": [{"name": "b"}]},
    {"budget": [{"limit": {"tokens": 5}}]},
    {"budget": [{"name": "", "limit": {"tokens": 5}}]},
    {"budget": [{**BUDGET, "limit": {}}]},
    {"budget": [{**BUDGET, "limit": {"tokens": "5"}}]},
    {"budget": [{**BUDGET, "limit": {"tokens": 5.5}}]},
    {"budget": [{**BUDGET, "limit": {"steps": 5}}]},
    {"budget": [{**BUDGET, "limit": {"usd": 0.5}}]},
    {"budget": [{**BUDGET, "limit": {"usd": "1.2345678"}}]},
    {"budget": [{**BUDGET, "limit": {"usd": "-1"}}]},
    {"budget": [{**BUDGET, "limit": {"tokens": None}}]},
    {"budget": [{**BUDGET, "max_concurrent": 5}]},
    {"budget": [{**BUDGET, "scope": {"agent": 5}}]},
    {"budget": [{**BUDGET, "scope": {" ttl": "5"}}]},
    {"budget": [{**BUDGET, "scope": "a"}]},
    *(
        {"budget": [{**BUDGET, "window": window}]}
        for window in ("day", "calendar:year", "rolling", "rolling:0s", "rolling:1y", "run:1", 60)
    ),
    {"workflow": [{"name": "w"}]},
    {"workflow": [{"name": "w", "limit": {"input_tokens": 5}}]},
    {"workflow": [{"name": "w", "step": {"review": {"steps": 5}}}]},
    {"workflow": [{"name": "w", "limit": {"steps": 5}, "scope": {"workflow": "x"}}]},
    {"pool": [{"name": "p"}]},
    {"pool": [{"name": "p", "max_concurrent": 5, "on_limit": "wait"}]},
    {"pool": [{"name": "p", "max_concurrent": 5, "on_limit": {}}]},
    {"limiter": [{"name": "l"}]},
    {"limiter": [{**LIMITER, "window": "run"}]},
    {"limiter": [{**LIMITER, "calls_per_minute": 5}]},
    {"limiter": [{**LIMITER, "adaptive": True}]},
    {"tool": [{"name": "t", "limit": {"tokens": 5}}]},
    {"tool": [{"name": "t", "limit": {"calls": 5}, "scope": {"tool": "x"}}]},
    {"prices": {"m": {"input": "1"}}},
    {"prices": {"m": {"input": 1, "output": 2}}},
    {"prices": {"m": {**PRICE, "image": "1"}}},
    {"prices": {"m": {**PRICE, "tiers": [PRICE]}}},
    {"prices": {"m": {**PRICE, "tiers": [{"above_input_tokens": 5}]}}},
    {"prices": {"m": {**PRICE, "request": "-1"}}},
    {"prices": {"m": {**PRICE, "request": 1}}},
    {"prices": {"m": {**PRICE, "units": {"Web Search": "1"}}}},
    {"prices": {"m": {**PRICE, "units": {"web_search": "0.0000000000001"}}}},
    {"prices": {"m": {**PRICE, "units": ["web_search"]}}},
    {"prices": {"m": {**PRICE, "multipliers": {"batch": "half"}}}},
    {"prices": {"m": {**PRICE, "multipliers": {"batch": "0.0000000001"}}}},
    {"prices": {"m": {**PRICE, "multipliers": {"batch": {"tokens": "0.5"}}}}},
    {"prices": {"tool:search": PRICE}},
    {"prices": {"tool:search": {}}},
    {"defaults": {"cost_source": "cheapest"}},
    {"prices": []},
    {"allowance": [{"daily_token_limit": 5}]},
    {"allowance": [{"agent": "a", "model_allowlist": [""]}]},
    {"model_quota": [{"model": "m", "cost_ceiling_usd": 1.5}]},
    {"repo": [{"repo": "r", "cooldown_after_failure": "soon"}]},
    {"defaults": {"require": "user"}},
    {"defaults": {"require": ["user", "user"]}},
    {"defaults": {"require": [" ttl"]}},
    *({"defaults": {"require": [name]}} for name in (*OPERATORS, "*", "a*")),
    *({"budget": [{**BUDGET, "scope": {"model": name}}]} for name in OPERATORS),
    *({"budget": [{**BUDGET, "scope": {name: "x"}}]} for name in (*OPERATORS, "*", "a*")),
    *({"tool": [{"name": name, "limit": {"calls": 1}}]} for name in OPERATORS),
    *({"workflow": [{"name": name, "limit": {"calls": 1}}]} for name in OPERATORS),
    *({"workflow": [{"name": "w", "step": {name: {"calls": 1}}}]} for name in OPERATORS),
    *({"allowance": [{"agent": name}]} for name in (*OPERATORS, "a*")),
    *({"allowance": [{"agent": "a", "model_allowlist": [name]}]} for name in (*OPERATORS, "*", "a*")),
    *({"model_quota": [{"model": name}]} for name in (*OPERATORS, "a*")),
    *({"repo": [{"repo": name}]} for name in (*OPERATORS, "a*")),
    *({"prices": {name: PRICE}} for name in (*OPERATORS, "*", "a*")),
    *(
        {kind: [{"name": "*", **limits}]}
        for kind, limits in (
            ("budget", {"limit": {"calls": 1}}),
            ("pool", {"max_concurrent": 1}),
            ("limiter", {"requests_per_day": 1}),
        )
    ),
    {"allowance": [{"agent": "a", "model_allowlist": []}]},
    *(
        {"allowance": [{"agent": "a", key: 0}]}
        for key in ("daily_token_limit", "daily_job_limit", "concurrent_jobs", "max_job_duration")
    ),
    *({"model_quota": [{"model": "m", key: 0}]} for key in ("daily_token_budget", "hourly_rate_limit")),
    *({"model_quota": [{"model": "m", "cost_ceiling_usd": zero}]} for zero in (0, "0", "0.00", ".0")),
    *(
        {"repo": [{"repo": "r", key: 0}]}
        for key in ("max_daily_prs", "max_daily_issues", "cooldown_after_failure")
    ),
]


@pytest.mark.parametrize("policy", GOOD, ids=str)
def test_what_the_schema_allows_the_guard_takes(policy):
    assert [error.message for error in VALIDATOR.iter_errors(policy)] == []
    outlay.Guard(policy)


@pytest.mark.parametrize("policy", BAD, ids=str)
def test_what_the_schema_refuses_the_guard_refuses(policy):
    assert list(VALIDATOR.iter_errors(policy)) != []
    with pytest.raises(outlay.PolicyError):
        outlay.Guard(policy)


def test_the_schema_is_one():
    Draft202012Validator.check_schema(outlay.POLICY_SCHEMA)


def _objects(schema):
    """Return every object that names its keys, and its keys' schemas."""
    if isinstance(schema, list):
        return [found for one in schema for found in _objects(one)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" and "properties" in schema else []
    return own + [found for one in schema.values() for found in _objects(one)]


def test_every_key_is_described_and_no_other_is_allowed():
    for table in _objects(outlay.POLICY_SCHEMA):
        assert table["additionalProperties"] is False
        for key, schema in table["properties"].items():
            target = outlay.POLICY_SCHEMA["$defs"].get(schema.get("$ref", "").rpartition("/")[2], {})
            assert schema.get("description") or target.get("description"), key


def test_no_key_that_a_guard_names_is_missing():
    """What an error lists as allowed are the keys of the schema."""
    rules = {
        "budget": BUDGET,
        "workflow": {"name": "w", "limit": {"steps": 1}},
        "pool": {"name": "p", "max_concurrent": 1},
        "limiter": LIMITER,
        "tool": {"name": "t", "limit": {"calls": 1}},
        "allowance": {"agent": "a"},
        "model_quota": {"model": "m"},
        "repo": {"repo": "r"},
    }
    defs = outlay.POLICY_SCHEMA["$defs"]
    asked = {kind: ({kind: [{**rule, "?": 1}]}, defs[kind]) for kind, rule in rules.items()}
    asked["defaults"] = ({"defaults": {"?": 1}}, defs["defaults"])
    asked["store"] = ({"store": {"?": 1}}, outlay.POLICY_SCHEMA["properties"]["store"])
    asked["root"] = ({"?": 1}, outlay.POLICY_SCHEMA)
    asked["limit"] = ({"budget": [{**BUDGET, "limit": {"?": 1}}]}, defs["limit"])
    for policy, schema in asked.values():
        with pytest.raises(outlay.PolicyError) as refused:
            outlay.Guard(policy)
        listed = str(refused.value).rpartition("allowed are ")[2].split(", ")
        assert set(listed) == set(schema["properties"])
