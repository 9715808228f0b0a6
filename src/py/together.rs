//! Requests over several budgets, decided in one step. `wrap` uses them.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::budgets::{CallLabels, PyAllotment, PyGuard, name_of};
use super::lease::PyBudgetLease;
use super::native::Native;
use super::python_call::call_python_late;
use super::values::PyUsageEstimate;
use super::waiting::{PyMailbox, PyWait, block_deciding};
use crate::accounting::{Hold, Invalid, Usage};
use crate::budgets::{GuardAsk, GuardRequest};
use crate::ledger::{
    Account, AccountId, Ask, Carried, Decides, Demand, Error, Request, Wait, charge, reserve,
};
use crate::py::args;

/// The asks of a request over several budgets.
struct Together {
    asks: Vec<Ask>,
    request: Request,
    /// The budgets whose `on_warning` a commit may call.
    owner: Option<Py<PyAny>>,
    carried: Carried,
    /// How long the policy of a guard lets it wait.
    wait: Option<Duration>,
}

/// The keywords of a request over several budgets.
struct Keywords<'a, 'py> {
    operation: Option<&'a Bound<'py, PyAny>>,
    ttl: Option<&'a Bound<'py, PyAny>>,
    labels: Option<&'a Bound<'py, PyDict>>,
    /// Accounts that an outer call pays for.
    covered: Vec<AccountId>,
    /// Whether it is spent already and is only to be booked.
    spent: bool,
}

impl Together {
    fn of(
        budgets: &[Bound<'_, PyAny>],
        estimate: &Bound<'_, PyUsageEstimate>,
        keywords: &Keywords<'_, '_>,
    ) -> PyResult<Self> {
        if budgets.is_empty() {
            let message = "the list of budgets is empty; give at least one budget";
            return Err(Invalid::sentence(message.to_owned()).into());
        }
        let py = estimate.py();
        let operation = keywords.operation.map_or(Ok("query"), name_of)?;
        let mut usage = estimate.get().0.clone();
        let mut together = Self {
            asks: Vec::with_capacity(budgets.len()),
            request: Request { ttl: args::ttl(keywords.ttl)?, ..usage.clone().into() },
            owner: None,
            carried: Carried::none(),
            wait: None,
        };
        let (mut owners, mut keeps) = (Vec::new(), Vec::new());
        let mut decides: Vec<Arc<dyn Decides>> = Vec::new();
        let mut guarded = Vec::new();
        for (number, budget) in (0..).zip(budgets) {
            if let Some(mut asked) = guard_ask(py, budget, &usage, keywords)? {
                usage.cost_micros_usd = usage.cost_micros_usd.max(asked.estimate.cost_micros_usd);
                together.carried.price = together.carried.price.or(asked.carried.price);
                keeps.extend(asked.carried.keeps);
                decides.extend(asked.carried.decides);
                together.wait = shorter(together.wait, asked.wait);
                asked.asks.iter_mut().for_each(|ask| ask.place.budget = number);
                guarded.extend(asked.asks);
                continue;
            }
            let native = Native::of(budget)?;
            let patient = native.is_waited_for();
            let mut ask = Ask { patient, ..native.ask(operation, &usage)? };
            ask.place.budget = number;
            together.asks.push(ask);
            owners.extend(native.remember());
        }
        together.asks.extend(guarded);
        let paid = |ask: &Ask| keywords.covered.contains(&ask.account.id());
        together.asks.retain(|ask| !paid(ask));
        together.request.estimate = usage;
        together.carried.decides = one_of(decides);
        if !keeps.is_empty() {
            together.carried.keeps = Some(Arc::new(keeps));
        }
        if !owners.is_empty() {
            together.owner = Some(PyTuple::new(py, owners)?.into_any().unbind());
        }
        Ok(together)
    }
}

/// All of them as one.
fn one_of(mut decides: Vec<Arc<dyn Decides>>) -> Option<Arc<dyn Decides>> {
    match decides.len() {
        0 | 1 => decides.pop(),
        _ => Some(Arc::new(decides)),
    }
}

fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The asks on a guard or an allotment, or `None` for any other budget.
fn guard_ask(
    py: Python<'_>,
    budget: &Bound<'_, PyAny>,
    usage: &Usage,
    keywords: &Keywords<'_, '_>,
) -> PyResult<Option<GuardAsk>> {
    let (guard, allotment) = (budget.cast::<PyGuard>(), budget.cast::<PyAllotment>());
    if guard.is_err() && allotment.is_err() {
        return Ok(None);
    }
    let labels = CallLabels::of(py, keywords.labels)?;
    let pairs = labels.pairs()?;
    let (landing, spent) = (labels.landing, keywords.spent);
    let request = GuardRequest { estimate: usage.clone(), ttl: None, landing, spent };
    let covered = |account: &Arc<Account>| keywords.covered.contains(&account.id());
    if let Ok(guard) = guard {
        return Ok(Some(guard.get().inner.ask_call(&pairs, &request)?));
    }
    match allotment {
        Ok(allotment) => Ok(Some(allotment.get().open()?.ask_call(&pairs, &request, covered)?)),
        Err(_) => Ok(None),
    }
}

#[doc = stub!("reserve_together")]
#[pyfunction]
#[pyo3(signature = (budgets, estimate, *, operation = None, ttl = None, timeout = None,
    labels = None, covered = Vec::new()),
    text_signature = "(budgets, estimate, *, operation=None, ttl=None, timeout=None, labels=None, \
    covered=())")]
