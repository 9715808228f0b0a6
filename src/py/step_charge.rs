//! A step that was charged, and that a host which runs it again can give back.

use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::accounting::Hold;
use crate::ledger::{Ask, Demand, Error};

/// For each ask and each of its demands: what holds nothing of the meter, but knows its window.
type Windows = Vec<Vec<Hold>>;

/// The windows in which asks are about to be charged.
pub(super) fn windows_of(asks: &[Ask]) -> Result<Windows, Error> {
    let windows = |ask: &Ask| {
        ask.account.adjust(|meters, _| {
            let window = |demand: &Demand| meters[usize::from(demand.meter)].reserve(0);
            ask.demands.iter().map(window).collect()
        })
    };
    asks.iter().map(windows).collect()
}

#[doc = stub!("StepCharge")]
#[pyclass(module = "outlay._core", name = "StepCharge", frozen)]
pub(crate) struct PyStepCharge(Mutex<Option<(Vec<Ask>, Windows)>>);

impl PyStepCharge {
    pub(super) fn new(asks: Vec<Ask>, windows: Windows) -> Self {
        Self(Mutex::new(Some((asks, windows))))
    }
}

#[pymethods]
impl PyStepCharge {
    #[doc = stub!("StepCharge.give_back")]
    fn give_back(&self) -> PyResult<()> {
        let Some((asks, windows)) = self.0.lock().take() else { return Ok(()) };
        for (ask, windows) in asks.iter().zip(&windows) {
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
