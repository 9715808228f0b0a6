//! The seam to stores: what an account asks of whoever shares its limits with other processes.
//!
//! The ledger knows nothing of stores. It says what it lacks, and is visited with what it is given.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::error::Error;
use crate::accounting::{Changes, Meter, Moment, Others, Share, Tick};

/// Brings shares of limits to accounts. The numbers are those of
/// [`Meter::shared`](crate::Meter::shared).
///
/// All but [`passes_when_away`](Self::passes_when_away) is called without any lock of an account.
pub trait Supply: fmt::Debug + Send + Sync {
    /// An account has shared meters, or has got another one. Its [core](crate::Core::shared) has
    /// this supply.
    fn joined(&self, account: &Arc<dyn SupplyMember>) {
        let _ = account;
    }

    /// Whether [`booked`](Self::booked) is called. It is asked when an account joins.
    fn keeps_bookings(&self) -> bool {
        false
    }

    /// Something was booked of that limit. It may wait until that is kept.
    fn booked(&self, limit: u128) {
        let _ = limit;
    }

    /// Requests lack a share of that limit, or soon will, or more was used than the share.
    fn short(&self, limit: u128);

    /// A part of the share of that limit is free, and was called in.
    fn surplus(&self, limit: u128);

    /// The owner of an account has changed that limit.
    fn changed(&self, limit: u128, changes: Changes);

    /// Whether this process has closed it. Then it never answers again.
    fn is_over(&self) -> bool {
        false
    }

    /// For how long a call that waits for nobody else waits for the store.
    fn timeout(&self) -> Duration;

    /// Whether a request that lacks a share passes all the same, because the store is away. `None`
    /// if it is not away. It is called under the lock of an account: it takes no lock but its own,
    /// under which it calls nothing.
    fn passes_when_away(&self, lack: &Lack) -> Option<bool>;
}

/// An account, as its supply knows it.
pub trait SupplyMember: fmt::Debug + Send + Sync {
    /// Calls `read` with its meters at the present time.
    fn read_meters(&self, read: &mut dyn FnMut(&[Meter], Moment)) -> Result<(), Error>;

    /// Calls `act` with what the meter of a shared limit says, and with its share. Requests that
    /// wait are then served. Returns whether there is such a meter.
    fn visit_limit(
        &self,
        limit: u128,
        act: &mut dyn FnMut(&View, &mut Share),
    ) -> Result<bool, Error>;

    /// Decides again what waits: the store is away, or back.
    fn decides_again(&self) -> Result<(), Error>;
}

/// A request that lacks a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The limit.
    pub limit: u128,
    /// The share.
    pub share: u64,
    /// What is used and reserved of it.
    pub taken: u64,
    /// What is asked for.
    pub asked: u64,
    /// What was last heard of the others. `None` if there never was an answer.
    pub others: Option<Others>,
}

/// What the meter of a limit says to its supply, read under its lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct View {
    /// What was used in the era of its share. In a sliding window: what its ring holds.
    pub spent: u64,
    /// What its open leases hold of that era.
    pub held: u64,
    /// The latest deadline of its open leases, and of those that its waiters ask for.
    pub until: Option<Tick>,
    /// How much more than `spent` and `held` lets its oldest waiter pass, 0 if nobody waits.
    pub need: u64,
    /// Since when that waiter waits.
    pub since: Option<Tick>,
    /// The number of that waiter's request: limits with the same one are raised all or none.
    pub request: Option<u64>,
    /// The number of calls since the meter was made.
    pub calls: u64,
    /// What they asked for in all.
    pub asked: u64,
}
