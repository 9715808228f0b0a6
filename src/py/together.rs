//! Requests over several budgets, decided in one step. `wrap` uses them.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::budgets::{CallLabels, GivenLabels, PyAllotment, PyBoundGuard, PyGuard, name_of};
use super::lease::PyBudgetLease;
use super::native::Native;
use super::python_call::call_python_late;
use super::values::PyUsageEstimate;
use super::waiting::{PyMailbox, PyWait, block_deciding};
use crate::accounting::{Invalid, Usage};
use crate::budgets::{Allotment, Guard, GuardAsk, GuardRequest, Labels};
use crate::ledger::{
    Account, AccountId, Ask, Carried, Decides, Error, Request, Wait, reserve, without_store,
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
    /// The labels of scopes that have ended; `None` for those around the present code.
    scope: Option<&'a Bound<'py, PyDict>>,
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
        let model = model_of(keywords.labels)?;
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
            for mut ask in native.asks(operation, &usage, model.as_deref())? {
                (ask.patient, ask.place.budget) = (patient, number);
                together.asks.push(ask);
            }
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

/// The model that labels name.
fn model_of(labels: Option<&Bound<'_, PyDict>>) -> PyResult<Option<String>> {
    let model = labels.map(|labels| labels.get_item("model")).transpose()?.flatten();
    model.map(|model| model.extract()).transpose()
}

/// All of them as one.
pub(super) fn one_of(mut decides: Vec<Arc<dyn Decides>>) -> Option<Arc<dyn Decides>> {
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

/// A budget that is asked by labels.
pub(super) enum Labelled<'a, 'py> {
    Guard(&'a Guard),
    Bound(&'a Guard, &'a Bound<'py, PyDict>),
    Allotment(Allotment),
}

impl<'a, 'py> Labelled<'a, 'py> {
    /// The guard or the allotment, or `None` for any other budget.
    pub(super) fn of(budget: &'a Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        if let Ok(guard) = budget.cast::<PyGuard>() {
            return Ok(Some(Self::Guard(&guard.get().inner)));
        }
        if let Ok(view) = budget.cast::<PyBoundGuard>() {
            return Ok(Some(Self::Bound(view.get().guard(), view.get().bound().bind(budget.py()))));
        }
        let Ok(allotment) = budget.cast::<PyAllotment>() else { return Ok(None) };
        Ok(Some(Self::Allotment(allotment.get().open()?)))
    }

    pub(super) const fn bound(&self) -> Option<&'a Bound<'py, PyDict>> {
        match self {
            Self::Bound(_, bound) => Some(bound),
            _ => None,
        }
    }

    /// The ask of one step.
    pub(super) fn step_call(&self, labels: &Labels<'_>) -> Result<GuardAsk, Error> {
        match self {
            Self::Guard(guard) | Self::Bound(guard, _) => guard.step_call(labels),
            Self::Allotment(allotment) => allotment.step_call(labels),
        }
    }
}

/// The asks on a guard or an allotment, or `None` for any other budget.
fn guard_ask(
    py: Python<'_>,
    budget: &Bound<'_, PyAny>,
    usage: &Usage,
    keywords: &Keywords<'_, '_>,
) -> PyResult<Option<GuardAsk>> {
    let Some(budget) = Labelled::of(budget)? else { return Ok(None) };
    let given = GivenLabels::new(py, None, keywords.labels).bound_to(budget.bound());
    let labels = match keywords.scope {
        Some(scope) => CallLabels::with_scope(given, Some(scope.clone()))?,
        None => CallLabels::of(given)?,
    };
    let pairs = labels.pairs()?;
    let (landing, spent) = (labels.landing, keywords.spent);
    let request = GuardRequest { estimate: usage.clone(), ttl: None, landing, spent };
    let covered = |account: &Arc<Account>| keywords.covered.contains(&account.id());
    Ok(Some(match budget {
        Labelled::Guard(guard) | Labelled::Bound(guard, _) => guard.ask_call(&pairs, &request)?,
        Labelled::Allotment(allotment) => allotment.ask_call(&pairs, &request, covered)?,
    }))
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
    let keywords = Keywords { operation, ttl, labels, scope: None, covered, spent: false };
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
    let keywords = Keywords { operation, ttl, labels, scope: None, covered, spent: false };
    let Together { asks, request, owner, mut carried, wait } =
        Together::of(&budgets, estimate, &keywords)?;
    let timeout = args::timeout(timeout)?.or(wait);
    if asks.is_empty() {
        return Ok(None);
    }
    match without_store(|| reserve(&asks, &request)) {
        Err(Error::Denied(_)) if timeout.is_some() => {}
        Err(Error::Short) => {}
        Err(refused @ Error::Denied(_)) => {
            carried.refused(&refused);
            return Err(refused.into());
        }
        other => {
            let lease = PyBudgetLease::new(other?.carrying(carried), owner);
            return Ok(Some(Bound::new(py, lease)?.into_any()));
        }
    }
    carried.waited = timeout.is_some();
    // Imported only now: most requests never wait.
    let mailbox = call_python_late(py, || mailbox.call0())?.cast_into::<PyMailbox>()?;
    let mailbox = mailbox.get().0.clone();
    let wait = match timeout {
        Some(_) => Wait::for_lease(&asks, request, timeout, mailbox),
        None => Wait::for_store(&asks, request, None, mailbox),
    };
    let wait = wait.inspect_err(|refused| carried.refused(refused))?;
    Ok(Some(Bound::new(py, PyWait::owned(wait, owner, carried))?.into_any()))
}

#[doc = stub!("record_together")]
#[pyfunction]
#[pyo3(signature = (budgets, usage, *, operation = None, labels = None, scope = None,
    covered = Vec::new()),
    text_signature = "(budgets, usage, *, operation=None, labels=None, scope=None, covered=())")]
pub(crate) fn record_together(
    budgets: Vec<Bound<'_, PyAny>>,
    usage: &Bound<'_, PyUsageEstimate>,
    operation: Option<&Bound<'_, PyAny>>,
    labels: Option<&Bound<'_, PyDict>>,
    scope: Option<&Bound<'_, PyDict>>,
    covered: Vec<AccountId>,
) -> PyResult<()> {
    let keywords = Keywords { operation, ttl: None, labels, scope, covered, spent: true };
    let Together { asks, request, carried, .. } = Together::of(&budgets, usage, &keywords)?;
    for ask in &asks {
        ask.record_spent(&request.estimate)?;
    }
    carried.ended();
    Ok(())
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
