//! Where the entries of a lease are: nearly always in one account.

use std::ops::Deref;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::ledger::account::Account;

/// Where one entry of a lease is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) account: Arc<Account>,
    pub(crate) entry: usize,
}

/// The places of a lease over several accounts.
#[derive(Debug)]
pub(crate) struct AllPlaces(SmallVec<[Place; 4]>);

/// The places of a lease.
#[derive(Clone, Debug)]
pub(crate) enum Places {
    One(Place),
    Many(Arc<AllPlaces>),
}

impl Places {
    /// The places of a lease over several accounts.
    pub(crate) fn many(places: SmallVec<[Place; 4]>) -> Self {
        Self::Many(Arc::new(AllPlaces(places)))
    }
}

impl Deref for Places {
    type Target = [Place];

    #[inline]
    fn deref(&self) -> &[Place] {
        match self {
            Self::One(place) => std::slice::from_ref(place),
            Self::Many(whole) => &whole.0,
        }
    }
}
