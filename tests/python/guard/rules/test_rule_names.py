"""Names of a policy that would mean nothing, or all: operators, stars, zeros. Each is an error."""

from __future__ import annotations

import pytest
from guard_support import budget, new_guard, refused, spend

from outlay import AllowanceExceeded, Guard, PolicyError, usd

HEAD = '[[budget]]\nname = "b"\nlimit = { calls = 0 }\n'
ZERO = "above 0: leave it out for no limit"
BAD = {
    "not": (HEAD + 'scope = { model = "!gpt-4o" }\n', 4, "budget[0].scope.model", '"!" is no operator'),
    "or": (HEAD + 'scope = { model = "gpt-4o|o3" }\n', 4, "budget[0].scope.model", '"|" is no operator'),
    "list": (HEAD + 'scope = { model = "gpt-4o, o3" }\n', 4, "budget[0].scope.model", '"," is no operator'),
    "regex": (HEAD + 'scope = { model = "^gpt" }\n', 4, "budget[0].scope.model", '"^" is no operator'),
    "regex end": (HEAD + 'scope = { model = "gpt$" }\n', 4, "budget[0].scope.model", '"$" is no operator'),
    "like": (HEAD + 'scope = { model = "~gpt" }\n', 4, "budget[0].scope.model", '"~" is no operator'),
    "label": (HEAD + 'scope = { "!model" = "gpt" }\n', 4, "budget[0].scope.!model", '"!" is no operator'),
    "any label": (HEAD + 'scope = { "*" = "gpt" }\n', 4, "budget[0].scope.*", "can be no label"),
    "tool": ('[[tool]]\nname = "!web"\nlimit = { calls = 1 }\n', 2, "tool[0].name", '"!" is no operator'),
    "workflow": ('[[workflow]]\nlimit = {calls = 1}\nname = "a,b"\n', 3, "workflow[0].name", '"," is no'),
    "step": ('[[workflow]]\nname = "w"\nstep."!a" = { calls = 1 }\n', 3, "step.!a", '"!" is no operator'),
    "name of all": ('[[pool]]\nname = "*"\nmax_concurrent = 1\n', 2, "pool[0].name", "write a scope"),
    "agents": ('[[allowance]]\nagent = "coder-*"\n', 2, "allowance[0].agent", "a pattern means nothing"),
    "agent": ('[[allowance]]\nagent = "!coder"\n', 2, "allowance[0].agent", '"!" is no operator'),
    "models": ('[[allowance]]\nagent = "a"\nmodel_allowlist = ["*"]\n', 3, "allowlist", "leave the list"),
    "no model": ('[[allowance]]\nagent = "a"\nmodel_allowlist = []\n', 3, "model_allowlist", "leave it out"),
    "quotas": ('[[model_quota]]\nmodel = "gpt-*"\n', 2, "model_quota[0].model", "a pattern means nothing"),
    "repos": ('[[repo]]\nrepo = "acme/*"\n', 2, "repo[0].repo", "a pattern means nothing here"),
    "prices": ('[prices."*"]\ninput = "1"\noutput = "1"\n', 1, "prices.*", "fallback_price"),
    "price": ('[prices."a|b"]\ninput = "1"\noutput = "1"\n', 1, "prices.a|b", '"|" is no operator'),
    "require": ('[defaults]\nrequire = ["!user"]\n', 2, "defaults.require[]", '"!" is no operator'),
    "require all": ('[defaults]\nrequire = ["*"]\n', 2, "defaults.require[]", "can be no label"),
    "require twice": ('[defaults]\nrequire = ["a", "a"]\n', 2, "defaults.require[]", "required twice"),
    "require text": ('[defaults]\nrequire = "user"\n', 2, "defaults.require", "must be a list"),
    "tokens 0": ('[[allowance]]\nagent = "a"\ndaily_token_limit = 0\n', 3, "daily_token_limit", ZERO),
    "jobs 0": ('[[allowance]]\nagent = "a"\ndaily_job_limit = 0\n', 3, "daily_job_limit", ZERO),
    "at once 0": ('[[allowance]]\nagent = "a"\nconcurrent_jobs = 0\n', 3, "concurrent_jobs", ZERO),
    "budget 0": ('[[model_quota]]\nmodel = "m"\ndaily_token_budget = 0\n', 3, "daily_token_budget", ZERO),
    "rate 0": ('[[model_quota]]\nmodel = "m"\nhourly_rate_limit = 0\n', 3, "hourly_rate_limit", ZERO),
    "ceiling 0": ('[[model_quota]]\nmodel = "m"\ncost_ceiling_usd = "0.00"\n', 3, "cost_ceiling_usd", ZERO),
    "prs 0": ('[[repo]]\nrepo = "r"\nmax_daily_prs = 0\n', 3, "max_daily_prs", ZERO),
    "issues 0": ('[[repo]]\nrepo = "r"\nmax_daily_issues = 0\n', 3, "max_daily_issues", ZERO),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "path", "said"), BAD.values(), ids=BAD)
