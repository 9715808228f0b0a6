//! Errors of the core, raised as the exceptions of `outlay._errors`.

use pyo3::exceptions::{PyImportError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use super::values::PyDenial;
use crate::accounting::{Code, Denied, Invalid, InvalidKind, Kind};
use crate::ledger::{Error, LeaseError, StoreError};

/// The name of each exception class, and where it is kept after the import.
macro_rules! classes {
    ($($class:ident),* $(,)?) => {
        #[derive(Clone, Copy)]
        enum Class { $($class),* }

        impl Class {
            const fn name(self) -> &'static str {
                match self { $(Self::$class => stringify!($class)),* }
            }
        }

        const ALL: &[Class] = &[$(Class::$class),*];
    };
}

classes! {
    NotConfigured, BudgetExceeded, RequestBudgetExceeded, ThresholdExceeded, WorkflowLimitExceeded,
    StepLimitExceeded, RateLimitExceeded, AllowanceExceeded, LeaseExpired, LeaseFinalized,
    UnknownLease, InvalidAmount, InvalidId, PolicyError, StoreUnavailable, StoreCorrupt,
    ForkedLedger, WaitTimeout,
}

static IMPORTED: [PyOnceLock<Py<PyType>>; ALL.len()] = [const { PyOnceLock::new() }; ALL.len()];

// Not on first use: a garbage collection during that import could come back here and wait for
// itself.
#[doc = stub!("set_exceptions")]
#[pyfunction]
pub(crate) fn set_exceptions(module: &Bound<'_, PyAny>) -> PyResult<()> {
    for (class, place) in ALL.iter().zip(&IMPORTED) {
        let found = module.getattr(class.name())?.cast_into::<PyType>()?;
        // Set already: the module was imported a second time. The first classes stay.
        let _ = place.set(module.py(), found.unbind());
    }
    Ok(())
}

fn class(py: Python<'_>, class: Class) -> PyResult<&Bound<'_, PyType>> {
    let known = IMPORTED[class as usize].get(py).map(|class| class.bind(py));
    known.ok_or_else(|| PyImportError::new_err("import outlay before outlay._core"))
}

fn raise<A>(class_of: Class, argument: A) -> PyErr
where
    A: for<'py> IntoPyObject<'py> + Send + Sync + 'static,
{
    Python::attach(|py| match class(py, class_of) {
        Ok(class) => match (argument,).into_pyobject(py) {
            Ok(arguments) => PyErr::from_type(class.clone(), arguments.unbind()),
            Err(error) => error,
        },
        Err(missing) => missing,
    })
}

fn class_of(denied: &Denied) -> Class {
    match denied.code {
        Code::NotConfigured => Class::NotConfigured,
        Code::BudgetExceeded => Class::BudgetExceeded,
        Code::RequestBudgetExceeded => Class::RequestBudgetExceeded,
        Code::ThresholdExceeded => Class::ThresholdExceeded,
        Code::WorkflowQuotaExceeded if denied.kind == Kind::StepLimit => Class::StepLimitExceeded,
        Code::WorkflowQuotaExceeded => Class::WorkflowLimitExceeded,
        Code::RateLimitExceeded => Class::RateLimitExceeded,
        Code::AllowanceExceeded => Class::AllowanceExceeded,
    }
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => raise(class_of(&denied), PyDenial(denied)),
            Error::TimedOut(denied) => raise(Class::WaitTimeout, PyDenial(denied)),
            Error::Invalid(invalid) => (*invalid).into(),
            Error::Conflict(message) => PyValueError::new_err(message),
            Error::Lease(problem) => {
                let class = match problem {
                    LeaseError::Expired => Class::LeaseExpired,
                    LeaseError::Finalized => Class::LeaseFinalized,
                    LeaseError::Unknown => Class::UnknownLease,
                };
                raise(class, problem.to_string())
            }
            Error::Store(problem) => {
                let class = match *problem {
                    StoreError::Unavailable(_) => Class::StoreUnavailable,
                    StoreError::Corrupt(_) => Class::StoreCorrupt,
                };
                raise(class, problem.to_string())
            }
            // No method lets it out; it is named for what it would be.
            Error::Short => raise(Class::StoreUnavailable, error.to_string()),
            Error::Forked => raise(Class::ForkedLedger, error.to_string()),
        }
    }
}

impl From<Invalid> for PyErr {
    fn from(invalid: Invalid) -> Self {
        let class = match invalid.kind {
            InvalidKind::Amount => Class::InvalidAmount,
            InvalidKind::Id => Class::InvalidId,
            InvalidKind::Policy => Class::PolicyError,
        };
        raise(class, invalid.message)
    }
}
