//! The Python face: it translates and never decides.

/// The docstring that a name has in the stubs: `build.rs` takes it out of them.
macro_rules! stub {
    ($($name:literal),+) => {
        include_str!(concat!(env!("OUT_DIR"), "/stubs/", $($name,)+ ".txt"))
    };
}

mod allotment;
mod allowances;
mod amounts;
mod asking;
mod attached;
mod budget_info;
mod budget_manager;
mod checks;
mod clock;
mod convert;
mod denial;
mod empty;
mod errors;
mod guard;
mod guard_events;
mod guard_report;
mod guard_request;
mod headers;
mod label_cache;
mod labels;
mod lease;
mod operation_cache;
mod prices;
mod python_call;
mod rate_limiter;
mod shared_pool;
mod together;
mod token_budget;
mod waiting;
mod warner;
mod workflow_quota;

use pyo3::prelude::*;

#[doc = stub!("_core")]
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::after_fork_in_child;
    #[pymodule_export]
    use super::allotment::PyAllotment;
    #[pymodule_export]
    use super::allowances::PyAllowanceLedger;
    #[pymodule_export]
    use super::amounts::{PyRemaining, PyRequestBudget, PyUsage, PyUsageEstimate, usd};
    #[pymodule_export]
    use super::attached::attached_doc;
    #[pymodule_export]
    use super::budget_info::{PyBudgetInfo, PyBudgetLimit, PyFullBudgetInfo};
    #[pymodule_export]
    use super::budget_manager::{PyAgentBudget, PyBudgetManager};
    #[pymodule_export]
    use super::checks::{check_amount, check_id, check_period};
    #[pymodule_export]
    use super::clock::{PyManualClock, PySystemClock};
    #[pymodule_export]
    use super::denial::{PyDenial, restore_denial};
    #[pymodule_export]
    use super::empty::PyEmptyMethods;
    #[pymodule_export]
    use super::errors::set_exceptions;
    #[pymodule_export]
    use super::guard::{PyGuard, set_price_resolver};
    #[pymodule_export]
    use super::labels::{scope_begins, set_labels_var};
    #[pymodule_export]
    use super::lease::{PyBudgetLease, set_end_block};
    #[pymodule_export]
    use super::prices::PyPriceTable;
    #[pymodule_export]
    use super::python_call::at_exit;
    #[pymodule_export]
    use super::rate_limiter::PyRateLimiter;
    #[pymodule_export]
    use super::shared_pool::PySharedPool;
    #[pymodule_export]
    use super::together::{
        account_id, charge_together, cost_capped, record_together, reserve_together, wait_together,
    };
    #[pymodule_export]
    use super::token_budget::PyAgentTokenBudget;
    #[pymodule_export]
    use super::waiting::{PyMailbox, PyWait};
    #[pymodule_export]
    use super::workflow_quota::{PyWorkflowQuota, PyWorkflowToken};
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

#[doc = stub!("after_fork_in_child")]
#[pyfunction]
fn after_fork_in_child() {
    crate::ledger::after_fork_in_child();
    python_call::forget_calls();
}
