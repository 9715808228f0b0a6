//! Allotments: parts of a guard's budgets for sub-agents.

use std::thread::scope as threads;

use outlay::{Allotment, AllotmentSize, Error, GuardRequest, LeaseError, Usage};

use crate::kit::{HOUR, MINUTE, SECOND, World, asks, refused, scope};

const TWO: &str = r#"
    [[budget]]
    name = "all"
    limit = { tokens = 1_000, calls = 10 }
    [[budget]]
    name = "each"
    scope = { agent = "*" }
    limit = { tokens = 600 }
    window = "fixed:1h"
"#;
const A: [(&str, &str); 1] = [("agent", "a")];

fn tokens(tokens: u64) -> AllotmentSize {
    AllotmentSize { tokens: Some(tokens), ..AllotmentSize::default() }
}

fn part(world: &World, of: u64) -> Allotment {
    world.guard.allot(&A, tokens(of), None).unwrap()
}

fn spend(part: &Allotment, estimate: u64, used: u64) {
    let lease = part.reserve(&[], asks(estimate)).unwrap();
    lease.commit(Usage::tokens(used).into()).unwrap();
}

#[test]
fn a_part_is_held_until_it_is_closed_and_only_what_was_used_stays() {
    let world = World::new(TWO);
    let part = part(&world, 400);
    assert_eq!((world.tokens("all"), world.tokens("each")), ((0, 400), (0, 400)));
    spend(&part, 150, 100);
    assert_eq!(part.remaining().unwrap().tokens, Some(300));
    assert_eq!(world.tokens("all"), (0, 400), "the part pays");
    assert_eq!(world.figures("all", "calls"), (1, 0), "calls were not set aside");
    refused(part.reserve(&[], asks(301)));
    part.close();
    drop(part);
    assert_eq!((world.tokens("all"), world.tokens("each")), ((100, 0), (100, 0)));
}

#[test]
fn parts_together_are_never_more_than_the_parent_has() {
    let world = World::new(TWO);
    let _one = part(&world, 400);
    let denied = refused(world.guard.allot(&A, tokens(201), None));
    assert_eq!(scope(&denied), [("budget", "each"), ("agent", "a")]);
    assert_eq!(world.tokens("all"), (0, 400), "a refusal changes nothing");
    let _two = part(&world, 200);
    refused(world.reserve(&A, 1));
    world.reserve(&[("agent", "b")], 400).unwrap().release().unwrap();
    refused(world.reserve(&[("agent", "b")], 401));
}

#[test]
fn a_refusal_of_a_part_names_it() {
    let world = World::new(TWO);
    let part = part(&world, 10);
    let denied = refused(part.reserve(&[], asks(11)));
    assert_eq!(scope(&denied)[0].0, "allotment");
    assert_eq!((denied.limit, denied.requested), (10, 11));
}

#[test]
fn what_is_used_above_a_part_is_booked_at_once_where_it_came_from() {
    let world = World::new(TWO);
    let outer = part(&world, 500);
    let inner = outer.allot(&[], tokens(100), None).unwrap();
    spend(&inner, 100, 700);
    assert_eq!(world.tokens("all"), (200, 500), "200 above the outer part");
    assert_eq!(outer.remaining().unwrap().tokens, Some(0));
    refused(outer.reserve(&[], asks(1)));
    refused(world.reserve(&A, 1));
    drop((inner, outer));
    assert_eq!((world.tokens("all"), world.tokens("each")), ((700, 0), (700, 0)));
}

#[test]
fn a_part_of_a_part_takes_from_it_alone() {
    let world = World::new(TWO);
    let outer = part(&world, 500);
    let inner = outer.allot(&[], AllotmentSize { calls: Some(2), ..tokens(200) }, None).unwrap();
    assert_eq!(world.tokens("all"), (0, 500));
    assert_eq!(world.figures("all", "calls"), (0, 2));
    assert_eq!(outer.remaining().unwrap().tokens, Some(300));
    refused(outer.allot(&[], tokens(301), None));
    spend(&inner, 50, 50);
    spend(&inner, 50, 50);
    refused(inner.reserve(&[], asks(0)));
    assert_eq!(inner.remaining().unwrap().calls, Some(0));
    drop(inner);
    assert_eq!(outer.remaining().unwrap().tokens, Some(400));
    assert_eq!((world.tokens("all"), world.figures("all", "calls")), ((0, 500), (2, 0)));
    drop(outer);
    assert_eq!(world.tokens("all"), (100, 0));
}

