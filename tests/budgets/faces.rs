//! The faces as a user of the crate calls them.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use outlay::{
    Actual, AgentTokenBudget, BudgetLimit, BudgetManager, Clock, Code, Denied, Error, Kind,
    LeaseError, LeaseState, ManualClock, Policy, PoolOptions, RequestBudget, SharedPool,
    StoreError, TokenBudgetOptions, Unsettled, Usage, WorkflowQuota,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn clock() -> (Arc<ManualClock>, Clock) {
    let manual = Arc::new(ManualClock::new());
    (Arc::clone(&manual), Clock::Manual(manual))
}

fn denied<T: std::fmt::Debug>(result: Result<T, Error>) -> Denied {
    match result {
        Err(Error::Denied(denied)) => *denied,
        other => panic!("not refused: {other:?}"),
    }
}

fn budget(total: u64, clock: Clock, hard_limit: bool) -> AgentTokenBudget {
    let options = TokenBudgetOptions { clock, hard_limit, ..TokenBudgetOptions::default() };
    AgentTokenBudget::new("a-1", total, HOUR, options).unwrap()
}

#[test]
fn a_token_budget_refuses_what_does_not_fit_and_says_when_it_will() {
    let (manual, clock) = clock();
    let budget = budget(1_000, clock, true);
    manual.advance(MINUTE);
    budget.consume("query", 700).unwrap();
    let refused = denied(budget.consume("transaction", 200));
    assert_eq!((refused.code, refused.kind), (Code::BudgetExceeded, Kind::Token));
    assert_eq!((refused.requested, refused.remaining, refused.used), (600, 300, 700));
    assert_eq!(refused.retry_after, Some(HOUR - MINUTE));
    assert_eq!((budget.used(), budget.remaining()), (Ok(700), Ok(300)));
    manual.advance(HOUR - MINUTE);
    budget.consume("transaction", 200).unwrap();
    assert_eq!(budget.used(), Ok(600));
}

#[test]
fn equality_is_full_and_not_over() {
    let budget = budget(1_000, clock().1, true);
    budget.check("query", 1_000).unwrap();
    budget.consume("query", 1_000).unwrap();
    budget.consume("query", 0).unwrap();
    assert_eq!(denied(budget.consume("query", 1)).remaining, 0);
}

#[test]
fn a_product_that_wraps_is_refused_and_a_soft_one_saturates() {
    let hard = budget(u64::MAX, clock().1, true);
    assert_eq!(denied(hard.consume("write", u64::MAX)).retry_after, None);
    assert_eq!(denied(hard.check("write", u64::MAX)).requested, u64::MAX);
    assert_eq!(hard.used(), Ok(0));
    let soft = budget(10, clock().1, false);
    soft.consume("write", u64::MAX).unwrap();
    soft.consume("write", u64::MAX).unwrap();
    assert_eq!((soft.used(), soft.remaining()), (Ok(u64::MAX), Ok(0)));
    denied(soft.check("query", 0));
}

#[test]
fn a_total_of_zero_is_full_from_the_start_and_is_not_nan() {
    let budget = budget(0, clock().1, true);
    assert_eq!(budget.usage_percentage(), Ok(1.0));
    assert_eq!(budget.is_warning(), Ok(true));
    budget.consume("query", 0).unwrap();
    denied(budget.consume("query", 1));
}

#[test]
fn the_commit_of_a_budgets_lease_is_multiplied_as_its_estimate_was() {
    let budget = budget(1_000, clock().1, true);
    let lease = budget.reserve("transaction", Usage::tokens(100), None).unwrap();
    budget.add_operation_cost("transaction", 7).unwrap();
    assert_eq!(budget.reserved(), Ok(300));
    lease.commit(Actual::Tokens(400)).unwrap();
    assert_eq!((budget.used(), budget.remaining()), (Ok(1_200), Ok(0)));
    denied(budget.consume("query", 0));
    budget.reset().unwrap();
    assert_eq!(budget.used(), Ok(0));
}

#[test]
fn bad_settings_are_refused_by_name() {
    let options = |warning_threshold| TokenBudgetOptions {
        warning_threshold,
        ..TokenBudgetOptions::default()
    };
    for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let made = AgentTokenBudget::new("a", 1, HOUR, options(bad));
        assert!(made.unwrap_err().to_string().contains("warning_threshold"));
    }
    for (id, period) in [("", HOUR), ("a", Duration::ZERO), ("a", Duration::MAX)] {
        assert!(AgentTokenBudget::new(id, 1, period, options(0.8)).is_err());
    }
}

