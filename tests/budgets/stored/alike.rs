//! One process with a store admits and refuses what it does without one.

use super::histories::{self, Kept};
use super::kit::Place;

fn alike(history: fn(&Place, Kept) -> Vec<String>) {
    let without = history(&Place::new(), None);
    let place = Place::new();
    let store = place.open();
    let with = history(&place, Some(std::sync::Arc::clone(&store)));
    for (at, (without, with)) in without.iter().zip(&with).enumerate() {
        assert_eq!(without, with, "call {at}");
    }
    assert_eq!(without.len(), with.len());
    // Both verdicts are in it.
    assert!(without.iter().any(|one| one == "passed" || one.contains("true")), "{without:?}");
}

#[test]
fn a_token_budget() {
    alike(histories::token_budget);
}

#[test]
fn a_pool() {
    alike(histories::pool);
}

#[test]
fn a_limiter() {
    alike(histories::limiter);
}

#[test]
fn a_manager() {
    alike(histories::manager);
}

#[test]
fn a_quota() {
    alike(histories::quota);
}

#[test]
fn allowances() {
    alike(histories::allowances);
}

#[test]
fn a_guard() {
    alike(histories::guard);
}
