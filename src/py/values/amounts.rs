//! `Usage`, `UsageEstimate`, `RequestBudget`, `Remaining` and `usd`.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString, PyTuple};

use super::billing::{add_billing, billing, shown, units_of, ways_of};
use crate::accounting::{Invalid, MicroUsd, RequestBudget, Usage};
use crate::budgets::Remaining;
use crate::py::args;

/// The two classes of the same shape: actual usage, and estimates.
macro_rules! usage_class {
    ($class:ident, $name:literal) => {
        #[doc = stub!($name)]
        #[pyclass(module = "outlay", name = $name, frozen, eq, hash)]
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub(crate) struct $class(pub(crate) Usage);

        #[pymethods]
        impl $class {
            #[new]
            #[pyo3(signature = (*, input_tokens = None, output_tokens = None, total_tokens = None,
                        cost_micros_usd = None, cache_read_tokens = None, cache_write_tokens = None,
                        cache_write_1h_tokens = None, reasoning_tokens = None, audio_input_tokens = None,
                        audio_output_tokens = None, units = None, billed_as = None))]
            #[expect(clippy::too_many_arguments, reason = "the keywords of the Python class")]
            fn new(
                input_tokens: Option<&Bound<'_, PyAny>>,
                output_tokens: Option<&Bound<'_, PyAny>>,
                total_tokens: Option<&Bound<'_, PyAny>>,
                cost_micros_usd: Option<&Bound<'_, PyAny>>,
                cache_read_tokens: Option<&Bound<'_, PyAny>>,
                cache_write_tokens: Option<&Bound<'_, PyAny>>,
                cache_write_1h_tokens: Option<&Bound<'_, PyAny>>,
                reasoning_tokens: Option<&Bound<'_, PyAny>>,
                audio_input_tokens: Option<&Bound<'_, PyAny>>,
                audio_output_tokens: Option<&Bound<'_, PyAny>>,
                units: Option<&Bound<'_, PyAny>>,
                billed_as: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<Self> {
                let field = |value: Option<&Bound<'_, PyAny>>, name: &str| {
                    value.map_or(Ok(0), |value| args::amount(value, name))
                };
                let input = field(input_tokens, "input_tokens")?;
                let output = field(output_tokens, "output_tokens")?;
                let total = match args::limit(total_tokens, "total_tokens")? {
                    Some(total) => total,
                    None => input.checked_add(output).ok_or_else(|| {
                        Invalid::amount("input_tokens + output_tokens", "below 2**64")
                    })?,
                };
                Ok(Self(Usage {
                    input_tokens: input,
                    output_tokens: output,
                    total_tokens: total,
                    cost_micros_usd: field(cost_micros_usd, "cost_micros_usd")?,
                    cache_read_tokens: field(cache_read_tokens, "cache_read_tokens")?,
                    cache_write_tokens: field(cache_write_tokens, "cache_write_tokens")?,
                    cache_write_1h_tokens: field(cache_write_1h_tokens, "cache_write_1h_tokens")?,
                    reasoning_tokens: field(reasoning_tokens, "reasoning_tokens")?,
                    billing: billing(audio_input_tokens, audio_output_tokens, units, billed_as)?,
                }))
            }

            #[doc = stub!($name, ".zero")]
            #[staticmethod]
            const fn zero() -> Self {
                Self(Usage::zero())
            }

            #[doc = stub!($name, ".input_tokens")]
            #[getter]
            const fn input_tokens(&self) -> u64 {
                self.0.input_tokens
            }

            #[doc = stub!($name, ".output_tokens")]
            #[getter]
            const fn output_tokens(&self) -> u64 {
                self.0.output_tokens
            }

            #[doc = stub!($name, ".total_tokens")]
            #[getter]
            const fn total_tokens(&self) -> u64 {
                self.0.total_tokens
            }

            #[doc = stub!($name, ".cost_micros_usd")]
            #[getter]
            const fn cost_micros_usd(&self) -> u64 {
                self.0.cost_micros_usd
            }

            #[doc = stub!($name, ".cache_read_tokens")]
            #[getter]
            const fn cache_read_tokens(&self) -> u64 {
                self.0.cache_read_tokens
            }

            #[doc = stub!($name, ".cache_write_tokens")]
            #[getter]
            const fn cache_write_tokens(&self) -> u64 {
                self.0.cache_write_tokens
            }

            #[doc = stub!($name, ".cache_write_1h_tokens")]
            #[getter]
            const fn cache_write_1h_tokens(&self) -> u64 {
                self.0.cache_write_1h_tokens
            }

            #[doc = stub!($name, ".reasoning_tokens")]
            #[getter]
            const fn reasoning_tokens(&self) -> u64 {
                self.0.reasoning_tokens
            }

            #[doc = stub!($name, ".audio_input_tokens")]
            #[getter]
            fn audio_input_tokens(&self) -> u64 {
                self.0.billing.audio_input_tokens()
            }

            #[doc = stub!($name, ".audio_output_tokens")]
            #[getter]
            fn audio_output_tokens(&self) -> u64 {
                self.0.billing.audio_output_tokens()
            }

            #[doc = stub!($name, ".units")]
            #[getter]
            fn units<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
                units_of(&self.0, py)
            }

            #[doc = stub!($name, ".billed_as")]
            #[getter]
            fn billed_as<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
                ways_of(&self.0, py)
            }

            fn __add__(&self, other: &Self) -> PyResult<Self> {
                Ok(Self(self.0.checked_add(&other.0)?))
            }

            fn __repr__(&self) -> String {
                let counts = fields(&self.0).map(|(name, value)| format!("{name}={value}"));
                let fields = [counts.to_vec(), shown(&self.0)].concat();
                format!("{}({})", $name, fields.join(", "))
            }

            fn __getnewargs_ex__<'py>(
                &self,
                py: Python<'py>,
            ) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
                let keywords = PyDict::new(py);
                for (name, value) in fields(&self.0) {
                    keywords.set_item(name, value)?;
                }
                add_billing(&self.0, &keywords)?;
                Ok(args::new_args(py, keywords))
            }
        }
    };
}

