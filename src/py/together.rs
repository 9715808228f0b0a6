//! One request over several budgets, decided in one step: what `wrap` stands on.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::amounts::PyUsageEstimate;
use super::budget_manager::PyAgentBudget;
use super::convert;
use super::lease::PyBudgetLease;
use super::operation_cache::name_of;
use super::rate_limiter::PyRateLimiter;
use super::shared_pool::PySharedPool;
use super::token_budget::PyAgentTokenBudget;
use super::waiting::{PyMailbox, PyWait, block_for_lease};
use super::workflow_quota::PyWorkflowToken;
use crate::accounting::{Invalid, Usage};
use crate::ledger::{Account, Ask, Error, Request, Wait, group};

/// A budget of this package.
enum Native<'a, 'py> {
    Tokens(&'a Bound<'py, PyAgentTokenBudget>),
    Agent(&'a Bound<'py, PyAgentBudget>),
    Pool(&'a Bound<'py, PySharedPool>),
    Limiter(&'a Bound<'py, PyRateLimiter>),
    Workflow(&'a Bound<'py, PyWorkflowToken>),
}

impl<'a, 'py> Native<'a, 'py> {
    fn of(value: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(budget) = value.cast() {
            Ok(Self::Tokens(budget))
        } else if let Ok(agent) = value.cast() {
            Ok(Self::Agent(agent))
        } else if let Ok(pool) = value.cast() {
            Ok(Self::Pool(pool))
        } else if let Ok(limiter) = value.cast() {
            Ok(Self::Limiter(limiter))
        } else if let Ok(token) = value.cast() {
            Ok(Self::Workflow(token))
        } else {
            let message = "budget must be a SharedPool, AgentTokenBudget, AgentBudget, \
                           RateLimiter or WorkflowToken, not ";
            Err(PyTypeError::new_err(format!("{message}{}", convert::type_name(value))))
        }
    }

    fn account(&self) -> PyResult<Arc<Account>> {
        Ok(match self {
            Self::Tokens(budget) => Arc::clone(budget.get().inner.account()),
            Self::Agent(agent) => agent.get().0.account()?,
            Self::Pool(pool) => Arc::clone(pool.get().0.account()),
            Self::Limiter(limiter) => Arc::clone(limiter.get().0.account()),
            Self::Workflow(token) => Arc::clone(token.get().0.account()),
        })
    }

    /// What a model call of `estimate` asks.
    fn ask(&self, operation: &str, estimate: &Usage) -> PyResult<Ask> {
        Ok(match self {
            Self::Tokens(budget) => budget.get().inner.ask(operation, estimate)?,
            Self::Agent(agent) => agent.get().0.ask(estimate)?,
            Self::Pool(pool) => pool.get().0.ask(estimate),
            Self::Limiter(limiter) => limiter.get().0.ask(estimate),
            Self::Workflow(token) => token.get().0.ask(1),
        })
    }

    /// What a tool call asks.
    fn ask_tool(&self, operation: &str) -> PyResult<Ask> {
        Ok(match self {
            Self::Tokens(budget) => budget.get().inner.ask(operation, &Usage::tokens(1))?,
            Self::Agent(agent) => agent.get().0.ask_call()?,
            Self::Workflow(token) => token.get().0.ask(1),
            Self::Pool(_) | Self::Limiter(_) => {
                let allowed = "a WorkflowToken, AgentTokenBudget or AgentBudget for tool calls: a \
                               SharedPool or RateLimiter counts tokens, which a tool call has \
                               none of";
                return Err(Invalid::policy("budget", allowed).into());
            }
        })
    }

    /// Whether a call may wait for it: capacity comes back there without anybody's help.
    const fn is_waited_for(&self) -> bool {
        matches!(self, Self::Pool(_) | Self::Limiter(_))
    }

    fn remember(&self) -> Option<Py<PyAny>> {
        match self {
            Self::Tokens(budget) => PyAgentTokenBudget::remember(budget),
            _ => None,
        }
    }
}

/// A request over several budgets.
struct Together {
    asks: Vec<Ask>,
    request: Request,
    /// The budgets whose `on_warning` a commit may call.
    owner: Option<Py<PyAny>>,
}

