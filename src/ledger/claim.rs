//! What is asked of one account, and what is asked of all accounts of a request.

use std::time::Duration;

use smallvec::SmallVec;

use crate::accounting::{RequestBudget, Terms, UsageEstimate};

/// What is asked of one account: meters and amounts.
pub type Demands = SmallVec<[(u8, u64); 2]>;

/// What a request asks of one account, which is not named: as that account sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) demands: &'a [(u8, u64)],
    /// What the committed tokens are multiplied with, as those in `demands` were.
    pub(crate) multiplier: u64,
    pub(crate) terms: Terms,
}

/// The request itself, beside what it asks of each account.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// What the call may use.
    pub estimate: UsageEstimate,
    /// Its own cap.
    pub request_budget: RequestBudget,
    /// How long the lease lives, by default the shortest time to live of its accounts.
    pub ttl: Option<Duration>,
    /// Whether it does not run out by itself: who holds it ends it when its time is over.
    pub stays: bool,
}

impl From<UsageEstimate> for Request {
    fn from(estimate: UsageEstimate) -> Self {
        Self { estimate, ..Self::default() }
    }
}
