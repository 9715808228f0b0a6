//! Steps that are charged to several budgets at once, and given back.

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::budgets::{CallLabels, GivenLabels, name_of};
use super::native::Native;
use super::together::{Labelled, one_of};
use crate::accounting::Hold;
use crate::ledger::{Ask, Carried, Demand, Error, charge};

#[doc = stub!("charge_together")]
#[pyfunction]
#[pyo3(signature = (budgets, operation, *, labels = None, returnable = false))]
pub(crate) fn charge_together(
    py: Python<'_>,
    budgets: Vec<Bound<'_, PyAny>>,
    operation: &Bound<'_, PyAny>,
    labels: Option<&Bound<'_, PyDict>>,
    returnable: bool,
) -> PyResult<Option<PyStepCharge>> {
    let operation = name_of(operation)?;
    let mut asks = Vec::with_capacity(budgets.len());
    let mut decides = Vec::new();
    for (number, budget) in (0..).zip(&budgets) {
        let mut own = if let Some(labelled) = Labelled::of(budget)? {
            let given = GivenLabels::new(py, None, labels).bound_to(labelled.bound());
            let step = labelled.step_call(&CallLabels::of(given)?.pairs()?)?;
            decides.extend(step.carried.decides);
            step.asks
        } else {
            let native = Native::of(budget)?;
            let ask = native.ask_tool(operation)?;
            native.remember();
            vec![ask]
        };
        own.iter_mut().for_each(|ask| ask.place.budget = number);
        asks.extend(own);
    }
    if asks.is_empty() {
        return Ok(None);
    }
    let carried = Carried { decides: one_of(decides), ..Carried::none() };
    if !returnable {
        deciding(&carried, charge(&asks))?;
        return Ok(None);
    }
    let charged = StepCharge::of(asks)?;
    deciding(&carried, charge(&charged.asks))?;
    Ok(Some(PyStepCharge(Mutex::new(Some(charged)))))
}

/// Reports the decision about a step.
fn deciding(carried: &Carried, charged: Result<(), Error>) -> PyResult<()> {
    match charged {
        Ok(()) => carried.tell_passed(None),
        Err(refused) => {
            carried.refused(&refused);
            return Err(refused.into());
        }
    }
    Ok(())
}

/// A step that was charged, in the windows in which it was.
struct StepCharge {
    asks: Vec<Ask>,
    /// What holds nothing of each meter, but knows its window.
    windows: Vec<Vec<Hold>>,
}

impl StepCharge {
    fn of(asks: Vec<Ask>) -> PyResult<Self> {
        let marks = |ask: &Ask| {
            ask.account.adjust(|meters, _| {
                let mark = |demand: &Demand| meters[usize::from(demand.meter)].reserve(0);
                ask.demands.iter().map(mark).collect()
            })
        };
        let windows = asks.iter().map(marks).collect::<Result<_, Error>>()?;
        Ok(Self { asks, windows })
    }

    /// Gives it back where its window still runs.
    fn give_back(self) -> Result<(), Error> {
        for (ask, windows) in self.asks.iter().zip(&self.windows) {
            ask.account.adjust(|meters, _| {
                for (demand, window) in ask.demands.iter().zip(windows) {
                    let meter = &mut meters[usize::from(demand.meter)];
                    if meter.counts(window) {
                        meter.give_back(demand.amount);
                    }
                }
            })?;
        }
        Ok(())
    }
}

#[doc = stub!("StepCharge")]
#[pyclass(module = "outlay._core", name = "StepCharge", frozen)]
pub(crate) struct PyStepCharge(Mutex<Option<StepCharge>>);

#[pymethods]
impl PyStepCharge {
    #[doc = stub!("StepCharge.give_back")]
    fn give_back(&self) -> PyResult<()> {
        let charged = self.0.lock().take();
        Ok(charged.map_or(Ok(()), StepCharge::give_back)?)
    }
}
