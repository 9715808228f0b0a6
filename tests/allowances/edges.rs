//! Allowances at the edges of days, hours and the patience of jobs, and under many threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use outlay::{
    AgentAllowance, AllowanceService, Ask, Clock, Denied, Error, Kind, Mailbox, ManualClock,
    ModelQuota, PoolOptions, QuotaEvent, RepoAction, RepoLimit, SharedPool, Sleeper, Terms, Usage,
    UsageReport, Wait,
};

use QuotaEvent::{JobCancelled, JobCompleted, JobFailed, JobStarted};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const NANO: Duration = Duration::from_nanos(1);

fn service(allowance: AgentAllowance) -> (Arc<ManualClock>, AllowanceService) {
    let manual = Arc::new(ManualClock::new());
    let service = AllowanceService::new(Clock::Manual(Arc::clone(&manual)));
    service.set_allowance(AgentAllowance { agent_id: "a".into(), ..allowance }).unwrap();
    (manual, service)
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

/// Midnight UTC at the start of a day, in nanoseconds since 1970.
fn midnight(year: i64, month: i64, day: i64) -> i64 {
    // Days from civil, by Howard Hinnant: years begin in March.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    days * 24 * 3600 * 1_000_000_000
}

#[test]
fn a_day_ends_at_midnight_utc_whatever_the_calendar() {
    let nights = [
        [(2024, 2, 28), (2024, 2, 29)],
        [(2024, 2, 29), (2024, 3, 1)],
        [(2023, 2, 28), (2023, 3, 1)],
        [(2100, 2, 28), (2100, 3, 1)],
        [(2026, 4, 30), (2026, 5, 1)],
        [(2026, 12, 31), (2027, 1, 1)],
    ];
    for [before, after] in nights {
        let [before, after] = [before, after].map(|(y, m, d)| midnight(y, m, d));
        assert_eq!(Duration::from_nanos((after - before) as u64), DAY, "one day");
        let (clock, service) = service(AgentAllowance { daily_job_limit: 1, ..Default::default() });
        clock.set_wall(before);
        service.start_job("a", "1", "m", None, 0).unwrap();
        assert!(service.record(&report("1", JobCompleted, 5)).unwrap());
        clock.advance(DAY - NANO);
        assert_eq!(denied(service.start_job("a", "2", "m", None, 0)).retry_after, Some(NANO));
        assert_eq!((used(&service), service.model_usage("m")), ((5, 1, 0), Ok(5)));
        assert_eq!(service.usage("a").unwrap().period_start_ns, before);
        clock.advance(NANO);
        assert_eq!((used(&service), service.model_usage("m")), ((0, 0, 0), Ok(0)));
        assert_eq!(service.usage("a").unwrap().period_start_ns, after);
        assert_eq!(service.usage("nobody").unwrap().period_start_ns, after);
        service.start_job("a", "2", "m", None, 0).unwrap();
    }
}

#[test]
fn a_wall_clock_that_steps_back_gives_nothing_back() {
    let (clock, service) = service(AgentAllowance { daily_job_limit: 1, ..Default::default() });
    clock.set_wall(midnight(2026, 5, 2));
    service.start_job("a", "1", "", None, 0).unwrap();
    clock.set_wall(midnight(2026, 5, 1));
    denied(service.start_job("a", "2", "", None, 0));
    assert_eq!(service.usage("a").unwrap().period_start_ns, midnight(2026, 5, 2));
    clock.set_wall(midnight(2026, 5, 3));
    service.start_job("a", "2", "", None, 0).unwrap();
}

#[test]
fn a_job_over_midnight_settles_in_its_own_day() {
    let (clock, service) = service(AgentAllowance { daily_token_limit: 50, ..Default::default() });
    for job in ["less", "more", "failed"] {
        service.start_job("a", job, "m", None, 10).unwrap();
    }
    clock.advance(DAY);
    assert_eq!(used(&service), (0, 0, 3), "the jobs still run");
    assert!(service.record(&report("less", JobCompleted, 4)).unwrap());
    assert!(service.record(&report("failed", JobFailed, 20)).unwrap());
    assert_eq!((used(&service), service.model_usage("m")), ((0, 0, 1), Ok(0)));
    assert!(service.record(&report("more", JobCompleted, 13)).unwrap());
    assert_eq!(
        (used(&service), service.model_usage("m")),
        ((3, 0, 0), Ok(3)),
        "above its estimate"
    );
}

#[test]
fn job_ids_are_remembered_until_the_end_of_the_next_day() {
    let (clock, service) = service(AgentAllowance::default());
    service.start_job("a", "1", "", None, 0).unwrap();
    assert!(service.record(&report("1", JobCompleted, 1)).unwrap());
    clock.advance(DAY * 2 - NANO);
    assert!(matches!(service.start_job("a", "1", "", None, 0), Err(Error::Conflict(_))));
    assert!(!service.record(&report("1", JobFailed, 1)).unwrap());
    clock.advance(NANO);
    service.start_job("a", "1", "", None, 0).unwrap();
    clock.advance(DAY * 9);
    assert!(matches!(service.start_job("a", "1", "", None, 0), Err(Error::Conflict(_))), "it runs");
}

#[test]
fn the_hour_of_a_rate_slides_and_begins_with_the_job() {
    let (clock, service) = service(AgentAllowance::default());
    let quota = ModelQuota { model: "m".into(), hourly_rate_limit: 2, ..Default::default() };
    service.set_model_quota(quota).unwrap();
    service.start_job("a", "1", "m", None, 0).unwrap();
    clock.advance(30 * MINUTE);
    service.start_job("a", "2", "m", None, 0).unwrap();
    clock.advance(29 * MINUTE);
    assert!(service.record(&report("1", JobCancelled, 0)).unwrap(), "it counts all the same");
    let wait = denied(service.start_job("a", "3", "m", None, 0)).retry_after.unwrap();
    assert!(MINUTE <= wait && wait <= 2 * MINUTE, "the partly expired minute counts: {wait:?}");
    clock.advance(wait - NANO);
    denied(service.start_job("a", "3", "m", None, 0));
    clock.advance(NANO);
    service.start_job("a", "3", "m", None, 0).unwrap();
    let full = denied(service.start_job("a", "4", "m", None, 0));
    assert_eq!((full.kind, full.used, full.reserved), (Kind::Rate, 2, 0));
    clock.advance(2 * HOUR);
    service.start_job("a", "4", "m", None, 0).unwrap();
    assert_eq!(used(&service).2, 3, "jobs run on and are no requests of this hour");
}

#[test]
fn a_job_that_runs_for_too_long_frees_its_slot_and_a_late_end_replaces_its_estimate() {
    let limits = AgentAllowance { concurrent_jobs: 1, ..Default::default() };
    let (clock, service) = service(limits.clone());
    let patient = service.start_job("a", "1", "", None, 7).unwrap();
    assert_eq!(patient.deadline_ns, None);
    let refused = denied(service.start_job("a", "2", "", None, 0));
    assert_eq!((refused.kind, refused.retry_after), (Kind::Concurrency, None));
    assert!(service.record(&report("1", JobCancelled, 0)).unwrap());

    let limits = AgentAllowance { max_job_duration: HOUR, agent_id: "a".into(), ..limits };
    service.set_allowance(limits).unwrap();
    clock.set_wall(midnight(2026, 5, 2));
    let hasty = service.start_job("a", "2", "m", Some("r"), 7).unwrap();
    assert_eq!(hasty.deadline_ns, Some(midnight(2026, 5, 2) + 3600 * 1_000_000_000));
    clock.advance(HOUR - MINUTE);
    assert_eq!(denied(service.start_job("a", "3", "", None, 0)).retry_after, Some(MINUTE));
    assert_eq!(service.overdue(), Ok(vec![]));
    clock.advance(MINUTE);
    assert_eq!(service.overdue(), Ok(vec![hasty]));
    assert_eq!((used(&service), service.model_usage("m")), ((7, 1, 0), Ok(7)));
    service.start_job("a", "3", "", None, 0).unwrap();
    clock.advance(HOUR);
    let late = service.overdue().unwrap();
    assert_eq!(late.iter().map(|job| job.job_id.as_str()).collect::<Vec<_>>(), ["2", "3"]);
    assert!(matches!(service.start_job("a", "2", "", None, 0), Err(Error::Conflict(_))));
    assert!(service.preview(&report("2", JobFailed, 5)).unwrap().unwrap().frees_slot);
    assert!(service.record(&report("2", JobFailed, 5)).unwrap());
    assert_eq!((used(&service), service.model_usage("m")), ((3, 2, 0), Ok(3)));
    assert_eq!(service.overdue().unwrap().len(), 1);
    assert!(!service.record(&report("2", JobCompleted, 9)).unwrap());
}

#[test]
fn a_reset_forgets_the_day_and_keeps_what_runs() {
    let (_, service) = service(AgentAllowance { daily_token_limit: 9, ..Default::default() });
    service.reset_agent("nobody").unwrap();
    service.start_job("a", "1", "", None, 4).unwrap();
    assert!(service.record(&report("2", JobCompleted, 5)).unwrap());
    denied(service.start_job("a", "3", "", None, 0));
    service.reset_agent("a").unwrap();
    assert_eq!(used(&service), (0, 0, 1));
    assert!(service.record(&report("1", JobCompleted, 6)).unwrap());
    assert_eq!(used(&service), (2, 0, 0), "only what was above its estimate");
}

#[test]
fn what_a_store_says_replaces_the_counts_and_keeps_what_runs_here() {
    let limits =
        AgentAllowance { concurrent_jobs: 3, max_job_duration: HOUR, ..Default::default() };
    let (clock, service) = service(limits);
    service.start_job("a", "late", "m", None, 4).unwrap();
    clock.advance(HOUR);
    service.start_job("a", "1", "m", None, 4).unwrap();
    service.sync_agent("a", 50, 7, 2).unwrap();
    service.sync_model("m", 60).unwrap();
    assert_eq!((used(&service), service.model_usage("m")), ((50, 7, 3), Ok(60)));
    assert_eq!(denied(service.start_job("a", "2", "", None, 0)).used, 2);
    for job in ["late", "1"] {
        assert!(service.record(&report(job, JobCompleted, 5)).unwrap());
    }
    assert_eq!((used(&service), service.model_usage("m")), ((60, 7, 2), Ok(70)));
}

#[test]
fn what_is_recorded_passes_limits_and_those_who_wait() {
    let options = PoolOptions { capacity_tokens: Some(10), ..Default::default() };
    let pool = SharedPool::new(options).unwrap();
    let [eight, fifty] = [8, 50].map(Usage::tokens);
    let lease = pool.reserve(eight.clone().into()).unwrap();
    let mailbox = Mailbox::for_thread(&Sleeper::new());
    let waits = Wait::for_lease(&[pool.ask(&eight)], eight.clone().into(), None, mailbox).unwrap();
    denied(pool.reserve(Usage::tokens(1).into()));
    let recorded = Ask { terms: Terms::Recorded, ..pool.ask(&fifty) };
    outlay::reserve(&[recorded], &fifty.clone().into()).unwrap().commit(fifty.into()).unwrap();
    assert_eq!(pool.committed().unwrap().total_tokens, 50);
    drop((waits, lease));
}

#[test]
fn limits_change_and_the_counts_stay() {
    let (_, service) = service(AgentAllowance::default());
    let limit = |prs| RepoLimit { repo: "r".into(), max_daily_prs: prs, ..Default::default() };
    for _ in 0..3 {
        service.charge_repo("r", RepoAction::PullRequest).unwrap();
    }
    service.set_repo_limit(limit(2)).unwrap();
    let refused = denied(service.charge_repo("r", RepoAction::PullRequest));
    assert_eq!((refused.kind, refused.used, refused.limit), (Kind::Repo, 3, 2));
    denied(service.start_job("a", "1", "", Some("r"), 0));
    service.charge_repo("r", RepoAction::Issue).unwrap();
    service.set_repo_limit(limit(4)).unwrap();
    service.start_job("a", "1", "", Some("r"), 0).unwrap();
    assert_eq!(service.check_repo("r", RepoAction::PullRequest).unwrap().remaining_tokens, Some(1));
    service.charge_repo("r", RepoAction::PullRequest).unwrap();
    denied(service.charge_repo("r", RepoAction::PullRequest));
    assert_eq!(service.repo_limit("r").unwrap(), Some(limit(4)));
}

#[test]
fn bad_ids_and_endless_durations_are_named() {
    let (_, service) = service(AgentAllowance::default());
    let long = "x".repeat(1025);
    let named = |result: Result<(), Error>, name: &str| match result {
        Err(Error::Invalid(invalid)) => assert!(invalid.message.starts_with(name), "{invalid}"),
        other => panic!("{other:?}"),
    };
    named(service.start_job("", "j", "", None, 0).map(drop), "agent_id");
    named(service.start_job("a", &long, "", None, 0).map(drop), "job_id");
    named(service.start_job("a", "j", &long, None, 0).map(drop), "model");
    named(service.start_job("a", "j", "", Some(""), 0).map(drop), "repo");
    named(service.record(&report("", JobStarted, 0)).map(drop), "job_id");
    let ages = AgentAllowance { max_job_duration: Duration::MAX, ..Default::default() };
    named(service.set_allowance(AgentAllowance { agent_id: "a".into(), ..ages }), "max_job");
    assert_eq!(used(&service), (0, 0, 0));
}

#[test]
fn a_hundred_threads_get_four_slots_and_one_of_them_each_id() {
    let (_, service) = service(AgentAllowance { concurrent_jobs: 4, ..Default::default() });
    let start = Barrier::new(100);
    let begin = |job: String| {
        start.wait();
        service.start_job("a", &job, "m", None, 1).is_ok()
    };
    let begun = |name: fn(u64) -> String| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..100).map(|n| scope.spawn(move || begin(name(n)))).collect();
            threads.into_iter().map(|t| u64::from(t.join().unwrap())).sum::<u64>()
        })
    };
    assert_eq!(begun(|_| "same".to_owned()), 1);
    assert_eq!(begun(|n| n.to_string()), 3);
    assert_eq!(used(&service), (0, 4, 4));
}

