//! What a guard says of itself.

use std::time::Duration;

use outlay::{GuardRequest, Usage};

use crate::kit::{HOUR, World, asks, refused};

const MANY: &str = r#"
    [[budget]]
    name = "day"
    scope = { agent = "*" }
    limit = { usd = "2.50", tokens = 1_000 }
    window = "calendar:day Europe/Berlin"
    [[pool]]
    name = "p"
    scope = { model = "gpt-*" }
    limit = { tokens = 500 }
    on_limit = { wait = "30s" }
    [[budget]]
    name = "ever"
    limit = { calls = 40 }
    landing = { calls = 4 }
    [prices.gpt-x]
    input = "1.00"
    output = "1.00"
"#;
const LABELS: [(&str, &str); 2] = [("agent", "a"), ("model", "gpt-x")];

#[test]
fn explain_tells_what_applies_in_the_order_of_the_policy() {
    let world = World::new(MANY);
    world.spend(&LABELS, 100).unwrap();
    let _open = world.reserve(&LABELS, 50).unwrap();
    let explained = world.guard.explain(&LABELS).unwrap();
    let names: Vec<&str> = explained.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["day", "p", "ever"]);
    let day = &explained[0];
    assert_eq!((day.kind, day.mode), ("budget", "hard"));
    assert_eq!(day.window, "calendar:day Europe/Berlin");
    assert_eq!(day.scope, [("agent".to_owned(), "*".to_owned())]);
    assert_eq!(day.values, [("agent".to_owned(), "a".to_owned())]);
    assert_eq!(day.resets_in, Some(HOUR * 23));
    let usd = &day.figures[0];
    assert_eq!((usd.unit, usd.limit, usd.used), ("usd", Some(2_500_000), 100));
    assert_eq!((usd.reserved, usd.remaining), (50, Some(2_499_850)));
    assert_eq!(day.figures[1].unit, "tokens");
    assert_eq!(explained[1].wait, Some(Duration::from_secs(30)));
    assert_eq!(explained[2].figures[0].kept_back, 4);
    let others = world.guard.explain(&[("model", "claude")]).unwrap();
    assert_eq!(others.len(), 1, "only what matches");
}

#[test]
fn snapshot_tells_every_counter_that_was_ever_asked() {
    let world = World::new(MANY);
    assert!(world.guard.snapshot().unwrap().is_empty());
    for agent in ["b", "a"] {
        world.spend(&[("agent", agent), ("model", "gpt-x")], 1).unwrap();
    }
    let snapshot = world.guard.snapshot().unwrap();
    let names: Vec<(&str, usize)> =
        snapshot.iter().map(|c| (c.name.as_str(), c.values.len())).collect();
    assert_eq!(
        names,
        [("day", 1), ("day", 1), ("p", 0), ("ever", 0)],
        "in the order of the policy"
    );
    assert_eq!(snapshot[0].values[0].1, "a");
}

#[test]
fn check_changes_nothing_and_says_what_reserve_would() {
    let world = World::new(MANY);
    world.guard.check(&LABELS, &asks(500)).unwrap();
    assert_eq!(refused(world.guard.check(&LABELS, &asks(501))).limit, 500);
    assert_eq!((world.tokens("p"), world.tokens("day")), ((0, 0), (0, 0)));
    assert_eq!(world.figures("ever", "calls"), (0, 0));
}

#[test]
fn advice_tells_the_least_that_any_limit_leaves() {
    let world = World::new(MANY);
    let none = world.guard.advice(&[("agent", "a"), ("model", "x")], None).unwrap();
    assert_eq!((none.tokens, none.cost_micros_usd), (Some(1_000), Some(2_500_000)));
    assert_eq!((none.calls, none.calls_left_estimate), (Some(36), Some(36)));
    for _ in 0..4 {
        world.spend(&LABELS, 100).unwrap();
    }
    let advice = world.guard.advice(&LABELS, None).unwrap();
    assert_eq!((advice.tokens, advice.calls), (Some(100), Some(32)));
    assert_eq!((advice.calls_left_estimate, advice.landing), (Some(1), false));
    let unlimited = World::new("").guard.advice(&LABELS, None).unwrap();
    assert_eq!(unlimited, outlay::Advice::default());
}

#[test]
fn what_is_known_of_labels_is_out_of_date_after_an_update() {
    let world = World::new(MANY);
    let known = world.guard.known(&LABELS).unwrap();
    let lease = world.guard.reserve_known(&known, &asks(10)).unwrap().unwrap();
    lease.commit(Usage::tokens(10).into()).unwrap();
    assert_eq!(world.tokens("p"), (10, 0));
    refused(world.guard.reserve_known(&known, &asks(491)));
    world.update(&MANY.replace("500", "600"));
    assert!(world.guard.reserve_known(&known, &asks(1)).unwrap().is_none());
    let unpriced = world.guard.known(&[("agent", "a"), ("model", "x")]).unwrap();
    assert!(world.guard.reserve_known(&unpriced, &asks(1)).unwrap().is_none());
}

#[test]
fn a_guard_and_another_account_decide_together() {
    let world = World::new(MANY);
    let request = GuardRequest::from(Usage::tokens(400));
    let one = world.guard.ask_call(&LABELS, &request).unwrap();
    let two = world.guard.ask_call(&[("agent", "b"), ("model", "gpt-x")], &request).unwrap();
    let (wait, estimate) = (one.wait, one.estimate);
    assert_eq!((wait, estimate.cost_micros_usd), (Some(Duration::from_secs(30)), 400));
    let asks = [one.asks, two.asks].concat();
    let lease = outlay::reserve(&asks, &estimate.into()).unwrap();
    assert_eq!(world.tokens("day"), (0, 800), "an agent each");
    assert_eq!(world.tokens("p"), (0, 400), "who is asked twice is charged once");
    lease.release().unwrap();
    assert_eq!((world.tokens("day"), world.tokens("p")), ((0, 0), (0, 0)));
}

#[test]
fn allowances_of_the_policy_are_asked_too() {
    let world = World::new(
        "[[allowance]]\nagent = \"a\"\ndaily_token_limit = 100\n\
         [[model_quota]]\nmodel = \"m\"\ndaily_token_budget = 150\n",
    );
    world.spend(&[("agent", "a"), ("model", "m")], 100).unwrap();
    refused(world.reserve(&[("agent", "a"), ("model", "m")], 1));
    world.spend(&[("agent", "b"), ("model", "m")], 50).unwrap();
    refused(world.reserve(&[("agent", "b"), ("model", "m")], 1));
    world.update("");
    world.spend(&[("agent", "a"), ("model", "m")], 1_000).unwrap();
}