def test_what_would_mean_nothing_or_all_is_an_error_with_its_line(text, line, path, said, tmp_path):
    """L09, L10."""
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(PolicyError) as caught:
        Guard(file)
    assert str(caught.value).startswith(f"{file}:{line}: ")
    assert path in str(caught.value)
    assert said in str(caught.value)


def test_l09_zero_in_a_policy_is_an_error_of_an_allowance_and_refuses_in_a_budget(clock):
    """Which of the two is meant, the error says; a dict names the path of its keys."""
    with pytest.raises(PolicyError, match=r"^policy: allowance\[0\].daily_token_limit: must be above 0"):
        new_guard(clock, {"allowance": [{"agent": "blocked", "daily_token_limit": 0, "concurrent_jobs": 0}]})
    guard = new_guard(clock, budget(scope={"agent": "blocked"}, limit={"tokens": 0}))
    assert refused(guard.reserve, 1, agent="blocked").limit == 0


def test_l10_an_operator_in_a_scope_is_an_error_and_other_names_are_none(clock):
    """A dict names the path of its keys."""
    with pytest.raises(PolicyError, match=r'^policy: budget\[0\].scope.model: .*not "!gpt-4o"'):
        new_guard(clock, budget(scope={"model": "!gpt-4o"}, limit={"calls": 0}))
    for model in ("gpt-4o", "openai:gpt-4o", "meta-llama/Llama-3.1:free", "gemini@001", "a.b-c_d"):
        guard = new_guard(clock, budget(scope={"model": model}, limit={"calls": 0}))
        refused(guard.reserve, model=model)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("auth0\\|5f7c", "auth0|5f7c"),
        ("auth0\\|*", "auth0|abc"),
        ("Acme\\, Inc.", "Acme, Inc."),
        ("\\!x", "!x"),
    ],
)
def test_a_backslash_makes_an_operator_a_part_of_the_name(written, value, clock):
    """Of a name and of a pattern."""
    guard = new_guard(clock, budget(scope={"user": written}, limit={"calls": 1}))
    spend(guard, user=value)
    refused(guard.reserve, user=value)
    spend(guard, user=written)


def test_a_backslash_before_any_other_character_is_one(clock):
    """Users of a Windows domain."""
    guard = new_guard(clock, budget(scope={"user": "ACME\\*"}, limit={"calls": 1}))
    spend(guard, user="ACME\\ann")
    refused(guard.reserve, user="ACME\\bob")


def test_u06_an_allowance_of_a_star_is_that_of_each_agent(clock):
    """Each has one of its own."""
    rule = {"agent": "*", "model_allowlist": ["gpt-4o"], "daily_token_limit": 10}
    guard = new_guard(clock, {"allowance": [rule]})
    said = refused(guard.reserve, 999, agent="coder", model="forbidden")
    assert said.message == "model not in allowlist: forbidden"
    for agent in ("coder", "writer"):
        spend(guard, 10, agent=agent, model="gpt-4o")
        assert isinstance(refused(guard.reserve, 1, agent=agent, model="gpt-4o"), AllowanceExceeded)
    allowance = guard.allowances.get_allowance("nobody yet")
    assert (allowance.agent_id, allowance.daily_token_limit) == ("nobody yet", 10)
    guard.allowances.start_job("nobody yet", "j-1", estimated_tokens=9)
    refused(guard.allowances.start_job, "nobody yet", "j-2", estimated_tokens=2)


