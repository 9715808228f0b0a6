//! Runs of a seed, and the shortest history that still breaks the same law.

use outlay::seeded::Bug;

use crate::auditor::Broken;
use crate::laws::settle;
use crate::plan::{Step, World};
use crate::world::Run;

/// The most runs that a search for the shortest history takes.
const RUNS_MAX: usize = 3_000;

/// What a run has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) steps: u64,
    pub(crate) admitted: u64,
    pub(crate) messages: u64,
}

/// Runs a history with a seeded bug, or with none.
pub(crate) fn run(world: &World, steps: &[Step], bug: Option<Bug>) -> Result<Shown, Broken> {
    drive(&mut Run::new(world, false), steps, bug)
}

/// The same, with the trace of all that happened.
pub(crate) fn traced(
    world: &World,
    steps: &[Step],
    bug: Option<Bug>,
) -> (Result<Shown, Broken>, String) {
    let mut run = Run::new(world, true);
    let result = drive(&mut run, steps, bug);
    (result, run.trace.unwrap_or_default())
}

fn drive(run: &mut Run<'_>, steps: &[Step], bug: Option<Bug>) -> Result<Shown, Broken> {
    sow(bug);
    let ended = steps.iter().try_for_each(|step| run.step(step)).and_then(|()| settle(run));
    sow(None);
    ended?;
    let (admitted, messages) = (run.auditor.admitted, run.applied);
    Ok(Shown { steps: steps.len() as u64, admitted, messages })
}

#[cfg(debug_assertions)]
fn sow(bug: Option<Bug>) {
    outlay::seeded::seed(bug);
}

#[cfg(not(debug_assertions))]
fn sow(_: Option<Bug>) {}

/// Takes steps out while the same law breaks.
pub(crate) fn shortest(world: &World, steps: &[Step], bug: Option<Bug>, law: &str) -> Vec<Step> {
    let mut runs = RUNS_MAX;
    let mut breaks = |steps: &[Step]| {
        runs = runs.saturating_sub(1);
        runs > 0 && run(world, steps, bug).is_err_and(|broken| broken.law == law)
    };
    let mut kept = steps.to_vec();
    // What comes after the break is of no use.
    let (mut few, mut many) = (0, kept.len());
    while few < many {
        let middle = few.midpoint(many);
        if breaks(&kept[..middle]) { many = middle } else { few = middle + 1 }
    }
    if breaks(&kept[..many]) {
        kept.truncate(many);
    }
    let mut chunk = kept.len().div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        let before = kept.len();
        while at < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(at..(at + chunk).min(kept.len()));
            if breaks(&fewer) {
                kept = fewer;
            } else {
                at += chunk;
            }
        }
        if chunk == 1 && kept.len() == before {
            break;
        }
        chunk = (chunk / 2).max(1);
    }
    kept
}
