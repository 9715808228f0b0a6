//! The demands of a request: on one account, and beside its accounts.

use std::fmt;
use std::time::Duration;

use smallvec::SmallVec;

use super::core::event::EventLabels;
use crate::accounting::{RequestBudget, Terms, UsageEstimate};

/// The number of a meter in its account. The first is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeterIndex(pub(crate) u8);

impl From<u8> for MeterIndex {
    #[inline]
    fn from(index: u8) -> Self {
        Self(index)
    }
}

impl fmt::Display for MeterIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<MeterIndex> for usize {
    #[inline]
    fn from(index: MeterIndex) -> Self {
        Self::from(index.0)
    }
}

/// What a request asks of one meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The meter.
    pub meter: MeterIndex,
    /// How much of it.
    pub amount: u64,
}

impl Demand {
    /// A demand of `amount` on `meter`.
    #[inline]
    pub fn new(meter: impl Into<MeterIndex>, amount: u64) -> Self {
        Self { meter: meter.into(), amount }
    }
}

/// The demands on one account.
pub type Demands = SmallVec<[Demand; 2]>;

/// The place of an ask among those of its request. Of all that refuse, the first is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AskPlace {
    /// The number of its budget in a list of budgets.
    pub budget: u32,
    /// The place in its policy, for an account that has no rules of its own.
    pub entry: u32,
}

/// What a request asks of one account. The account sees this and never the other accounts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) demands: &'a [Demand],
    /// The factor of the committed tokens. The amounts in `demands` have it already.
    pub(crate) multiplier: u64,
    pub(crate) terms: Terms,
    /// The labels of the request, if somebody listens.
    pub(crate) labels: Option<&'a EventLabels>,
}

/// The settings of a request that hold for all of its accounts.
#[derive(Clone, Debug, Default)]
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
