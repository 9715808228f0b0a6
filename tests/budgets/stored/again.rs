//! What a store keeps when it is closed and opened again.

use std::sync::Arc;

use outlay::{
    AgentTokenBudget, BudgetLimit, BudgetManager, Error, ManagerOptions, PoolOptions, RateLimiter,
    RateOptions, SharedPool, TokenBudgetOptions, Usage, WorkflowOptions, WorkflowQuota,
};

use super::histories::{Kept, POLICY, figures, guard_of};
use super::kit::{HOUR, Place, word};

fn budget(place: &Place, store: Kept, total: u64) -> Result<AgentTokenBudget, Error> {
    let options = TokenBudgetOptions { clock: place.clock(), store, ..Default::default() };
    AgentTokenBudget::new("a", total, HOUR, options)
}

#[test]
fn a_budget_goes_on_with_its_count() {
    let place = Place::new();
    let store = place.open();
    let first = budget(&place, Some(Arc::clone(&store)), 1_000).unwrap();
    first.consume("q", 700).unwrap();
    drop(first);
    let store = place.open_again(store);
    let second = budget(&place, Some(store), 1_000).unwrap();
    assert_eq!((second.used(), second.remaining()), (Ok(700), Ok(300)));
    assert!(second.consume("q", 301).is_err());
    second.consume("q", 300).unwrap();
}

#[test]
fn objects_of_one_agent_are_handles_of_one_account() {
    let place = Place::new();
    let store = place.open();
    let one = budget(&place, Some(Arc::clone(&store)), 1_000).unwrap();
    one.consume("q", 600).unwrap();
    let other = budget(&place, Some(Arc::clone(&store)), 800).unwrap();
    assert_eq!((one.total_tokens(), other.total_tokens()), (800, 800), "the last one stands");
    assert!(one.consume("q", 201).is_err());
    other.consume("q", 200).unwrap();
    assert_eq!((one.used(), one.remaining()), (Ok(800), Ok(0)));
    drop((one, other));
    let third = budget(&place, Some(Arc::clone(&store)), 1_200).unwrap();
    assert_eq!(third.used(), Ok(800), "nobody had it");
    let store = place.open_again(store);
    let fourth = budget(&place, Some(store), 1_100).unwrap();
    assert_eq!((fourth.total_tokens(), fourth.used()), (1_100, Ok(800)));
}

#[test]
fn another_period_is_another_budget() {
    let place = Place::new();
    let store = place.open();
    let options = || TokenBudgetOptions {
        clock: place.clock(),
        store: Some(Arc::clone(&store)),
        ..Default::default()
    };
    let hourly = AgentTokenBudget::new("a", 100, HOUR, options()).unwrap();
    let daily = AgentTokenBudget::new("a", 1_000, 24 * HOUR, options()).unwrap();
    hourly.consume("q", 100).unwrap();
    daily.consume("q", 101).unwrap();
    assert_eq!((hourly.used(), daily.used()), (Ok(100), Ok(101)));
}

#[test]
fn a_pool_a_limiter_and_a_quota_go_on() {
    let place = Place::new();
    let open = |store: &Kept| {
        let pool = PoolOptions {
            capacity_tokens: Some(100),
            stop_threshold_tokens: 10,
            clock: place.clock(),
            store: store.clone(),
            ..PoolOptions::default()
        };
        let rate =
            RateOptions { clock: place.clock(), store: store.clone(), ..RateOptions::default() };
        let quota = WorkflowOptions {
            clock: place.clock(),
            store: store.clone(),
            ..WorkflowOptions::default()
        };
        (
            SharedPool::new(pool).unwrap(),
            RateLimiter::new(1_000, rate).unwrap(),
            WorkflowQuota::with(3, 9, HOUR, quota).unwrap(),
        )
    };
    let store = place.open();
    let (pool, limiter, quota) = open(&Some(Arc::clone(&store)));
    pool.reserve(Usage::tokens(50).into()).unwrap().commit(Usage::tokens(45).into()).unwrap();
    limiter.record_usage(700).unwrap();
    quota.begin_workflow("w-1", false).unwrap();
    quota.begin_workflow("w-2", false).unwrap();
    drop((pool, limiter, quota));
    let store = place.open_again(store);
    let (pool, limiter, quota) = open(&Some(store));
    assert_eq!(pool.remaining().unwrap().tokens, Some(55));
    assert!(pool.reserve(Usage::tokens(46).into()).is_err());
    assert!(pool.reserve(Usage::tokens(45).into()).is_ok());
    assert_eq!(limiter.current_usage(), Ok(700));
    assert_eq!(quota.period_count(), Ok(2));
    quota.begin_workflow("w-3", false).unwrap();
    assert!(quota.begin_workflow("w-4", false).is_err());
}

#[test]
fn a_changed_window_keeps_the_count_of_a_manager() {
    let place = Place::new();
    let manager = |store| {
        let options = ManagerOptions { clock: place.clock(), store, ..Default::default() };
        BudgetManager::with(options).unwrap()
    };
    let limit = |window| BudgetLimit {
        agent_id: "a".into(),
        token_budget: Some(100),
        calls_budget: None,
        window,
    };
    let store = place.open();
    let first = manager(Some(Arc::clone(&store)));
    first.set_budget(&limit(Some(HOUR))).unwrap();
    first.reserve("a", 60).unwrap();
    let kept = first.restore(std::path::Path::new("/no/file")).unwrap_err();
    assert!(word::<()>(Err(kept)).contains("its counts are in the store"));
    drop(first);
    let store = place.open_again(store);
    let second = manager(Some(store));
    second.set_budget(&limit(Some(2 * HOUR))).unwrap();
    assert!(second.reserve("a", 41).is_err());
    second.reserve("a", 40).unwrap();
}

#[test]
fn every_rule_of_a_guard_goes_on() {
    let place = Place::new();
    let store = place.open();
    let labels = [("user", "u-1"), ("model", "m")];
    let first = guard_of(&place, Some(Arc::clone(&store)), POLICY);
    let lease = first.reserve(&labels, Usage::tokens(200).into()).unwrap();
    lease.commit(Usage::tokens(200).into()).unwrap();
    first.step(&[("workflow", "w"), ("run", "r-1")]).unwrap();
    let before = figures(&first);
    drop((first, lease));
    let store = place.open_again(store);
    let second = guard_of(&place, Some(Arc::clone(&store)), POLICY);
    assert!(second.reserve(&labels, Usage::tokens(101).into()).is_err());
    second.step(&[("workflow", "w"), ("run", "r-1")]).unwrap();
    assert!(second.step(&[("workflow", "w"), ("run", "r-1")]).is_err());
    store.sync().unwrap();
    let after = figures(&second).replace("steps 2 0", "steps 1 0");
    assert_eq!(after, before);
}