#[test]
fn under_churn_there_are_never_more_than_four_at_once_and_every_end_counts_once() {
    let (_, service) = service(AgentAllowance { concurrent_jobs: 4, ..Default::default() });
    let (running, begun, start) = (AtomicU64::new(0), AtomicU64::new(0), Barrier::new(16));
    let churn = |thread: u64| {
        start.wait();
        for round in 0..200 {
            let job = format!("{thread}-{round}");
            if service.start_job("a", &job, "m", None, 3).is_err() {
                std::thread::yield_now();
                continue;
            }
            // Counted after the beginning and before the end: never more than really run.
            assert!(running.fetch_add(1, Ordering::SeqCst) < 4);
            begun.fetch_add(1, Ordering::SeqCst);
            std::thread::yield_now();
            running.fetch_sub(1, Ordering::SeqCst);
            assert!(service.record(&report(&job, JobFailed, 3)).unwrap());
            assert!(!service.record(&report(&job, JobCompleted, 3)).unwrap());
        }
    };
    std::thread::scope(|scope| (0..16).for_each(|n| drop(scope.spawn(move || churn(n)))));
    let begun = begun.into_inner();
    assert!(begun > 100, "{begun} jobs began");
    assert_eq!((used(&service), service.model_usage("m")), ((2 * begun, begun, 0), Ok(2 * begun)));
}