def test_an_allowance_of_one_agent_and_that_of_each_both_apply(clock):
    """As all rules that match; the stricter of each limit is the one that is seen."""
    each = {"agent": "*", "daily_token_limit": 10, "concurrent_jobs": 5, "model_allowlist": ["m", "n"]}
    one = {"agent": "a", "daily_token_limit": 20, "concurrent_jobs": 2, "model_allowlist": ["n", "o"]}
    guard = new_guard(clock, {"allowance": [one, each]})
    allowance = guard.allowances.get_allowance("a")
    assert (allowance.daily_token_limit, allowance.concurrent_jobs) == (10, 2)
    assert tuple(allowance.model_allowlist) == ("n",)
    refused(guard.reserve, 11, agent="a", model="n")
    refused(guard.reserve, 1, agent="a", model="o")
    refused(guard.reserve, 1, agent="b", model="o")
    spend(guard, 10, agent="a", model="n")
    spend(guard, 10, agent="b", model="m")


def test_allowlists_that_leave_nothing_are_an_error(tmp_path):
    """An empty one would allow all."""
    file = tmp_path / "policy.toml"
    each = '[[allowance]]\nagent = "*"\nmodel_allowlist = ["m"]\n'
    file.write_text(each + each.replace("*", "a").replace('"m"', '"n"'))
    with pytest.raises(PolicyError, match=r"policy.toml:4: allowance\[1\]: must have a model"):
        Guard(file)


def test_quotas_and_repositories_of_a_star_are_those_of_each(clock):
    """With counters of their own."""
    quota = {"model": "*", "daily_token_budget": 10, "cost_ceiling_usd": "1"}
    guard = new_guard(
        clock,
        {
            "model_quota": [quota, {"model": "m", "daily_token_budget": 5, "cost_ceiling_usd": "2"}],
            "repo": [{"repo": "*", "max_daily_prs": 1, "cooldown_after_failure": "10m"}],
            "defaults": {"on_unknown_price": "zero"},
        },
    )
    assert guard.allowances.get_model_quota("m").cost_ceiling_micros_usd == usd("1")
    refused(guard.reserve, 6, model="m")
    for model in ("n", "o"):
        spend(guard, 10, model=model)
        refused(guard.reserve, 1, model=model)
    for repo in ("r", "s"):
        assert guard.allowances.check_repo(repo, "pr").remaining_tokens == 1
        guard.allowances.charge_repo(repo, "pr")
        refused(guard.allowances.charge_repo, repo, "pr")
    guard.allowances.record_failure("t")
    refused(guard.allowances.charge_repo, "t", "issue")


def test_an_update_sets_and_takes_back_what_is_said_of_each(clock):
    """What was used stays; an agent that was named falls back to what is said of each."""
    guard = new_guard(clock, {"allowance": [{"agent": "*", "daily_token_limit": 10}]})
    spend(guard, 8, agent="a")
    guard.update(
        {"allowance": [{"agent": "*", "daily_token_limit": 9}, {"agent": "a", "daily_token_limit": 8}]}
    )
    refused(guard.reserve, 1, agent="a")
    guard.update({"allowance": [{"agent": "*", "daily_token_limit": 9}]})
    spend(guard, 1, agent="a")
    refused(guard.reserve, 1, agent="a")
    guard.update({})
    assert guard.allowances.get_allowance("a") is None
    spend(guard, 1_000, agent="a")
    guard.update({"allowance": [{"agent": "*", "daily_token_limit": 9}]})
    refused(guard.reserve, 1, agent="a")
    refused(guard.reserve, 10, agent="b")
