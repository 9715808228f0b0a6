"""Repositories: pull requests and issues of a day, and the rest after a failure."""

from __future__ import annotations

import pytest
from allowance_support import allow
from face_support import BAD_IDS, DAY, ODD_IDS, checked_message, in_threads, refusal_of

from outlay import AllowanceExceeded, AllowanceService, InvalidId, PolicyError, QuotaCheckResult, RepoLimit


def limit(service, repo="r", **limits):
    """Set the limit of a repository."""
    service.set_repo_limit(RepoLimit(repo=repo, **limits))


def test_pull_requests_and_issues_are_counted_apart(service, clock):
    """Each in a UTC day."""
    limit(service, max_daily_prs=2, max_daily_issues=1)
    service.charge_repo("r", "pr")
    assert service.check_repo("r", "pr") == QuotaCheckResult(True, "ok", 1, -1, "")
    service.charge_repo("r", "pr")
    for _ in range(2):
        refused = refusal_of(lambda: service.charge_repo("r", "pr"))
    assert isinstance(refused, AllowanceExceeded)
    payload = checked_message(refused)
    assert (payload["error"], payload["type"], refused.scope) == ("allowance_exceeded", "repo", {"repo": "r"})
    assert payload["details"]["unit"] == "actions"
    assert (refused.limit, refused.used, refused.remaining, refused.retry_after) == (2, 2, 0, DAY)
    verdict = service.check_repo("r", "pr")
    assert verdict == QuotaCheckResult(False, "exceeded", 0, -1, refused.message)
    service.charge_repo("r", "issue")
    assert refusal_of(lambda: service.charge_repo("r", "issue")) is not None
    clock.advance(DAY)
    service.charge_repo("r", "pr")
    service.charge_repo("r", "issue")


def test_a_repository_without_limits_takes_everything(service):
    """0 is no limit; one that was never named is not limited either."""
    limit(service)
    for repo in ("r", "unknown"):
        for action in ("pr", "issue"):
            for _ in range(9):
                service.charge_repo(repo, action)
            assert service.check_repo(repo, action) == QuotaCheckResult(True, "ok", -1, -1, "")
        service.record_failure(repo)
        assert service.check_repo(repo, "pr").allowed


def test_a_changed_limit_counts_at_once_and_keeps_the_count(service):
    """What was counted without a limit counts under it."""
    for _ in range(3):
        service.charge_repo("r", "pr")
    limit(service, max_daily_prs=5)
    assert service.check_repo("r", "pr").remaining_tokens == 2
    limit(service, max_daily_prs=2)
    assert not service.check_repo("r", "pr").allowed


def test_a_failure_starts_the_cooldown(service, clock):
    """Waiting is the cure; a second failure starts it anew; a limit that changes does not end it."""
    limit(service, max_daily_prs=9, cooldown_after_failure=60)
    service.record_failure("r")
    clock.advance(30)
    service.record_failure("r")
    refused = refusal_of(lambda: service.charge_repo("r", "pr"))
    assert (refused.kind, refused.retryable, refused.retry_after) == ("cooldown", True, 60)
    assert checked_message(refused)["message"] == service.check_repo("r", "issue").reason
    limit(service, max_daily_prs=5, cooldown_after_failure=0)
    clock.advance(59)
    assert not service.check_repo("r", "pr").allowed
    clock.advance(1)
    assert service.check_repo("r", "pr") == QuotaCheckResult(True, "ok", 5, -1, "")
    service.charge_repo("r", "pr")


def test_a_job_begins_where_an_action_is_left(service):
    """A repository that takes neither a pull request nor an issue takes no job."""
    allow(service)
    limit(service, max_daily_prs=1, max_daily_issues=1)
    service.charge_repo("r", "pr")
    service.start_job("a", "j0", repo="r")
    service.charge_repo("r", "issue")
    verdict = service.check("a", repo="r")
    refused = refusal_of(lambda: service.start_job("a", "j1", repo="r"))
    assert (verdict.allowed, verdict.reason) == (False, refused.message)
    assert (refused.kind, refused.agent_id, refused.scope["repo"]) == ("repo", "a", "r")
    assert service.check("a").allowed
    service.start_job("a", "j1", repo="other")


def test_a_job_that_rests_changes_nothing(service, clock):
    """The refusal of the repository leaves the agent as it was."""
    allow(service, daily_job_limit=1)
    limit(service, cooldown_after_failure=10)
    service.record_failure("r")
    assert refusal_of(lambda: service.start_job("a", "j", repo="r")).kind == "cooldown"
    assert service.check("a").remaining_jobs == 1
    clock.advance(10)
    service.start_job("a", "j", repo="r")


@pytest.mark.parametrize("repo", ODD_IDS.values(), ids=ODD_IDS)
def test_odd_but_lawful_names_of_repositories(service, repo):
    """Each is a repository of its own, and its refusal is valid JSON."""
    limit(service, repo, max_daily_prs=1)
    service.charge_repo(repo, "pr")
    checked_message(refusal_of(lambda: service.charge_repo(repo, "pr")))
    assert service.check_repo("another", "pr").allowed


def test_bad_repositories_and_actions_are_refused_by_name(service):
    """And change nothing."""
    allow(service)
    limit(service, max_daily_prs=1)
    for call in (
        lambda bad: service.check_repo(bad, "pr"),
        lambda bad: service.charge_repo(bad, "pr"),
        service.record_failure,
        lambda bad: service.check("a", repo=bad),
        lambda bad: service.start_job("a", "j", repo=bad),
    ):
        for label, bad in BAD_IDS.items():
            if bad is not None:
                with pytest.raises(InvalidId, match=r"^repo must "):
                    pytest.fail(f"{label} was taken: {call(bad)}")
    for bad in ("PR", "", "issues", None, 1, "\ud800", "x" * 10**6):
        for call in (service.check_repo, service.charge_repo):
            with pytest.raises(PolicyError, match=r"^action must be") as refused:
                call("r", bad)
            assert len(str(refused.value)) < 500
    for bad in (None, "r", {"repo": "r"}):
        with pytest.raises(PolicyError, match=r"^limit must be a RepoLimit"):
            service.set_repo_limit(bad)
    assert service.check_repo("r", "pr").remaining_tokens == 1


def test_threads_never_charge_more_than_the_limit():
    """A hundred at once: exactly ten pass."""
    service, passed = AllowanceService(), []
    limit(service, max_daily_prs=10)
    in_threads(100, lambda number: passed.append(refusal_of(lambda: service.charge_repo("r", "pr")) is None))
    assert sum(passed) == 10


def test_a_job_waits_for_the_first_way_that_opens(service, clock):
    """The day's pull requests are used up, but issues have room once the cooldown is over."""
    allow(service)
    service.set_repo_limit(
        RepoLimit(repo="r", max_daily_prs=1, max_daily_issues=2, cooldown_after_failure=300)
    )
    service.charge_repo("r", "pr")
    service.record_failure("r")
    refused = refusal_of(lambda: service.start_job("a", "j", repo="r"))
    assert (refused.kind, refused.retry_after) == ("cooldown", 300)
    clock.advance(300)
    service.start_job("a", "j", repo="r")
