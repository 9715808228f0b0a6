//! The reports of a guard, as dicts.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::accounting::MicroUsd;
use crate::budgets::{Advice, Explained, unit_word};

/// The name of a unit in reports: money is counted in micro-USD.
pub(super) fn unit(word: &str) -> &str {
    if word == "usd" { "cost_micros_usd" } else { word }
}

pub(super) fn explained(py: Python<'_>, counters: Vec<Explained>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for counter in counters {
        let dict = PyDict::new(py);
        dict.set_item("name", &counter.name)?;
        dict.set_item("kind", counter.kind)?;
        dict.set_item("scope", pairs(py, &counter.scope)?)?;
        dict.set_item("values", pairs(py, &counter.values)?)?;
        dict.set_item("window", &counter.window)?;
        dict.set_item("mode", counter.mode)?;
        dict.set_item("show", counter.show)?;
        dict.set_item("resets_in", counter.resets_in.map(|left| left.as_secs_f64()))?;
        dict.set_item("wait", counter.wait.map(|wait| wait.as_secs_f64()))?;
        let limits = PyDict::new(py);
        for figures in &counter.figures {
            let figure = PyDict::new(py);
            figure.set_item("limit", figures.limit)?;
            figure.set_item("used", figures.used)?;
            figure.set_item("reserved", figures.reserved)?;
            figure.set_item("remaining", figures.remaining)?;
            figure.set_item("kept_back", figures.kept_back)?;
            limits.set_item(unit(figures.unit), figure)?;
        }
        dict.set_item("limits", limits)?;
        list.append(dict)?;
    }
    Ok(list)
}

pub(super) fn pairs<'py>(
    py: Python<'py>,
    pairs: &[(String, String)],
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in pairs {
        dict.set_item(name, value)?;
    }
    Ok(dict)
}

pub(super) fn advice<'py>(py: Python<'py>, advice: &Advice) -> PyResult<Bound<'py, PyDict>> {
    let remaining = PyDict::new(py);
    let amounts = [
        ("tokens", advice.tokens),
        ("cost_micros_usd", advice.cost_micros_usd),
        ("calls", advice.calls),
        ("tool_calls", advice.tool_calls),
        ("steps", advice.steps),
    ];
    for (name, left) in amounts {
        if let Some(left) = left {
            remaining.set_item(name, left)?;
        }
    }
    let rates = PyDict::new(py);
    for (rule, counted, left) in &advice.rates {
        let rule_rates = match rates.get_item(rule)? {
            Some(known) => known.cast_into::<PyDict>()?,
            None => PyDict::new(py),
        };
        let name = unit(unit_word(*counted));
        let known: Option<u64> =
            rule_rates.get_item(name)?.map(|left| left.extract()).transpose()?;
        rule_rates.set_item(name, known.map_or(*left, |known| known.min(*left)))?;
        rates.set_item(rule, rule_rates)?;
    }
    let dict = PyDict::new(py);
    dict.set_item("remaining", remaining)?;
    if let Some(micros) = advice.cost_micros_usd {
        dict.set_item("usd", MicroUsd(micros).to_string())?;
    }
    dict.set_item("rates", rates)?;
    dict.set_item("calls_left_estimate", advice.calls_left_estimate)?;
    dict.set_item("landing", advice.landing)?;
    Ok(dict)
}
