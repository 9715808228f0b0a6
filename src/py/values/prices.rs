//! `PriceTable`: the prices of models.

use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString};

use super::given::usage as usage_of;
use super::unpriced::tell_unpriced;
use crate::accounting::{Invalid, InvalidKind, Price, PriceTable, model_names as names_of};
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
    fn knows(&self, model: &Bound<'_, PyString>) -> bool {
        // No price has a name without a UTF-8 form.
        model.to_str().is_ok_and(|model| self.0.knows(model))
    }

    #[doc = stub!("PriceTable.cost")]
    #[pyo3(signature = (model, usage, *, provider = None))]
    fn cost(
        &self,
        model: &Bound<'_, PyString>,
        usage: &Bound<'_, PyAny>,
        provider: Option<&Bound<'_, PyString>>,
    ) -> PyResult<u64> {
        // A provider may answer with any name; of one that is no UTF-8 the readable part is shown.
        let model = &*model.to_string_lossy();
        let provider = provider.map(|provider| provider.to_string_lossy());
        let provider = provider.as_deref();
        let usage = usage_of(usage).ok_or_else(|| {
            Invalid::amount(
                "usage",
                &format!("a Usage or UsageEstimate, not {}", args::type_name(usage)),
            )
        })?;
        let price = self.0.price_by(provider, model, usage)?;
        price.unpriced(usage).for_each(|name| tell_unpriced(model, name));
        Ok(price.cost(usage))
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

/// Reads the price of one model: a mapping of kinds to text, and "tiers", "units" and
/// "multipliers".
pub(crate) fn price(argument: &str, entries: &Bound<'_, PyAny>) -> PyResult<Price> {
    let mut tables = [None, None, None];
    let mut texts = Texts::new();
    for (key, value) in pairs_of(entries)? {
        match ["tiers", "units", "multipliers"].iter().position(|known| *known == key) {
            Some(index) => tables[index] = Some(value),
            None => texts.push((key.clone(), text_of(&format!("{argument}[{key:?}]"), &value)?)),
        }
    }
    let [tiers, units, multipliers] = tables;
    let mut price = Price::parse(argument, pairs(&texts))?;
    if let Some(tiers) = tiers {
        read_tiers(&mut price, &format!("{argument}[\"tiers\"]"), &tiers)?;
    }
    if let Some(units) = units {
        let argument = format!("{argument}[\"units\"]");
        for (name, text) in &texts_of(&argument, &units)? {
            price.add_unit(&argument, name, text).map_err(as_policy)?;
        }
    }
    if let Some(multipliers) = multipliers {
        let argument = format!("{argument}[\"multipliers\"]");
        for (name, value) in pairs_of(&multipliers)? {
            let own = format!("{argument}[{name:?}]");
            let added = match value.cast::<PyMapping>() {
                Ok(_) => price.add_multipliers(&argument, &name, pairs(&texts_of(&own, &value)?)),
                Err(_) => price.add_multiplier(&argument, &name, &text_of(&own, &value)?),
            };
            added.map_err(as_policy)?;
        }
    }
    Ok(price)
}

fn read_tiers(price: &mut Price, argument: &str, tiers: &Bound<'_, PyAny>) -> PyResult<()> {
    let no_list = || {
        let given = args::type_name(tiers);
        let allowed = "a list of mappings with \"above_input_tokens\"";
        Invalid::policy(argument, &format!("{allowed}, not {given}"))
    };
    for tier in tiers.extract::<Vec<Bound<'_, PyAny>>>().map_err(|_| no_list())? {
        let (mut texts, mut above) = (Texts::new(), None);
        for (key, value) in pairs_of(&tier)? {
            if key == "above_input_tokens" {
                above = Some(args::amount(&value, "above_input_tokens")?);
            } else {
                texts.push((key.clone(), text_of(&format!("{argument}[{key:?}]"), &value)?));
            }
        }
        let above = above.ok_or_else(|| {
            Invalid::policy(argument, "a list of mappings with \"above_input_tokens\"")
        })?;
        price.add_tier(argument, above, pairs(&texts))?;
    }
    Ok(())
}

/// A bad name in a price is a fault of the price.
fn as_policy(bad: Invalid) -> Invalid {
    Invalid { kind: InvalidKind::Policy, ..bad }
}

type Texts = Vec<(String, String)>;

fn pairs_of<'py>(entries: &Bound<'py, PyAny>) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
    let items = entries.cast::<PyMapping>().map_err(|_| shape())?.items()?;
    items.iter().map(|entry| entry.extract().map_err(|_| shape())).collect()
}

fn texts_of(argument: &str, entries: &Bound<'_, PyAny>) -> PyResult<Texts> {
    let read = |(key, value): (String, Bound<'_, PyAny>)| {
        let text = text_of(&format!("{argument}[{key:?}]"), &value)?;
        Ok((key, text))
    };
    pairs_of(entries)?.into_iter().map(read).collect()
}

/// The text of a price. A float has no exact decimals, so it is none.
fn text_of(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = value.cast::<PyString>().ok().and_then(|text| text.to_str().ok());
    text.map(str::to_owned).ok_or_else(|| {
        let given = args::type_name(value);
        Invalid::policy(argument, &format!("plain decimal text such as \"2.50\", not {given}"))
            .into()
    })
}

fn pairs(texts: &Texts) -> impl Iterator<Item = (&str, &str)> {
    texts.iter().map(|(key, text)| (key.as_str(), text.as_str()))
}
