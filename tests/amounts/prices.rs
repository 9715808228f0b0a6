//! Prices: units, multipliers, tiers, sound, and what makers are known to charge.

use outlay::{Billing, Price, Rates, Usage};
use proptest::prelude::*;

fn price() -> Price {
    let mut price = Price::parse(
        "p",
        [("input", "2"), ("output", "8"), ("cache_read", "0.5"), ("request", "0.001")],
    )
    .unwrap();
    price.add_unit("p", "web_search", "0.01").unwrap();
    price.add_unit("p", "letter", "0.0000000001").unwrap();
    price.add_multiplier("p", "batch", "0.5").unwrap();
    price.add_multiplier("p", "priority", "2").unwrap();
    price.add_multiplier("p", "us", "1.1").unwrap();
    price.add_multipliers("p", "night", [("input", "0.25")]).unwrap();
    price
}

fn usage(input: u64, output: u64) -> Usage {
    let total_tokens = input.saturating_add(output);
    Usage { input_tokens: input, output_tokens: output, total_tokens, ..Usage::zero() }
}

fn billed(usage: Usage, ways: &[&str]) -> Usage {
    let add = |all: Billing, way: &&str| all.billed_as("ways", way).unwrap();
    Usage { billing: ways.iter().fold(usage.billing.clone(), add), ..usage }
}

#[test]
fn multipliers_apply_to_tokens_and_fees_stay() {
    let price = price();
    let used = usage(1_000, 100);
    assert_eq!(price.cost(&used), 2_000 + 800 + 1_000);
    let unit = used.billing.clone().with_unit("units", "web_search", 3).unwrap();
    let searched = Usage { billing: unit, ..used.clone() };
    assert_eq!(price.cost(&searched), 2_800 + 1_000 + 30_000);
    assert_eq!(price.cost(&billed(searched, &["batch"])), 1_400 + 1_000 + 30_000);
    assert_eq!(price.cost(&billed(used.clone(), &["priority", "us"])), 6_160 + 1_000);
    assert_eq!(price.cost(&billed(used.clone(), &["night"])), 500 + 800 + 1_000);
    assert_eq!(price.cost(&billed(used.clone(), &["default"])), 3_800);
    assert_eq!(price.cost(&billed(used, &["unheard"])), 3_800);
}

#[test]
fn a_cost_with_multipliers_and_units_is_rounded_up_once() {
    let price = price();
    // 1.1 * 2 + 1,000 micro-USD, and five of 0.0001 micro-USD.
    let one = billed(usage(1, 0), &["us"]);
    assert_eq!(price.cost(&one), 1_003);
    let letters = one.billing.clone().with_unit("units", "letter", 8_000).unwrap();
    assert_eq!(price.cost(&Usage { billing: letters, ..one.clone() }), 1_003);
    let letters = one.billing.clone().with_unit("units", "letter", 8_001).unwrap();
    assert_eq!(price.cost(&Usage { billing: letters, ..one }), 1_004);
    // Half of 2 micro-USD, twice: nothing is rounded between two multipliers.
    let tiny = billed(usage(1, 0), &["batch", "priority"]);
    assert_eq!(price.cost(&tiny), 1_002);
}

#[test]
fn huge_numbers_saturate_and_never_cost_less() {
    let price = price();
    let most = usage(u64::MAX, u64::MAX);
    assert_eq!(price.cost(&billed(most, &["priority", "us"])), u64::MAX);
    let dear = Price::parse("p", [("input", "18446744073709"), ("output", "0")]);
    let mut dear = dear.unwrap();
    for way in ["a", "b", "c"] {
        dear.add_multiplier("p", way, "1.000000001").unwrap();
    }
    let plain = dear.cost(&usage(1, 0));
    let times = dear.cost(&billed(usage(1, 0), &["a", "b", "c"]));
    assert!(times > plain && times - plain <= plain / 300_000_000, "{plain} {times}");
}

#[test]
fn a_kind_that_a_tier_does_not_name_keeps_its_price() {
    let mut price = price();
    price.add_tier("p", 1_000, [("output", "16")]).unwrap();
    price.add_tier("p", 2_000, [("input", "4")]).unwrap();
    assert!(price.add_tier("p", 3_000, []).is_err());
    let read = |input, read| Usage { cache_read_tokens: read, ..usage(input, 10) };
    assert_eq!(price.cost(&read(1_000, 0)), 2_000 + 80 + 1_000);
    assert_eq!(price.cost(&read(1_001, 1_001)), 501 + 160 + 1_000, "0.5 a token read");
    assert_eq!(price.cost(&read(2_002, 2)), 8_000 + 1 + 160 + 1_000);
    let mut price = Price::parse("p", [("input", "1"), ("output", "1")]).unwrap();
    price.add_tier("p", 10, [("input", "3")]).unwrap();
    assert_eq!(price.cost(&read(20, 20)), 60 + 10, "a read costs what input costs there");
}

fn heard(usage: Usage, input: u64, output: u64) -> Usage {
    Usage { billing: usage.billing.clone().with_audio(input, output), ..usage }
}

