//! The requests that `Guard` and `Allotment` share: all of them by labels.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::labels::{CallLabels, GivenLabels};
use super::report::{advice, explained};
use super::request::{allotment_size, request};
use crate::accounting::RateHeaders;
use crate::budgets::{Allotment, AllotmentSize, EstimateMode, Guard, GuardRequest, Labels};
use crate::ledger::{Carried, Error, Lease, Mailbox, Wait, without_store};
use crate::py::args;
use crate::py::lease::PyBudgetLease;
use crate::py::values;
use crate::py::waiting::{PyMailbox, PyWait};

type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// A guard or an allotment.
pub(super) trait Asking {
    fn try_reserve(
        &self,
        labels: &Labels<'_>,
        request: GuardRequest,
    ) -> Result<Option<Lease>, Error>;
    fn check(&self, labels: &Labels<'_>, request: &GuardRequest) -> Result<(), Error>;
    fn wait(
        &self,
        labels: &Labels<'_>,
        request: &GuardRequest,
        timeout: Option<Duration>,
        mailbox: Arc<Mailbox>,
    ) -> Result<(Wait, Carried), Error>;
}

macro_rules! asking {
    ($($class:ty),*) => {$(
        impl Asking for $class {
            fn try_reserve(
                &self,
                labels: &Labels<'_>,
                request: GuardRequest,
            ) -> Result<Option<Lease>, Error> {
                self.try_reserve(labels, request)
            }

            fn check(&self, labels: &Labels<'_>, request: &GuardRequest) -> Result<(), Error> {
                self.check(labels, request)
            }

            fn wait(
                &self,
                labels: &Labels<'_>,
                request: &GuardRequest,
                timeout: Option<Duration>,
                mailbox: Arc<Mailbox>,
            ) -> Result<(Wait, Carried), Error> {
                self.wait(labels, request, timeout, mailbox)
            }
        }
    )*};
}

asking!(Guard, Allotment);

/// `reserve`, or None if the request must wait.
pub(super) fn try_reserve(
    of: &impl Asking,
    estimate: Given<'_, '_>,
    ttl: Given<'_, '_>,
    timeout: Given<'_, '_>,
    labels: GivenLabels<'_, '_>,
) -> PyResult<Option<PyBudgetLease>> {
    args::timeout(timeout)?;
    let labels = CallLabels::of(labels)?;
    let (pairs, request) = (labels.pairs()?, request(estimate, ttl, labels.landing)?);
    match without_store(|| of.try_reserve(&pairs, request)) {
        Err(Error::Short) => Ok(None),
        lease => Ok(lease?.map(|lease| PyBudgetLease::new(lease, None))),
    }
}

/// Joins the queue.
pub(super) fn wait(
    of: &impl Asking,
    estimate: Given<'_, '_>,
    ttl: Given<'_, '_>,
    timeout: Given<'_, '_>,
    labels: GivenLabels<'_, '_>,
    mailbox: &Bound<'_, PyMailbox>,
) -> PyResult<PyWait> {
    let labels = CallLabels::of(labels)?;
    let request = request(estimate, ttl, labels.landing)?;
    let (timeout, mailbox) = (args::timeout(timeout)?, mailbox.get().0.clone());
    let (wait, carried) = of.wait(&labels.pairs()?, &request, timeout, mailbox)?;
    Ok(PyWait::carrying(wait, carried))
}

/// Reserves, and waits in this thread if the request must wait.
pub(super) fn block(
    py: Python<'_>,
    of: &(impl Asking + Sync),
    estimate: Given<'_, '_>,
    ttl: Given<'_, '_>,
    timeout: Given<'_, '_>,
    labels: GivenLabels<'_, '_>,
) -> PyResult<PyBudgetLease> {
    if let Some(lease) = try_reserve(of, estimate, ttl, timeout, labels)? {
        return Ok(lease);
    }
    let labels = CallLabels::of(labels)?;
    let (pairs, request) = (labels.pairs()?, request(estimate, ttl, labels.landing)?);
    let timeout = args::timeout(timeout)?;
    PyWait::block(py, |mailbox| of.wait(&pairs, &request, timeout, mailbox))
}

/// Whether a request would pass now.
pub(super) fn check(
    of: &impl Asking,
    estimate: Given<'_, '_>,
    labels: GivenLabels<'_, '_>,
) -> PyResult<()> {
    let labels = CallLabels::of(labels)?;
    let pairs = labels.pairs()?;
    Ok(of.check(&pairs, &request(estimate, None, labels.landing)?)?)
}

/// The arguments of `allot`: labels, the amounts of tokens, micro-USD and calls, and a time to
/// live.
pub(super) fn allot_args<'py>(
    amounts: [Given<'_, 'py>; 3],
    ttl: Given<'_, 'py>,
    labels: GivenLabels<'_, 'py>,
) -> PyResult<(CallLabels<'py>, AllotmentSize, Option<Duration>)> {
    Ok((CallLabels::of(labels)?, allotment_size(amounts)?, args::ttl(ttl)?))
}

/// Tells a guard or an allotment what a response says of a provider's limits.
pub(super) fn observe<'py>(
    guard: &Guard,
    headers: &Bound<'py, PyAny>,
    body: Option<&Bound<'py, PyAny>>,
    labels: GivenLabels<'_, 'py>,
    tell: impl FnOnce(&Labels<'_>, &RateHeaders) -> Result<(), Error>,
) -> PyResult<()> {
    let said = values::read_said(headers, body, guard.core().clock())?;
    Ok(tell(&CallLabels::of(labels)?.pairs()?, &said)?)
}

/// The counters that a request meets.
pub(super) fn explain<'py>(
    py: Python<'py>,
    guard: &Guard,
    labels: GivenLabels<'_, 'py>,
) -> PyResult<Bound<'py, PyList>> {
    explained(py, guard.explain(&CallLabels::of(labels)?.pairs()?)?)
}

/// What is left, for the prompt of a model.
pub(super) fn advise<'py>(
    py: Python<'py>,
    guard: &Guard,
    estimate: Given<'_, 'py>,
    labels: GivenLabels<'_, 'py>,
) -> PyResult<Bound<'py, PyDict>> {
    let labels = CallLabels::of(labels)?;
    let given = |given| Ok::<_, PyErr>(request(Some(given), None, labels.landing)?.estimate);
    let estimate = estimate.map(given).transpose()?;
    advice(py, &guard.advice(&labels.pairs()?, estimate)?)
}

/// How the policy of a guard estimates calls, and the output tokens to reserve.
pub(super) fn estimating(guard: &Guard) -> (Option<&'static str>, Option<u64>) {
    let (mode, output_tokens) = guard.estimating();
    (mode.map(EstimateMode::name), output_tokens)
}
