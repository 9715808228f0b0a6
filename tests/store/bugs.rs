//! Seeded bugs: each is switched on in the shipped functions, and the laws find it.
#![cfg(debug_assertions)]

use outlay::seeded::Bug;

use crate::laws::number;
use crate::plan::{steps, world};
use crate::shrink::run;

const STEPS: usize = 5_000;

/// The first seed that finds a bug, how many of the seeds up to `seeds` do, and by which law. Unless
/// `all` is wanted, the first one is enough.
fn search(bug: Bug, seeds: u64, all: bool) -> (Option<u64>, u64, &'static str) {
    let (mut first, mut found, mut by) = (None, 0, "");
    for seed in 0..seeds {
        let world = world(seed);
        if let Err(broken) = run(&world, &steps(seed, &world, STEPS), Some(bug)) {
            if first.is_none() {
                (first, by) = (Some(seed), broken.law);
            }
            found += 1;
            if !all {
                break;
            }
        }
    }
    (first, found, by)
}

#[test]
fn each_seeded_bug_is_found() {
    let (seeds, all) = (number("OUTLAY_BUG_SEEDS", 400), std::env::var("OUTLAY_BUG_SEEDS").is_ok());
    let mut missed = Vec::new();
    let only = std::env::var("OUTLAY_BUG").ok();
    let wanted = |bug: &Bug| only.as_ref().is_none_or(|only| *only == format!("{bug:?}"));
    for bug in Bug::ALL.into_iter().filter(wanted) {
        let (first, found, by) = search(bug, seeds, all);
        println!("| {bug:?} | {first:?} | {found} of {seeds} | {by} |");
        if first.is_none() {
            missed.push(bug);
        }
    }
    assert!(missed.is_empty(), "not found in {seeds} seeds: {missed:?}");
}
