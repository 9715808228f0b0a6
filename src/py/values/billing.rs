//! The fields of `Usage` and `UsageEstimate` that most calls do not have: sound, units, and the
//! way of billing.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString, PyTuple};

use crate::accounting::{Billing, Invalid, Usage};
use crate::py::args;

/// Reads what a call without any of them does not give.
#[inline]
pub(super) fn billing(
    audio_input_tokens: Option<&Bound<'_, PyAny>>,
    audio_output_tokens: Option<&Bound<'_, PyAny>>,
    units: Option<&Bound<'_, PyAny>>,
    billed_as: Option<&Bound<'_, PyAny>>,
) -> PyResult<Billing> {
    match (audio_input_tokens, audio_output_tokens, units, billed_as) {
        (None, None, None, None) => Ok(Billing::none()),
        (heard, spoken, units, ways) => read(heard, spoken, units, ways),
    }
}

#[cold]
fn read(
    heard: Option<&Bound<'_, PyAny>>,
    spoken: Option<&Bound<'_, PyAny>>,
    units: Option<&Bound<'_, PyAny>>,
    ways: Option<&Bound<'_, PyAny>>,
) -> PyResult<Billing> {
    let heard = args::limit(heard, "audio_input_tokens")?.unwrap_or(0);
    let spoken = args::limit(spoken, "audio_output_tokens")?.unwrap_or(0);
    let mut billing = Billing::none().with_audio(heard, spoken);
    if let Some(units) = units {
        let items = units.cast::<PyMapping>().map_err(|_| no_units(units))?.items()?;
        for item in items {
            let (name, count): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
            let name = name.cast::<PyString>().map_err(|_| no_units(units))?;
            let name = args::utf8(name, "units")?;
            let count = args::amount(&count, &format!("units[{name:?}]"))?;
            billing = billing.with_unit("units", name, count)?;
        }
    }
    if let Some(ways) = ways {
        if ways.is_instance_of::<PyString>() {
            return Err(no_ways(ways));
        }
        for way in ways.try_iter().map_err(|_| no_ways(ways))? {
            let way = way?;
            let name = way.cast::<PyString>().map_err(|_| no_ways(&way))?;
            billing = billing.billed_as("billed_as", args::utf8(name, "billed_as")?)?;
        }
    }
    Ok(billing)
}

fn no_units(given: &Bound<'_, PyAny>) -> PyErr {
    let allowed = "a dict of names and whole counts, such as {\"web_search\": 3}, not";
    Invalid::amount("units", &format!("{allowed} {}", args::type_name(given))).into()
}

fn no_ways(given: &Bound<'_, PyAny>) -> PyErr {
    let allowed = "a tuple, list or set of names, such as (\"priority\",), not";
    Invalid::amount("billed_as", &format!("{allowed} {}", args::type_name(given))).into()
}

/// The units, in a dict of the caller's own.
pub(super) fn units_of<'py>(usage: &Usage, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
    let units = PyDict::new(py);
    for (name, count) in usage.billing.units() {
        units.set_item(name, count)?;
    }
    Ok(units)
}

/// How the call is billed.
pub(super) fn ways_of<'py>(usage: &Usage, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, usage.billing.ways().collect::<Vec<_>>())
}

/// Adds the fields that are not empty to the keywords of a pickle.
pub(super) fn add_billing(usage: &Usage, keywords: &Bound<'_, PyDict>) -> PyResult<()> {
    if usage.billing.is_none() {
        return Ok(());
    }
    for (name, count) in sound(usage) {
        if count > 0 {
            keywords.set_item(name, count)?;
        }
    }
    let py = keywords.py();
    if usage.billing.units().next().is_some() {
        keywords.set_item("units", units_of(usage, py)?)?;
    }
    if usage.billing.ways().next().is_some() {
        keywords.set_item("billed_as", ways_of(usage, py)?)?;
    }
    Ok(())
}

fn sound(usage: &Usage) -> [(&'static str, u64); 2] {
    [
        ("audio_input_tokens", usage.billing.audio_input_tokens()),
        ("audio_output_tokens", usage.billing.audio_output_tokens()),
    ]
}

/// The fields that are not empty, as `repr` writes them.
pub(super) fn shown(usage: &Usage) -> Vec<String> {
    let mut shown = Vec::new();
    let heard = sound(usage).into_iter().filter(|(_, count)| *count > 0);
    shown.extend(heard.map(|(name, count)| format!("{name}={count}")));
    let units: Vec<String> =
        usage.billing.units().map(|(name, count)| format!("'{name}': {count}")).collect();
    if !units.is_empty() {
        shown.push(format!("units={{{}}}", units.join(", ")));
    }
    let ways: Vec<String> = usage.billing.ways().map(|way| format!("'{way}',")).collect();
    match ways.as_slice() {
        [] => {}
        [one] => shown.push(format!("billed_as=({one})")),
        many => shown.push(format!("billed_as=({})", many.join(" ").trim_end_matches(','))),
    }
    shown
}
