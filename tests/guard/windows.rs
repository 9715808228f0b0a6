//! Windows of rules: when they end, and what their leases settle.

use std::time::Duration;

use outlay::Usage;

use crate::kit::{DAY, HOUR, MINUTE, SECOND, World, nanos, refused};

const MS: Duration = Duration::from_millis(1);

fn rule(window: &str) -> String {
    format!("[[budget]]\nname = \"b\"\nlimit = {{ tokens = 100 }}\nwindow = \"{window}\"\n")
}

/// Fills the window, which must then end after exactly `left`.
fn ends_after(world: &World, left: Duration) {
    world.spend(&[], 100).unwrap();
    let explained = &world.guard.explain(&[]).unwrap()[0];
    assert_eq!(explained.resets_in, Some(left));
    world.clock.advance(left - MS);
    assert_eq!(refused(world.reserve(&[], 1)).retry_after, Some(MS));
    world.clock.advance(MS);
    assert_eq!(world.tokens("b"), (0, 0));
}

#[test]
fn a_fixed_window_begins_with_the_first_request_and_steps_by_whole_periods() {
    let world = World::new(&rule("fixed:1h"));
    world.clock.advance(MINUTE * 17);
    ends_after(&world, HOUR);
    world.clock.advance(HOUR * 2 + MINUTE);
    ends_after(&world, MINUTE * 59);
}

#[test]
fn a_day_in_spring_has_23_hours_and_one_in_autumn_25() {
    let berlin = rule("calendar:day Europe/Berlin");
    ends_after(&World::at("2026-03-28T23:00:00Z", &berlin), HOUR * 23);
    ends_after(&World::at("2026-10-24T22:00:00Z", &berlin), HOUR * 25);
    ends_after(&World::at("2026-10-24T22:00:00Z", &rule("calendar:day")), HOUR * 2);
    let defaults = format!("[defaults]\ntimezone = \"Europe/Berlin\"\n{}", rule("calendar:day"));
    ends_after(&World::at("2026-03-28T23:00:00Z", &defaults), HOUR * 23);
}

#[test]
fn an_hour_that_the_clocks_skip_or_repeat_is_an_hour_all_the_same() {
    let berlin = rule("calendar:hour Europe/Berlin");
    ends_after(&World::at("2026-03-29T00:30:00Z", &berlin), MINUTE * 30);
    ends_after(&World::at("2026-10-25T00:30:00Z", &berlin), MINUTE * 30);
    ends_after(&World::at("2026-10-25T01:30:00Z", &berlin), MINUTE * 30);
    // Half an hour off UTC.
    ends_after(
        &World::at("2026-01-01T00:00:00Z", &rule("calendar:hour Asia/Kolkata")),
        MINUTE * 30,
    );
}

#[test]
fn months_end_with_their_last_day_and_weeks_on_sunday() {
    let month = rule("calendar:month");
    ends_after(&World::at("2026-01-31T23:00:00Z", &month), HOUR);
    ends_after(&World::at("2028-02-28T00:00:00Z", &month), DAY * 2);
    ends_after(&World::at("2026-02-01T00:00:00Z", &month), DAY * 28);
    ends_after(&World::at("2026-12-31T23:59:59Z", &month), SECOND);
    ends_after(&World::at("2026-11-22T23:00:00Z", &rule("calendar:week")), HOUR);
    ends_after(&World::at("2026-11-23T00:00:00Z", &rule("calendar:week")), DAY * 7);
}

#[test]
fn a_step_of_the_wall_clock_is_not_seen_by_windows_of_a_duration() {
    for window in ["fixed:1h", "rolling:1h"] {
        let world = World::at("2026-06-15T12:00:00Z", &rule(window));
        world.spend(&[], 100).unwrap();
        for time in ["2026-08-15T12:00:00Z", "2026-06-15T11:00:00Z", "2025-01-01T00:00:00Z"] {
            world.clock.set_wall(nanos(time));
            assert_eq!(refused(world.reserve(&[], 1)).used, 100, "{window} at {time}");
        }
    }
}

#[test]
fn a_step_of_the_wall_clock_backwards_refills_no_calendar_window() {
    for (window, next) in [("calendar:day", "2026-06-16"), ("calendar:month", "2026-07-01")] {
        let world = World::at("2026-06-15T12:00:00Z", &rule(window));
        world.spend(&[], 100).unwrap();
        for time in ["2026-06-15T11:00:00Z", "2026-06-14T12:00:00Z", "2025-01-01T00:00:00Z"] {
            world.clock.set_wall(nanos(time));
            assert_eq!(refused(world.reserve(&[], 1)).used, 100, "{window} at {time}");
        }
        world.clock.set_wall(nanos(&format!("{next}T00:00:00Z")));
        world.spend(&[], 100).unwrap();
        for time in ["2026-06-15T23:59:59Z".to_owned(), format!("{next}T00:00:01Z")] {
            world.clock.set_wall(nanos(&time));
            refused(world.reserve(&[], 1));
        }
    }
}