fn fields(usage: &Usage) -> [(&'static str, u64); 8] {
    [
        ("input_tokens", usage.input_tokens),
        ("output_tokens", usage.output_tokens),
        ("total_tokens", usage.total_tokens),
        ("cost_micros_usd", usage.cost_micros_usd),
        ("cache_read_tokens", usage.cache_read_tokens),
        ("cache_write_tokens", usage.cache_write_tokens),
        ("cache_write_1h_tokens", usage.cache_write_1h_tokens),
        ("reasoning_tokens", usage.reasoning_tokens),
    ]
}

// `Usage.from_response` is written in Python (`outlay._usage.responses`), which gives it to the class.
usage_class!(PyUsage, "Usage");
usage_class!(PyUsageEstimate, "UsageEstimate");

#[doc = stub!("RequestBudget")]
#[pyclass(module = "outlay", name = "RequestBudget", frozen, eq, hash)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PyRequestBudget(pub(crate) RequestBudget);

#[pymethods]
impl PyRequestBudget {
    #[new]
    #[pyo3(signature = (*, tokens = None, cost_micros_usd = None))]
    fn new(
        tokens: Option<&Bound<'_, PyAny>>,
        cost_micros_usd: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Ok(Self(RequestBudget {
            tokens: args::limit(tokens, "tokens")?,
            cost_micros_usd: args::limit(cost_micros_usd, "cost_micros_usd")?,
        }))
    }

    #[doc = stub!("RequestBudget.unlimited")]
    #[staticmethod]
    const fn unlimited() -> Self {
        Self(RequestBudget::unlimited())
    }

    #[doc = stub!("RequestBudget.from_tokens")]
    #[staticmethod]
    fn from_tokens(tokens: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::new(Some(tokens), None)
    }

    #[doc = stub!("RequestBudget.from_cost_micros_usd")]
    #[staticmethod]
    fn from_cost_micros_usd(cost_micros_usd: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::new(None, Some(cost_micros_usd))
    }

    #[doc = stub!("RequestBudget.with_limits")]
    #[staticmethod]
    fn with_limits(
        tokens: Option<&Bound<'_, PyAny>>,
        cost_micros_usd: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Self::new(tokens, cost_micros_usd)
    }

    #[doc = stub!("RequestBudget.tokens")]
    #[getter]
    const fn tokens(&self) -> Option<u64> {
        self.0.tokens
    }

    #[doc = stub!("RequestBudget.cost_micros_usd")]
    #[getter]
    const fn cost_micros_usd(&self) -> Option<u64> {
        self.0.cost_micros_usd
    }

    fn __repr__(&self) -> String {
        let [tokens, cost] = [self.0.tokens, self.0.cost_micros_usd].map(or_none);
        format!("RequestBudget(tokens={tokens}, cost_micros_usd={cost})")
    }

    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let keywords = PyDict::new(py);
        keywords.set_item("tokens", self.0.tokens)?;
        keywords.set_item("cost_micros_usd", self.0.cost_micros_usd)?;
        Ok(args::new_args(py, keywords))
    }
}

