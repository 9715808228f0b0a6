//! How leases end that are neither committed nor released.

use std::time::Duration;

/// What a lease is charged if its usage is never reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unsettled {
    /// Its estimate: unknown usage counts.
    #[default]
    Charge,
    /// Nothing.
    Release,
}

/// How an error inside a lease's block ends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// No tokens and no money: the call failed. Meters that count requests still count it.
    #[default]
    Release,
    /// The estimate is booked.
    Charge,
}

/// How leases end that are neither committed nor released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a lease lives, unless the request says otherwise.
    pub lease_ttl: Duration,
    /// Applies when a lease runs out, is dropped, or its block ends without a commit.
    pub unsettled: Unsettled,
    /// Applies when its block ends with an error.
    pub on_error: OnError,
    /// Applies when its block is cancelled, interrupted or times out: the call may still be
    /// running.
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