#[test]
fn a_closed_part_ends_with_the_last_of_its_leases() {
    let world = World::new(TWO);
    let part = part(&world, 100);
    let lease = part.reserve(&[], asks(80)).unwrap();
    part.close();
    assert_eq!(part.reserve(&[], asks(1)).unwrap_err(), Error::Lease(LeaseError::Finalized));
    assert!(part.allot(&[], tokens(1), None).is_err());
    drop(part);
    assert_eq!(world.tokens("all"), (0, 100), "its lease is open");
    lease.commit(Usage::tokens(30).into()).unwrap();
    assert_eq!(world.tokens("all"), (30, 0));
}

#[test]
fn a_part_runs_out_with_its_time_and_what_is_used_later_is_booked_all_the_same() {
    let world = World::new(TWO);
    let part = world.guard.allot(&A, tokens(100), Some(MINUTE)).unwrap();
    let open = part.reserve(&[], asks(60)).unwrap();
    spend(&part, 10, 10);
    world.clock.advance(MINUTE);
    assert_eq!(part.reserve(&[], asks(1)).unwrap_err(), Error::Lease(LeaseError::Expired));
    assert_eq!(world.tokens("all"), (0, 100), "a lease of it is open: all of it is held");
    open.commit(Usage::tokens(130).into()).unwrap();
    assert_eq!(world.tokens("all"), (140, 0), "40 above the part");
    drop((part, open));
    assert_eq!(world.tokens("all"), (140, 0));
    let part = world.guard.allot(&A, tokens(100), Some(MINUTE)).unwrap();
    spend(&part, 10, 10);
    world.clock.advance(MINUTE);
    drop(part);
    assert_eq!(world.tokens("all"), (150, 0), "its end says what it used");
}

#[test]
fn a_part_of_a_window_ends_with_it() {
    let world = World::new(TWO);
    world.spend(&A, 1).unwrap();
    world.clock.advance(MINUTE);
    let part = part(&world, 100);
    world.clock.advance(HOUR - MINUTE);
    assert_eq!(part.reserve(&[], asks(1)).unwrap_err(), Error::Lease(LeaseError::Expired));
    drop(part);
    assert_eq!(world.tokens("each"), (0, 0), "nothing is booked in another window");
    world.reserve(&A, 600).unwrap().release().unwrap();
}

#[test]
fn a_part_does_not_end_with_the_window_of_a_rule_that_it_is_no_part_of() {
    let calls = "[[budget]]\nname = \"calls\"\nlimit = { calls = 9 }\nwindow = \"fixed:1h\"\n";
    let world =
        World::new(&format!("{calls}[[budget]]\nname = \"all\"\nlimit = {{ tokens = 90 }}"));
    let part = world.guard.allot(&[], tokens(50), None).unwrap();
    world.clock.advance(HOUR * 30);
    spend(&part, 20, 20);
    assert_eq!(world.tokens("all"), (0, 50));
}

#[test]
fn a_part_of_nothing_is_a_fault_and_one_of_zero_gives_nothing() {
    let world = World::new(TWO);
    let fault = world.guard.allot(&A, AllotmentSize::default(), None).unwrap_err();
    assert!(matches!(fault, Error::Invalid(_)), "{fault:?}");
    let part = part(&world, 0);
    spend(&part, 0, 0);
    refused(part.reserve(&[], asks(1)));
}

#[test]
fn a_part_of_the_cost_needs_a_price() {
    let world = World::new(TWO);
    let of = AllotmentSize { cost_micros_usd: Some(50), ..AllotmentSize::default() };
    let part = world.guard.allot(&A, of, None).unwrap();
    assert!(matches!(part.reserve(&[("model", "m")], asks(1)), Err(Error::Invalid(_))));
    let costs = GuardRequest::from(Usage::priced(1, 50));
    drop(part.reserve(&[("model", "m")], costs.clone()).unwrap());
    refused(part.reserve(&[("model", "m")], costs));
}

#[test]
fn labels_of_a_request_come_before_those_of_its_part() {
    let world = World::new(TWO);
    let part = part(&world, 600);
    part.reserve(&[("agent", "b")], asks(500)).unwrap().commit(Usage::tokens(500).into()).unwrap();
    let snapshot = world.guard.snapshot().unwrap();
    let of_b = snapshot.iter().find(|c| c.values == [("agent".to_owned(), "b".to_owned())]);
    assert_eq!(of_b.unwrap().figures[0].used, 500, "b was not carved out of");
    assert_eq!(part.labels(), [("agent".to_owned(), "a".to_owned())]);
}

