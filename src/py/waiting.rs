//! Waiting: Rust keeps the queues, and Python the futures of its event loops (`outlay/_waiting`).

mod sleeping;
mod wake;

use std::cell::OnceCell;
use std::sync::Arc;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::lease::PyBudgetLease;
use crate::accounting::{Clock, Invalid};
use crate::ledger::{Carried, Error, Grant, Lease, Mailbox, Wait};
use sleeping::Sleep;
use wake::call_wake;

#[doc = stub!("Mailbox")]
#[pyclass(module = "outlay._core", name = "Mailbox", frozen, weakref)]
pub(crate) struct PyMailbox(pub(super) Arc<Mailbox>);

#[pymethods]
impl PyMailbox {
    #[new]
    fn new(wake: Py<PyAny>) -> Self {
        Self(Mailbox::new(move || call_wake(&wake)))
    }

    #[doc = stub!("Mailbox.take_posted")]
    fn take_posted(&self) -> Vec<u64> {
        self.0.take_posted()
    }

    #[doc = stub!("Mailbox.look")]
    fn look(&self) -> Option<f64> {
        self.0.refresh().map(|wait| wait.as_secs_f64())
    }

    #[doc = stub!("Mailbox.looks_in")]
    fn looks_in(&self) -> Option<f64> {
        self.0.next_refresh().map(|wait| wait.as_secs_f64())
    }
}

#[doc = stub!("Wait")]
#[pyclass(module = "outlay._core", name = "Wait", frozen)]
pub(crate) struct PyWait {
    inner: Wait,
    /// The budgets whose `on_warning` a commit of the lease may call.
    owner: Option<Py<PyAny>>,
    carried: Carried,
}

impl PyWait {
    pub(super) const fn new(inner: Wait, owner: Option<Py<PyAny>>) -> Self {
        Self { inner, owner, carried: Carried::none() }
    }

    /// A wait for a lease with a price or objects to keep.
    pub(super) const fn carrying(inner: Wait, carried: Carried) -> Self {
        Self { inner, owner: None, carried }
    }

    /// A wait for a lease whose `on_warning` belongs to `owner`.
    pub(super) const fn owned(inner: Wait, owner: Option<Py<PyAny>>, carried: Carried) -> Self {
        Self { inner, owner, carried }
    }

    /// Waits in this thread or greenlet for a lease that carries something.
    pub(super) fn block(
        py: Python<'_>,
        join: impl FnOnce(Arc<Mailbox>) -> Result<(Wait, Carried), Error>,
    ) -> PyResult<PyBudgetLease> {
        let carried = OnceCell::new();
        let joined = |mailbox| {
            let (wait, carries) = join(mailbox)?;
            let _ = carried.set(carries);
            Ok(wait)
        };
        let lease = block_deciding(py, &|| carried.get(), joined)?;
        Ok(PyBudgetLease::new(lease.carrying(carried.into_inner().unwrap_or_default()), None))
    }
}

#[pymethods]
impl PyWait {
    #[doc = stub!("Wait.ticket")]
    #[getter]
    fn ticket(&self) -> u64 {
        self.inner.ticket()
    }

    #[doc = stub!("Wait.pending")]
    #[getter]
    fn pending(&self) -> bool {
        self.inner.is_pending()
    }

    #[doc = stub!("Wait.result")]
    fn result(&self, py: Python<'_>) -> PyResult<Option<PyBudgetLease>> {
        let owner = || self.owner.as_ref().map(|owner| owner.clone_ref(py));
        let taken = self.inner.take();
        if let Some(Err(refused)) = &taken {
            self.carried.refused(refused);
        }
        match taken.transpose()? {
            Some(Grant::Lease(lease)) => {
                let lease = lease.carrying(self.carried.clone());
                Ok(Some(PyBudgetLease::new(lease, owner())))
            }
            Some(Grant::Slot(_)) | None => Ok(None),
        }
    }

    #[doc = stub!("Wait.gives_up_in")]
    #[getter]
    fn gives_up_in(&self) -> Option<f64> {
        self.inner.gives_up_in().map(|limit| limit.as_secs_f64())
    }

    #[doc = stub!("Wait.give_up")]
    fn give_up(&self) -> PyResult<()> {
        Ok(self.inner.give_up()?)
    }

    #[doc = stub!("Wait.pass_over")]
    fn pass_over(&self) -> bool {
        self.inner.pass_over()
    }

    #[doc = stub!("Wait.resume")]
    fn resume(&self) {
        self.inner.resume();
    }

    #[doc = stub!("Wait.leave")]
    fn leave(&self) {
        self.inner.leave();
        self.carried.left();
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.owner.as_ref().map_or(Ok(()), |owner| visit.call(owner))
    }
}

impl Drop for PyWait {
    fn drop(&mut self) {
        self.inner.leave();
        self.carried.left();
    }
}

/// Waits in this thread or greenlet; Ctrl-C ends it.
pub(super) fn block(
    py: Python<'_>,
    join: impl FnOnce(Arc<Mailbox>) -> Result<Wait, Error>,
) -> PyResult<Grant> {
    block_telling(py, join, |_| ())
}

/// [`block`] that calls `refused` with a refusal.
fn block_telling(
    py: Python<'_>,
    join: impl FnOnce(Arc<Mailbox>) -> Result<Wait, Error>,
    refused: impl Fn(&Error),
) -> PyResult<Grant> {
    let (sleep, mailbox) = Sleep::new(py)?;
    let wait = join(Arc::clone(&mailbox)).inspect_err(&refused)?;
    let taken = || wait.take().map(|result| result.inspect_err(&refused));
    let end = wait.gives_up_in().map(|limit| Clock::System.precise_tick().plus(limit));
    loop {
        if let Some(result) = taken() {
            return Ok(result?);
        }
        let next = mailbox.refresh();
        if let Some(result) = taken() {
            return Ok(result?);
        }
        let left = end.map(|end| end.since(Clock::System.precise_tick()));
        if left.is_some_and(|left| left.is_zero()) {
            wait.give_up()?;
            continue;
        }
        sleep.sleep(py, next.into_iter().chain(left).min())?;
    }
}

/// [`block`] for a lease.
pub(super) fn block_for_lease(
    py: Python<'_>,
    join: impl FnOnce(Arc<Mailbox>) -> Result<Wait, Error>,
) -> PyResult<Lease> {
    block_deciding(py, &|| None, join)
}

/// [`block`] for a lease. What it carries learns how the request was decided.
pub(super) fn block_deciding<'a>(
    py: Python<'_>,
    carried: &dyn Fn() -> Option<&'a Carried>,
    join: impl FnOnce(Arc<Mailbox>) -> Result<Wait, Error>,
) -> PyResult<Lease> {
    let refused = |refused: &Error| carried().iter().for_each(|carried| carried.refused(refused));
    let granted = block_telling(py, join, refused);
    if granted.is_err() {
        // Nothing happens if the refusal was reported.
        carried().iter().for_each(|carried| carried.left());
    }
    match granted? {
        Grant::Lease(lease) => Ok(lease),
        Grant::Slot(_) => {
            let message = "the wait was for a lease, but it ended with an admission of a limiter";
            Err(Invalid::sentence(message.to_owned()).into())
        }
    }
}
