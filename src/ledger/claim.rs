//! The demands of a request: on one account, and beside its accounts.

use std::time::Duration;

use smallvec::SmallVec;

use crate::accounting::{RequestBudget, Terms, UsageEstimate};

/// The demands on one account: meters and amounts.
pub type Demands = SmallVec<[(u8, u64); 2]>;

/// What a request asks of one account. The account sees this and never the other accounts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) demands: &'a [(u8, u64)],
    /// The factor of the committed tokens. The amounts in `demands` have it already.
    pub(crate) multiplier: u64,
    pub(crate) terms: Terms,
}

/// The settings of a request that hold for all of its accounts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// What the call may use.
    pub estimate: UsageEstimate,
    /// Its own cap.
    pub request_budget: RequestBudget,
    /// How long the lease lives. Default: the shortest time to live of its accounts.
    pub ttl: Option<Duration>,
    /// Whether the lease never runs out by itself. Its owner then ends it when its time is over.
    pub stays: bool,
}

impl From<UsageEstimate> for Request {
    fn from(estimate: UsageEstimate) -> Self {
        Self { estimate, ..Self::default() }
    }
}
