//! `PriceTable`: the prices of models.

use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString};

use super::given::usage as usage_of;
use crate::accounting::{Invalid, Price, PriceTable, model_names as names_of};
use crate::py::args;

#[doc = stub!("PriceTable")]
#[pyclass(module = "outlay", name = "PriceTable", frozen)]
pub(crate) struct PyPriceTable(PriceTable);

#[pymethods]
impl PyPriceTable {
    #[new]
    fn new(prices: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut table = PriceTable::default();
        for item in prices.cast::<PyMapping>().map_err(|_| shape())?.items()? {
            let (model, entries): (Bound<'_, PyString>, Bound<'_, PyAny>) =
                item.extract().map_err(|_| shape())?;
            let model = args::utf8(&model, "model")?;
            table.set(model, price(&format!("prices[{model:?}]"), &entries)?);
        }
        Ok(Self(table))
    }

    #[doc = stub!("PriceTable.knows")]
    fn knows(&self, model: &str) -> bool {
        self.0.knows(model)
    }

    #[doc = stub!("PriceTable.cost")]
    #[pyo3(signature = (model, usage, *, provider = None))]
    fn cost(&self, model: &str, usage: &Bound<'_, PyAny>, provider: Option<&str>) -> PyResult<u64> {
        let usage = usage_of(usage).ok_or_else(|| {
            Invalid::amount(
                "usage",
                &format!("a Usage or UsageEstimate, not {}", args::type_name(usage)),
            )
        })?;
        Ok(self.0.cost_by(provider, model, &usage)?)
    }

    fn __repr__(&self) -> &'static str {
        "PriceTable(...)"
    }
}

#[doc = stub!("model_names")]
#[pyfunction]
pub(crate) fn model_names(model: &str) -> Vec<&str> {
    names_of(model).collect()
}

fn shape() -> PyErr {
    let allowed = "a mapping of model names to mappings such as {\"input\": \"2.50\", \
                   \"output\": \"10.00\"}, USD per million tokens as text";
    Invalid::policy("prices", allowed).into()
}

/// Reads the price of one model: a mapping of kinds to text, and "tiers".
pub(crate) fn price(argument: &str, entries: &Bound<'_, PyAny>) -> PyResult<Price> {
    let (texts, tiers) = rates(entries, "tiers")?;
    let mut price = Price::parse(argument, pairs(&texts))?;
    let argument = format!("{argument}[\"tiers\"]");
    for tier in
        tiers.map(|tiers| tiers.extract::<Vec<Bound<'_, PyAny>>>()).transpose()?.iter().flatten()
    {
        let (texts, above) = rates(tier, "above_input_tokens")?;
        let above = above.ok_or_else(|| {
            Invalid::policy(&argument, "a list of mappings with \"above_input_tokens\"")
        })?;
        let above = args::amount(&above, "above_input_tokens")?;
        price.add_tier(&argument, above, pairs(&texts))?;
    }
    Ok(price)
}

type Texts = Vec<(String, String)>;

/// The rates in a mapping, and the value of the key `other`.
fn rates<'py>(
    entries: &Bound<'py, PyAny>,
    other: &str,
) -> PyResult<(Texts, Option<Bound<'py, PyAny>>)> {
    let (mut texts, mut found) = (Texts::new(), None);
    for entry in entries.cast::<PyMapping>().map_err(|_| shape())?.items()? {
        let (key, value): (String, Bound<'py, PyAny>) = entry.extract().map_err(|_| shape())?;
        if key == other {
            found = Some(value);
        } else {
            texts.push((key, value.extract()?));
        }
    }
    Ok((texts, found))
}

fn pairs(texts: &Texts) -> impl Iterator<Item = (&str, &str)> {
    texts.iter().map(|(key, text)| (key.as_str(), text.as_str()))
}
