//! What a supply is given: its rules, and what the meters say.

use std::fmt;
use std::time::Duration;

use crate::accounting::{Share, nanos};
pub use crate::ledger::View;
use crate::store::message::LimitId;

/// How a holder speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SupplyRules {
    /// The store takes a holder for lost that is silent for so long.
    pub ttl: Duration,
    /// It speaks at least so often while it holds something.
    pub beat: Duration,
    /// What is free goes back after so long without a call.
    pub idle: Duration,
    /// It asks for what it will need for so long.
    pub ahead: Duration,
    /// Or for so many calls, whichever is the larger.
    pub ahead_calls: u64,
    /// A message that is not answered is sent again after this, then after twice as long, and so on.
    pub again: Duration,
}

impl Default for SupplyRules {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(30),
            beat: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            ahead: Duration::from_secs(5),
            ahead_calls: 32,
            again: Duration::from_millis(250),
        }
    }
}

/// The meters of a holder. Each call runs under the lock of one meter, with the share in it.
pub trait Meters {
    /// Calls `act` with what the meter of `limit` says, and its share. If the share ends in `act`
    /// ([`Share::roll`], [`Share::void`]), the meter begins a new window before its lock is free.
    /// Nothing is called if there is no such meter any more.
    fn visit(&mut self, limit: LimitId, act: &mut dyn FnMut(&View, &mut Share));
}

/// Computes the edges of a calendar window.
pub trait Edging: fmt::Debug + Send + Sync {
    /// When the window at `time` begins and ends, in microseconds since 1970 UTC.
    fn around(&self, time: i64) -> (i64, i64);
}

/// A duration in microseconds.
pub(super) fn micros(duration: Duration) -> u64 {
    nanos(duration) / 1_000
}