#[test]
fn a_quota_counts_workflows_and_steps_through_every_handle() {
    let (manual, clock) = clock();
    let quota = WorkflowQuota::new(2, 3, HOUR, clock).unwrap();
    let first = quota.begin_workflow("w-1", false).unwrap();
    assert!(matches!(quota.begin_workflow("w-1", false), Err(Error::Conflict(_))));
    assert_eq!(quota.begin_workflow("w-1", true).unwrap(), first);
    quota.begin_workflow("w-2", false).unwrap();
    let refused = denied(quota.begin_workflow("w-3", false));
    assert_eq!(refused.id.unwrap().as_str(), "w-3");
    assert_eq!((quota.active_count(), quota.period_count()), (Ok(2), Ok(2)));
    quota.get("w-1").unwrap().unwrap().execute_step(2).unwrap();
    assert_eq!(first.steps_executed(), Ok(2));
    let refused = denied(first.execute_step(2));
    assert_eq!((refused.kind, refused.remaining, refused.used), (Kind::StepLimit, 1, 2));
    first.execute_step(1).unwrap();
    assert_eq!(first.can_continue(), Ok(false));
    manual.advance(MINUTE);
    assert_eq!(quota.end_workflow("w-1"), Ok(true));
    assert_eq!((quota.end_workflow("w-1"), first.end()), (Ok(false), Ok(false)));
    manual.advance(MINUTE);
    assert_eq!((first.duration(), first.remaining_steps()), (Ok(MINUTE), Ok(0)));
    // An id that has ended may begin again, but it counts.
    denied(quota.begin_workflow("w-1", false));
    manual.advance(HOUR);
    let again = quota.begin_workflow("w-1", false).unwrap();
    assert_eq!((again.steps_executed(), first.steps_executed()), (Ok(0), Ok(3)));
    denied(first.execute_step(0));
}

fn limit(agent_id: &str, tokens: Option<u64>, window: Option<Duration>) -> BudgetLimit {
    BudgetLimit { agent_id: agent_id.into(), token_budget: tokens, calls_budget: Some(3), window }
}

#[test]
fn a_manager_refuses_the_unknown_and_keeps_usage_when_a_limit_changes() {
    let (manual, clock) = clock();
    let manager = BudgetManager::new(clock, Policy::default());
    assert_eq!(denied(manager.reserve("a", 1)).code, Code::NotConfigured);
    assert_eq!(manager.can_schedule("a"), Ok(false));
    manager.set_budget(&limit("a", Some(100), Some(HOUR))).unwrap();
    manager.reserve("a", 60).unwrap();
    manual.advance(MINUTE);
    manager.set_budget(&limit("a", Some(70), Some(2 * HOUR))).unwrap();
    let info = manager.remaining("a").unwrap();
    assert_eq!(info.tokens_remaining, Some(10));
    assert_eq!(info.window_remaining, Some(2 * HOUR - MINUTE));
    manager.release("a", 1_000).unwrap();
    assert_eq!(manager.remaining("a").unwrap().tokens_remaining, Some(70));
    (0..3).for_each(|_| manager.track_call("a").unwrap());
    assert_eq!(denied(manager.track_call("a")).kind, Kind::Call);
    assert!(manager.remaining("a").unwrap().is_exhausted);
    manual.advance(2 * HOUR - MINUTE);
    assert!(manager.can_schedule("a").unwrap());
}

#[test]
fn a_handle_follows_a_budget_that_was_removed_and_set_anew() {
    let manager = BudgetManager::new(clock().1, Policy::default());
    manager.set_budget(&limit("a", Some(10), None)).unwrap();
    let agent = manager.agent("a").unwrap();
    agent.charge(10, 1).unwrap();
    // Tokens do not fit, so the call is not counted either.
    denied(agent.charge(1, 1));
    assert_eq!(agent.remaining().unwrap().calls_remaining, Some(2));
    let lease = {
        manager.set_budget(&limit("a", Some(20), None)).unwrap();
        agent.reserve(Usage::tokens(5), None).unwrap()
    };
    assert_eq!(manager.remove_budget("a"), Ok(true));
    assert_eq!(manager.remove_budget("a"), Ok(false));
    assert_eq!(denied(agent.charge(1, 1)).code, Code::NotConfigured);
    lease.commit(Actual::Tokens(5)).unwrap();
    manager.set_budget(&limit("a", Some(10), None)).unwrap();
    agent.charge(10, 3).unwrap();
    assert_eq!(manager.full_info("a").unwrap().unwrap().tokens_used, 10);
}

/// A path of its own in a folder that is there no longer when the test is over.
fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep").join("budgets.json");
    (folder, path)
}

