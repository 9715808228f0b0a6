//! The laws, over the rules of a policy.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::scope as threads;

use outlay::{Actual, Code, Error, LeaseError, LeaseState, Usage};

use crate::kit::{MINUTE, World, asks, refused, scope};

const TWO: &str = r#"
    [[budget]]
    name = "all"
    limit = { tokens = 1_000 }
    [[budget]]
    name = "each"
    scope = { agent = "*" }
    limit = { tokens = 300, calls = 2 }
"#;

#[test]
fn threads_never_get_more_than_any_limit() {
    let world = World::new(TWO);
    let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
    let start = Barrier::new(8);
    threads(|threads| {
        for thread in 0..8_u64 {
            let (world, held, most, start) = (&world, &held, &most, &start);
            threads.spawn(move || {
                start.wait();
                for round in 0..400 {
                    let (agent, tokens) = (format!("a-{}", round % 41), 10 + thread * 7);
                    let Ok(lease) = world.reserve(&[("agent", &agent)], tokens) else { continue };
                    let sum = held.fetch_add(tokens, Ordering::SeqCst) + tokens;
                    most.fetch_max(sum, Ordering::SeqCst);
                    if round % 5 == 0 {
                        lease.commit(Actual::Estimate).unwrap();
                    } else {
                        held.fetch_sub(tokens, Ordering::SeqCst);
                        lease.release().unwrap();
                    }
                }
            });
        }
    });
    // How much the threads get is luck; what they leave is there to the last token.
    for number in world.tokens("all").0..1_000 {
        world.spend(&[("agent", &format!("b-{number}"))], 1).unwrap();
    }
    refused(world.reserve(&[("agent", "c")], 1));
    let ((all, held_all), (each, held_each)) = (world.tokens("all"), world.tokens("each"));
    assert_eq!(all, 1_000, "of 1000");
    assert_eq!((each, held_all, held_each), (all, 0, 0), "both have counted the same");
    assert!(most.into_inner() <= 1_000);
    for counter in world.guard.snapshot().unwrap().iter().filter(|c| c.name == "each") {
        for figures in &counter.figures {
            assert!(figures.used <= figures.limit.unwrap(), "{counter:?}");
        }
    }
}

#[test]
fn equality_is_full_and_not_over() {
    let world = World::new(TWO);
    world.spend(&[("agent", "a")], 300).unwrap();
    world.reserve(&[("agent", "a")], 0).unwrap().release().unwrap();
    let denied = refused(world.reserve(&[("agent", "a")], 1));
    assert_eq!((denied.used, denied.remaining, denied.requested), (300, 0, 1));
}

#[test]
fn a_refusal_by_one_rule_changes_none() {
    let world = World::new(TWO);
    world.spend(&[("agent", "a")], 250).unwrap();
    let denied = refused(world.reserve(&[("agent", "a")], 51));
    assert_eq!(scope(&denied), [("budget", "each"), ("agent", "a")]);
    assert_eq!((denied.code, denied.limit), (Code::BudgetExceeded, 300));
    assert_eq!(world.tokens("all"), (250, 0));
    assert_eq!(world.figures("each", "calls"), (1, 0), "a refusal never costs");
}

#[test]
fn the_first_rule_of_the_policy_that_refuses_is_named() {
    let world = World::new(TWO);
    let denied = refused(world.reserve(&[("agent", "a")], 5_000));
    assert_eq!(scope(&denied), [("budget", "all")]);
}

#[test]
fn a_commit_books_what_was_used_to_the_token() {
    let world = World::new(TWO);
    let lease = world.reserve(&[("agent", "a")], 200).unwrap();
    assert_eq!((world.tokens("all"), world.tokens("each")), ((0, 200), (0, 200)));
    lease.commit(Usage::tokens(120).into()).unwrap();
    assert_eq!((world.tokens("all"), world.tokens("each")), ((120, 0), (120, 0)));
    assert_eq!(world.figures("each", "calls"), (1, 0));
    lease.commit(Usage::tokens(120).into()).unwrap();
    let again = lease.commit(Usage::tokens(121).into());
    assert_eq!(again, Err(Error::Lease(LeaseError::Finalized)));
    assert_eq!(world.tokens("all"), (120, 0));
}

#[test]
fn a_release_gives_everything_back_the_call_too() {
    let world = World::new(TWO);
    for _ in 0..5 {
        let lease = world.reserve(&[("agent", "a")], 200).unwrap();
        lease.release().unwrap();
        lease.release().unwrap();
    }
    assert_eq!((world.tokens("all"), world.figures("each", "calls")), ((0, 0), (0, 0)));
}

#[test]
fn more_than_was_reserved_is_booked_and_nothing_more_is_admitted() {
    let world = World::new(TWO);
    let lease = world.reserve(&[("agent", "a")], 10).unwrap();
    lease.commit(Usage::tokens(450).into()).unwrap();
    assert_eq!((world.tokens("all"), world.tokens("each")), ((450, 0), (450, 0)));
    refused(world.reserve(&[("agent", "a")], 1));
    world.reserve(&[("agent", "b")], 1).unwrap().release().unwrap();
}

