//! Amounts, prices and messages against plain integer arithmetic.

use outlay::{
    Billing, Code, Denied, Key, Kind, MESSAGE_BYTES_MAX, MicroUsd, Price, PriceTable, Rates, Usage,
};
use proptest::prelude::*;
use serde_json::Value;

const MILLION: u128 = 1_000_000;

/// So many cases as the soak says, else so many.
fn cases(cases: u32) -> ProptestConfig {
    let asked = std::env::var("OUTLAY_SUMS").ok().and_then(|text| text.parse().ok());
    let cases = asked.unwrap_or(cases);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Dollars by the book: digits, at most one point, at least one digit, six decimals that count.
fn dollars(text: &str) -> Option<u64> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let mut micros: u128 = 0;
    let (mut decimals, mut digits, mut point) = (0, 0, false);
    for character in text.chars() {
        match character {
            '.' if !point => point = true,
            '0'..='9' => {
                let digit = u128::from(u32::from(character) - u32::from('0'));
                digits += 1;
                if point {
                    decimals += 1;
                }
                if decimals > 6 {
                    if digit != 0 {
                        return None;
                    }
                } else {
                    micros = micros.checked_mul(10)?.checked_add(digit)?;
                }
            }
            _ => return None,
        }
    }
    for _ in decimals..6 {
        micros = micros.checked_mul(10)?;
    }
    u64::try_from(micros).ok().filter(|_| digits > 0)
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..1000, any::<u64>(), Just(u64::MAX), Just(u64::MAX - 1), 0_u64..1 << 40]
}

fn usage() -> impl Strategy<Value = Usage> {
    prop::array::uniform8(amount()).prop_map(|n| Usage {
        input_tokens: n[0],
        output_tokens: n[1],
        total_tokens: n[2],
        cost_micros_usd: n[3],
        cache_read_tokens: n[4],
        cache_write_tokens: n[5],
        cache_write_1h_tokens: n[6],
        reasoning_tokens: n[7],
        billing: Billing::none(),
    })
}

/// The eight fields.
fn fields(usage: &Usage) -> [u64; 8] {
    [
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        usage.cost_micros_usd,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.cache_write_1h_tokens,
        usage.reasoning_tokens,
    ]
}

/// The price of a usage in 10^-12 dollars, `None` where 128 bits do not hold it.
fn exact_cost(price: &Price, usage: &Usage) -> Option<u128> {
    let read = u128::from(usage.cache_read_tokens);
    let hour = u128::from(usage.cache_write_1h_tokens);
    let written = u128::from(usage.cache_write_tokens).max(hour);
    let cached = (read + written).min(u128::from(u64::MAX));
    let plain = u128::from(usage.input_tokens).saturating_sub(cached);
    let known = (u128::from(usage.input_tokens) + u128::from(usage.output_tokens))
        .min(u128::from(u64::MAX));
    let unknown = u128::from(usage.total_tokens).saturating_sub(known);
    let parts = [
        (plain, price.rates.input),
        (read, price.rates.cache_read),
        (written - hour, price.rates.cache_write),
        (hour, price.rates.cache_write_1h.unwrap_or(price.rates.cache_write)),
        (u128::from(usage.output_tokens), price.rates.output),
        (unknown, price.rates.input.max(price.rates.output)),
    ];
    parts.into_iter().try_fold(0_u128, |sum, (tokens, price)| {
        sum.checked_add(tokens.checked_mul(u128::from(price))?)
    })
}

fn code() -> impl Strategy<Value = (Code, Kind)> {
    (prop::sample::select(Code::ALL.to_vec()), prop::sample::select(Kind::ALL.to_vec()))
}