#[test]
fn no_span_of_a_rolling_window_ever_holds_more_than_the_limit() {
    let world = World::new(&rule("rolling:1h"));
    let (mut spent, mut admitted): (Vec<(u64, u64)>, u64) = (Vec::new(), 0);
    for minute in 0..600_u64 {
        let tokens = 1 + minute * 7 % 23;
        if world.spend(&[], tokens).is_ok() {
            spent.push((minute, tokens));
            admitted += tokens;
        }
        let span = spent.iter().filter(|(at, _)| at + 60 > minute).map(|(_, n)| n).sum::<u64>();
        assert!(span <= 100, "{span} in the hour up to minute {minute}");
        world.clock.advance(MINUTE);
    }
    assert!(admitted > 900, "{admitted} in ten hours");
}

#[test]
fn each_run_has_a_budget_of_its_own() {
    let world = World::new(&rule("run"));
    world.spend(&[("run", "r-1")], 100).unwrap();
    refused(world.reserve(&[("run", "r-1")], 1));
    world.clock.advance(DAY * 400);
    refused(world.reserve(&[("run", "r-1")], 1));
    world.spend(&[("run", "r-2")], 100).unwrap();
    world.spend(&[], 100).unwrap();
    refused(world.reserve(&[], 1));
}

#[test]
fn a_lease_settles_in_the_window_in_which_it_was_reserved() {
    for window in ["fixed:1h", "calendar:hour"] {
        let world = World::new(&format!("{}[store]\nlease_ttl = \"2h\"\n", rule(window)));
        let (less, more) = (world.reserve(&[], 40).unwrap(), world.reserve(&[], 50).unwrap());
        let back = world.reserve(&[], 10).unwrap();
        world.clock.advance(HOUR - MINUTE);
        world.clock.advance(MINUTE);
        assert_eq!(world.tokens("b"), (0, 0), "a new window starts at nothing");
        let fresh = world.reserve(&[], 60).unwrap();
        less.commit(Usage::tokens(5).into()).unwrap();
        back.release().unwrap();
        assert_eq!(world.tokens("b"), (0, 60), "nothing is refunded into another window");
        more.commit(Usage::tokens(57).into()).unwrap();
        assert_eq!(world.tokens("b"), (7, 60), "what is above the estimate is of today");
        fresh.commit(Usage::tokens(60).into()).unwrap();
        assert_eq!(refused(world.reserve(&[], 34)).remaining, 33);
    }
}

#[test]
fn debt_does_not_carry_over() {
    let world = World::new(&rule("fixed:1h"));
    let lease = world.reserve(&[], 1).unwrap();
    lease.commit(Usage::tokens(5_000).into()).unwrap();
    refused(world.reserve(&[], 1));
    world.clock.advance(HOUR);
    world.spend(&[], 100).unwrap();
}

#[test]
fn a_wrong_reading_of_the_wall_clock_loses_no_count_and_the_window_ends_in_time() {
    for window in ["calendar:hour", "calendar:day", "calendar:week", "calendar:month"] {
        let world = World::at("2026-06-15T12:00:00Z", &rule(window));
        let step = |time: &str| world.clock.set_wall(nanos(time));
        let lease = world.reserve(&[], 40).unwrap();
        world.spend(&[], 50).unwrap();
        // Questions at a wrong time change nothing.
        step("2036-01-01T00:00:00Z");
        world.guard.explain(&[]).unwrap();
        world.guard.advice(&[], None).unwrap();
        world.guard.check(&[], &crate::kit::asks(1)).unwrap();
        assert_eq!(world.tokens("b"), (0, 0), "a new window, as far as one knows");
        step("2026-06-15T12:00:00Z");
        assert_eq!(world.tokens("b"), (50, 40), "{window}");
        lease.commit(Usage::tokens(20).into()).unwrap();
        assert_eq!(world.tokens("b"), (70, 0), "{window}");
        // The second time nobody believes it.
        step("2036-01-01T00:00:00Z");
        let wait = refused(world.reserve(&[], 31)).retry_after.unwrap();
        assert!(wait <= DAY * 31, "{window}: {wait:?}");
        world.spend(&[], 10).unwrap();
        step("2026-06-15T12:00:00Z");
        assert_eq!(world.tokens("b"), (80, 0), "{window}");
        let wait = refused(world.reserve(&[], 31)).retry_after.unwrap();
        world.clock.advance(wait - SECOND);
        refused(world.reserve(&[], 31));
        world.clock.advance(SECOND);
        world.spend(&[], 100).unwrap();
    }
}
