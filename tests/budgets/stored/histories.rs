//! One little history for each class. It returns what became of each call.

use std::sync::Arc;
use std::time::Duration;

use outlay::store::Store;
use outlay::{
    AgentAllowance, AgentTokenBudget, AllowanceOptions, AllowanceService, BudgetLimit,
    BudgetManager, Guard, GuardOptions, GuardPolicy, ManagerOptions, ModelQuota, PoolOptions,
    RateLimiter, RateOptions, RepoAction, RepoLimit, SharedPool, TokenBudgetOptions, Usage,
    WorkflowOptions, WorkflowQuota,
};

use super::kit::{HOUR, Place, word};

pub(super) type Kept = Option<Arc<Store>>;

fn tokens(amount: u64) -> Usage {
    Usage::tokens(amount)
}

pub(super) fn token_budget(place: &Place, store: Kept) -> Vec<String> {
    let options = TokenBudgetOptions { clock: place.clock(), store, ..Default::default() };
    let budget = AgentTokenBudget::new("a", 1_000, HOUR, options).unwrap();
    let mut told = vec![word(budget.consume("q", 700)), word(budget.check("q", 300))];
    let lease = budget.reserve("q", tokens(200), None).unwrap();
    told.push(word(budget.consume("q", 101)));
    told.push(word(lease.commit(tokens(250).into())));
    told.push(format!("{:?} {:?}", budget.used(), budget.remaining()));
    told.push(word(budget.consume("q", 51)));
    told.push(word(budget.consume("q", 50)));
    place.clock.advance(HOUR);
    told.push(word(budget.consume("q", 1_000)));
    told.push(word(budget.consume("q", 1)));
    budget.reset().unwrap();
    told.push(word(budget.consume("q", 900)));
    told.push(format!("{:?} {:?}", budget.used(), budget.is_warning()));
    told.push(word(budget.consume("q", 2_000)));
    told
}

pub(super) fn pool(place: &Place, store: Kept) -> Vec<String> {
    let pool = SharedPool::new(PoolOptions {
        capacity_tokens: Some(1_000),
        capacity_cost_micros_usd: Some(500),
        stop_threshold_tokens: 100,
        clock: place.clock(),
        store,
        ..PoolOptions::default()
    })
    .unwrap();
    let lease = pool.reserve(Usage::priced(600, 300).into()).unwrap();
    let mut told = vec![word(pool.reserve(tokens(301).into()))];
    told.push(word(pool.reserve(Usage::priced(1, 201).into())));
    let other = pool.reserve(Usage::priced(300, 200).into()).unwrap();
    told.push(word(other.release()));
    told.push(word(pool.record_used(&lease, Usage::priced(650, 300))));
    told.push(format!("{:?}", pool.remaining()));
    told.push(word(pool.reserve(tokens(251).into())));
    told.push(word(
        pool.reserve(tokens(250).into()).and_then(|lease| lease.commit(tokens(250).into())),
    ));
    told.push(word(pool.reserve(tokens(1).into())));
    told.push(word(pool.reserve(Usage::priced(0, 10_000).into())));
    told.push(format!("{:?}", pool.remaining()));
    told
}

pub(super) fn limiter(place: &Place, store: Kept) -> Vec<String> {
    let options = RateOptions { clock: place.clock(), store, ..RateOptions::default() };
    let limiter = RateLimiter::new(1_000, options).unwrap();
    let mut told = vec![format!("{:?}", limiter.try_acquire(200))];
    limiter.record_usage(500).unwrap();
    told.push(format!("{:?}", limiter.try_acquire(501)));
    told.push(format!("{:?}", limiter.try_acquire(100)));
    limiter.record_usage(300).unwrap();
    told.push(format!("{:?} {:?}", limiter.try_acquire(0), limiter.current_usage()));
    let lease = limiter.reserve(tokens(200), None).unwrap();
    told.push(word(limiter.reserve(tokens(1), None)));
    told.push(word(lease.commit(tokens(150).into())));
    told.push(word(limiter.reserve(tokens(51), None)));
    place.clock.advance(Duration::from_secs(62));
    told.push(format!("{:?} {:?}", limiter.current_usage(), limiter.try_acquire(900)));
    limiter.record_usage(900).unwrap();
    told.push(format!("{:?}", limiter.try_acquire(1)));
    told.push(word(limiter.acquire_slot_blocking(1, Some(Duration::ZERO))));
    told
}

