//! Decimal text as exact whole numbers: of prices, fees and multipliers.

use crate::accounting::invalid::Invalid;

/// Reads plain decimal text as a whole number of units of 10^-`decimals`.
pub(super) fn scaled(argument: &str, text: &str, decimals: usize) -> Result<u64, Invalid> {
    let bad = || {
        let allowed = format!(
            "plain decimal text such as \"0.01\": not negative, at most {decimals} decimals, and \
             below 2**64 with all of them"
        );
        Invalid::policy(argument, &allowed)
    };
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let any = text.bytes().any(|byte| byte.is_ascii_digit());
    if !any || fraction.len() > decimals || !digits(whole) || !digits(fraction) {
        return Err(bad());
    }
    format!("{whole}{fraction:0<decimals$}").parse().map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        for (text, decimals, number) in [
            ("0.01", 12, 10_000_000_000),
            ("1.1", 9, 1_100_000_000),
            ("2", 9, 2_000_000_000),
            (".5", 9, 500_000_000),
            ("0.50000000000000", 9, 500_000_000),
            ("0", 9, 0),
        ] {
            assert_eq!(scaled("it", text, decimals), Ok(number), "{text}");
        }
        for text in ["", ".", "-1", "1e3", "nan", "1,5", "0.0000000001", "1 0", "99999999999999"] {
            assert!(scaled("it", text, 9).is_err(), "{text}");
        }
    }
}