#[test]
fn budgets_survive_in_a_file_with_the_time_that_passed() {
    let (_folder, path) = file();
    let (manual, clock) = clock();
    let manager = BudgetManager::new(clock, Policy::default());
    let odd = "\"{}\n\0🦀";
    for id in ["a", odd] {
        manager.set_budget(&limit(id, Some(u64::MAX), Some(HOUR))).unwrap();
        manager.reserve(id, u64::MAX - 1).unwrap();
    }
    let agent = manager.agent("a").unwrap();
    manager.set_budget(&limit("b", None, None)).unwrap();
    let open = manager.agent("b").unwrap().reserve(Usage::tokens(7), None).unwrap();
    agent.track_call().unwrap();
    manual.advance(MINUTE);
    manager.persist(&path).unwrap();
    manual.advance(MINUTE);
    let (later, clock) = self::clock();
    later.set_wall(manual.wall_ns());
    let restored = BudgetManager::new(clock, Policy::default());
    restored.set_budget(&limit("gone", Some(1), None)).unwrap();
    assert_eq!(restored.restore(&path), Ok(true));
    assert_eq!(restored.full_info("gone"), Ok(None));
    let info = restored.full_info(odd).unwrap().unwrap();
    assert_eq!((info.tokens_used, info.info.tokens_remaining), (u64::MAX - 1, Some(1)));
    assert_eq!(info.info.window_remaining, Some(HOUR - 2 * MINUTE));
    assert_eq!(restored.full_info("a").unwrap().unwrap().calls_used, 1);
    // What was held when it was written may have been spent: it counts.
    let held = restored.full_info("b").unwrap().unwrap();
    assert_eq!((held.tokens_used, held.calls_used), (7, 1));
    later.advance(HOUR - 2 * MINUTE);
    assert_eq!(restored.full_info("a").unwrap().unwrap().tokens_used, 0);
    drop(open);
    let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing else is left behind");
}

#[test]
fn a_wall_clock_that_was_stepped_back_refills_no_restored_budget() {
    let (_folder, path) = file();
    let (manual, clock) = clock();
    let manager = BudgetManager::new(clock.clone(), Policy::default());
    manager.set_budget(&limit("a", Some(10), Some(HOUR))).unwrap();
    manager.reserve("a", 10).unwrap();
    manager.persist(&path).unwrap();
    manual.set_wall(-5_000_000_000);
    let restored = BudgetManager::new(clock, Policy::default());
    restored.restore(&path).unwrap();
    denied(restored.reserve("a", 1));
    assert_eq!(restored.remaining("a").unwrap().window_remaining, Some(HOUR));
}

#[test]
fn a_corrupt_file_changes_neither_the_budgets_nor_itself() {
    let (_folder, path) = file();
    let manager = BudgetManager::new(clock().1, Policy::default());
    manager.set_budget(&limit("a", Some(10), Some(HOUR))).unwrap();
    manager.reserve("a", 4).unwrap();
    assert_eq!(manager.restore(&path), Ok(false), "a missing file is nothing to restore");
    manager.persist(&path).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let before = manager.all_full_info().unwrap();
    let mut bad: Vec<Vec<u8>> =
        (0..good.len()).map(|cut| good.as_bytes()[..cut].to_vec()).collect();
    let swaps = [
        ("outlay.budget_manager", "other"),
        ("\"version\": 1", "\"version\": 2"),
        ("3600000000000", "0"),
        ("3600000000000", "18446744073709551615"),
        ("\"tokens_used\": 4", "\"tokens_used\": -4"),
        ("\"tokens_used\": 4", "\"tokens_used\": 4.5"),
        ("\"tokens_used\": 4", "\"tokens_used\": 18446744073709551616"),
        ("\"agent_id\": \"a\"", "\"agent_id\": \"\""),
        ("\"tokens_used\"", "\"tokens\""),
        ("\"calls_used\"", "\"tokens_used\""),
    ];
    bad.extend(swaps.map(|(from, to)| good.replacen(from, to, 1).into_bytes()));
    bad.extend([b"null".to_vec(), b"[]".to_vec(), vec![0xff, 0xfe], vec![b'['; 100_000]]);
    for text in bad {
        fs::write(&path, &text).unwrap();
        let restored = manager.restore(&path);
        let what = String::from_utf8_lossy(&text[..text.len().min(300)]).into_owned();
        match restored {
            Err(Error::Store(fault)) => assert!(matches!(*fault, StoreError::Corrupt(_)), "{what}"),
            other => panic!("{other:?} for {what}"),
        }
        assert_eq!(manager.all_full_info().unwrap(), before);
        assert_eq!(fs::read(&path).unwrap(), text);
    }
    // A folder is not a file, and a file is not a folder.
    assert!(matches!(manager.persist(path.parent().unwrap()), Err(Error::Store(_))));
    assert!(matches!(manager.persist(&path.join("x")), Err(Error::Store(_))));
}

