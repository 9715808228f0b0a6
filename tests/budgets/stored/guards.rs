//! Guards on one store, in one process.

use std::sync::Arc;

use outlay::Usage;

use super::histories::guard_of;
use super::kit::{Place, word};

const TWO: &str = r#"
    [[budget]]
    name = "user"
    scope = { user = "*" }
    limit = { tokens = 300 }

    [[budget]]
    name = "other"
    scope = { user = "*" }
    limit = { tokens = 1_000 }
"#;

const ONE: &str = r#"
    [[budget]]
    name = "user"
    scope = { user = "*" }
    limit = { tokens = 200 }
"#;

fn spend(guard: &outlay::Guard, user: &str, amount: u64) -> String {
    let labels = [("user", user)];
    let lease = guard.reserve(&labels, Usage::tokens(amount).into());
    word(lease.and_then(|lease| lease.commit(Usage::tokens(amount).into())))
}

#[test]
fn a_rule_of_two_guards_has_one_count_and_the_limit_of_the_last() {
    let place = Place::new();
    let store = place.open();
    let first = guard_of(&place, Some(Arc::clone(&store)), TWO);
    assert_eq!(spend(&first, "u-1", 100), "passed");
    let second = guard_of(&place, Some(Arc::clone(&store)), ONE);
    assert_eq!(spend(&second, "u-1", 101), "BudgetExceeded Tokens asked 101 left 100");
    assert_eq!(spend(&second, "u-1", 60), "passed");
    assert_eq!(spend(&first, "u-1", 41), "BudgetExceeded Tokens asked 41 left 40");
    // A rule that one guard no longer has stays as it is for the other.
    second.update(outlay::GuardPolicy::default()).unwrap();
    assert_eq!(spend(&second, "u-1", 1_000), "passed");
    assert_eq!(spend(&first, "u-1", 41), "BudgetExceeded Tokens asked 41 left 40");
    assert_eq!(spend(&first, "u-1", 40), "passed");
}

#[test]
fn an_update_changes_the_limit_in_the_store() {
    let place = Place::new();
    let store = place.open();
    let guard = guard_of(&place, Some(Arc::clone(&store)), ONE);
    assert_eq!(spend(&guard, "u-1", 200), "passed");
    let raised = ONE.replace("200", "250");
    let policy = outlay::GuardPolicy::from_toml("policy.toml", &raised).unwrap();
    guard.update(policy).unwrap();
    assert_eq!(spend(&guard, "u-1", 51), "BudgetExceeded Tokens asked 51 left 50");
    assert_eq!(spend(&guard, "u-1", 50), "passed");
    drop(guard);
    let store = place.open_again(store);
    let again = guard_of(&place, Some(store), &raised);
    assert_eq!(spend(&again, "u-1", 1), "BudgetExceeded Tokens asked 1 left 0");
}

#[test]
fn allotments_are_leases_of_the_share() {
    let place = Place::new();
    let store = place.open();
    let guard = Arc::new(guard_of(&place, Some(store), ONE));
    let labels = [("user", "u-1")];
    let size = outlay::AllotmentSize { tokens: Some(150), ..Default::default() };
    let part = guard.allot(&labels, size, None).unwrap();
    assert_eq!(spend(&guard, "u-1", 51), "BudgetExceeded Tokens asked 51 left 50");
    let lease = part.reserve(&[], Usage::tokens(120).into()).unwrap();
    assert!(part.reserve(&[], Usage::tokens(31).into()).is_err());
    lease.commit(Usage::tokens(120).into()).unwrap();
    drop((part, lease));
    assert_eq!(spend(&guard, "u-1", 81), "BudgetExceeded Tokens asked 81 left 80");
    assert_eq!(spend(&guard, "u-1", 80), "passed");
}

#[test]
fn a_policy_that_names_a_store_is_kept_there_and_an_update_does_not_move_it() {
    let place = Place::new();
    let url = place.url();
    let policy = |url: &str| {
        let text = format!("[store]\nurl = {url:?}\ntimeout = \"20s\"\n{ONE}");
        outlay::GuardPolicy::from_toml("policy.toml", &text).unwrap()
    };
    let clock = place.clock();
    let options = outlay::GuardOptions { clock, ..outlay::GuardOptions::default() };
    let guard = outlay::Guard::with(policy(&url), options.clone()).unwrap();
    assert_eq!(spend(&guard, "u-1", 150), "passed");
    let again = outlay::Guard::with(policy(&url), options.clone()).unwrap();
    assert_eq!(spend(&again, "u-1", 51), "BudgetExceeded Tokens asked 51 left 50");
    guard.update(policy(&url)).unwrap();
    for other in ["sqlite:///other.db", "memory://"] {
        let refused = guard.update(policy(other)).unwrap_err().to_string();
        assert!(refused.starts_with("store.url cannot change in an update"), "{refused}");
    }
    let options = outlay::GuardOptions { store_stands_in: true, ..options };
    let alone = outlay::Guard::with(policy(&url), options).unwrap();
    assert_eq!(spend(&alone, "u-1", 200), "passed");
    alone.update(policy("sqlite:///other.db")).unwrap();
}