pub(super) fn manager(place: &Place, store: Kept) -> Vec<String> {
    let options = ManagerOptions { clock: place.clock(), store, ..ManagerOptions::default() };
    let manager = BudgetManager::with(options).unwrap();
    let limit = |token_budget, window| BudgetLimit {
        agent_id: "a".into(),
        token_budget,
        calls_budget: Some(2),
        window,
    };
    let mut told = vec![word(manager.reserve("a", 1))];
    manager.set_budget(&limit(Some(100), Some(HOUR))).unwrap();
    told.push(word(manager.reserve("a", 60)));
    told.push(word(manager.reserve("a", 41)));
    told.push(word(manager.release("a", 10)));
    told.push(word(manager.reserve("a", 50)));
    told.push(word(manager.track_call("a")));
    let agent = manager.agent("a").unwrap();
    told.push(word(agent.charge(0, 1)));
    told.push(word(agent.track_call()));
    manager.set_budget(&limit(Some(130), Some(HOUR))).unwrap();
    told.push(word(manager.reserve("a", 31)));
    told.push(word(manager.reserve("a", 30)));
    told.push(format!("{:?}", manager.remaining("a")));
    place.clock.advance(HOUR);
    told.push(word(manager.reserve("a", 130)));
    manager.reset_window("a").unwrap();
    told.push(word(manager.reserve("a", 129)));
    told.push(format!("{:?}", manager.remove_budget("a")));
    told.push(word(manager.reserve("a", 1)));
    manager.set_budget(&limit(Some(10), None)).unwrap();
    told.push(word(manager.reserve("a", 10)));
    told.push(word(agent.charge(1, 0)));
    told
}

pub(super) fn quota(place: &Place, store: Kept) -> Vec<String> {
    let options = WorkflowOptions { clock: place.clock(), store, ..WorkflowOptions::default() };
    let quota = WorkflowQuota::with(2, 3, HOUR, options).unwrap();
    let one = quota.begin_workflow("w-1", false).unwrap();
    let mut told = vec![word(one.execute_step(2)), word(one.execute_step(2))];
    told.push(word(quota.begin_workflow("w-1", false)));
    told.push(format!("{:?}", quota.begin_workflow("w-1", true).map(|same| same == one)));
    told.push(word(quota.begin_workflow("w-2", false)));
    told.push(word(quota.begin_workflow("w-3", false)));
    told.push(format!("{:?} {:?}", quota.period_count(), quota.remaining()));
    told.push(format!("{:?}", quota.end_workflow("w-1")));
    told.push(word(one.execute_step(1)));
    place.clock.advance(HOUR);
    told.push(word(quota.begin_workflow("w-1", false).map(|again| again.remaining_steps())));
    told
}

pub(super) fn allowances(place: &Place, store: Kept) -> Vec<String> {
    let options = AllowanceOptions { clock: place.clock(), store };
    let service = AllowanceService::with(options).unwrap();
    let allowance = AgentAllowance {
        agent_id: "a".into(),
        daily_token_limit: 1_000,
        daily_job_limit: 3,
        concurrent_jobs: 2,
        ..AgentAllowance::default()
    };
    let mut told = vec![word(service.start_job("a", "j", "", None, 0))];
    service.set_allowance(allowance).unwrap();
    let quota = ModelQuota { model: "m".into(), hourly_rate_limit: 2, ..ModelQuota::default() };
    service.set_model_quota(quota).unwrap();
    let repo = RepoLimit { repo: "r".into(), max_daily_prs: 1, ..RepoLimit::default() };
    service.set_repo_limit(repo).unwrap();
    told.push(word(service.start_job("a", "j-1", "m", None, 400)));
    told.push(word(service.start_job("a", "j-2", "m", None, 601)));
    told.push(word(service.start_job("a", "j-3", "m", None, 600)));
    told.push(word(service.start_job("a", "j-4", "", None, 0)));
    told.push(word(service.start_job("a", "j-5", "m", None, 100)));
    told.push(format!("{:?}", service.usage("a")));
    told.push(word(service.charge_repo("r", RepoAction::PullRequest)));
    told.push(word(service.charge_repo("r", RepoAction::PullRequest)));
    told.push(word(service.charge_repo("r", RepoAction::Issue)));
    place.clock.advance(2 * HOUR);
    told.push(format!("{:?}", service.usage("a")));
    told.push(word(service.charge_repo("r", RepoAction::PullRequest)));
    told
}

