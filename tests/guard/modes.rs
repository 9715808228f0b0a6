//! Soft and shadow limits, warnings, and what is kept back for a final answer.

use outlay::{Actual, EventKind, GuardRequest, Usage};

use crate::kit::{HOUR, World, asks, refused};

fn rule(more: &str) -> String {
    format!("[[budget]]\nname = \"b\"\nlimit = {{ tokens = 100 }}\n{more}\n")
}

#[test]
fn soft_and_shadow_limits_let_everything_pass_and_tell_it() {
    for (mode, kind) in [("soft", EventKind::Exceeded), ("shadow", EventKind::Denied)] {
        let world = World::new(&rule(&format!("mode = \"{mode}\"")));
        world.spend(&[], 100).unwrap();
        assert!(world.told(kind).is_empty(), "100 of 100 is full and not over");
        world.spend(&[], 1).unwrap();
        assert_eq!(world.told(kind), ["b"]);
        assert_eq!(world.tokens("b"), (101, 0));
        world.guard.check(&[], &asks(1)).unwrap_err();
        assert_eq!(world.guard.advice(&[], None).unwrap().tokens, None, "only hard limits count");
        let explained = &world.guard.explain(&[]).unwrap()[0];
        assert_eq!((explained.mode, explained.figures[0].remaining), (mode, Some(0)));
    }
}

#[test]
fn a_hard_rule_beside_a_soft_one_refuses_and_nothing_is_told_of_the_soft_one() {
    let hard = "[[budget]]\nname = \"hard\"\nlimit = { calls = 1 }\n";
    let world = World::new(&format!("{}{hard}", rule("mode = \"soft\"")));
    world.spend(&[], 100).unwrap();
    assert_eq!(refused(world.reserve(&[], 50)).scope[0].1, "hard");
    assert!(world.told(EventKind::Exceeded).is_empty());
    assert_eq!(world.tokens("b"), (100, 0));
}

#[test]
fn a_mark_is_told_once_in_each_window() {
    let world = World::new(&rule("warn_at = [0.5, 0.8]\nwindow = \"fixed:1h\""));
    for _ in 0..2 {
        world.spend(&[], 49).unwrap();
        assert!(world.told(EventKind::Warned).is_empty());
        world.spend(&[], 1).unwrap();
        assert_eq!(world.told(EventKind::Warned), ["b"], "the first mark");
        world.spend(&[], 29).unwrap();
        assert!(world.told(EventKind::Warned).is_empty());
        world.spend(&[], 21).unwrap();
        assert_eq!(world.told(EventKind::Warned), ["b"], "the second mark");
        world.clock.advance(HOUR);
    }
}

#[test]
fn an_update_of_the_limit_moves_the_marks() {
    let world = World::new(&rule("warn_at = 0.5"));
    world.spend(&[], 50).unwrap();
    assert_eq!(world.told(EventKind::Warned), ["b"]);
    world.update(&rule("warn_at = 0.5").replace("100", "200"));
    world.spend(&[], 49).unwrap();
    assert!(world.told(EventKind::Warned).is_empty());
    world.spend(&[], 1).unwrap();
    assert_eq!(world.told(EventKind::Warned), ["b"]);
}

#[test]
fn what_is_kept_back_is_only_for_the_final_answer() {
    let world = World::new(&rule("landing = { tokens = 20 }"));
    world.spend(&[], 80).unwrap();
    let denied = refused(world.reserve(&[], 1));
    assert_eq!((denied.limit, denied.remaining), (100, 0));
    let advice = world.guard.advice(&[], None).unwrap();
    assert_eq!((advice.tokens, advice.landing), (Some(0), true));
    let landing = GuardRequest { landing: true, ..asks(20) };
    let lease = world.guard.reserve(&[], landing).unwrap();
    refused(world.guard.reserve(&[], GuardRequest { landing: true, ..asks(1) }));
    lease.commit(Actual::Estimate).unwrap();
    assert!(!world.guard.advice(&[], None).unwrap().landing, "all is used");
    assert_eq!(world.guard.explain(&[]).unwrap()[0].figures[0].kept_back, 20);
}

#[test]
fn a_pool_stops_before_its_capacity_and_counts_slots() {
    let world = World::new(
        r#"
        [[pool]]
        name = "p"
        limit = { tokens = 100 }
        stop_threshold = { tokens = 10 }
        max_concurrent = 2
    "#,
    );
    let (one, two) = (world.reserve(&[], 40).unwrap(), world.reserve(&[], 50).unwrap());
    assert_eq!(world.figures("p", "concurrent"), (0, 2));
    refused(world.reserve(&[], 0));
    drop(one);
    assert_eq!(world.figures("p", "concurrent"), (0, 1), "a slot is always returned");
    assert_eq!(refused(world.reserve(&[], 1)).remaining, 0);
    two.commit(Usage::tokens(45).into()).unwrap();
    world.spend(&[("tool", "t")], 500).unwrap();
    assert_eq!(world.tokens("p"), (85, 0), "tools pass a pool by");
    world.spend(&[], 5).unwrap();
    refused(world.reserve(&[], 1));
}