#[test]
fn a_usage_of_the_largest_number_saturates() {
    let world = World::new(TWO);
    for agent in ["a", "b"] {
        let lease = world.reserve(&[("agent", agent)], 1);
        let Ok(lease) = lease else { continue };
        lease.commit(Usage::tokens(u64::MAX).into()).unwrap();
    }
    assert_eq!(world.tokens("all"), (u64::MAX, 0));
    assert_eq!(refused(world.reserve(&[], 1)).remaining, 0);
    refused(world.guard.reserve(&[("agent", "c")], Usage::tokens(u64::MAX).into()));
}

#[test]
fn a_dropped_lease_and_one_that_runs_out_are_charged_at_their_estimates() {
    let world = World::new(TWO);
    drop(world.reserve(&[("agent", "a")], 40).unwrap());
    assert_eq!((world.tokens("all"), world.figures("each", "calls")), ((40, 0), (1, 0)));
    let ttl = Some(MINUTE);
    let request = outlay::GuardRequest { ttl, ..asks(50) };
    let lease = world.guard.reserve(&[("agent", "a")], request).unwrap();
    world.clock.advance(MINUTE);
    assert_eq!(lease.state().unwrap(), LeaseState::Expired);
    assert_eq!((world.tokens("all"), world.tokens("each")), ((90, 0), (90, 0)));
    assert_eq!(lease.release(), Err(Error::Lease(LeaseError::Expired)));
    lease.commit(Usage::tokens(20).into()).unwrap();
    assert_eq!((world.tokens("all"), world.tokens("each")), ((60, 0), (60, 0)));
}

#[test]
fn leases_end_as_the_policy_says() {
    let defaults = "[defaults]\non_missing_usage = \"release\"\n[store]\nlease_ttl = \"10s\"\n";
    let world = World::new(&format!("{defaults}{TWO}"));
    drop(world.reserve(&[], 40).unwrap());
    let lease = world.reserve(&[], 40).unwrap();
    world.clock.advance(MINUTE / 6);
    assert_eq!(lease.state().unwrap(), LeaseState::Expired);
    assert_eq!(world.tokens("all"), (0, 0));
    lease.commit(Actual::Tokens(7)).unwrap();
    assert_eq!(world.tokens("all"), (7, 0), "a commit that comes late books all the same");
}

#[test]
fn a_star_counts_each_value_and_a_pattern_all_that_match() {
    let world = World::new(
        r#"
        [[budget]]
        name = "pair"
        scope = { agent = "*", user = "*" }
        limit = { calls = 1 }
        [[budget]]
        name = "team"
        scope = { agent = "team-*" }
        limit = { calls = 2 }
    "#,
    );
    world.spend(&[("agent", "team-1"), ("user", "u")], 0).unwrap();
    world.spend(&[("user", "v"), ("agent", "team-1")], 0).unwrap();
    let denied = refused(world.spend(&[("user", "w"), ("agent", "team-2")], 0));
    assert_eq!(scope(&denied), [("budget", "team")]);
    world.spend(&[("user", "u"), ("agent", "x")], 0).unwrap();
    let denied = refused(world.spend(&[("agent", "x"), ("user", "u")], 0));
    assert_eq!(scope(&denied), [("budget", "pair"), ("agent", "x"), ("user", "u")]);
    for _ in 0..9 {
        world.spend(&[("agent", "x")], 0).unwrap();
    }
}

#[test]
fn values_that_look_alike_when_joined_have_counters_of_their_own() {
    let world = World::new(
        "[[budget]]\nname = \"b\"\nscope = { a = \"*\", b = \"*\" }\nlimit = { calls = 1 }",
    );
    for (a, b) in [("x", "1:y=1:z;"), ("x;1:b=1:y", "z"), ("x\0", "y"), ("x", "\0y")] {
        world.spend(&[("a", a), ("b", b)], 0).unwrap();
        refused(world.spend(&[("a", a), ("b", b)], 0));
    }
}

#[test]
fn labels_that_are_no_ids_are_faults_and_leave_nothing() {
    let world = World::new(TWO);
    let (long, fits) = ("x".repeat(1_025), "x".repeat(1_024));
    for labels in [[("agent", "")], [("agent", &long)], [("", "a")], [(long.as_str(), "a")]] {
        let fault = world.reserve(&labels, 1).unwrap_err();
        assert!(matches!(fault, Error::Invalid(_)), "{fault:?}");
    }
    assert!(world.guard.snapshot().unwrap().is_empty());
    world.spend(&[("agent", &fits), (&fits, "v")], 1).unwrap();
}

#[test]
fn where_no_rule_applies_a_lease_is_given_all_the_same() {
    let world =
        World::new("[[budget]]\nname = \"b\"\nscope = { agent = \"a\" }\nlimit = { tokens = 1 }");
    let lease = world.reserve(&[("agent", "b")], u64::MAX).unwrap();
    lease.commit(Actual::Estimate).unwrap();
    assert_eq!(lease.state().unwrap(), LeaseState::Committed);
    assert!(world.guard.explain(&[("agent", "b")]).unwrap().is_empty());
}
