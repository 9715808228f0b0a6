//! Budgets of a fleet: how far they are used, and how often the processes speak to the store.

use outlay::Window;

use super::files::{self, Asked};
use super::fleet::{Call, Decision, Outcome, run};
use crate::random::Random;

/// How long a call of so many output tokens takes.
fn lasts(output: u64) -> u64 {
    400_000 + 20_000 * output
}

/// Gives each request to a process: the first ones have more of them if they are `skewed`.
pub(super) fn calls(asked: &[Asked], processes: usize, skewed: bool) -> Vec<Call> {
    let mut random = Random::new(7);
    let weights: Vec<u64> =
        (0..processes as u64).map(|at| if skewed { 1000 / (at + 1) } else { 1000 }).collect();
    let all: u64 = weights.iter().sum();
    asked
        .iter()
        .map(|one| {
            let mut pick = random.below(all);
            let process = weights.iter().position(|weight| {
                let here = pick < *weight;
                pick = pick.saturating_sub(*weight);
                here
            });
            let tokens = one.input + one.output;
            let process = process.unwrap();
            Call { at: one.at, lasts: lasts(one.output), estimate: tokens, actual: tokens, process }
        })
        .collect()
}

#[derive(Debug)]
struct Shown {
    /// What was used and held at the first refusal, of the limit.
    first: f64,
    /// Trips a call, and the part of the calls that waited, until then.
    trips: f64,
    waited: f64,
}

fn part(of: usize, all: usize) -> f64 {
    f64::from(u32::try_from(of).unwrap()) / f64::from(u32::try_from(all).unwrap().max(1))
}

#[expect(clippy::cast_precision_loss, reason = "a share to print and to compare")]
fn shown(outcome: &Outcome, most: u64) -> Shown {
    let decisions = &outcome.decisions;
    let first = decisions.iter().position(|decision| !decision.admitted).unwrap();
    let trips = outcome.trips.iter().filter(|at| **at <= first).count();
    let waited = decisions[..first].iter().filter(|decision| decision.waited).count();
    Shown {
        first: decisions[first].taken as f64 / most as f64,
        trips: part(trips, first),
        waited: part(waited, first),
    }
}

fn refused(outcome: &Outcome) -> bool {
    outcome.decisions.last().is_some_and(|decision| !decision.admitted)
}

fn sum(asked: &[Asked]) -> u64 {
    asked.iter().map(|one| one.input + one.output).sum()
}

#[test]
fn a_budget_is_used_to_its_end_by_8_and_by_32_processes() {
    let Some(asked) = files::read("azure_conv_2023") else { return };
    let most = sum(&asked) * 60 / 100;
    for (processes, skewed, least) in [(8, false, 0.999), (8, true, 0.999), (32, true, 0.995)] {
        let calls = calls(&asked, processes, skewed);
        let outcome = run(processes, most, |_| Window::Lifetime, &calls, refused);
        let shown = shown(&outcome, most);
        println!("{processes} processes, skewed {skewed}: {shown:?}");
        assert!(shown.first >= least, "{shown:?}");
        assert!(shown.trips <= 0.1 && shown.waited <= 0.02, "{shown:?}");
        assert!(outcome.decisions.iter().all(|one| !one.admitted || one.taken + one.asked <= most));
    }
}

#[test]
fn fifty_calls_a_second_cost_one_trip_in_a_hundred() {
    let call = |at: u64| Call { at: at * 20_000, lasts: 0, estimate: 100, actual: 100, process: 0 };
    let calls: Vec<Call> = (0..10_000).map(call).collect();
    let outcome = run(2, u64::MAX / 4, |_| Window::Lifetime, &calls, |_| false);
    let trips = part(outcome.trips.len(), calls.len());
    println!("50 calls a second: {trips} trips a call, {} messages", outcome.messages);
    assert!(trips <= 0.01, "{trips}");
}

#[test]
fn many_calls_in_flight_use_a_budget_to_its_end() {
    let mut random = Random::new(3);
    let mut calls = Vec::new();
    // 3 processes with 128 lines each: a line asks again as soon as its call is over.
    for line in 0..384_usize {
        let mut at = random.below(2_000_000);
        for _ in 0..60 {
            let (input, output) = (random.between(200, 3_000), random.between(20, 600));
            let lasts = lasts(output) / 4;
            let estimate = input + 4_096;
            calls.push(Call { at, lasts, estimate, actual: input + output, process: line % 3 });
            at += lasts + random.below(200_000);
        }
    }
    calls.sort_by_key(|call| call.at);
    let most = 20_000_000;
    let outcome = run(3, most, |_| Window::Lifetime, &calls, |_| false);
    let wrongly = first_wrong_refusal(&outcome.decisions, most);
    let used = wrongly.map_or(1.0, |at| shown_at(&outcome.decisions[at], most));
    println!("3 processes x 128 calls: the first refusal that the limit left room for: {used}");
    assert!(used >= 0.995, "{used}");
}

#[expect(clippy::cast_precision_loss, reason = "a share to print and to compare")]
fn shown_at(decision: &Decision, most: u64) -> f64 {
    decision.taken as f64 / most as f64
}

/// The first refusal while all that was used and held left room for it, from 250 ms before to 250 ms
/// after it.
fn first_wrong_refusal(decisions: &[Decision], most: u64) -> Option<usize> {
    (0..decisions.len()).find(|&at| {
        let Decision { at: time, asked, admitted, .. } = decisions[at];
        let near = |other: &&Decision| other.at.abs_diff(time) <= 250_000;
        let back = decisions[..at].iter().rev().take_while(near);
        let on = decisions[at..].iter().take_while(near);
        let highest = back.chain(on).map(|other| other.taken).max().unwrap_or(0);
        !admitted && highest + asked <= most
    })
}

#[test]
fn holders_that_ask_at_once_get_even_shares() {
    let call = |process: usize, at: u64| Call { at, lasts: 0, estimate: 1, actual: 1, process };
    let mut calls: Vec<Call> = Vec::new();
    for at in 0..400 {
        calls.extend((0..8).map(|process| call(process, at * 2_000)));
    }
    let outcome = run(8, 240, |_| Window::Lifetime, &calls, |_| false);
    let mut admitted = [0_usize; 8];
    for decision in &outcome.decisions {
        admitted[decision.process] += usize::from(decision.admitted);
    }
    println!("8 at once for 240: {admitted:?}");
    assert_eq!(admitted.iter().sum::<usize>(), 240);
    let [least, most] = [admitted.iter().min().unwrap(), admitted.iter().max().unwrap()];
    assert!(2 * most <= 3 * least, "{admitted:?}");
}
