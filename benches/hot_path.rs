//! The decisions themselves, without Python: ns per operation on one account.
#![expect(clippy::unwrap_used, reason = "a bench that can not run must stop")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use outlay::{
    Actual, AgentTokenBudget, BudgetLimit, BudgetManager, Clock, Policy, PoolOptions, SharedPool,
    TokenBudgetOptions, Usage, WorkflowQuota,
};

const HOUR: Duration = Duration::from_secs(3600);
const PLENTY: u64 = 1 << 60;

fn token_budget(c: &mut Criterion) {
    let options = TokenBudgetOptions::default();
    let budget = AgentTokenBudget::new("a", PLENTY, HOUR, options.clone()).unwrap();
    c.bench_function("consume", |b| b.iter(|| budget.consume_at(1, black_box(5)).unwrap()));
    c.bench_function("consume by name", |b| {
        b.iter(|| budget.consume(black_box("query"), 5).unwrap());
    });
    let empty = AgentTokenBudget::new("a", 0, HOUR, options).unwrap();
    c.bench_function("consume refused", |b| b.iter(|| empty.consume_at(1, black_box(5)).is_err()));
}

fn shared_pool(c: &mut Criterion) {
    let options = PoolOptions {
        capacity_tokens: Some(PLENTY),
        capacity_cost_micros_usd: Some(PLENTY),
        ..PoolOptions::default()
    };
    let pool = SharedPool::new(options).unwrap();
    let usage = Usage::priced(100, 5);
    c.bench_function("reserve and commit", |b| {
        b.iter(|| {
            let lease = pool.reserve(black_box(usage.clone()).into()).unwrap();
            lease.commit(Actual::Usage(usage.clone())).unwrap();
        });
    });
}

fn workflow(c: &mut Criterion) {
    let quota = WorkflowQuota::new(1, PLENTY, HOUR, Clock::System).unwrap();
    let token = quota.begin_workflow("w", false).unwrap();
    c.bench_function("execute_step", |b| b.iter(|| token.execute_step(black_box(1)).unwrap()));
}

fn manager(c: &mut Criterion) {
    let manager = BudgetManager::new(Clock::System, Policy::default());
    for agent in 0..1000 {
        let limit = BudgetLimit {
            agent_id: format!("agent-{agent:010}"),
            token_budget: Some(PLENTY),
            calls_budget: Some(PLENTY),
            window: Some(HOUR),
        };
        manager.set_budget(&limit).unwrap();
    }
    c.bench_function("manager reserve by id", |b| {
        b.iter(|| manager.reserve(black_box("agent-0000000007"), 5).unwrap());
    });
    let agent = manager.agent("agent-0000000007").unwrap();
    c.bench_function("agent charge by handle", |b| {
        b.iter(|| agent.charge(black_box(5), 1).unwrap());
    });
}

criterion_group! {
    name = hot_path;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20);
    targets = token_budget, shared_pool, workflow, manager
}
criterion_main!(hot_path);
