//! How leases end that nobody commits or releases.

use std::time::Duration;

/// What a lease is charged whose usage never came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unsettled {
    /// Its estimate: what is not known is counted.
    #[default]
    Charge,
    /// Nothing.
    Release,
}

/// How an error inside a lease's block ends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// No tokens and no money: the call failed. What counts requests counts it.
    #[default]
    Release,
    /// The estimate is booked.
    Charge,
}

/// How leases end that nobody commits or releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a lease lives unless `reserve` says otherwise.
    pub lease_ttl: Duration,
    /// When it runs out, is dropped, or its block ends without a commit.
    pub unsettled: Unsettled,
    /// When its block ends by an error.
    pub on_error: OnError,
    /// When its block is cancelled, interrupted or times out: the call may be under way.
    pub on_cancel: Unsettled,
}

impl Default for Policy {
    /// 15 minutes; charge what is unsettled or cancelled; release on errors.
    fn default() -> Self {
        Self {
            lease_ttl: Duration::from_secs(900),
            unsettled: Unsettled::default(),
            on_error: OnError::default(),
            on_cancel: Unsettled::default(),
        }
    }
}
