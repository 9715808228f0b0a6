//! How far leases come, and what is said at their ends.

use crate::accounting::{Usage, UsageEstimate};

/// How far a lease has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeaseState {
    /// It holds its estimate.
    Open,
    /// It ran out; one later commit still books.
    Expired,
    /// It ended and used nothing.
    Released,
    /// It ended with what was used.
    Committed,
}

/// What a commit says was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actual {
    /// Nothing is known: the estimate.
    Estimate,
    /// So many tokens; their cost is not known, so the estimate of the cost stands.
    Tokens(u64),
    /// All is known.
    Usage(Usage),
}

impl From<Usage> for Actual {
    fn from(usage: Usage) -> Self {
        Self::Usage(usage)
    }
}

impl Actual {
    /// What was used without a word of its cost, if that is so.
    pub(super) const fn unpriced(self) -> Option<Usage> {
        match self {
            Self::Tokens(tokens) => Some(Usage::tokens(tokens)),
            Self::Usage(usage) if usage.cost_micros_usd == 0 => Some(usage),
            Self::Estimate | Self::Usage(_) => None,
        }
    }

    /// The usage of a call that was estimated at `estimate`.
    #[inline]
    pub(crate) const fn usage(self, estimate: &UsageEstimate) -> Usage {
        match self {
            Self::Estimate => *estimate,
            Self::Tokens(tokens) => Usage::priced(tokens, estimate.cost_micros_usd),
            Self::Usage(usage) => usage,
        }
    }
}

/// Why a lease ends that nobody has committed or released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abandoned {
    /// Its block ended: the usage never came.
    Unsettled,
    /// Its block ended by an error.
    Error,
    /// Its block was cancelled: the call may be under way.
    Cancelled,
}