#[test]
fn threads_that_set_aside_and_spend_never_get_more_than_the_limit() {
    let world = World::new(TWO);
    threads(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                for _ in 0..100 {
                    let Ok(part) = world.guard.allot(&[], tokens(90), None) else { continue };
                    while let Ok(lease) = part.reserve(&[("agent", "x")], asks(30)) {
                        lease.commit(Usage::tokens(20).into()).unwrap();
                    }
                }
            });
        }
    });
    let ((all, held), calls) = (world.tokens("all"), world.figures("all", "calls"));
    assert_eq!((all, held, calls), (200, 0, (10, 0)), "ten calls of 20 tokens");
}

#[test]
fn an_update_leaves_parts_what_they_have() {
    let world = World::new(TWO);
    let part = part(&world, 400);
    world.update(&TWO.replace("1_000", "100"));
    refused(world.reserve(&[("agent", "b")], 1));
    spend(&part, 300, 300);
    world.update("");
    spend(&part, 50, 50);
    drop(part);
    world.update(TWO);
    assert_eq!((world.tokens("all"), world.tokens("each")), ((350, 0), (350, 0)));
}

#[test]
fn c02_what_is_used_above_a_part_is_told_through_parts_that_set_other_units_aside() {
    let world = World::new("[[budget]]\nname = \"all\"\nlimit = { tokens = 200 }");
    let outer = world.guard.allot(&[], tokens(50), None).unwrap();
    let calls = AllotmentSize { calls: Some(5), ..AllotmentSize::default() };
    let middle = outer.allot(&[], calls, None).unwrap();
    let inner = middle.allot(&[], tokens(20), None).unwrap();
    spend(&inner, 10, 90);
    assert_eq!(outer.remaining().unwrap().tokens, Some(0));
    assert_eq!(world.tokens("all"), (40, 50), "40 above the outer part");
    refused(middle.reserve(&[], asks(1)));
    drop((inner, middle, outer));
    assert_eq!(world.tokens("all"), (90, 0));
}

#[test]
fn c03_a_part_of_a_part_is_held_as_long_as_a_lease_in_it_in_both_modes() {
    for mode in ["charge_estimate", "release"] {
        let world = World::new(&format!("[defaults]\non_missing_usage = \"{mode}\"\n{TWO}"));
        let outer = world.guard.allot(&A, tokens(300), Some(MINUTE)).unwrap();
        let inner = outer.allot(&[], tokens(100), Some(HOUR)).unwrap();
        let ttl = Some(MINUTE * 10);
        let lease = inner.reserve(&[], GuardRequest { ttl, ..asks(80) }).unwrap();
        outer.close();
        drop(outer);
        world.clock.advance(MINUTE * 5);
        assert_eq!(inner.reserve(&[], asks(0)).unwrap_err(), Error::Lease(LeaseError::Expired));
        assert_eq!(world.tokens("all"), (0, 300), "{mode}");
        world.clock.advance(MINUTE * 5);
        assert_eq!(lease.state().unwrap(), outlay::LeaseState::Expired);
        let charged = if mode == "release" { 0 } else { 300 };
        assert_eq!(world.tokens("all"), (charged, 0), "{mode}: it runs out with its last lease");
        lease.commit(Usage::tokens(70).into()).unwrap();
        drop((inner, lease));
        assert_eq!(world.tokens("all"), (70, 0), "{mode}");
    }
}

#[test]
fn a_part_ends_when_the_last_lease_in_it_does_which_was_to_run_out_later() {
    let world = World::new("[[budget]]\nname = \"b\"\nlimit = { tokens = 100 }\n");
    let of = AllotmentSize { tokens: Some(60), ..AllotmentSize::default() };
    let part = world.guard.allot(&[], of, Some(SECOND)).unwrap();
    let lease = part.reserve(&[], asks(10)).unwrap();
    lease.extend(HOUR).unwrap();
    world.clock.advance(SECOND);
    assert_eq!(world.figures("b", "tokens"), (0, 60), "a lease of it is open");
    lease.extend(SECOND).unwrap();
    world.clock.advance(SECOND);
    assert_eq!(world.figures("b", "tokens"), (60, 0), "it has run out");
}