impl Together {
    fn of(
        budgets: &[Bound<'_, PyAny>],
        estimate: &Bound<'_, PyUsageEstimate>,
        operation: Option<&Bound<'_, PyAny>>,
        ttl: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        if budgets.is_empty() {
            return Err(Invalid::policy("budgets", "at least one budget").into());
        }
        let operation = operation.map_or(Ok("query"), name_of)?;
        let usage = estimate.get().0;
        let request = Request { ttl: convert::ttl(ttl)?, ..usage.into() };
        let mut asks = Vec::with_capacity(budgets.len());
        let mut owners = Vec::new();
        for budget in budgets {
            let native = Native::of(budget)?;
            let patient = native.is_waited_for();
            asks.push(Ask { patient, ..native.ask(operation, &usage)? });
            owners.extend(native.remember());
        }
        let owner = if owners.is_empty() {
            None
        } else {
            Some(PyTuple::new(estimate.py(), owners)?.into_any().unbind())
        };
        Ok(Self { asks, request, owner })
    }
}

/// Holds `estimate` of all budgets in one lease, or refuses and changes nothing. With a timeout it
/// waits in this thread where a pool or a limiter refuses.
#[pyfunction]
#[pyo3(signature = (budgets, estimate, *, operation = None, ttl = None, timeout = None))]
pub(crate) fn reserve_together(
    py: Python<'_>,
    budgets: Vec<Bound<'_, PyAny>>,
    estimate: &Bound<'_, PyUsageEstimate>,
    operation: Option<&Bound<'_, PyAny>>,
    ttl: Option<&Bound<'_, PyAny>>,
    timeout: Option<&Bound<'_, PyAny>>,
) -> PyResult<PyBudgetLease> {
    let Together { asks, request, owner } = Together::of(&budgets, estimate, operation, ttl)?;
    let timeout = convert::timeout(timeout)?;
    let lease = match group::reserve(&asks, &request) {
        Err(Error::Denied(_)) if timeout.is_some() => {
            block_for_lease(py, |mailbox| Wait::for_lease(&asks, request, timeout, mailbox))?
        }
        other => other?,
    };
    Ok(PyBudgetLease::new(lease, owner))
}

/// Queues for a lease over all budgets.
#[pyfunction]
#[pyo3(signature = (budgets, estimate, mailbox, *, operation = None, ttl = None, timeout = None))]
pub(crate) fn wait_together(
    budgets: Vec<Bound<'_, PyAny>>,
    estimate: &Bound<'_, PyUsageEstimate>,
    mailbox: &Bound<'_, PyMailbox>,
    operation: Option<&Bound<'_, PyAny>>,
    ttl: Option<&Bound<'_, PyAny>>,
    timeout: Option<&Bound<'_, PyAny>>,
) -> PyResult<PyWait> {
    let Together { asks, request, owner } = Together::of(&budgets, estimate, operation, ttl)?;
    let (timeout, mailbox) = (convert::timeout(timeout)?, mailbox.get().0.clone());
    Ok(PyWait::new(Wait::for_lease(&asks, request, timeout, mailbox)?, owner))
}

/// Charges one tool call to all budgets, or refuses and changes nothing.
#[pyfunction]
pub(crate) fn charge_together(
    budgets: Vec<Bound<'_, PyAny>>,
    operation: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let operation = name_of(operation)?;
    let mut asks = Vec::with_capacity(budgets.len());
    for budget in &budgets {
        let native = Native::of(budget)?;
        asks.push(native.ask_tool(operation)?);
        native.remember();
    }
    Ok(group::charge(&asks)?)
}

/// The identity of the account behind a budget: handles of one account give one number.
#[pyfunction]
pub(crate) fn account_id(budget: &Bound<'_, PyAny>) -> PyResult<usize> {
    Ok(Arc::as_ptr(&Native::of(budget)?.account()?).addr())
}

/// Whether the budget limits money.
#[pyfunction]
pub(crate) fn cost_capped(budget: &Bound<'_, PyAny>) -> PyResult<bool> {
    match Native::of(budget)? {
        Native::Pool(pool) => Ok(pool.get().0.cost_capped()?),
        _ => Ok(false),
    }
}
