"""Allowances of agents that run jobs: one at a time, so many tokens a day, one pull request a day."""

from outlay import (
    AgentAllowance,
    AllowanceExceeded,
    AllowanceService,
    ManualClock,
    ModelQuota,
    RepoLimit,
    UsageReport,
)

clock = ManualClock()  # the time is ours here; leave `clock=` out and it is the system's
service = AllowanceService(clock=clock)
service.set_allowance(
    AgentAllowance(agent_id="coder", daily_token_limit=10_000, concurrent_jobs=1, model_allowlist=["gpt-x"])
)
service.set_model_quota(ModelQuota(model="gpt-x", hourly_rate_limit=20))
service.set_repo_limit(RepoLimit(repo="acme/site", max_daily_prs=1, cooldown_after_failure=600))

with service.start_job("coder", "job-1", model="gpt-x", repo="acme/site", estimated_tokens=6_000) as job:
    try:
        service.start_job("coder", "job-2", model="gpt-x")
    except AllowanceExceeded as refusal:
        print(refusal)  # one line of JSON that the model can read
    service.charge_repo("acme/site", "pr")
    job.complete(tokens_in=4_000, tokens_out=1_000)
print(service.get_usage("coder"))

# Jobs that run elsewhere report, perhaps twice. A failed job gives half of its tokens back.
report = UsageReport(agent_id="coder", job_id="job-9", event="job_failed", model="gpt-x", tokens_in=2_001)
assert service.record_usage(report)
assert not service.record_usage(report)
assert service.get_usage("coder").tokens_used == 5_000 + 1_001

verdict = service.check("coder", "gpt-y")
print(f"gpt-y: {verdict.reason}")
print(f"another pull request: {service.check_repo('acme/site', 'pr').reason}")

clock.advance(24 * 60 * 60)
print(f"the next day: {service.check('coder').remaining_tokens} tokens left")
