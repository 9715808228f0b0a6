//! Counters that say nothing any more are forgotten. No limit is given out twice for it.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use outlay::Usage;

use crate::kit::{DAY, HOUR, MINUTE, World, asks, refused};

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

fn counters(world: &World) -> usize {
    world.guard.snapshot().unwrap().len()
}

#[test]
fn a_counter_goes_when_its_window_is_over_and_nothing_is_open() {
    let world = World::at("2026-06-15T12:00:00Z", USERS);
    world.spend(&[("user", "a")], 1).unwrap();
    assert_eq!(counters(&world), 2);
    world.clock.advance(MINUTE + MINUTE);
    assert_eq!(counters(&world), 1, "the rate is empty");
    let lease = world.guard.reserve(&[("user", "a")], asks(1)).unwrap();
    world.clock.advance(DAY);
    assert_eq!(counters(&world), 2, "somebody has a lease");
    lease.commit(Usage::tokens(5).into()).unwrap();
    drop(lease);
    assert_eq!(counters(&world), 0, "its call was counted on its own day");
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
                    counters(&world);
                }
            });
            requests.into_iter().for_each(|thread| thread.join().unwrap());
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(passed.into_inner(), 3, "round {round}");
        refused(world.reserve(&[("user", &user)], 1));
    }
}
