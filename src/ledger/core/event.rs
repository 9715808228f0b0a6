//! Events for listeners. Without a listener an event costs one load.

use smallvec::SmallVec;

use crate::accounting::{Key, Tick, Unit};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A lease was opened.
    Reserved,
    /// A lease ended with what was used.
    Committed,
    /// A lease ended and used nothing.
    Released,
    /// A lease ran out or was dropped.
    Expired,
    /// An amount was booked at once.
    Charged,
    /// A request was refused.
    Denied,
    /// `used` crossed the warning mark of a meter.
    Warned,
    /// A request passed that a soft limit would refuse if it were hard.
    Exceeded,
    /// A request passed that no rule matches.
    Unmatched,
}

/// One event of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The account's id.
    pub key: Key,
    /// The lease, if the event is about one.
    pub lease: Option<u64>,
    /// The amounts, by unit.
    pub amounts: SmallVec<[(Unit, u64); 2]>,
    /// When it happened.
    pub tick: Tick,
    /// The labels of a request that no rule matches.
    pub labels: Vec<(String, String)>,
}