/// Ids that break naive JSON, and any others.
fn id() -> impl Strategy<Value = String> {
    let odd = "[\"\\\\{}\u{0}-\u{1f}\u{7f}-\u{9f}\u{202e}\u{2028}\u{2029}\u{feff}🦀é%$]{1,90}";
    let repeated =
        (any::<char>(), 1_usize..1024).prop_map(|(character, n)| character.to_string().repeat(n));
    prop_oneof![
        3 => any::<String>(),
        3 => odd,
        1 => Just("x".repeat(1024)),
        1 => repeated,
    ]
    .prop_map(|mut id| {
        let mut end = id.len().min(1024);
        while !id.is_char_boundary(end) {
            end -= 1;
        }
        id.truncate(end);
        id
    })
    .prop_filter("an id is not empty", |id| !id.is_empty())
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn dollars_parse_as_an_integer_model_does(
        text in prop_oneof![
            "[ +]{0,2}[0-9]{0,16}(\\.[0-9]{0,9})?[ ]?",
            "[0-9.,+e_ \\-]{0,10}",
            "1844674407370[0-9]\\.[0-9]{0,8}",
            any::<String>(),
        ],
    ) {
        let parsed = MicroUsd::parse("amount", &text).ok().map(|amount| amount.0);
        prop_assert_eq!(parsed, dollars(&text), "{:?}", text);
    }

    #[test]
    fn what_was_printed_exactly_is_parsed_exactly(micros in any::<u64>()) {
        let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        prop_assert_eq!(MicroUsd::parse("amount", &text), Ok(MicroUsd(micros)));
    }

    #[test]
    fn a_price_is_rounded_up_once(
        usage in usage(),
        [input, output, cache_read, cache_write] in prop::array::uniform4(amount()),
        cache_write_1h in prop::option::of(amount()),
    ) {
        let reasoning = output;
        let rates = Rates {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_1h,
            reasoning,
            ..Rates::default()
        };
        let price = Price::from(rates);
        let exact = exact_cost(&price, &usage);
        let rounded = exact.map(|exact| exact / MILLION + u128::from(exact % MILLION > 0));
        let expected = rounded.and_then(|cost| u64::try_from(cost).ok()).unwrap_or(u64::MAX);
        prop_assert_eq!(price.cost(&usage), expected);
    }

    #[test]
    fn sums_of_usage_never_wrap(a in usage(), b in usage()) {
        let each = |op: fn(u64, u64) -> u64| {
            fields(&a).into_iter().zip(fields(&b)).map(|(a, b)| op(a, b)).collect::<Vec<_>>()
        };
        let wraps = fields(&a).into_iter().zip(fields(&b)).any(|(a, b)| a > u64::MAX - b);
        prop_assert_eq!(a.checked_add(&b).is_err(), wraps);
        prop_assert_eq!(fields(&a.saturating_add(&b)).to_vec(), each(u64::saturating_add));
        prop_assert_eq!(fields(&a.saturating_sub(&b)).to_vec(), each(u64::saturating_sub));
    }
}

proptest! {
    #![proptest_config(cases(10_000))]

    #[test]
    fn messages_are_valid_json_of_one_short_line_whatever_the_ids(
        (code, kind) in code(),
        id in id(),
        numbers in prop::array::uniform5(amount()),
        reason in prop::option::of(id()),
        scope in prop::collection::vec((id(), id()), 0..4),
    ) {
        let mut denied = Denied::plain(code, kind, Key::parse("id", &id).ok());
        [denied.limit, denied.used, denied.reserved, denied.requested, denied.remaining] = numbers;
        denied.reason = reason;
        denied.scope = scope;
        let text = denied.to_llm_message();
        prop_assert!(text.len() <= MESSAGE_BYTES_MAX, "{} bytes", text.len());
        let breaks = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
        prop_assert!(!text.contains(breaks), "more than a line");
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
        prop_assert_eq!(value["error"].as_str(), Some(code.name()));
        prop_assert_eq!(&value["details"]["requested"], &Value::from(denied.requested));
        let shown = value["details"][denied.id_name()].as_str().unwrap_or("missing");
        let start = shown.strip_suffix('…').unwrap_or(shown);
        prop_assert!(id == shown || id.starts_with(start), "{:?} for {:?}", shown, id);
    }
}

#[test]
fn an_unknown_model_is_an_error_and_never_free() {
    let table = PriceTable::default();
    assert!(table.cost("m", &Usage::tokens(1)).is_err());
}