#[expect(clippy::too_many_arguments, reason = "the keywords of the Python function")]
pub(crate) fn reserve_together(
    py: Python<'_>,
    budgets: Vec<Bound<'_, PyAny>>,
    estimate: &Bound<'_, PyUsageEstimate>,
    operation: Option<&Bound<'_, PyAny>>,
    ttl: Option<&Bound<'_, PyAny>>,
    timeout: Option<&Bound<'_, PyAny>>,
    labels: Option<&Bound<'_, PyDict>>,
    covered: Vec<AccountId>,
) -> PyResult<Option<PyBudgetLease>> {
    let keywords = Keywords { operation, ttl, labels, covered, spent: false };
    let Together { asks, request, owner, mut carried, wait } =
        Together::of(&budgets, estimate, &keywords)?;
    let timeout = args::timeout(timeout)?.or(wait);
    if asks.is_empty() {
        return Ok(None);
    }
    let lease = match reserve(&asks, &request) {
        Err(Error::Denied(_)) if timeout.is_some() => {
            carried.waited = true;
            block_deciding(py, &|| Some(&carried), |mailbox| {
                Wait::for_lease(&asks, request, timeout, mailbox)
            })?
        }
        Err(refused) => {
            carried.refused(&refused);
            return Err(refused.into());
        }
        other => other?,
    };
    Ok(Some(PyBudgetLease::new(lease.carrying(carried), owner)))
}

#[doc = stub!("wait_together")]
#[pyfunction]
#[pyo3(signature = (budgets, estimate, mailbox, *, operation = None, ttl = None, timeout = None,
    labels = None, covered = Vec::new()),
    text_signature = "(budgets, estimate, mailbox, *, operation=None, ttl=None, timeout=None, \
    labels=None, covered=())")]
#[expect(clippy::too_many_arguments, reason = "the keywords of the Python function")]
pub(crate) fn wait_together<'py>(
    py: Python<'py>,
    budgets: Vec<Bound<'py, PyAny>>,
    estimate: &Bound<'py, PyUsageEstimate>,
    mailbox: &Bound<'py, PyAny>,
    operation: Option<&Bound<'py, PyAny>>,
    ttl: Option<&Bound<'py, PyAny>>,
    timeout: Option<&Bound<'py, PyAny>>,
    labels: Option<&Bound<'py, PyDict>>,
    covered: Vec<AccountId>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let keywords = Keywords { operation, ttl, labels, covered, spent: false };
    let Together { asks, request, owner, mut carried, wait } =
        Together::of(&budgets, estimate, &keywords)?;
    let timeout = args::timeout(timeout)?.or(wait);
    if asks.is_empty() {
        return Ok(None);
    }
    match reserve(&asks, &request) {
        Err(Error::Denied(_)) if timeout.is_some() => {}
        Err(refused @ Error::Denied(_)) => {
            carried.refused(&refused);
            return Err(refused.into());
        }
        other => {
            let lease = PyBudgetLease::new(other?.carrying(carried), owner);
            return Ok(Some(Bound::new(py, lease)?.into_any()));
        }
    }
    carried.waited = true;
    // Imported only now: most requests never wait.
    let mailbox = call_python_late(py, || mailbox.call0())?.cast_into::<PyMailbox>()?;
    let mailbox = mailbox.get().0.clone();
    let wait = Wait::for_lease(&asks, request, timeout, mailbox).map_err(|refused| {
        carried.refused(&refused);
        refused
    })?;
    Ok(Some(Bound::new(py, PyWait::owned(wait, owner, carried))?.into_any()))
}

#[doc = stub!("record_together")]
#[pyfunction]
#[pyo3(signature = (budgets, usage, *, operation = None, labels = None, covered = Vec::new()),
    text_signature = "(budgets, usage, *, operation=None, labels=None, covered=())")]
pub(crate) fn record_together(
    budgets: Vec<Bound<'_, PyAny>>,
    usage: &Bound<'_, PyUsageEstimate>,
    operation: Option<&Bound<'_, PyAny>>,
    labels: Option<&Bound<'_, PyDict>>,
    covered: Vec<AccountId>,
) -> PyResult<()> {
    let keywords = Keywords { operation, ttl: None, labels, covered, spent: true };
    let Together { asks, request, carried, .. } = Together::of(&budgets, usage, &keywords)?;
    for ask in &asks {
        ask.record_spent(&request.estimate)?;
    }
    carried.ended();
    Ok(())
}

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
        let mut own = if let Ok(guard) = budget.cast::<PyGuard>() {
            let step = guard.get().inner.step_call(&CallLabels::of(py, labels)?.pairs()?)?;
            decides.extend(step.carried.decides);
            step.asks
        } else if let Ok(allotment) = budget.cast::<PyAllotment>() {
            let labels = CallLabels::of(py, labels)?;
            let step = allotment.get().open()?.step_call(&labels.pairs()?)?;
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

#[doc = stub!("account_id")]
#[pyfunction]
pub(crate) fn account_id(budget: &Bound<'_, PyAny>) -> PyResult<AccountId> {
    Ok(Native::of(budget)?.account()?.id())
}

#[doc = stub!("cost_capped")]
#[pyfunction]
pub(crate) fn cost_capped(budget: &Bound<'_, PyAny>) -> PyResult<bool> {
    match Native::of(budget)? {
        Native::Pool(pool) => Ok(pool.get().0.cost_capped()?),
        _ => Ok(false),
    }
}
