//! Counters of runs: kept while somebody asks, forgotten when they rest.

use outlay::{GuardRequest, Usage};

use crate::kit::{DAY, HOUR, Labels, World, asks, refused};

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
