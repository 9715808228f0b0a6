//! Money in whole micro-US-dollars, parsed exactly, never as a float.

use super::invalid::Invalid;

/// Micro-USD in one dollar.
pub(crate) const MICROS_PER_USD: u64 = 1_000_000;

/// An amount of money in whole millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicroUsd(pub u64);

impl MicroUsd {
    /// Parses dollars written as plain decimal digits, exactly.
    ///
    /// ```
    /// use outlay::MicroUsd;
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

impl std::fmt::Display for MicroUsd {
    /// Writes dollars with two decimals, or with as many as needed: "12.34", "0.00785".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fraction = format!("{:06}", self.0 % MICROS_PER_USD);
        let digits = fraction.trim_end_matches('0').len().max(2);
        write!(f, "{}.{}", self.0 / MICROS_PER_USD, &fraction[..digits])
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
    fn dollars_are_written_as_they_parse() {
        for (micros, text) in [
            (0, "0.00"),
            (12_340_000, "12.34"),
            (7_850, "0.00785"),
            (1, "0.000001"),
            (50_000_000, "50.00"),
        ] {
            assert_eq!(MicroUsd(micros).to_string(), text);
            assert_eq!(MicroUsd::parse("amount", text), Ok(MicroUsd(micros)));
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
