//! Money: whole micro-US-dollars, parsed exactly, never a float.

use super::invalid::Invalid;

/// Micro-USD in one dollar.
pub const MICROS_PER_USD: u64 = 1_000_000;

/// An amount of money in whole millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicroUsd(pub u64);

impl MicroUsd {
    /// Parses dollars written as plain decimal digits, exactly.
    ///
    /// ```
    /// use outlay::accounting::MicroUsd;
    /// assert_eq!(MicroUsd::parse("amount", "12.34").unwrap(), MicroUsd(12_340_000));
    /// assert!(MicroUsd::parse("amount", "-1").is_err());
    /// ```
    pub fn parse(argument: &str, text: &str) -> Result<Self, Invalid> {
        let bad = || {
            Invalid::amount(
                argument,
                "dollars as plain decimal text such as \"12.34\": not negative, at most 6 decimals, \
                 at most 18446744073709.551615",
            )
        };
        let text = text.trim();
        let text = text.strip_prefix('+').unwrap_or(text);
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && !text.contains(|c: char| c.is_ascii_digit()))
            || fraction.len() > 6
            || !digits(whole)
            || !digits(fraction)
        {
            return Err(bad());
        }
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| bad())? };
        let micros: u64 = format!("{fraction:0<6}").parse().map_err(|_| bad())?;
        let total = whole.checked_mul(MICROS_PER_USD).and_then(|m| m.checked_add(micros));
        total.map(Self).ok_or_else(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_parse_exactly() {
        let cases = [
            ("0", 0),
            ("12.34", 12_340_000),
            ("0.1", 100_000),
            (".5", 500_000),
            ("5.", 5_000_000),
            ("0.000001", 1),
            ("1.1000000000", 1_100_000),
            ("18446744073709.551615", u64::MAX),
        ];
        for (text, micros) in cases {
            assert_eq!(MicroUsd::parse("amount", text), Ok(MicroUsd(micros)), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_dollars_is_refused() {
        for text in [
            "",
            ".",
            "-1",
            "1e3",
            "nan",
            "inf",
            "1,5",
            "0.0000001",
            "18446744073709.551616",
            "1 0",
            "$1",
        ] {
            assert!(MicroUsd::parse("amount", text).is_err(), "{text}");
        }
    }
}