#[test]
fn sound_has_its_own_price_or_the_highest_of_its_side() {
    let text = [("input", "1"), ("output", "4"), ("cache_read", "0.25")];
    let price = Price::parse("p", text).unwrap();
    assert_eq!(price.cost(&heard(usage(100, 10), 60, 10)), 100 + 10 * 4);
    let sound = [("audio_input", "10"), ("audio_output", "20"), ("audio_cache_read", "2")];
    let price = Price::parse("p", text.into_iter().chain(sound)).unwrap();
    assert_eq!(price.cost(&heard(usage(100, 10), 60, 4)), 40 + 600 + 6 * 4 + 80);
    assert_eq!(price.cost(&heard(usage(100, 10), 600, 40)), 1_000 + 200, "a part of the input");
    // 70 were read from a cache. Only 40 can be text, so 30 are sound.
    let cached = Usage { cache_read_tokens: 70, ..usage(100, 0) };
    assert_eq!(price.cost(&heard(cached, 60, 0)), 10 + 30 * 10 + 30 * 2);
}

#[test]
fn what_no_price_knows_is_named() {
    let mut used = billed(usage(1, 1), &["default", "batch", "moon"]);
    used.billing = used.billing.with_unit("units", "page", 1).unwrap().with_audio(1, 1);
    let mut price = price();
    assert_eq!(
        price.unpriced(&used).collect::<Vec<_>>(),
        ["page", "moon", "audio_input", "audio_output"]
    );
    (price.rates.audio_input, used.billing) = (Some(1), used.billing.with_audio(1, 0));
    assert_eq!(price.unpriced(&used).collect::<Vec<_>>(), ["page", "moon"]);
}

#[test]
fn makers_say_what_a_price_does_not() {
    let given = Price::parse("p", [("input", "1"), ("output", "1")]).unwrap();
    let claude = given.clone().with_maker_rates(Some("anthropic"), "claude-x");
    let searched = usage(1_000, 0).billing.with_unit("units", "web_search", 1).unwrap();
    let searched = Usage { billing: searched, ..usage(1_000, 0) };
    assert_eq!(claude.cost(&billed(searched.clone(), &["batch"])), 500 + 10_000);
    assert_eq!(claude.cost(&billed(usage(1_000, 0), &["us"])), 1_100);
    assert_eq!(claude.cost(&billed(usage(1_000, 0), &["fast"])), 2_000);
    let old = given.clone().with_maker_rates(None, "claude-opus-4-6");
    assert_eq!(old.cost(&billed(usage(1_000, 0), &["fast"])), 6_000);
    let vertex = given.clone().with_maker_rates(Some("google_vertexai"), "claude-x");
    assert_eq!(vertex.cost(&billed(usage(1_000, 0), &["batch"])), 500);
    let other = given.clone().with_maker_rates(Some("bedrock"), "anthropic.claude-x");
    assert_eq!(other.unpriced(&searched).collect::<Vec<_>>(), ["web_search"]);
    let mut own = given;
    own.add_unit("p", "web_search", "0.5").unwrap();
    own.add_multiplier("p", "batch", "0.9").unwrap();
    let own = own.with_maker_rates(Some("anthropic"), "claude-x");
    assert_eq!(own.cost(&billed(searched, &["batch"])), 900 + 500_000);
}

#[test]
fn a_tool_costs_a_fee_and_nothing_else() {
    let tool = Price::parse_tool("p", [("request", "0.005")]).unwrap();
    assert_eq!(tool.cost(&Usage::zero()), 5_000);
    assert!(Price::parse_tool("p", []).is_err());
    assert!(Price::parse_tool("p", [("input", "1")]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Against plain arithmetic: one multiplier, one unit, a fee.
    #[test]
    fn a_cost_is_the_exact_sum_rounded_up(
        tokens in prop::array::uniform2(0_u64..1 << 40),
        rates in prop::array::uniform2(0_u64..1 << 30),
        (times, fee, count) in (0_u64..5_000_000_000, 0_u64..1 << 40, 0_u64..1 << 20),
    ) {
        let [input, output] = rates;
        let mut price = Price::from(Rates { input, output, ..Rates::default() });
        let text = |number: u64, decimals: usize| {
            let digits = format!("{number:0>width$}", width = decimals + 1);
            let (whole, part) = digits.split_at(digits.len() - decimals);
            format!("{whole}.{part}")
        };
        price.add_multiplier("p", "way", &text(times, 9)).unwrap();
        price.add_unit("p", "unit", &text(fee, 12)).unwrap();
        let used = billed(usage(tokens[0], tokens[1]), &["way"]);
        let used = Usage {
            billing: used.billing.clone().with_unit("units", "unit", count).unwrap(),
            ..used
        };
        let wide = |one: u64, other: u64| u128::from(one) * u128::from(other);
        let plain = wide(tokens[0], input) + wide(tokens[1], output);
        let exact = plain * u128::from(times) + wide(count, fee) * 1_000_000_000;
        let expected = exact.div_ceil(1_000_000 * 1_000_000_000);
        prop_assert_eq!(u128::from(price.cost(&used)), expected);
        if times >= 1_000_000_000 {
            prop_assert!(price.cost(&used) >= price.cost(&usage(tokens[0], tokens[1])));
        }
    }
}
