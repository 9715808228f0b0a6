//! Allowances as a user of the crate meets them: who may begin, and what an end comes to.

use std::sync::Arc;
use std::time::Duration;

use outlay::{
    AgentAllowance, AllowanceService, AllowanceStatus, Clock, Code, Denied, Error, Kind,
    ManualClock, ModelQuota, QuotaEvent, RepoAction, RepoLimit, Unit, UsageReport,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn service() -> (Arc<ManualClock>, AllowanceService) {
    let manual = Arc::new(ManualClock::new());
    let service = AllowanceService::new(Clock::Manual(Arc::clone(&manual)));
    (manual, service)
}

fn allowance() -> AgentAllowance {
    AgentAllowance { agent_id: "a".into(), ..AgentAllowance::default() }
}

fn quota() -> ModelQuota {
    ModelQuota { model: "m".into(), ..ModelQuota::default() }
}

fn limit() -> RepoLimit {
    RepoLimit { repo: "r".into(), ..RepoLimit::default() }
}

fn denied<T: std::fmt::Debug>(result: Result<T, Error>) -> Denied {
    match result {
        Err(Error::Denied(denied)) => *denied,
        other => panic!("not refused: {other:?}"),
    }
}

fn report(job: &str, event: QuotaEvent, tokens: u64) -> UsageReport {
    UsageReport {
        agent_id: "a".into(),
        job_id: job.into(),
        event,
        model: String::new(),
        tokens_in: tokens,
        tokens_out: 0,
        cost_micros_usd: 0,
    }
}

fn used(service: &AllowanceService) -> (u64, u64, u64) {
    let record = service.usage("a").unwrap();
    (record.tokens_used, record.jobs_started, record.active_jobs)
}

use QuotaEvent::{JobCancelled, JobCompleted, JobFailed, JobStarted};

#[test]
fn an_agent_without_an_allowance_is_refused() {
    let (_, service) = service();
    let refused = denied(service.start_job("a", "j", "", None, 3));
    assert_eq!((refused.code, refused.requested), (Code::NotConfigured, 3));
    assert_eq!(denied(service.check("a", "", None)).code, Code::NotConfigured);
    assert_eq!((service.is_configured("a"), used(&service)), (Ok(false), (0, 0, 0)));
    service.set_allowance(allowance()).unwrap();
    assert_eq!(service.is_configured("a"), Ok(true));
    service.start_job("a", "j", "", None, 3).unwrap();
}

/// A job that all limits refuse at first.
struct Refused {
    service: AllowanceService,
    agent: AgentAllowance,
    model: ModelQuota,
    repo: RepoLimit,
}

impl Refused {
    /// 100 tokens, two jobs of which one runs, one request and 9 micro-USD are used, and the
    /// repository has one action of each kind and rests for an hour.
    fn by_everything(service: AllowanceService) -> Self {
        let agent = AgentAllowance {
            daily_token_limit: 100,
            daily_job_limit: 2,
            concurrent_jobs: 1,
            model_allowlist: vec!["x".into()],
            ..allowance()
        };
        let model = ModelQuota {
            daily_token_budget: 100,
            hourly_rate_limit: 1,
            cost_ceiling_micros_usd: 9,
            ..quota()
        };
        let repo = RepoLimit {
            max_daily_prs: 1,
            max_daily_issues: 1,
            cooldown_after_failure: HOUR,
            ..limit()
        };
        let refused = Self { service, agent, model, repo };
        refused.set();
        let begun = UsageReport { model: "m".into(), ..report("0", JobStarted, 50) };
        let ended = UsageReport { cost_micros_usd: 9, ..report("0", JobCompleted, 100) };
        for told in [begun, ended, report("1", JobStarted, 0)] {
            assert!(refused.service.record(&told).unwrap());
        }
        for action in [RepoAction::PullRequest, RepoAction::Issue] {
            refused.service.charge_repo("r", action).unwrap();
        }
        refused.service.record_failure("r").unwrap();
        refused
    }

    fn set(&self) {
        self.service.set_allowance(self.agent.clone()).unwrap();
        self.service.set_model_quota(self.model.clone()).unwrap();
        self.service.set_repo_limit(self.repo.clone()).unwrap();
    }

    /// The job is refused for that reason, and the check agrees; when it could pass.
    fn because(&self, kind: Kind, unit: Unit, reason: &str) -> Option<Duration> {
        self.set();
        let refused = denied(self.service.start_job("a", "2", "m", Some("r"), 1));
        assert_eq!((refused.code, refused.kind), (Code::AllowanceExceeded, kind));
        assert_eq!((refused.message().as_str(), refused.unit), (reason, unit));
        let check = self.service.check("a", "m", Some("r")).unwrap();
        assert_eq!((check.allowed, check.reason.as_str()), (false, reason));
        assert_eq!(check.status, AllowanceStatus::Exceeded);
        let id = refused.id.map(|id| id.to_string());
        let scope = [("model", "m"), ("repo", "r"), ("job_id", "2")];
        let scope = scope.map(|(name, id)| (name.to_owned(), id.to_owned()));
        assert_eq!((id.as_deref(), refused.scope), (Some("a"), scope.to_vec()));
        refused.retry_after
    }
}

#[test]
fn the_first_reason_is_told_in_the_documented_order() {
    let (clock, service) = service();
    let mut job = Refused::by_everything(service);
    let wait = job.because(Kind::Model, Unit::Tokens, "model not in allowlist: m");
    assert_eq!(wait, None);
    job.agent.model_allowlist.push("m".into());
    job.because(Kind::Token, Unit::Tokens, "daily token limit exceeded");
    job.agent.daily_token_limit = 0;
    job.because(Kind::Job, Unit::Jobs, "daily job limit exceeded");
    job.agent.daily_job_limit = 0;
    job.because(Kind::Concurrency, Unit::Slots, "concurrent job limit reached");
    job.agent.concurrent_jobs = 0;
    job.because(Kind::Token, Unit::Tokens, "global model token budget exceeded for: m");
    job.model.daily_token_budget = 0;
    job.because(Kind::Rate, Unit::Calls, "hourly rate limit exceeded for: m");
    job.model.hourly_rate_limit = 0;
    let wait = job.because(Kind::Cost, Unit::Cost, "cost ceiling reached for: m");
    assert_eq!(wait, None);
    job.model.cost_ceiling_micros_usd = 10;
    let wait = job.because(Kind::Cooldown, Unit::Actions, "cooldown after failure for: r");
    assert_eq!(wait, Some(24 * HOUR), "until then the actions are used up");
    clock.advance(HOUR);
    let reason = "daily pull request limit exceeded for: r";
    assert_eq!(job.because(Kind::Repo, Unit::Actions, reason), Some(23 * HOUR));
    job.repo.max_daily_prs = 0;
    job.because(Kind::Repo, Unit::Actions, "daily issue limit exceeded for: r");
    job.repo.max_daily_prs = 2; // of two limited actions one has room
    job.set();
    let Refused { service, .. } = job;
    assert!(service.check("a", "m", Some("r")).unwrap().allowed);
    service.start_job("a", "2", "m", Some("r"), 1).unwrap();
    assert_eq!(used(&service), (100, 3, 2));
    let left = service.check_repo("r", RepoAction::PullRequest).unwrap().remaining_tokens;
    assert_eq!(left, Some(1), "a job takes nothing of them");
}

#[test]
fn what_fits_exactly_passes_and_where_nothing_is_left_not_even_nothing_does() {
    let (_, service) = service();
    service.set_allowance(AgentAllowance { daily_token_limit: 10, ..allowance() }).unwrap();
    denied(service.start_job("a", "1", "", None, 11));
    service.start_job("a", "1", "", None, 10).unwrap();
    assert_eq!(denied(service.start_job("a", "2", "", None, 0)).reserved, 10);
    assert!(!service.check("a", "", None).unwrap().allowed);
    assert!(service.record(&report("1", JobCompleted, 9)).unwrap());
    assert!(service.check("a", "", None).unwrap().allowed);
    denied(service.start_job("a", "2", "", None, 2));
    service.start_job("a", "2", "", None, 1).unwrap();
}

#[test]
fn the_status_warns_from_80_percent_of_what_is_used_or_held() {
    let (_, service) = service();
    let limits = AgentAllowance { daily_token_limit: 10, daily_job_limit: 3, ..allowance() };
    service.set_allowance(limits).unwrap();
    let check = || service.check("a", "m", None).unwrap();
    assert_eq!((check().status, check().remaining_tokens), (AllowanceStatus::Ok, Some(10)));
    service.start_job("a", "1", "m", None, 7).unwrap();
    assert_eq!((check().status, check().remaining_jobs), (AllowanceStatus::Ok, Some(2)));
    service.start_job("a", "2", "m", None, 1).unwrap();
    assert_eq!((check().status, check().remaining_tokens), (AllowanceStatus::Warning, Some(2)));
    service.set_allowance(allowance()).unwrap();
    assert_eq!((check().status, check().remaining_tokens), (AllowanceStatus::Ok, None));
    service.set_model_quota(ModelQuota { daily_token_budget: 10, ..quota() }).unwrap();
    assert_eq!((check().status, check().remaining_jobs), (AllowanceStatus::Warning, None));
    service.set_model_quota(quota()).unwrap();
    service.set_allowance(AgentAllowance { daily_job_limit: 2, ..allowance() }).unwrap();
    assert_eq!((check().status, check().remaining_jobs), (AllowanceStatus::Exceeded, Some(0)));
}

#[test]
fn an_end_charges_all_half_or_nothing_and_cost_is_never_given_back() {
    let half = u64::MAX / 2 + 1;
    let cases = [
        (JobCompleted, [(1, 1), (3, 3), (7, 7), (u64::MAX, u64::MAX), (0, 5)]),
        (JobFailed, [(1, 1), (3, 2), (7, 4), (u64::MAX, half), (0, 3)]),
        (JobCancelled, [(1, 0), (3, 0), (7, 0), (u64::MAX, 0), (0, 0)]),
    ];
    for (event, ends) in cases {
        for (tokens, net) in ends {
            let (_, service) = service();
            service.set_allowance(AgentAllowance { concurrent_jobs: 1, ..allowance() }).unwrap();
            service.set_model_quota(ModelQuota { cost_ceiling_micros_usd: 8, ..quota() }).unwrap();
            service.start_job("a", "1", "m", None, 5).unwrap();
            let ended = UsageReport { cost_micros_usd: 7, ..report("1", event, tokens) };
            assert!(service.record(&ended).unwrap());
            assert_eq!(used(&service), (net, 1, 0), "{event:?} {tokens}");
            assert_eq!(service.model_usage("m"), Ok(net));
            assert_eq!(service.check("a", "m", None).unwrap().reason, "", "7 of 8 are spent");
            assert!(service.record(&UsageReport { job_id: "2".into(), ..ended.clone() }).unwrap());
            let spent = UsageReport { job_id: "3".into(), model: "m".into(), ..ended };
            assert!(service.record(&spent).unwrap());
            let refused = denied(service.start_job("a", "4", "m", None, 0));
            assert_eq!((refused.kind, refused.used), (Kind::Cost, 14));
        }
    }
}

#[test]
fn a_report_of_the_tokens_of_both_ways_saturates() {
    let (_, service) = service();
    let all = UsageReport { tokens_out: 2, ..report("1", JobCompleted, u64::MAX - 1) };
    assert!(service.record(&all).unwrap());
    assert!(service.record(&UsageReport { job_id: "2".into(), ..all }).unwrap());
    assert_eq!(used(&service), (u64::MAX, 0, 0));
    service.set_allowance(allowance()).unwrap();
    service.start_job("a", "3", "", None, u64::MAX).unwrap();
    assert!(service.check("a", "", None).unwrap().allowed, "there is no limit");
}

#[test]
fn the_first_end_wins_and_a_known_beginning_changes_nothing() {
    let (_, service) = service();
    service.set_allowance(allowance()).unwrap();
    service.start_job("a", "1", "m", None, 5).unwrap();
    assert!(!service.record(&report("1", JobStarted, 50)).unwrap());
    assert_eq!(service.preview(&report("1", JobStarted, 50)), Ok(None));
    assert!(service.record(&report("1", JobFailed, 3)).unwrap());
    for event in QuotaEvent::ALL {
        assert_eq!(service.preview(&report("1", event, 50)), Ok(None));
        assert!(!service.record(&report("1", event, 50)).unwrap());
    }
    assert_eq!((used(&service), service.model_usage("m")), ((2, 1, 0), Ok(2)));
    match service.start_job("a", "1", "m", None, 5) {
        Err(Error::Conflict(message)) => assert!(message.contains("\"1\""), "{message}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(used(&service), (2, 1, 0));
}

#[test]
fn an_end_that_comes_first_counts_its_tokens_and_its_late_beginning_one_job() {
    let (_, service) = service();
    service.set_allowance(allowance()).unwrap();
    let ended = UsageReport { model: "m".into(), ..report("1", JobFailed, 7) };
    assert!(service.record(&ended).unwrap());
    assert_eq!((used(&service), service.model_usage("m")), ((4, 0, 0), Ok(4)));
    let preview = service.preview(&report("1", JobStarted, 50)).unwrap().unwrap();
    assert_eq!((preview.jobs, preview.tokens_total, preview.model.as_str()), (1, 0, ""));
    let begun = UsageReport { model: "m".into(), ..report("1", JobStarted, 50) };
    assert_eq!([0, 1].map(|_| service.record(&begun).unwrap()), [true, false]);
    assert_eq!((used(&service), service.model_usage("m")), ((4, 1, 0), Ok(4)));
    assert!(!service.record(&ended).unwrap());
    assert!(matches!(service.start_job("a", "1", "", None, 0), Err(Error::Conflict(_))));
}

#[test]
fn a_reported_beginning_is_never_refused_and_holds_what_it_says() {
    let (_, service) = service();
    let tight = AgentAllowance {
        daily_token_limit: 10,
        daily_job_limit: 1,
        concurrent_jobs: 1,
        model_allowlist: vec!["x".into()],
        ..allowance()
    };
    service.set_allowance(tight).unwrap();
    let quota = ModelQuota { daily_token_budget: 10, hourly_rate_limit: 1, ..quota() };
    service.set_model_quota(quota).unwrap();
    for job in ["1", "2", "3"] {
        let begun = UsageReport { model: "m".into(), ..report(job, JobStarted, 20) };
        assert!(service.record(&begun).unwrap());
    }
    assert_eq!(used(&service), (0, 3, 3));
    assert_eq!(denied(service.start_job("a", "4", "", None, 0)).reserved, 60);
    for (job, event, net) in
        [("1", JobCompleted, 20), ("2", JobFailed, 30), ("3", JobCancelled, 30)]
    {
        assert!(service.record(&report(job, event, 0)).unwrap());
        assert_eq!((used(&service).0, service.model_usage("m")), (net, Ok(net)));
    }
    assert_eq!(used(&service), (30, 3, 0));
}

#[test]
fn the_model_of_the_beginning_counts_or_that_of_the_end_where_there_was_none() {
    let (_, service) = service();
    service.set_allowance(allowance()).unwrap();
    service.start_job("a", "1", "m", None, 5).unwrap();
    service.start_job("a", "2", "", None, 5).unwrap();
    for job in ["1", "2"] {
        let ended = UsageReport { model: "other".into(), ..report(job, JobCompleted, 4) };
        assert!(service.record(&ended).unwrap());
    }
    assert_eq!([service.model_usage("m"), service.model_usage("other")], [Ok(4), Ok(4)]);
    let rate = ModelQuota { model: "other".into(), hourly_rate_limit: 1, ..quota() };
    service.set_model_quota(rate).unwrap();
    assert_eq!(denied(service.start_job("a", "3", "other", None, 0)).used, 1);
}

#[test]
fn a_preview_says_what_the_record_does() {
    let (_, service) = service();
    service.set_allowance(allowance()).unwrap();
    service.start_job("a", "1", "m", None, 5).unwrap();
    let preview = |report: &UsageReport| {
        let told = service.preview(report).unwrap().unwrap();
        (told.jobs, told.tokens_total, told.tokens_returned, told.frees_slot, told.model)
    };
    let other = |event, tokens| UsageReport { model: "o".into(), ..report("1", event, tokens) };
    assert_eq!(preview(&other(JobFailed, 0)), (0, 5, 2, true, "m".into()));
    assert_eq!(preview(&other(JobCancelled, 7)), (0, 7, 7, true, "m".into()));
    let new = |event| UsageReport { job_id: "2".into(), ..other(event, 7) };
    assert_eq!(preview(&new(JobStarted)), (1, 0, 0, false, "o".into()));
    assert_eq!(preview(&new(JobFailed)), (0, 7, 3, false, "o".into()));
    assert_eq!(used(&service), (0, 1, 1), "nothing was changed");
}

#[test]
fn a_failed_job_lets_its_repository_rest() {
    let (clock, service) = service();
    service.set_allowance(allowance()).unwrap();
    service.set_repo_limit(RepoLimit { cooldown_after_failure: 5 * MINUTE, ..limit() }).unwrap();
    for (job, event) in [("1", JobCompleted), ("2", JobCancelled), ("3", JobFailed)] {
        service.start_job("a", job, "", Some("r"), 0).unwrap();
        assert!(service.record(&report(job, event, 1)).unwrap());
    }
    clock.advance(MINUTE);
    assert!(!service.record(&report("3", JobFailed, 1)).unwrap(), "a second report rests nothing");
    let refused = denied(service.start_job("a", "4", "", Some("r"), 0));
    assert_eq!((refused.kind, refused.retry_after), (Kind::Cooldown, Some(4 * MINUTE)));
    assert!(refused.retryable());
    let charged = denied(service.charge_repo("r", RepoAction::Issue));
    assert_eq!((charged.id, charged.retry_after), (None, Some(4 * MINUTE)));
    assert_eq!(charged.scope, [("repo".to_owned(), "r".to_owned())]);
    let check = service.check_repo("r", RepoAction::PullRequest).unwrap();
    assert_eq!((check.allowed, check.remaining_tokens), (false, None));
    assert_eq!(check.reason, "cooldown after failure for: r");
    service.start_job("a", "5", "", Some("elsewhere"), 0).unwrap();
    clock.advance(4 * MINUTE);
    service.start_job("a", "4", "", Some("r"), 0).unwrap();
    service.charge_repo("r", RepoAction::Issue).unwrap();
}
