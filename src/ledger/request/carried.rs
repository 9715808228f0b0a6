//! What a lease carries beside its holds: a price, and objects that live until it ends.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::accounting::{CallPrice, Usage};
use crate::ledger::ending::Actual;

/// An object that must live until a lease has ended.
pub trait Kept: Send + Sync {
    /// The lease has ended. The caller holds no lock.
    fn ended(&self);

    /// The deadline of the lease was moved. The caller holds no lock.
    fn moved(&self);
}

impl Kept for Vec<Arc<dyn Kept>> {
    fn ended(&self) {
        self.iter().for_each(|kept| kept.ended());
    }

    fn moved(&self) {
        self.iter().for_each(|kept| kept.moved());
    }
}

/// What a lease shall carry.
#[derive(Clone, Default)]
pub struct Carried {
    /// The price of a usage that is committed.
    pub price: Option<Arc<CallPrice>>,
    /// Dropped when the lease has ended, or when its handle is dropped.
    pub keeps: Option<Arc<dyn Kept>>,
    /// Called once the request has passed. A refusal does not call it.
    pub passed: Option<Passed>,
}

/// A function to call once a request has passed. The caller holds no lock.
pub type Passed = Arc<dyn Fn() + Send + Sync>;

/// What a lease carries beside its holds. Boxed in the lease: few leases carry anything.
pub(crate) struct CarriedByLease {
    price: Option<Arc<CallPrice>>,
    keeps: Mutex<Option<Arc<dyn Kept>>>,
}

impl Carried {
    /// Nothing.
    pub const fn none() -> Self {
        Self { price: None, keeps: None, passed: None }
    }

    /// Reports usage without a lease, as a lease would at its end.
    pub fn ended(&self) {
        self.tell_passed();
        if let Some(kept) = &self.keeps {
            kept.ended();
        }
    }

    fn tell_passed(&self) {
        if let Some(passed) = &self.passed {
            passed();
        }
    }

    /// Reports that the request has passed, and returns what its lease carries, if anything.
    pub(crate) fn into_boxed(self) -> Option<Box<CarriedByLease>> {
        self.tell_passed();
        let Self { price, keeps, .. } = self;
        let any = price.is_some() || keeps.is_some();
        any.then(|| Box::new(CarriedByLease { price, keeps: Mutex::new(keeps) }))
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carried").field("price", &self.price).finish_non_exhaustive()
    }
}

impl CarriedByLease {
    /// The usage with the cost to book, if the price is known. An estimate has its cost already.
    pub(crate) fn priced(&self, actual: &Actual) -> Option<Usage> {
        let price = self.price.as_ref()?;
        match actual {
            Actual::Estimate => None,
            Actual::Tokens(tokens) => Some(price.booked(Usage::tokens(*tokens))),
            Actual::Usage(usage) => Some(price.booked(usage.clone())),
        }
    }

    /// The deadline of the lease was moved. The caller holds no lock.
    pub(crate) fn moved(&self) {
        let kept = self.keeps.lock().clone();
        if let Some(kept) = kept {
            kept.moved();
        }
    }

    /// The lease has ended. Drops what it kept. The caller holds no lock.
    pub(crate) fn ended<R>(&self, result: R) -> R {
        let kept = self.keeps.lock().take();
        if let Some(kept) = kept {
            kept.ended();
        }
        result
    }
}

impl fmt::Debug for CarriedByLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CarriedByLease").field("price", &self.price).finish_non_exhaustive()
    }
}