fn pool(tokens: u64, stop: u64, policy: Policy) -> (Arc<ManualClock>, SharedPool) {
    let (manual, clock) = clock();
    let options = PoolOptions {
        capacity_tokens: Some(tokens),
        stop_threshold_tokens: stop,
        policy,
        clock,
        ..PoolOptions::default()
    };
    (manual, SharedPool::new(options).unwrap())
}

#[test]
fn a_pool_stops_above_its_threshold_and_reports_from_its_capacity() {
    let (_, pool) = pool(100, 20, Policy::default());
    let refused = denied(pool.reserve(Usage::tokens(81).into()));
    assert_eq!(
        (refused.code, refused.limit, refused.remaining),
        (Code::ThresholdExceeded, 100, 80)
    );
    let lease = pool.reserve(Usage::tokens(80).into()).unwrap();
    let left = pool.remaining().unwrap();
    assert_eq!((left.tokens, left.below_threshold), (Some(20), true));
    lease.commit(Actual::Tokens(150)).unwrap();
    assert_eq!(pool.remaining().unwrap().tokens, Some(0));
    assert_eq!(pool.committed().unwrap().total_tokens, 150);
    denied(pool.reserve(Usage::zero().into()));
}

#[test]
fn a_requests_own_cap_refuses_before_and_reports_after() {
    let (_, pool) = pool(100, 0, Policy::default());
    let request_budget = RequestBudget { tokens: Some(10), cost_micros_usd: None };
    let request = |tokens| outlay::Request { request_budget, ..Usage::tokens(tokens).into() };
    let refused = denied(pool.reserve(request(11)));
    assert_eq!(
        (refused.code, refused.limit, refused.requested),
        (Code::RequestBudgetExceeded, 10, 11)
    );
    let lease = pool.reserve(request(10)).unwrap();
    let refused = denied(pool.record_used(&lease, Usage::tokens(12)));
    assert_eq!(refused.requested, 12);
    assert_eq!(pool.committed(), Ok(Usage::tokens(12)), "it is booked all the same");
    let (_, other) = self::pool(100, 0, Policy::default());
    let unknown = other.record_used(&lease, Usage::zero());
    assert_eq!(unknown, Err(Error::Lease(LeaseError::Unknown)));
}

#[test]
fn a_lease_that_runs_out_is_charged_and_one_commit_replaces_it() {
    for (unsettled, after) in [(Unsettled::Charge, 60), (Unsettled::Release, 100)] {
        let (manual, pool) = pool(100, 0, Policy { unsettled, ..Policy::default() });
        let lease = pool.reserve(Usage::tokens(40).into()).unwrap();
        manual.advance(Duration::from_secs(900));
        assert_eq!(pool.remaining().unwrap().tokens, Some(after));
        assert_eq!(lease.state(), Ok(LeaseState::Expired));
        assert_eq!(lease.release(), Err(Error::Lease(LeaseError::Expired)));
        assert_eq!(lease.extend(MINUTE), Err(Error::Lease(LeaseError::Expired)));
        lease.commit(Actual::Tokens(30)).unwrap();
        lease.commit(Actual::Tokens(30)).unwrap();
        assert_eq!(lease.commit(Actual::Tokens(31)), Err(Error::Lease(LeaseError::Finalized)));
        drop(lease);
        assert_eq!(pool.remaining().unwrap().tokens, Some(70));
        assert_eq!(pool.committed(), Ok(Usage::tokens(30)));
    }
}

#[test]
fn faces_are_asked_together_or_not_at_all() {
    let (_, pool) = pool(100, 0, Policy::default());
    let manager = BudgetManager::new(clock().1, Policy::default());
    manager.set_budget(&limit("a", Some(50), None)).unwrap();
    let agent = manager.agent("a").unwrap();
    let reserve = |tokens| {
        let estimate = Usage::tokens(tokens);
        let asks = [pool.ask(&estimate), agent.ask(&estimate).unwrap()];
        outlay::reserve(&asks, &estimate.into())
    };
    let refused = denied(reserve(60));
    assert_eq!(refused.id.unwrap().as_str(), "a");
    assert_eq!(pool.reserved(), Ok(Usage::zero()));
    let lease = reserve(50).unwrap();
    assert!(lease.is_of(pool.account()));
    lease.commit(Actual::Tokens(20)).unwrap();
    assert_eq!(pool.remaining().unwrap().tokens, Some(80));
    assert_eq!(manager.full_info("a").unwrap().unwrap().calls_used, 1);
}
