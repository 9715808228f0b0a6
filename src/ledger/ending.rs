//! The states of a lease, and the ways in which it can end.

use super::core::policy::{OnError, Policy, Unsettled};
use crate::accounting::{Usage, UsageEstimate};

/// How far a lease has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeaseState {
    /// It holds its estimate.
    Open,
    /// It has run out. One later commit is still booked.
    Expired,
    /// It ended and used nothing.
    Released,
    /// It ended with its usage.
    Committed,
}

/// The end of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Committed(Usage),
    Released,
}

impl End {
    /// The end of a lease that has committed that, or nothing.
    pub(crate) fn of(committed: Option<&Usage>) -> Self {
        committed.map_or(Self::Released, |usage| Self::Committed(usage.clone()))
    }

    /// What was committed.
    pub(crate) const fn committed(&self) -> Option<&Usage> {
        match self {
            Self::Committed(usage) => Some(usage),
            Self::Released => None,
        }
    }

    pub(crate) const fn state(&self) -> LeaseState {
        match self {
            Self::Committed(_) => LeaseState::Committed,
            Self::Released => LeaseState::Released,
        }
    }
}

/// What a commit says was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actual {
    /// Nothing is known, so the estimate counts.
    Estimate,
    /// The tokens are known and their cost is not. The estimate of the cost counts.
    Tokens(u64),
    /// Everything is known.
    Usage(Usage),
}

impl From<Usage> for Actual {
    fn from(usage: Usage) -> Self {
        Self::Usage(usage)
    }
}

/// An [`Actual`] by reference. A usage is large: it is not copied on its way to the accounts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ActualRef<'a> {
    Estimate,
    Tokens(u64),
    Usage(&'a Usage),
}

impl From<ActualRef<'_>> for Actual {
    fn from(actual: ActualRef<'_>) -> Self {
        match actual {
            ActualRef::Estimate => Self::Estimate,
            ActualRef::Tokens(tokens) => Self::Tokens(tokens),
            ActualRef::Usage(usage) => Self::Usage(usage.clone()),
        }
    }
}

impl Actual {
    #[inline]
    pub(crate) const fn by_ref(&self) -> ActualRef<'_> {
        match self {
            Self::Estimate => ActualRef::Estimate,
            Self::Tokens(tokens) => ActualRef::Tokens(*tokens),
            Self::Usage(usage) => ActualRef::Usage(usage),
        }
    }
}

impl ActualRef<'_> {
    /// The usage of a call with this estimate.
    pub(crate) fn usage(self, estimate: &UsageEstimate) -> Usage {
        match self {
            Self::Estimate => estimate.clone(),
            Self::Tokens(tokens) => Usage::priced(tokens, estimate.cost_micros_usd),
            Self::Usage(usage) => usage.clone(),
        }
    }

    /// [`usage`](Self::usage), but tokens without a cost keep the cost of the estimate.
    pub(crate) fn never_free(self, estimate: &UsageEstimate) -> Usage {
        let mut usage = self.usage(estimate);
        if usage.total_tokens > 0 && usage.cost_micros_usd == 0 {
            usage.cost_micros_usd = estimate.cost_micros_usd;
        }
        usage
    }
}

/// Why a lease ends that is neither committed nor released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abandoned {
    /// Its block ended without a reported usage.
    Unsettled,
    /// Its block ended with an error. The request was made, but it used no tokens and no money.
    Error,
    /// The provider has answered that it did nothing. No policy charges that, but the request
    /// counts.
    Unbilled,
    /// Its block was cancelled, or its answer never came. The call may still be running.
    Cancelled,
}

/// The usage of a request that was made and did nothing.
pub(crate) const NOTHING: Usage = Usage::zero();

/// How a lease ends.
pub(crate) enum Finish<'a> {
    Commit(&'a Usage),
    /// The usage, and how many of the held calls were made.
    Settle(&'a Usage, u64),
    Release,
    /// Why it ends, how many requests were made, and how many of them may still be running.
    Abandon(Abandoned, u64, u64),
    /// No caller ever received it.
    GiveBack,
}

impl Finish<'_> {
    /// How many calls were made, if that differs from the number held.
    #[inline]
    pub(crate) const fn calls(&self) -> Option<u64> {
        match self {
            Self::Settle(_, calls) => Some(*calls),
            Self::Abandon(_, requests, _) if *requests != 1 => Some(*requests),
            _ => None,
        }
    }
}

/// What an account books at the end of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Books {
    /// This usage.
    Usage(Usage),
    /// Only the requests: calls, steps and the like.
    Requests,
    /// Nothing.
    Nothing,
}

impl Books {
    /// What is booked for an abandoned lease of `estimate`, while `open` requests may still be
    /// running.
    pub(crate) fn abandoned(why: Abandoned, policy: &Policy, estimate: &Usage, open: u64) -> Self {
        let charges = match why {
            Abandoned::Unsettled => policy.unsettled == Unsettled::Charge,
            Abandoned::Error => policy.on_error == OnError::Charge,
            Abandoned::Unbilled => false,
            Abandoned::Cancelled => policy.on_cancel == Unsettled::Charge,
        };
        match (charges, why) {
            (true, Abandoned::Cancelled) => Self::Usage(estimate.times(open)),
            (true, _) => Self::Usage(estimate.clone()),
            (false, Abandoned::Unsettled) => Self::Nothing,
            (false, _) => Self::Requests,
        }
    }
}
