//! Prices: what a call may cost, and what happens where nobody knows.

use outlay::{Actual, Error, Guard, GuardRequest, Price, Usage};

use crate::kit::{World, asks, policy, refused};

const LIMIT: &str = "[[budget]]\nname = \"b\"\nlimit = { usd = \"1.00\" }\n";
const PRICES: &str = r#"
    [prices.m]
    input = "1.00"
    output = "4.00"
    tiers = [
        { above_input_tokens = 2_000, input = "8.00", output = "16.00" },
        { above_input_tokens = 1_000, input = "2.00", output = "8.00" },
    ]
    [prices."azure:m"]
    input = "3.00"
    output = "3.00"
"#;
const M: [(&str, &str); 1] = [("model", "m")];

fn world() -> World {
    World::new(&format!("{LIMIT}{PRICES}"))
}

fn usage(input: u64, output: u64) -> Usage {
    Usage {
        input_tokens: input,
        output_tokens: output,
        total_tokens: input + output,
        ..Usage::zero()
    }
}

#[test]
fn tiers_are_chosen_by_the_input_and_the_whole_call_pays_them() {
    for (input, output, cost) in [
        (1_000, 10, 1_040),
        (1_001, 10, 2_002 + 80),
        (2_000, 0, 4_000),
        (2_001, 1, 16_008 + 16),
        (0, 5_000, 20_000),
    ] {
        let world = world();
        let lease = world.guard.reserve(&M, usage(input, output).into()).unwrap();
        assert_eq!(world.figures("b", "usd"), (0, cost), "{input} in, {output} out");
        lease.commit(usage(input, output).into()).unwrap();
        assert_eq!(world.figures("b", "usd"), (cost, 0));
    }
}

#[test]
fn a_commit_of_tokens_is_priced_as_the_model_is() {
    let world = world();
    let lease = world.guard.reserve(&M, usage(100, 100).into()).unwrap();
    lease.commit(usage(100, 7).into()).unwrap();
    assert_eq!(world.figures("b", "usd"), (128, 0));
    let lease = world.guard.reserve(&M, usage(100, 100).into()).unwrap();
    let known = Usage { cost_micros_usd: 900, ..usage(100, 7) };
    lease.commit(known.into()).unwrap();
    assert_eq!(
        world.figures("b", "usd"),
        (1_028, 0),
        "the larger of what is reported and computed"
    );
    let lease = world.guard.reserve(&M, usage(100, 100).into()).unwrap();
    lease.commit(Actual::Estimate).unwrap();
    assert_eq!(world.figures("b", "usd"), (1_528, 0));
}

#[test]
fn the_policy_says_which_cost_is_booked() {
    for (source, reported, booked) in [
        ("larger", 9, 128),
        ("larger", 900, 900),
        ("provider", 9, 9),
        ("provider", 0, 128),
        ("computed", 900, 128),
    ] {
        let defaults = format!("[defaults]\ncost_source = \"{source}\"\n");
        let world = World::new(&format!("{defaults}{LIMIT}{PRICES}"));
        let actual = Usage { cost_micros_usd: reported, ..usage(100, 7) };
        let lease = world.guard.reserve(&M, usage(100, 100).into()).unwrap();
        lease.commit(actual.clone().into()).unwrap();
        assert_eq!(world.figures("b", "usd"), (booked, 0), "{source} {reported}");
        // What ends after the call that pays for it is booked without a lease.
        let late = GuardRequest { spent: true, ..GuardRequest::from(actual) };
        let asked = world.guard.ask_call(&M, &late).unwrap();
        assert_eq!(asked.estimate.cost_micros_usd, booked, "{source} {reported}");
    }
}

#[test]
fn what_took_several_requests_is_priced_as_what_took_one() {
    for requests in [0, 1, 3] {
        for (actual, cost) in [
            (Actual::Usage(usage(100, 7)), 128),
            (Actual::Tokens(107), 428),
            (Actual::Usage(Usage { cost_micros_usd: 900, ..usage(100, 7) }), 900),
            (Actual::Estimate, 500),
        ] {
            let world = world();
            let lease = world.guard.reserve(&M, usage(100, 100).into()).unwrap();
            lease.commit_after(actual.clone(), requests).unwrap();
            assert_eq!(world.figures("b", "usd"), (cost, 0), "{requests} {actual:?}");
        }
    }
}

