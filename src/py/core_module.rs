//! The module `outlay._core`: everything of the core that Python sees.

use pyo3::prelude::*;

#[doc = stub!("_core")]
#[pymodule]
pub(crate) mod _core {
    #[pymodule_export]
    use crate::py::attached::attached_doc;
    #[pymodule_export]
    use crate::py::bench_floor::PyEmptyMethods;
    #[pymodule_export]
    use crate::py::budgets::PyAgentTokenBudget;
    #[pymodule_export]
    use crate::py::budgets::PyAllotment;
    #[pymodule_export]
    use crate::py::budgets::PyAllowanceLedger;
    #[pymodule_export]
    use crate::py::budgets::PyBoundGuard;
    #[pymodule_export]
    use crate::py::budgets::PyRateLimiter;
    #[pymodule_export]
    use crate::py::budgets::PySharedPool;
    #[pymodule_export]
    use crate::py::budgets::{PyAgentBudget, PyBudgetManager};
    #[pymodule_export]
    use crate::py::budgets::{PyBudgetInfo, PyBudgetLimit, PyFullBudgetInfo};
    #[pymodule_export]
    use crate::py::budgets::{PyGuard, policy_tables, set_price_resolver};
    #[pymodule_export]
    use crate::py::budgets::{PyWorkflowQuota, PyWorkflowToken};
    #[pymodule_export]
    use crate::py::budgets::{scope_begins, set_labels_var};
    #[pymodule_export]
    use crate::py::errors::set_exceptions;
    #[pymodule_export]
    use crate::py::lease::{PyBudgetLease, set_end_block};
    #[pymodule_export]
    use crate::py::python_call::{after_fork_in_child, after_fork_in_parent, at_exit, before_fork};
    #[pymodule_export]
    use crate::py::steps::{PyStepCharge, charge_together};
    #[pymodule_export]
    use crate::py::store::{PyStore, create_store, inspect_store};
    #[pymodule_export]
    use crate::py::together::{
        account_id, cost_capped, record_together, reserve_together, wait_together,
    };
    #[pymodule_export]
    use crate::py::values::{PyDenial, restore_denial};
    #[pymodule_export]
    use crate::py::values::{PyManualClock, PySystemClock};
    #[pymodule_export]
    use crate::py::values::{PyPriceTable, model_names};
    #[pymodule_export]
    use crate::py::values::{PyRemaining, PyRequestBudget, PyUsage, PyUsageEstimate, usd};
    #[pymodule_export]
    use crate::py::values::{check_amount, check_id, check_period};
    #[pymodule_export]
    use crate::py::waiting::{PyMailbox, PyWait};
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::py::main_interpreter::check(module.py())?;
        crate::ledger::set_host_sleep(crate::py::python_call::sleep_for_store);
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
