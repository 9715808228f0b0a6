//! An event of the store of a guard, as a dict with the keys of all events.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::event::event;
use crate::accounting::{Clock, Key};
use crate::ledger::{Event, EventKind, EventLabels};
use crate::store::StoreEvent;

/// What the name of a limit of a guard begins with.
const GUARD: &str = "Guard \"";

/// Whether it is about the store, or about a limit of a guard.
pub(super) fn is_of_guards(event: &StoreEvent) -> bool {
    event.limit.as_ref().is_none_or(|name| name.starts_with(GUARD))
}

/// The dict of an event of a store.
pub(super) fn store_event<'py>(
    py: Python<'py>,
    happened: &StoreEvent,
    clock: &Clock,
) -> PyResult<Bound<'py, PyDict>> {
    let labels: EventLabels = std::iter::empty().collect();
    let blank = Event::new(EventKind::Unmatched, Key::fixed("store"), &labels, clock);
    let dict = event(py, &blank)?;
    dict.set_item("event", happened.kind.name())?;
    dict.set_item("reason", &happened.problem)?;
    let Some(name) = &happened.limit else { return Ok(dict) };
    dict.set_item("name", name)?;
    if let Some((rule, unit)) = rule_and_unit(name) {
        dict.set_item("rule", rule)?;
        dict.set_item("unit", unit)?;
        if let Some(amount) = happened.amount {
            dict.get_item("amounts")?.map_or(Ok(()), |amounts| amounts.set_item(unit, amount))?;
        }
    }
    Ok(dict)
}

/// The rule and the unit in the readable name of a limit: `Guard "per-user" tokens ...`.
fn rule_and_unit(name: &str) -> Option<(String, &str)> {
    let rest = name.strip_prefix(GUARD)?;
    let mut rule = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((rule, rest[at + 1..].split_ascii_whitespace().next()?)),
            '\\' => rule.push(chars.next()?.1),
            _ => rule.push(char),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::rule_and_unit;

    #[test]
    fn a_name_has_its_rule_and_its_unit() {
        let name = r#"Guard "per \"user\"" tokens kind="budget" user="a b""#;
        assert_eq!(rule_and_unit(name), Some(("per \"user\"".to_owned(), "tokens")));
        assert_eq!(rule_and_unit(r#"AgentTokenBudget "a" tokens"#), None);
        assert_eq!(rule_and_unit("Guard \"a"), None);
    }
}
