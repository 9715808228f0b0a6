//! The laws, in many seeds: never above the limit, no share grows without room, and what the store
//! counts at the end is the list.

use std::ops::Range;
use std::time::Duration;

use outlay::Era;
use outlay::seeded::Bug;
use outlay::store::{HolderId, LimitId, ShareRow};

use crate::auditor::{Broken, NOBODY, broken};
use crate::plan::{steps, world};
use crate::shrink::{run, shortest, traced};
use crate::world::Run;

pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

/// Ends all faults and all leases, and lets everybody speak until all is said.
pub(crate) fn settle(run: &mut Run<'_>) -> Result<(), Broken> {
    run.calm();
    for _ in 0..8 {
        run.pass(run.now.plus(Duration::from_secs(4)))?;
        for holder in 0..run.holders.len() {
            while run.has_lease(holder) {
                run.end(holder, 0, 10)?;
            }
            for _ in 0..4 {
                run.sync(holder)?;
            }
        }
    }
    if run.world.faults.memory || run.world.faults.quiet {
        return Ok(());
    }
    conserved(run)?;
    if run.world.faults.steps {
        // A store whose clock goes back stands still: eras that are over here are not over there.
        return Ok(());
    }
    (0..run.world.specs.len()).try_for_each(|limit| usable(run, limit))
}

/// What is left can be used to the last unit, by whoever asks for it.
fn usable(run: &mut Run<'_>, limit: usize) -> Result<(), Broken> {
    let asks = limit % run.holders.len();
    for _ in 0..3 {
        run.sync(asks)?;
    }
    let id = LimitId(limit as u128);
    let Some(row) = run.rows.limits.get(&id).copied() else { return Ok(()) };
    let time = run.rows.store.map_or(0, |store| store.latest);
    let era = run.rows.eras.get(&(id, row.era));
    let base = era.map_or(0, |(kept, _)| kept.base);
    let shares = era.map(|(_, shares)| shares.as_slice());
    let stands = |share: &&ShareRow| share.lapses(row.span, 6_000_000).is_none_or(|at| time < at);
    let shares = shares.unwrap_or_default().iter().map(|(_, share)| share).filter(stands);
    let taken = shares.map(|share| share.granted.max(share.spent + share.held)).sum::<u64>() + base;
    let left = row.most.saturating_sub(if row.ends > time { taken } else { 0 });
    if left == 0 {
        return Ok(());
    }
    let admitted = run.auditor.admitted;
    run.call(asks, vec![(limit, left)], [Duration::ZERO, Duration::from_secs(60)])?;
    for _ in 0..4 {
        run.sync(asks)?;
    }
    if run.auditor.admitted == admitted {
        let text = format!("limit {limit}: {left} of {} are left, and refused", row.most);
        return Err(broken("what is left can be used", text));
    }
    Ok(())
}

/// What the store counts as used of each holder is the list of that holder.
fn conserved(run: &mut Run<'_>) -> Result<(), Broken> {
    let living: Vec<u128> = run.holders.iter().flatten().map(|holder| holder.id().0).collect();
    run.auditor.pass(i64::MAX);
    for limit in 0..run.world.specs.len() {
        let time = run.rows.store.map_or(0, |store| store.latest);
        let row = run.rows.limits.get(&LimitId(limit as u128));
        let present = row.filter(|row| row.ends > time).map(|row| row.era);
        for ((generation, begins), uses) in run.auditor.windows(limit) {
            let era = Era { generation, begins };
            let Some((kept, shares)) = run.rows.eras.get(&(LimitId(limit as u128), era)) else {
                return Err(broken("conservation", format!("limit {limit}: no row of {era:?}")));
            };
            let left = uses.get(&NOBODY).map_or(0, |left| left.used);
            let all: u64 = uses.values().map(|own| own.used + own.held).sum();
            let shares_taken = shares.iter().map(|(_, row)| row.granted.max(row.spent + row.held));
            let taken = kept.base + shares_taken.sum::<u64>();
            // What a holder has said when it left is not lost, and is counted once.
            if kept.base > left || (run.world.faults.strict && all > taken) {
                let text =
                    format!("limit {limit} {era:?}: {all}, {left} left, in {kept:?}, {taken}");
                return Err(broken("conservation", text));
            }
            for (holder, own) in uses.iter().filter(|(holder, _)| **holder != NOBODY) {
                let row = shares.iter().find(|(id, _)| *id == HolderId(*holder));
                let row = row.map(|(_, row)| *row).unwrap_or_default();
                let taken = row.granted.max(row.spent + row.held);
                let lives = living.contains(holder);
                // What is free of an era that is over needs no way back.
                let back = taken == own.used || present != Some(era);
                let exact = row.spent == own.used && row.held == 0 && back;
                let within = !run.world.faults.strict || own.used + own.held <= taken;
                if (lives && !exact) || (!lives && !within) {
                    let text = format!("limit {limit} {era:?} holder {holder}: {own:?} {row:?}");
                    return Err(broken("conservation", text));
                }
            }
        }
    }
    Ok(())
}

