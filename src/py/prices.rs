//! `PriceTable`: what models cost.

use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString};

use super::convert;
use crate::accounting::{Invalid, PriceTable};

/// USD per million tokens by model, as text.
#[pyclass(module = "outlay", name = "PriceTable", frozen)]
pub(crate) struct PyPriceTable(PriceTable);

#[pymethods]
impl PyPriceTable {
    #[new]
    fn new(prices: &Bound<'_, PyAny>) -> PyResult<Self> {
        let shape = || -> PyErr {
            let allowed = "a mapping of model names to mappings such as {\"input\": \"2.50\", \
                           \"output\": \"10.00\"}, USD per million tokens as text";
            Invalid::policy("prices", allowed).into()
        };
        let mut table = PriceTable::default();
        for item in prices.cast::<PyMapping>().map_err(|_| shape())?.items()? {
            let (model, entries): (Bound<'_, PyString>, Bound<'_, PyAny>) =
                item.extract().map_err(|_| shape())?;
            let mut texts: Vec<(String, String)> = Vec::new();
            for entry in entries.cast::<PyMapping>().map_err(|_| shape())?.items()? {
                texts.push(entry.extract().map_err(|_| shape())?);
            }
            let entries = texts.iter().map(|(key, text)| (key.as_str(), text.as_str()));
            table.insert(convert::utf8(&model, "model")?, entries)?;
        }
        Ok(Self(table))
    }

    fn knows(&self, model: &str) -> bool {
        self.0.knows(model)
    }

    fn cost(&self, model: &str, usage: &Bound<'_, PyAny>) -> PyResult<u64> {
        let usage = convert::usage(usage).ok_or_else(|| {
            Invalid::amount(
                "usage",
                &format!("a Usage or UsageEstimate, not {}", convert::type_name(usage)),
            )
        })?;
        Ok(self.0.cost(model, &usage)?)
    }

    fn __repr__(&self) -> &'static str {
        "PriceTable(...)"
    }
}
