//! An event of a guard, as a dict. Every event has the same keys.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::report::{pairs, unit};
use crate::accounting::Unit;
use crate::budgets::unit_word;
use crate::ledger::{Decided, Event, EventFigures, EventKind};

/// The dict of an event.
pub(super) fn event<'py>(py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("event", name(event.kind))?;
    dict.set_item("time", seconds(event.wall_ns))?;
    let rule = event.rule.as_ref();
    dict.set_item("rule", rule.map(|rule| rule.name.as_str()))?;
    dict.set_item("kind", rule.map(|rule| rule.kind))?;
    dict.set_item("labels", pairs(py, &event.labels)?)?;
    dict.set_item("values", pairs(py, rule.map_or(&[], |rule| &*rule.values))?)?;
    let model = event.labels.iter().find(|(name, _)| name == "model");
    dict.set_item("model", model.map(|(_, value)| value))?;
    let chosen = event.unit_figures();
    dict.set_item("unit", event.unit.map(word))?;
    dict.set_item("limit", chosen.and_then(|figures| figures.limit))?;
    dict.set_item("used", chosen.map(|figures| figures.used))?;
    dict.set_item("reserved", chosen.map(|figures| figures.reserved))?;
    dict.set_item("limits", limits(py, &event.figures)?)?;
    dict.set_item("fraction", event.share.map(fraction))?;
    dict.set_item("reason", reason(event))?;
    dict.set_item("allowed", event.decided.map(|decided| decided.allowed))?;
    dict.set_item("waited", event.decided.map(|decided| decided.waited))?;
    dict.set_item("lease", event.lease.map(|id| format!("lease-{id}")))?;
    dict.set_item("name", event.key.as_str())?;
    let amounts = PyDict::new(py);
    for (counted, amount) in &event.amounts {
        amounts.set_item(word(*counted), amount)?;
    }
    dict.set_item("amounts", amounts)?;
    Ok(dict)
}

fn limits<'py>(py: Python<'py>, all: &[EventFigures]) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for figures in all {
        let figure = PyDict::new(py);
        figure.set_item("limit", figures.limit)?;
        figure.set_item("used", figures.used)?;
        figure.set_item("reserved", figures.reserved)?;
        dict.set_item(word(figures.unit), figure)?;
    }
    Ok(dict)
}

/// The name of a unit: the same as in `explain`.
fn word(counted: Unit) -> &'static str {
    unit(unit_word(counted))
}

fn reason(event: &Event) -> Option<&'static str> {
    match event.decided {
        Some(Decided { left: true, .. }) => Some("left"),
        _ => event.reason.map(|cause| cause.name()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a float of seconds, as time.time() gives it")]
fn seconds(wall_ns: i64) -> f64 {
    wall_ns as f64 / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "a share is at most a million millionths")]
fn fraction(share: u64) -> f64 {
    share as f64 / 1e6
}

const fn name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Reserved => "reserved",
        EventKind::Committed => "committed",
        EventKind::Released => "released",
        EventKind::Expired => "expired",
        EventKind::Charged => "charged",
        EventKind::Denied => "denied",
        EventKind::Warned => "warned",
        EventKind::Exceeded => "exceeded",
        EventKind::Unmatched => "unmatched",
        EventKind::Decision => "decision",
    }
}
