//! What a store refuses, and what the error says.

use std::sync::Arc;

use outlay::{
    AgentTokenBudget, Clock, Guard, GuardOptions, GuardPolicy, PoolOptions, RateLimiter,
    RateOptions, SharedPool, TokenBudgetOptions,
};

use super::kit::{HOUR, Place, word};

const MOST: u64 = 9_223_372_036_854_775_806;

#[test]
fn a_limit_above_what_a_store_keeps_names_its_argument() {
    let place = Place::new();
    let store = place.open();
    let options = || TokenBudgetOptions { store: Some(Arc::clone(&store)), ..Default::default() };
    assert!(AgentTokenBudget::new("a", MOST, HOUR, options()).is_ok());
    let refused = word(AgentTokenBudget::new("b", MOST + 1, HOUR, options()));
    let allowed = format!("must be at most {MOST} in a store, not {}", MOST + 1);
    assert_eq!(refused, format!("total_tokens {allowed}"));
    let pool = PoolOptions {
        capacity_cost_micros_usd: Some(MOST + 1),
        store: Some(Arc::clone(&store)),
        ..PoolOptions::default()
    };
    assert_eq!(word(SharedPool::new(pool)), format!("capacity_cost_micros_usd {allowed}"));
    let policy = format!("[[budget]]\nname = \"b\"\nlimit = {{ tokens = {} }}", i64::MAX);
    let policy = GuardPolicy::from_toml("policy.toml", &policy).unwrap();
    let options = GuardOptions { store: Some(store), ..GuardOptions::default() };
    let refused = word(Guard::with(policy, options));
    assert_eq!(refused, format!("the limit of \"b\" in tokens {allowed}"));
}

#[test]
fn a_clock_that_is_not_that_of_the_store_is_refused() {
    let place = Place::new();
    let (store, clock) = (Some(place.open()), Clock::Manual(Arc::default()));
    let options = TokenBudgetOptions { clock, store, ..Default::default() };
    let refused = word(AgentTokenBudget::new("a", 1, HOUR, options));
    assert!(refused.starts_with("clock is another one than that of the store"), "{refused}");
}

#[test]
fn a_name_is_checked() {
    let options = RateOptions { name: String::new(), ..RateOptions::default() };
    let refused = word(RateLimiter::new(1, options));
    assert_eq!(refused, "name must be text of 1 to 1024 bytes, not empty");
}
