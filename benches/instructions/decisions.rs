//! The decisions without Python, to be counted by callgrind: `count.py` runs this.
//!
//! Before each part it calls a function that nobody else calls, where callgrind writes down what was
//! spent.
#![expect(clippy::unwrap_used, reason = "a bench that can not run must stop")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use outlay::{
    Actual, AgentTokenBudget, BudgetLimit, BudgetManager, Clock, Policy, PoolOptions, RateLimiter,
    RateOptions, SharedPool, TokenBudgetOptions, Usage, WorkflowQuota,
};

const HOUR: Duration = Duration::from_secs(3600);
const PLENTY: u64 = 1 << 60;

#[inline(never)]
fn outlay_bench_mark(part: u64) -> u64 {
    black_box(part)
}

/// Runs cases a few times and then many times, and keeps their names.
struct Counter {
    few: u64,
    many: u64,
    names: String,
}

impl Counter {
    fn case(&mut self, name: &str, mut run: impl FnMut()) {
        for count in [self.few, self.few, self.many] {
            (0..count).for_each(|_| run()); // the first time is not counted: it fills what is cached
            outlay_bench_mark(count);
        }
        writeln!(self.names, "{}\tdecisions: {name}", self.many - self.few).unwrap();
    }
}

fn token_budget(counter: &mut Counter) {
    let options = TokenBudgetOptions::default();
    let budget = AgentTokenBudget::new("a", PLENTY, HOUR, options.clone()).unwrap();
    counter.case("consume", || budget.consume_at(1, black_box(5)).unwrap());
    counter.case("consume by name", || budget.consume(black_box("query"), 5).unwrap());
    let empty = AgentTokenBudget::new("a", 0, HOUR, options).unwrap();
    counter.case("consume refused", || assert!(empty.consume_at(1, black_box(5)).is_err()));
}

fn leases(counter: &mut Counter) {
    let options = PoolOptions {
        capacity_tokens: Some(PLENTY),
        capacity_cost_micros_usd: Some(PLENTY),
        ..PoolOptions::default()
    };
    let pool = SharedPool::new(options).unwrap();
    let usage = Usage::priced(100, 5);
    counter.case("reserve and commit", || {
        let lease = pool.reserve(black_box(usage.clone()).into()).unwrap();
        lease.commit(Actual::Usage(usage.clone())).unwrap();
    });
    counter.case("reserve, dropped", || {
        drop(pool.reserve(black_box(usage.clone()).into()).unwrap());
    });
}

fn limiter(counter: &mut Counter) {
    let limiter = RateLimiter::new(PLENTY, RateOptions::default()).unwrap();
    counter.case("limiter: record usage", || limiter.record_usage(black_box(5)).unwrap());
}

fn workflow(counter: &mut Counter) {
    let quota = WorkflowQuota::new(1, PLENTY, HOUR, Clock::System).unwrap();
    let token = quota.begin_workflow("w", false).unwrap();
    counter.case("execute step", || token.execute_step(black_box(1)).unwrap());
}

fn manager(counter: &mut Counter) {
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
    counter.case("manager: reserve by id", || {
        manager.reserve(black_box("agent-0000000007"), 5).unwrap();
    });
    let agent = manager.agent("agent-0000000007").unwrap();
    counter.case("manager: charge by handle", || agent.charge(black_box(5), 1).unwrap());
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo bench` passes its own: then nothing is counted, and all runs once.
    let small = arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(100);
    let (few, many) = ((100 / small).max(2), (1_100 / small).max(4));
    let mut counter = Counter { few, many, names: String::new() };
    for cases in [token_budget, leases, limiter, workflow, manager] {
        cases(&mut counter);
    }
    if let Some(path) = arguments.get(2).filter(|_| arguments[1].parse::<u64>().is_ok()) {
        std::fs::write(path, counter.names).unwrap();
    }
}