#[doc = stub!("Remaining")]
#[pyclass(module = "outlay", name = "Remaining", frozen, eq, hash)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PyRemaining {
    #[doc = stub!("Remaining.tokens")]
    #[pyo3(get)]
    tokens: Option<u64>,
    #[doc = stub!("Remaining.cost_micros_usd")]
    #[pyo3(get)]
    cost_micros_usd: Option<u64>,
    #[doc = stub!("Remaining.below_threshold")]
    #[pyo3(get)]
    below_threshold: bool,
}

impl From<Remaining> for PyRemaining {
    fn from(left: Remaining) -> Self {
        let Remaining { tokens, cost_micros_usd, below_threshold } = left;
        Self { tokens, cost_micros_usd, below_threshold }
    }
}

impl PyRemaining {
    /// What is left, in words.
    pub(crate) fn text(&self) -> String {
        let [tokens, cost] = [self.tokens, self.cost_micros_usd].map(or_none);
        format!("tokens={tokens}, cost_micros_usd={cost}")
    }
}

#[pymethods]
impl PyRemaining {
    #[new]
    fn new(
        tokens: Option<&Bound<'_, PyAny>>,
        cost_micros_usd: Option<&Bound<'_, PyAny>>,
        below_threshold: bool,
    ) -> PyResult<Self> {
        Ok(Self {
            tokens: args::limit(tokens, "tokens")?,
            cost_micros_usd: args::limit(cost_micros_usd, "cost_micros_usd")?,
            below_threshold,
        })
    }

    fn __repr__(&self) -> String {
        let below = if self.below_threshold { "True" } else { "False" };
        format!("Remaining({}, below_threshold={below})", self.text())
    }

    const fn __getnewargs__(&self) -> (Option<u64>, Option<u64>, bool) {
        (self.tokens, self.cost_micros_usd, self.below_threshold)
    }
}

/// An optional number as Python writes it.
pub(crate) fn or_none<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "None".to_owned(), |value| value.to_string())
}

#[doc = stub!("usd")]
#[pyfunction]
pub(crate) fn usd(dollars: &Bound<'_, PyAny>) -> PyResult<u64> {
    let refuse = |problem: &str| -> PyErr {
        Invalid::amount("dollars", &format!("a str, Decimal or int, {problem}")).into()
    };
    if dollars.is_instance_of::<PyFloat>() {
        return Err(refuse("not a float: 0.1 has no exact binary form; write \"0.1\""));
    }
    let text = if dollars.is_instance_of::<PyBool>() {
        return Err(refuse("not a bool"));
    } else if let Ok(text) = dollars.cast::<PyString>() {
        args::utf8(text, "dollars")?.to_owned()
    } else if dollars.is_instance_of::<PyInt>() {
        args::amount(dollars, "dollars")?.to_string()
    } else if is_decimal(dollars)? {
        decimal_text(dollars).ok_or_else(|| refuse("not a NaN, infinite or too large Decimal"))?
    } else {
        let whole = args::index(dollars);
        let not_that = || refuse(&format!("not {}", args::type_name(dollars)));
        args::amount(&whole.map_err(|_| not_that())?, "dollars")?.to_string()
    };
    Ok(MicroUsd::parse("dollars", &text)?.0)
}

fn is_decimal(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value.is_instance(&value.py().import("decimal")?.getattr("Decimal")?)
}

/// A Decimal as plain digits, or `None` if it has no such form of reasonable length.
fn decimal_text(value: &Bound<'_, PyAny>) -> Option<String> {
    let finite: bool = value.call_method0("is_finite").ok()?.extract().ok()?;
    let magnitude: i64 = value.call_method0("adjusted").ok()?.extract().ok()?;
    let zero = !value.is_truthy().ok()?;
    if zero && finite {
        return Some("0".to_owned());
    }
    if !finite || !(-40..=40).contains(&magnitude) {
        return None;
    }
    value.call_method1("__format__", ("f",)).ok()?.extract().ok()
}
