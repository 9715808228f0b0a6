//! What a store says of itself, as dicts.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::store::{Inspected, InspectedShare, ShareStatus, Status, WindowSpan};

/// The dict of a status.
pub(super) fn status<'py>(py: Python<'py>, status: &Status) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("url", &status.url)?;
    dict.set_item("namespace", &status.namespace)?;
    dict.set_item("connected", status.connected)?;
    dict.set_item("problem", &status.problem)?;
    dict.set_item("holder", holder(status.holder))?;
    dict.set_item("live", status.live)?;
    dict.set_item("limits", status.limits)?;
    let shares = status.shares.iter().map(|own| share(py, own));
    dict.set_item("shares", shares.collect::<PyResult<Vec<_>>>()?)?;
    dict.set_item("last_answer", status.last_answer.map(|ago| ago.as_secs_f64()))?;
    let trip = status.last_answer.map(|_| status.round_trip.as_secs_f64());
    dict.set_item("round_trip", trip)?;
    dict.set_item("clock_offset", status.clock_offset.map(seconds))?;
    Ok(dict)
}

fn share<'py>(py: Python<'py>, own: &ShareStatus) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("name", &own.name)?;
    dict.set_item("out", own.out)?;
    dict.set_item("free", own.free)?;
    dict.set_item("used", own.used)?;
    dict.set_item("reserved", own.held)?;
    Ok(dict)
}

/// The limits of a store, by name.
pub(super) fn inspected(py: Python<'_>, mut limits: Vec<Inspected>) -> PyResult<Bound<'_, PyList>> {
    limits.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
    let list = PyList::empty(py);
    for limit in &limits {
        list.append(limit_dict(py, limit)?)?;
    }
    Ok(list)
}

fn limit_dict<'py>(py: Python<'py>, limit: &Inspected) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let unnamed = || format!("{:032x}", limit.id);
    dict.set_item("name", limit.name.clone().unwrap_or_else(unnamed))?;
    dict.set_item("window", window(limit.span))?;
    dict.set_item("limit", (limit.most != u64::MAX).then_some(limit.most))?;
    dict.set_item("used", limit.used)?;
    dict.set_item("out", limit.out)?;
    dict.set_item("written_off", limit.written_off)?;
    dict.set_item("ends", limit.ends.map(seconds))?;
    let holders = limit.holders.iter().map(|one| holder_dict(py, one));
    dict.set_item("holders", holders.collect::<PyResult<Vec<_>>>()?)?;
    Ok(dict)
}

fn holder_dict<'py>(py: Python<'py>, one: &InspectedShare) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("holder", holder(one.holder))?;
    dict.set_item("pid", one.pid)?;
    dict.set_item("live", one.live)?;
    dict.set_item("share", one.granted)?;
    dict.set_item("used", one.spent)?;
    dict.set_item("reserved", one.held)?;
    dict.set_item("heard", seconds(one.heard))?;
    Ok(dict)
}

/// A holder, by the first digits of its id.
fn holder(id: u128) -> String {
    format!("{id:032x}").chars().take(8).collect()
}

fn window(span: WindowSpan) -> String {
    let period = |micros| Duration::from_micros(micros).as_secs_f64();
    match span {
        WindowSpan::Lifetime => "lifetime".to_owned(),
        WindowSpan::Calendar => "calendar".to_owned(),
        WindowSpan::Gauge => "concurrent".to_owned(),
        WindowSpan::Fixed(micros) => format!("fixed:{}s", period(micros)),
        WindowSpan::Sliding(micros) => format!("rolling:{}s", period(micros)),
    }
}

/// Microseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "a float of seconds, as time.time() gives it")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