/// Fails with the shortest history that breaks the law, and with the command that shows it again.
fn fail(seed: u64, count: usize, bug: Option<Bug>, found: &Broken) -> ! {
    let world = world(seed);
    let all = steps(seed, &world, count);
    let short = shortest(&world, &all, bug, found.law);
    let (again, trace) = traced(&world, &short, bug);
    let found = again.err().unwrap_or_else(|| found.clone());
    panic!(
        "seed {seed}: {world:?}\nthe shortest history of {} steps:\n{trace}{}: {}\n\
         again: OUTLAY_SEED={seed} OUTLAY_STEPS={count} cargo test --test store replay",
        short.len(),
        found.law,
        found.text
    );
}

/// Runs the seeds that are `at` above a multiple of `of`. Returns what was admitted and said.
fn share_of(seeds: Range<u64>, count: usize, (at, of): (u64, u64)) -> (u64, u64) {
    let (mut admitted, mut messages) = (0, 0);
    for seed in seeds.filter(|seed| seed % of == at) {
        let world = world(seed);
        match run(&world, &steps(seed, &world, count), None) {
            Ok(shown) => {
                admitted += shown.admitted;
                messages += shown.messages;
            }
            Err(found) => fail(seed, count, None, &found),
        }
    }
    (admitted, messages)
}

#[test]
fn the_laws_hold_in_every_seed() {
    let (seeds, count) = (number("OUTLAY_SEEDS", 1_000), number("OUTLAY_STEPS", 10_000));
    let first = number("OUTLAY_FIRST", 0);
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let part = |at| share_of(first..first + seeds, usize::try_from(count).unwrap(), (at, threads));
    let (admitted, messages) = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads).map(|at| scope.spawn(move || part(at))).collect();
        let ended = parts.into_iter().map(|part| match part.join() {
            Ok(shown) => shown,
            Err(found) => std::panic::resume_unwind(found),
        });
        ended.fold((0, 0), |(admitted, messages), shown| (admitted + shown.0, messages + shown.1))
    });
    println!(
        "{seeds} seeds of {count} steps: {admitted} admitted, {messages} messages, 0 violations"
    );
}

/// `OUTLAY_SEED=17 cargo test --test store replay` runs that seed again.
#[test]
fn replay() {
    let Ok(seed) = std::env::var("OUTLAY_SEED") else { return };
    let seed = seed.parse().unwrap();
    let count = usize::try_from(number("OUTLAY_STEPS", 10_000)).unwrap();
    let world = world(seed);
    if let Err(found) = run(&world, &steps(seed, &world, count), None) {
        fail(seed, count, None, &found);
    }
    println!("seed {seed} holds");
}

#[test]
fn a_seed_has_the_same_trace_each_time() {
    for seed in 0..16 {
        let world = world(seed);
        let steps = steps(seed, &world, 300);
        let (one, other) = (traced(&world, &steps, None), traced(&world, &steps, None));
        assert!(one.1.len() > 1_000 && one == other, "seed {seed}");
    }
}
