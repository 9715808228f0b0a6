//! How far leases come, and what is said at their ends.

use super::core::policy::{OnError, Policy, Unsettled};
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

/// The end of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Committed(Usage),
    Released,
}

impl End {
    pub(crate) const fn state(&self) -> LeaseState {
        match self {
            Self::Committed(_) => LeaseState::Committed,
            Self::Released => LeaseState::Released,
        }
    }
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
    pub(crate) const fn unpriced(self) -> Option<Usage> {
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

    /// [`usage`](Self::usage), where tokens without a cost keep that of the estimate.
    pub(crate) const fn never_free(self, estimate: &UsageEstimate) -> Usage {
        let mut usage = self.usage(estimate);
        if usage.total_tokens > 0 && usage.cost_micros_usd == 0 {
            usage.cost_micros_usd = estimate.cost_micros_usd;
        }
        usage
    }
}

/// Why a lease ends that nobody has committed or released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abandoned {
    /// Its block ended: the usage never came.
    Unsettled,
    /// Its block ended by an error: the request was made, and what it would have used was not.
    Error,
    /// The provider has answered that it did nothing: no policy charges that, and the request
    /// was made.
    Unbilled,
    /// Its block was cancelled, or its answer never came: the call may be under way.
    Cancelled,
}

/// What a request used that was made and did nothing.
pub(crate) const NOTHING: Usage = Usage::zero();

/// How a lease ends.
pub(crate) enum Finish {
    Commit(Usage),
    /// Of the calls that it held, so many were made.
    Settle(Usage, u64),
    Release,
    /// After so many requests, of which so many may be under way.
    Abandon(Abandoned, u64, u64),
    /// Nobody ever received it.
    GiveBack,
}

impl Finish {
    /// How many calls were made, where it is another number than was held.
    #[inline]
    pub(crate) const fn calls(&self) -> Option<u64> {
        match self {
            Self::Settle(_, calls) => Some(*calls),
            Self::Abandon(_, requests, _) if *requests != 1 => Some(*requests),
            _ => None,
        }
    }
}

/// What an account books of a lease that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Books {
    /// What was used.
    Usage(Usage),
    /// The requests alone: calls, steps and the like.
    Requests,
    /// Nothing.
    Nothing,
}

impl Books {
    /// What is booked of a lease of `estimate` that was abandoned while so many requests may be
    /// under way.
    pub(crate) fn abandoned(why: Abandoned, policy: &Policy, estimate: &Usage, open: u64) -> Self {
        let charges = match why {
            Abandoned::Unsettled => policy.unsettled == Unsettled::Charge,
            Abandoned::Error => policy.on_error == OnError::Charge,
            Abandoned::Unbilled => false,
            Abandoned::Cancelled => policy.on_cancel == Unsettled::Charge,
        };
        match (charges, why) {
            (true, Abandoned::Cancelled) => Self::Usage(estimate.times(open)),
            (true, _) => Self::Usage(*estimate),
            (false, Abandoned::Unsettled) => Self::Nothing,
            (false, _) => Self::Requests,
        }
    }
}