/// However a beginning and an end of one job race, its tokens count once and no slot is lost.
#[test]
fn a_beginning_and_an_end_of_the_same_job_may_race() {
    let (_, service) = service(AgentAllowance { concurrent_jobs: 1, ..Default::default() });
    for round in 1..=300 {
        let (job, start) = (round.to_string(), Barrier::new(3));
        let at_once = |work: &(dyn Fn() + Sync)| {
            start.wait();
            work();
        };
        std::thread::scope(|scope| {
            scope.spawn(|| at_once(&|| drop(service.start_job("a", &job, "", None, 5))));
            scope.spawn(|| at_once(&|| drop(service.record(&report(&job, JobCompleted, 2)))));
            scope.spawn(|| at_once(&|| drop(service.record(&report(&job, JobCompleted, 2)))));
        });
        let (tokens, _, active) = used(&service);
        assert_eq!((tokens, active), (2 * round, 0), "round {round}");
    }
}

#[test]
fn unknown_agents_and_models_of_reports_are_forgotten_the_next_day() {
    let (clock, service) = service(AgentAllowance { daily_job_limit: 1, ..Default::default() });
    // The numbers of accounts: of agents, models and repositories.
    let accounts = || -> Vec<usize> {
        let shown = format!("{service:?}");
        let numbers = shown.split("Accounts { len: ").skip(1);
        numbers.map(|text| text.split(' ').next().unwrap().parse().unwrap()).collect()
    };
    let report_of = |number: u32| UsageReport {
        agent_id: format!("agent-{number}"),
        model: format!("model-{number}"),
        cost_micros_usd: 3,
        ..report("j", JobCompleted, 5)
    };
    service.start_job("a", "1", "m", None, 0).unwrap();
    for number in 0..2_000 {
        assert!(service.record(&report_of(number)).unwrap());
    }
    assert_eq!(accounts(), [2_001, 2_001, 0]);
    assert_eq!(service.usage("agent-7").unwrap().tokens_used, 5);
    clock.advance(DAY * 2);
    for number in 10_000..13_000 {
        assert!(service.record(&report_of(number)).unwrap());
        clock.advance(MINUTE);
    }
    assert!(accounts()[..2].iter().all(|number| *number < 3_100), "{:?}", accounts());
    service.start_job("a", "2", "m", None, 0).unwrap();
    denied(service.start_job("a", "3", "m", None, 0));
}
