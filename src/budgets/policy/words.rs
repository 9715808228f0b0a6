//! Reads the words of a policy: windows, modes, units and limits.

use super::node::{Node, Value};
use super::reader::Location;
use super::rule::{Mode, RuleLimit, Span};
use crate::accounting::{Calendar, CalendarUnit, Invalid, Moment, Show, Tick, Unit};

pub(super) const SHOWN: [(&str, Show); 3] =
    [("all", Show::All), ("own", Show::Own), ("nothing", Show::Nothing)];

pub(super) const MODES: [(&str, Mode); 4] =
    [("hard", Mode::Hard), ("enforce", Mode::Hard), ("soft", Mode::Soft), ("shadow", Mode::Shadow)];

const CALENDAR: [(&str, CalendarUnit); 4] = [
    ("hour", CalendarUnit::Hour),
    ("day", CalendarUnit::Day),
    ("week", CalendarUnit::Week),
    ("month", CalendarUnit::Month),
];

/// The units that a limit may name.
pub(super) const UNITS: [(&str, Unit); 9] = [
    ("usd", Unit::Cost),
    ("tokens", Unit::Tokens),
    ("input_tokens", Unit::InputTokens),
    ("output_tokens", Unit::OutputTokens),
    ("cache_read_tokens", Unit::CacheReadTokens),
    ("cache_write_tokens", Unit::CacheWriteTokens),
    ("reasoning_tokens", Unit::ReasoningTokens),
    ("calls", Unit::Calls),
    ("tool_calls", Unit::ToolCalls),
];

/// The word of a unit in a policy.
pub(crate) fn unit_word(unit: Unit) -> &'static str {
    match unit {
        Unit::Steps => "steps",
        Unit::Slots => "concurrent",
        _ => UNITS.iter().find(|(_, known)| *known == unit).map_or(unit.name(), |(word, _)| word),
    }
}

/// `{ usd = "20.00", tokens = 5_000_000 }`: at least one of `units`.
pub(super) fn limits(
    place: &Location,
    node: &Node,
    units: &[(&str, Unit)],
) -> Result<Vec<RuleLimit>, Invalid> {
    let mut table = place.table(node)?;
    let words: Vec<&str> = units.iter().map(|(word, _)| *word).collect();
    table.only(&words)?;
    let mut limits = Vec::new();
    for (word, unit) in units {
        let max = table.read(word, |place, node| match unit {
            Unit::Cost => place.usd(node),
            _ => place.whole(node),
        })?;
        limits.extend(max.map(|max| RuleLimit { unit: *unit, max: Some(max), kept_back: 0 }));
    }
    if limits.is_empty() {
        return Err(place.error(&format!("limits nothing; give one of {}", words.join(", "))));
    }
    Ok(limits)
}

/// Reads the amounts that limits keep back: `{ tokens = 5_000 }`.
pub(super) fn keep_back(
    place: &Location,
    node: &Node,
    limits: &mut [RuleLimit],
) -> Result<(), Invalid> {
    for kept_back in self::limits(place, node, &UNITS)? {
        let word = unit_word(kept_back.unit);
        let Some(limit) = limits.iter_mut().find(|limit| limit.unit == kept_back.unit) else {
            return Err(place.error(&format!("{word:?} is kept back of what has no limit")));
        };
        let (kept_back, max) = (kept_back.max.unwrap_or(0), limit.max.unwrap_or(u64::MAX));
        if kept_back > max {
            return Err(place.error(&format!("{word:?} must be at most the limit, {max}")));
        }
        limit.kept_back = kept_back;
    }
    Ok(())
}

/// `"calendar:day"`, `"rolling:24h"`, `"fixed:1h"`, `"run"` or `"lifetime"`. A time zone may follow
/// a calendar window; `zone` is the default.
pub(super) fn span(place: &Location, node: &Node, zone: &str) -> Result<Span, Invalid> {
    let text = place.text(node)?;
    let bad = || {
        let allowed = "one of \"calendar:hour\", \"calendar:day\", \"calendar:week\", \
                       \"calendar:month\" (\"calendar:day Europe/Berlin\" for a time zone), \
                       \"rolling:24h\", \"fixed:1h\", \"run\", \"lifetime\"";
        place.error(&format!("must be {allowed}, not {text:?}"))
    };
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    let duration = || {
        let value = Value::Text(rest.to_owned());
        place.duration(&Node { value, line: node.line, order: node.order })
    };
    match kind {
        "lifetime" if rest.is_empty() => Ok(Span::Lifetime),
        "run" if rest.is_empty() => Ok(Span::Run),
        "rolling" => duration().map(Span::Rolling),
        "fixed" => duration().map(Span::Fixed),
        "calendar" => {
            let (unit, zone) = rest.split_once(' ').unwrap_or((rest, zone));
            let unit = CALENDAR.iter().find(|(word, _)| *word == unit).ok_or_else(bad)?.1;
            Ok(Span::Calendar(unit, checked_zone(place, zone)?.to_owned()))
        }
        _ => Err(bad()),
    }
}

/// A share, or a list of shares.
pub(super) fn shares(place: &Location, node: &Node) -> Result<Vec<u64>, Invalid> {
    match &node.value {
        Value::List(items) => items.iter().map(|item| place.share(item)).collect(),
        _ => Ok(vec![place.share(node)?]),
    }
}

/// The name of a time zone.
pub(super) fn checked_zone<'a>(place: &Location, zone: &'a str) -> Result<&'a str, Invalid> {
    let known =
        Calendar::new(CalendarUnit::Day, zone, Moment { tick: Tick::from_nanos(0), wall_ns: 0 });
    known.map(|_| zone).map_err(|bad| place.error(&bad.message))
}
