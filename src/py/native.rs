//! The budgets of this package, by class.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use smallvec::{SmallVec, smallvec};

use crate::accounting::{Invalid, Usage};
use crate::ledger::{Account, Ask};
use crate::py::args;
use crate::py::budgets::{
    PyAgentBudget, PyAgentTokenBudget, PyRateLimiter, PySharedPool, PyWorkflowToken,
};

/// A budget of this package.
pub(super) enum Native<'a, 'py> {
    Tokens(&'a Bound<'py, PyAgentTokenBudget>),
    Agent(&'a Bound<'py, PyAgentBudget>),
    Pool(&'a Bound<'py, PySharedPool>),
    Limiter(&'a Bound<'py, PyRateLimiter>),
    Workflow(&'a Bound<'py, PyWorkflowToken>),
}

impl<'a, 'py> Native<'a, 'py> {
    pub(super) fn of(value: &'a Bound<'py, PyAny>) -> PyResult<Self> {
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
            Err(PyTypeError::new_err(format!("{message}{}", args::type_name(value))))
        }
    }

    pub(super) fn account(&self) -> PyResult<Arc<Account>> {
        Ok(match self {
            Self::Tokens(budget) => Arc::clone(budget.get().inner.account()),
            Self::Agent(agent) => agent.get().0.account()?,
            Self::Pool(pool) => Arc::clone(pool.get().0.account()),
            Self::Limiter(limiter) => Arc::clone(limiter.get().0.account()),
            Self::Workflow(token) => Arc::clone(token.get().0.account()),
        })
    }

    /// The asks of a call of `model`, if it is known, of `estimate`.
    pub(super) fn asks(
        &self,
        operation: &str,
        estimate: &Usage,
        model: Option<&str>,
    ) -> PyResult<SmallVec<[Ask; 2]>> {
        let ask = match self {
            Self::Tokens(budget) => budget.get().inner.ask(operation, estimate)?,
            Self::Agent(agent) => agent.get().0.ask(estimate)?,
            Self::Pool(pool) => pool.get().0.ask(estimate),
            Self::Limiter(limiter) => return Ok(limiter.get().0.asks(estimate, model)?),
            Self::Workflow(token) => token.get().0.ask(1),
        };
        Ok(smallvec![ask])
    }

    /// The ask of a tool call.
    pub(super) fn ask_tool(&self, operation: &str) -> PyResult<Ask> {
        Ok(match self {
            Self::Tokens(budget) => budget.get().inner.ask(operation, &Usage::tokens(1))?,
            Self::Agent(agent) => agent.get().0.ask_call()?,
            Self::Workflow(token) => token.get().0.ask(1),
            Self::Pool(_) | Self::Limiter(_) => {
                let message = "a tool call cannot be charged to a SharedPool or a RateLimiter: they \
                               count tokens, and a tool call has none; give a WorkflowToken, an \
                               AgentTokenBudget or an AgentBudget";
                return Err(Invalid::sentence(message.to_owned()).into());
            }
        })
    }

    /// Whether a call may wait for it: its capacity comes back by itself.
    pub(super) const fn is_waited_for(&self) -> bool {
        matches!(self, Self::Pool(_) | Self::Limiter(_))
    }

    pub(super) fn remember(&self) -> Option<Py<PyAny>> {
        match self {
            Self::Tokens(budget) => PyAgentTokenBudget::remember(budget),
            _ => None,
        }
    }
}
