//! Counters of runs: kept while somebody asks, forgotten when they rest. Counters of labels go when
//! they say nothing. No limit is given out twice for it.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use outlay::{GuardRequest, Usage};

use crate::kit::{DAY, HOUR, Labels, MINUTE, World, asks, refused};

const RUNS: &str = r#"
    [[budget]]
    name = "run"
    limit = { tokens = 100 }
    window = "run"
    [[budget]]
    name = "agent"
    scope = { agent = "*" }
    limit = { tokens = 1_000_000_000 }
"#;

/// More runs than are kept in any case.
const MANY: usize = 3_000;

fn spend_runs(world: &World, from: usize) {
    for run in from..from + MANY {
        let run = format!("r-{run}");
        world.spend(&[("run", &run), ("agent", &run)], 1).unwrap();
    }
}

fn counters(world: &World, name: &str) -> usize {
    world.guard.snapshot().unwrap().iter().filter(|counter| counter.name == name).count()
}

#[test]
fn runs_that_rest_for_a_day_are_forgotten_and_agents_never() {
    let world = World::new(RUNS);
    spend_runs(&world, 0);
    assert_eq!(counters(&world, "run"), MANY, "none of them has rested");
    world.clock.advance(DAY);
    spend_runs(&world, MANY);
    assert_eq!(counters(&world, "agent"), 2 * MANY);
    let kept = counters(&world, "run");
    assert!((MANY..2 * MANY).contains(&kept), "{kept} of {}", 2 * MANY);
}

#[test]
fn a_run_that_is_asked_or_held_is_kept_with_its_count() {
    let world = World::new(&format!("defaults = {{ keep_runs = \"2h\" }}\n{RUNS}"));
    let busy: Labels<'_> = &[("run", "busy")];
    let held: Labels<'_> = &[("run", "held")];
    let refusing: Labels<'_> = &[("run", "refusing")];
    let resting: Labels<'_> = &[("run", "resting")];
    let lease =
        world.guard.reserve(held, GuardRequest { ttl: Some(10 * DAY), ..asks(60) }).unwrap();
    for labels in [busy, refusing, resting] {
        world.spend(labels, 100).unwrap();
    }
    for hour in 0..12 {
        world.clock.advance(HOUR);
        refused(world.reserve(refusing, 1));
        world.spend(busy, 0).unwrap();
        spend_runs(&world, hour * MANY);
    }
    assert_eq!(refused(world.reserve(busy, 1)).used, 100);
    assert_eq!(refused(world.reserve(refusing, 1)).used, 100);
    world.reserve(resting, 100).expect("it begins anew").release().unwrap();
    assert_eq!(refused(world.reserve(held, 50)).reserved, 60);
    lease.commit(Usage::tokens(60).into()).unwrap();
    assert_eq!(refused(world.reserve(held, 50)).used, 60);
}

#[test]
fn a_policy_says_for_how_long() {
    let world = World::new(&format!("defaults = {{ keep_runs = \"1h\" }}\n{RUNS}"));
    spend_runs(&world, 0);
    world.clock.advance(HOUR);
    spend_runs(&world, MANY);
    assert!(counters(&world, "run") < 2 * MANY);
}

const USERS: &str = r#"
    [[budget]]
    name = "user"
    scope = { user = "*" }
    limit = { calls = 3 }
    window = "calendar:day"
    [[limiter]]
    name = "rate"
    scope = { user = "*" }
    requests_per_minute = 10
"#;

fn all_counters(world: &World) -> usize {
    world.guard.snapshot().unwrap().len()
}

#[test]
fn a_counter_goes_when_its_window_is_over_and_nothing_is_open() {
    let world = World::at("2026-06-15T12:00:00Z", USERS);
    world.spend(&[("user", "a")], 1).unwrap();
    assert_eq!(all_counters(&world), 2);
    world.clock.advance(MINUTE + MINUTE);
    assert_eq!(all_counters(&world), 1, "the rate is empty");
    let lease = world.guard.reserve(&[("user", "a")], asks(1)).unwrap();
    world.clock.advance(DAY);
    assert_eq!(all_counters(&world), 2, "somebody has a lease");
    lease.commit(Usage::tokens(5).into()).unwrap();
    drop(lease);
    assert_eq!(all_counters(&world), 0, "its call was counted on its own day");
}

#[test]
fn requests_forget_a_few_counters_each() {
    let world = World::at("2026-06-15T12:00:00Z", USERS);
    for user in 0..5_000 {
        world.spend(&[("user", &format!("u-{user}"))], 1).unwrap();
    }
    let before = std::sync::Arc::downgrade(world.guard.core());
    let accounts = before.strong_count();
    world.clock.advance(DAY);
    for hour in 0..8 {
        world.clock.advance(HOUR);
        for user in 0..100 {
            world.spend(&[("user", &format!("v-{hour}-{user}"))], 1).unwrap();
        }
    }
    // Each account of a counter holds the core.
    assert!(before.strong_count() < accounts / 4, "{} of {accounts}", before.strong_count());
}

#[test]
fn a_limit_is_given_out_once_while_its_counter_is_forgotten() {
    let world = World::new(USERS);
    for round in 0..300 {
        let user = format!("u-{round}");
        let (passed, done) = (AtomicUsize::new(0), AtomicBool::new(false));
        let start = Barrier::new(3);
        let request = || {
            start.wait();
            for _ in 0..3 {
                let _ = world.guard.check(&[("user", &user)], &asks(1));
                if world.spend(&[("user", &user)], 1).is_ok() {
                    passed.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        std::thread::scope(|scope| {
            let requests = [scope.spawn(request), scope.spawn(request)];
            scope.spawn(|| {
                start.wait();
                while !done.load(Ordering::Relaxed) {
                    all_counters(&world);
                }
            });
            requests.into_iter().for_each(|thread| thread.join().unwrap());
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(passed.into_inner(), 3, "round {round}");
        refused(world.reserve(&[("user", &user)], 1));
    }
}
