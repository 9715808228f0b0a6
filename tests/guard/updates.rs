//! Another policy: what was counted stays, whatever else changes.

use std::fmt::Write;

use outlay::{Error, Usage};

use crate::kit::{World, asks, policy, refused};

/// A policy of a rule for each number, all about the same requests.
fn rules(numbers: impl IntoIterator<Item = usize>) -> String {
    numbers.into_iter().fold(String::new(), |mut text, n| {
        writeln!(text, "[[budget]]\nname = \"b-{n}\"\nlimit = {{ tokens = 100 }}").unwrap();
        text
    })
}

#[test]
fn a_limit_may_go_down_and_up_and_what_was_counted_stays() {
    let world = World::new(&rules([0]));
    let lease = world.reserve(&[], 80).unwrap();
    world.update(&rules([0]).replace("100", "10"));
    refused(world.reserve(&[], 1));
    lease.commit(Usage::tokens(5).into()).unwrap();
    world.spend(&[], 5).unwrap();
    refused(world.reserve(&[], 1));
    world.update(&rules([0]));
    assert_eq!(world.tokens("b-0"), (10, 0));
    world.spend(&[], 90).unwrap();
}

#[test]
fn a_rule_that_goes_counts_no_more_and_finds_its_count_when_it_comes_back() {
    let world = World::new(&rules([0]));
    let lease = world.reserve(&[], 60).unwrap();
    world.update("");
    world.spend(&[], 5_000).unwrap();
    assert!(world.guard.snapshot().unwrap().is_empty());
    lease.commit(Usage::tokens(70).into()).unwrap();
    world.update(&rules([0]));
    assert_eq!(world.tokens("b-0"), (70, 0));
    refused(world.reserve(&[], 31));
}

#[test]
fn more_rules_than_share_an_account_keep_their_counts_wherever_they_stand() {
    let world = World::new(&rules(0..40));
    world.spend(&[], 60).unwrap();
    for order in [
        (1..40).collect::<Vec<_>>(),
        (0..40).rev().collect(),
        (40..80).chain(0..40).collect(),
        vec![39],
        (0..40).chain(100..120).collect(),
    ] {
        world.update(&rules(order.iter().copied()));
        for number in order {
            let counted = if number < 40 { 60 } else { 0 };
            assert_eq!(world.tokens(&format!("b-{number}")).0, counted, "b-{number}");
        }
    }
    refused(world.reserve(&[], 41));
}

#[test]
fn rules_in_force_have_one_counter_each_after_any_update() {
    let world = World::new("");
    for step in 0..30 {
        let numbers: Vec<usize> = (step * 7..step * 7 + 25).collect();
        world.update(&rules(numbers.iter().copied()));
        world.spend(&[], 1).unwrap();
        let mut names: Vec<String> =
            world.guard.snapshot().unwrap().into_iter().map(|c| c.name).collect();
        names.sort();
        let mut expected: Vec<String> = numbers.iter().map(|n| format!("b-{n}")).collect();
        expected.sort();
        assert_eq!(names, expected);
    }
}

#[test]
fn a_rule_with_another_window_or_scope_is_another_rule() {
    let world = World::new(&rules([0]));
    world.spend(&[], 60).unwrap();
    world.update(&format!("{}window = \"fixed:1h\"\n", rules([0])));
    world.spend(&[], 100).unwrap();
    world.update(&format!("{}scope = {{ agent = \"*\" }}\n", rules([0])));
    world.spend(&[("agent", "a")], 100).unwrap();
    world.update(&rules([0]));
    assert_eq!(world.tokens("b-0"), (60, 0));
}

#[test]
fn a_mode_may_change_and_the_count_stays() {
    let world = World::new(&format!("{}mode = \"shadow\"\n", rules([0])));
    world.spend(&[], 150).unwrap();
    world.update(&rules([0]));
    refused(world.reserve(&[], 1));
    world.update(&format!("{}mode = \"soft\"\n", rules([0])));
    world.spend(&[], 10).unwrap();
    assert_eq!(world.tokens("b-0"), (160, 0));
}

#[test]
fn a_limit_of_another_unit_finds_what_was_committed() {
    let world = World::new(&rules([0]));
    world.spend(&[], 40).unwrap();
    let both = rules([0]).replace("tokens = 100", "calls = 2, input_tokens = 9, tokens = 100");
    world.update(&both);
    assert_eq!(world.tokens("b-0"), (40, 0));
    world.update(&rules([0]).replace("tokens = 100", "calls = 2"));
    world.update(&rules([0]));
    assert_eq!(world.tokens("b-0"), (40, 0));
}

#[test]
fn a_rule_that_is_new_begins_with_nothing_whatever_it_counts() {
    let world = World::new(&rules([0]));
    world.spend(&[], 40).unwrap();
    let limit = "{ calls = 5, input_tokens = 9, tokens = 100 }";
    let new = format!("[[budget]]\nname = \"new\"\nlimit = {limit}\n");
    world.update(&format!("{}{new}", rules([0])));
    assert_eq!((world.tokens("b-0"), world.tokens("new")), ((40, 0), (0, 0)));
}

/// Sixteen rules of nine units, of one name: as many meters as an account of rules may have.
fn wide(name: &str) -> String {
    let limit = "usd = \"1\", tokens = 9_000, input_tokens = 9_000, output_tokens = 9_000, \
                 cache_read_tokens = 9, \
                 cache_write_tokens = 9, reasoning_tokens = 9, calls = 9, tool_calls = 9";
    (0..16).fold(String::new(), |mut text, n| {
        writeln!(text, "[[budget]]\nname = \"{name}-{n}\"\nlimit = {{ {limit} }}").unwrap();
        text
    }) + "[defaults]\non_unknown_price = \"zero\"\n"
}

#[test]
fn updates_without_end_use_the_meters_of_rules_that_are_gone() {
    let world = World::new(&wide("x"));
    for round in 0..20 {
        world.spend(&[], 1).unwrap();
        world.update(&wide(&format!("y{round}")));
    }
    assert_eq!(world.tokens("y19-0"), (0, 0));
    world.spend(&[], 1).unwrap();
    assert_eq!(world.tokens("y19-15"), (1, 0));
}

#[test]
fn an_update_that_finds_no_meter_is_refused_and_changes_nothing() {
    let world = World::new(&wide("x"));
    let all = Usage {
        input_tokens: 1,
        output_tokens: 1,
        cache_read_tokens: 1,
        cache_write_tokens: 1,
        reasoning_tokens: 1,
        ..Usage::priced(1, 1)
    };
    let first = world.guard.reserve(&[], all.into()).unwrap();
    let fault = world.guard.update(policy(&wide("y"))).unwrap_err();
    assert!(matches!(fault, Error::Invalid(_)), "{fault:?}");
    assert_eq!(world.tokens("x-15"), (0, 1), "the old policy is in force");
    refused(world.reserve(&[], 9_000));
    let other = world.reserve(&[], 8_999).unwrap();
    other.release().unwrap();
    first.commit(Usage::tokens(3).into()).unwrap();
    world.update(&wide("y"));
    world.guard.check(&[], &asks(9_000)).unwrap();
}

#[test]
fn threads_may_spend_while_the_policy_changes() {
    let world = World::new(&rules(0..20));
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| (0..300).for_each(|_| drop(world.spend(&[], 1))));
        }
        for step in 0..100 {
            world.update(&rules((0..20).filter(|n| n % 3 != step % 3 || *n == 4)));
        }
    });
    world.update(&rules(0..20));
    let (used, held) = world.tokens("b-4");
    assert_eq!((used, held), (100, 0), "b-4 was always in force");
}
