//! A forked child: alone in this file, for it counts for the whole process.
#![cfg(not(loom))]

use outlay::{
    AgentAllowance, AllowanceService, Clock, Error, ModelQuota, QuotaEvent, RepoAction, RepoLimit,
    UsageReport,
};

#[test]
fn in_a_forked_child_every_call_is_refused_and_the_table_of_jobs_is_silent() {
    let service = AllowanceService::new(Clock::System);
    let allowance = AgentAllowance { agent_id: "a".into(), ..Default::default() };
    service.set_allowance(allowance.clone()).unwrap();
    service.start_job("a", "1", "m", Some("r"), 5).unwrap();
    outlay::after_fork_in_child();
    let report = |event| UsageReport {
        agent_id: "a".into(),
        job_id: "1".into(),
        event,
        model: "m".into(),
        tokens_in: 1,
        tokens_out: 1,
        cost_micros_usd: 0,
    };
    for event in QuotaEvent::ALL {
        assert_eq!(service.record(&report(event)), Err(Error::Forked));
        assert_eq!(service.preview(&report(event)), Err(Error::Forked));
    }
    let limit = RepoLimit { repo: "r".into(), ..Default::default() };
    let quota = ModelQuota { model: "m".into(), ..Default::default() };
    let calls = [
        service.set_allowance(allowance),
        service.set_model_quota(quota),
        service.set_repo_limit(limit),
        service.allowance("a").map(drop),
        service.model_quota("m").map(drop),
        service.repo_limit("r").map(drop),
        service.is_configured("nobody").map(drop),
        service.usage("nobody").map(drop),
        service.model_usage("none").map(drop),
        service.check("nobody", "", None).map(drop),
        service.start_job("nobody", "1", "", None, 0).map(drop),
        service.start_job("a", "1", "", None, 0).map(drop),
        service.overdue().map(drop),
        service.reset_agent("nobody"),
        service.check_repo("none", RepoAction::Issue).map(drop),
        service.charge_repo("none", RepoAction::Issue),
        service.record_failure("none"),
        service.sync_agent("a", 0, 0, 0),
        service.sync_model("m", 0),
    ];
    for (index, call) in calls.into_iter().enumerate() {
        assert_eq!(call, Err(Error::Forked), "call {index}");
    }
}