#[test]
fn the_price_of_the_provider_comes_before_that_of_the_model() {
    for (labels, cost) in [
        (vec![("model", "m"), ("provider", "azure")], 3),
        (vec![("model", "azure:m")], 3),
        (vec![("model", "m"), ("provider", "other")], 1),
        (vec![("model", "other:m")], 1),
    ] {
        let world = world();
        drop(world.guard.reserve(&labels, usage(1, 0).into()).unwrap());
        assert_eq!(world.figures("b", "usd"), (cost, 0), "{labels:?}");
    }
}

#[test]
fn a_model_without_a_price_is_a_fault_where_cost_is_limited() {
    let world = world();
    for labels in [&[("model", "x")][..], &[]] {
        let fault = world.guard.reserve(labels, asks(1)).unwrap_err();
        assert!(matches!(&fault, Error::Invalid(_)), "{fault:?}");
        world.guard.check(labels, &asks(1)).unwrap_err();
    }
    assert_eq!(world.figures("b", "usd"), (0, 0));
    let costs = Usage::priced(5, 7);
    world
        .guard
        .reserve(&[("model", "x")], costs.clone().into())
        .unwrap()
        .commit(costs.into())
        .unwrap();
    world.spend(&[("tool", "t")], 0).unwrap();
    // The call of a model, whatever else it is labelled.
    let fault = world.guard.reserve(&[("tool", "t"), ("model", "x")], asks(1)).unwrap_err();
    assert!(matches!(&fault, Error::Invalid(_)), "{fault:?}");
    assert_eq!(world.figures("b", "usd"), (7, 0));
    World::new("[[budget]]\nname = \"b\"\nlimit = { tokens = 9 }")
        .spend(&[("model", "x")], 9)
        .unwrap();
}

#[test]
fn a_policy_may_say_what_an_unknown_price_is() {
    let zero = format!("[defaults]\non_unknown_price = \"zero\"\n{LIMIT}");
    let world = World::new(&zero);
    world.spend(&[("model", "x")], 1_000).unwrap();
    assert_eq!(world.figures("b", "usd"), (0, 0));
    let price = "fallback_price = { input = \"10.00\", output = \"20.00\" }";
    let world =
        World::new(&format!("[defaults]\non_unknown_price = \"fallback\"\n{price}\n{LIMIT}"));
    world
        .guard
        .reserve(&[("model", "x")], usage(3, 1).into())
        .unwrap()
        .commit(Actual::Estimate)
        .unwrap();
    assert_eq!(world.figures("b", "usd"), (50, 0));
}

#[test]
fn a_resolver_is_asked_once_for_what_the_policy_does_not_price() {
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = std::sync::Arc::clone(&asked);
    let guard = Guard::new(policy(&format!("{LIMIT}{PRICES}")), outlay::Clock::System).unwrap();
    let guard = guard.resolving(Box::new(move |model, provider| {
        heard.lock().unwrap().push(format!("{model} of {provider:?}"));
        let rates = [("input", "5.00"), ("output", "5.00")];
        (model == "x").then(|| Price::parse("it", rates)).transpose().map_err(Error::from)
    }));
    for labels in [[("model", "x")], [("model", "m")], [("model", "x")]] {
        guard.reserve(&labels, usage(1, 0).into()).unwrap().commit(Actual::Estimate).unwrap();
    }
    assert_eq!(*asked.lock().unwrap(), ["x of None"]);
    guard.reserve(&[("model", "y")], usage(1, 0).into()).unwrap_err();
    assert_eq!(guard.explain(&M).unwrap()[0].figures[0].used, 11);
}

#[test]
fn a_price_that_is_too_large_saturates_and_is_refused() {
    let rates = "[prices.m]\ninput = \"18446744073709\"\noutput = \"1\"\n";
    let world = World::new(&format!("{LIMIT}{rates}"));
    let request = GuardRequest::from(usage(u64::MAX / 2, 1));
    assert_eq!(refused(world.guard.reserve(&M, request)).requested, u64::MAX);
}
