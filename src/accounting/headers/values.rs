//! Reads the values of headers: amounts, durations, and points in time.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{Timestamp, tz::Offset};

/// A wait beyond 31 days is a mistake, such as a Unix time read as seconds.
const WAIT_MAX: Duration = Duration::from_secs(31 * 24 * 3600);

/// The digits of a fraction that are kept, and the number that they divide.
const FRACTION_DIGITS: usize = 18;
const FRACTION: u128 = 10_u128.pow(18);
pub(super) const MILLISECOND: u128 = 1_000_000;
pub(super) const SECOND: u128 = 1_000 * MILLISECOND;

/// The units of Go's durations, in nanoseconds. Go writes a micro sign. A library that reads
/// headers as Latin-1 passes it on as two characters.
const UNITS: [(&str, u128); 8] = [
    ("h", 3600 * SECOND),
    ("m", 60 * SECOND),
    ("s", SECOND),
    ("ms", MILLISECOND),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{c2}\u{b5}s", 1_000),
    ("ns", 1),
];

/// Reads `value` into `place` and keeps the stricter value. Some HTTP libraries join a repeated
/// header with ", ". A date contains that text itself, so the whole value is tried first.
pub(super) fn merge<T: Copy>(
    place: &mut Option<T>,
    value: &str,
    parse: impl Fn(&str) -> Option<T>,
    stricter: fn(T, T) -> T,
) {
    let parts = || value.split(", ").map(&parse).reduce(|a, b| Some(stricter(a?, b?)));
    let read = parse(value).or_else(|| parts().flatten());
    *place = place.iter().copied().chain(read).reduce(stricter);
}

/// The whole part of a decimal number, and its fraction without zeros at the end.
pub(super) fn decimal(text: &str) -> Option<(u64, &str)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let whole = whole.parse().ok().filter(|_| digits(whole) && digits(fraction))?;
    Some((whole, fraction.trim_end_matches('0')))
}

/// A number of `unit` nanoseconds, in fractions of a nanosecond.
fn parts(text: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = decimal(text)?;
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(FRACTION_DIGITS);
    let kept = digits.fold(0, |sum, digit| sum * 10 + u128::from(digit - b'0'));
    let cut = u128::from(fraction.len() > FRACTION_DIGITS);
    (u128::from(whole) * FRACTION + kept + cut).checked_mul(unit)
}

/// The duration of that many fractions of a nanosecond, rounded up.
fn rounded_up(parts: u128) -> Option<Duration> {
    let nanos = u64::try_from(parts.div_ceil(FRACTION)).ok()?;
    Some(Duration::from_nanos(nanos)).filter(|wait| *wait <= WAIT_MAX)
}

pub(super) fn wait(text: &str, unit: u128) -> Option<Duration> {
    rounded_up(parts(text, unit)?)
}

/// A duration as Go writes it: numbers with units, larger units first, each at most once.
pub(super) fn go_duration(text: &str) -> Option<Duration> {
    let number = |c: char| c.is_ascii_digit() || c == '.';
    let (mut rest, mut sum, mut last) = (text, 0_u128, u128::MAX);
    loop {
        let (amount, tail) = rest.split_at(rest.find(|c| !number(c))?);
        let (name, tail) = tail.split_at(tail.find(number).unwrap_or(tail.len()));
        let unit = UNITS.iter().find(|(unit, size)| *unit == name && *size < last)?.1;
        sum = sum.checked_add(parts(amount, unit)?)?;
        (rest, last) = (tail, unit);
        if rest.is_empty() {
            return rounded_up(sum);
        }
    }
}

/// A date in the three forms of RFC 9110: the usual one, that of RFC 850, and that of asctime.
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    let usual = DateTimeParser::new().parse_timestamp(text).ok();
    let utc = |format| Offset::UTC.to_timestamp(DateTime::strptime(format, text).ok()?).ok();
    let obsolete = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    usual.or_else(|| obsolete.into_iter().find_map(utc))
}

/// The time from now until `at`, zero where it has passed.
pub(super) fn until(at: Timestamp, wall_ns: i64) -> Option<Duration> {
    let nanos = u128::try_from(at.as_nanosecond() - i128::from(wall_ns)).unwrap_or(0);
    rounded_up(nanos.checked_mul(FRACTION)?)
}

/// The time until a Unix time in seconds or milliseconds. Numbers from 2001 on are points in time:
/// no wait is that long.
pub(super) fn epoch(text: &str, wall_ns: i64) -> Option<Duration> {
    let (number, _) = decimal(text)?;
    let unit = match number {
        1_000_000_000..100_000_000_000 => SECOND,
        100_000_000_000..100_000_000_000_000 => MILLISECOND,
        _ => return None,
    };
    let at = parts(text, unit)?.div_ceil(FRACTION);
    let at = Timestamp::from_nanosecond(i128::try_from(at).ok()?).ok()?;
    until(at, wall_ns)
}
