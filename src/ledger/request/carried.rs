//! What a lease carries beside its holds: a price, and objects that live until it ends.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::accounting::{CallPrice, Usage};
use crate::ledger::ending::ActualRef;
use crate::ledger::error::Error;

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
    /// Learns how the request was decided.
    pub decides: Option<Arc<dyn Decides>>,
    /// Whether the request waits for its decision.
    pub waited: bool,
}

/// Learns how a request was decided. The caller holds no lock.
pub trait Decides: Send + Sync {
    /// The request has passed. `lease` is the number of its lease, if it has one.
    fn passed(&self, lease: Option<u64>, waited: bool);

    /// A limit has refused the request.
    fn refused(&self, refused: &Error, waited: bool);

    /// Its caller gave up before it was decided. Does nothing if it was decided.
    fn left(&self);
}

impl Decides for Vec<Arc<dyn Decides>> {
    fn passed(&self, lease: Option<u64>, waited: bool) {
        self.iter().for_each(|each| each.passed(lease, waited));
    }

    fn refused(&self, refused: &Error, waited: bool) {
        self.iter().for_each(|each| each.refused(refused, waited));
    }

    fn left(&self) {
        self.iter().for_each(|each| each.left());
    }
}

/// What a lease carries beside its holds. Boxed in the lease: few leases carry anything.
pub(crate) struct CarriedByLease {
    price: Option<Arc<CallPrice>>,
    keeps: Mutex<Option<Arc<dyn Kept>>>,
}

impl Carried {
    /// Nothing.
    pub const fn none() -> Self {
        Self { price: None, keeps: None, decides: None, waited: false }
    }

    /// Reports usage without a lease, as a lease would at its end.
    pub fn ended(&self) {
        self.tell_passed(None);
        if let Some(kept) = &self.keeps {
            kept.ended();
        }
    }

    /// Reports that a limit has refused the request.
    pub fn refused(&self, refused: &Error) {
        if let Some(decides) = &self.decides {
            decides.refused(refused, self.waited);
        }
    }

    /// Reports that the caller gave up before the request was decided.
    pub fn left(&self) {
        if let Some(decides) = &self.decides {
            decides.left();
        }
    }

    /// Reports that the request has passed.
    pub fn tell_passed(&self, lease: Option<u64>) {
        if let Some(decides) = &self.decides {
            decides.passed(lease, self.waited);
        }
    }

    /// Reports that the request has passed, and returns what its lease carries, if anything.
    pub(crate) fn into_boxed(self, lease: u64) -> Option<Box<CarriedByLease>> {
        self.tell_passed(Some(lease));
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
    pub(crate) fn priced(&self, actual: ActualRef<'_>) -> Option<Usage> {
        let price = self.price.as_ref()?;
        match actual {
            ActualRef::Estimate => None,
            ActualRef::Tokens(tokens) => Some(price.booked(Usage::tokens(tokens))),
            ActualRef::Usage(usage) => Some(price.booked(usage.clone())),
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