pub(super) const POLICY: &str = r#"
    [[budget]]
    name = "all"
    limit = { tokens = 1_000, calls = 20 }
    window = "calendar:day"

    [[budget]]
    name = "user"
    scope = { user = "*" }
    limit = { tokens = 300 }
    warn_at = [0.5]

    [[budget]]
    name = "soft"
    scope = { user = "*" }
    mode = "soft"
    limit = { tokens = 100 }
    window = "fixed:1h"

    [[limiter]]
    name = "rate"
    tokens_per_minute = 800

    [[pool]]
    name = "slots"
    max_concurrent = 2

    [[workflow]]
    name = "w"
    limit = { steps = 2 }
    window = "run"
"#;

pub(super) fn guard_of(place: &Place, store: Kept, policy: &str) -> Guard {
    let policy = GuardPolicy::from_toml("policy.toml", policy).unwrap();
    Guard::with(policy, GuardOptions { clock: place.clock(), store, ..GuardOptions::default() })
        .unwrap()
}

pub(super) fn guard(place: &Place, store: Kept) -> Vec<String> {
    let guard = guard_of(place, store, POLICY);
    let (one, two) = ([("user", "u-1"), ("model", "m")], [("user", "u-2"), ("model", "m")]);
    let lease = guard.reserve(&one, tokens(200).into()).unwrap();
    let mut told = vec![word(guard.reserve(&one, tokens(101).into()))];
    let other = guard.reserve(&two, tokens(300).into()).unwrap();
    told.push(word(guard.reserve(&two, tokens(0).into())));
    told.push(word(lease.commit(tokens(150).into())));
    told.push(word(other.release()));
    told.push(word(guard.reserve(&one, tokens(151).into())));
    told.push(word(
        guard.reserve(&one, tokens(150).into()).and_then(|l| l.commit(tokens(150).into())),
    ));
    told.push(word(guard.reserve(&one, tokens(1).into())));
    for user in ["u-3", "u-4"] {
        let labels = [("user", user), ("model", "m")];
        told.push(word(
            guard.reserve(&labels, tokens(300).into()).and_then(|l| l.commit(tokens(240).into())),
        ));
    }
    told.push(word(guard.check(&two, &tokens(50).into())));
    place.clock.advance(Duration::from_secs(62));
    told.push(word(guard.reserve(&two, tokens(221).into())));
    told.push(word(
        guard.reserve(&two, tokens(220).into()).and_then(|l| l.commit(tokens(220).into())),
    ));
    let run = [("workflow", "w"), ("run", "r-1")];
    told.extend((0..3).map(|_| word(guard.step(&run))));
    told.push(word(guard.step(&[("workflow", "w"), ("run", "r-2")])));
    place.clock.advance(2 * HOUR);
    told.push(word(guard.reserve(&two, tokens(81).into())));
    told.push(word(
        guard.reserve(&two, tokens(80).into()).and_then(|l| l.commit(tokens(80).into())),
    ));
    told.push(figures(&guard));
    told
}

/// What all rules have counted.
pub(super) fn figures(guard: &Guard) -> String {
    let mut lines: Vec<String> = Vec::new();
    for rule in guard.snapshot().unwrap() {
        for of in rule.figures {
            let (values, unit) = (&rule.values, of.unit);
            lines.push(format!("{} {values:?} {unit} {} {}", rule.name, of.used, of.reserved));
        }
    }
    lines.retain(|line| !line.ends_with(" 0 0"));
    lines.join("\n")
}
