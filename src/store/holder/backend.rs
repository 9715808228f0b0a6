//! What a process needs of a kind of store. A file is one; servers follow.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ledger::Error;
use crate::store::inspected::Inspected;
use crate::store::message::{Answer, FactGiven, FactId, HolderId, LimitId, Message};

/// Hears how something ended, from a thread of the store.
pub(super) type Done<T> = Box<dyn FnOnce(Result<T, Error>) + Send>;

/// A kind of store.
pub(super) trait Backend: fmt::Debug + Send + Sync {
    /// Where it is, without secrets.
    fn place(&self) -> String;

    /// Applies a message, and calls `done` once, with the answer or with why there is none.
    fn send(&self, message: Arc<Message>, done: Done<Answer>);

    /// Calls `done` with the limits for which another holder waits, if anything has changed.
    fn look(&self, holder: HolderId, done: Done<Vec<LimitId>>);

    /// Calls `done` with the facts of the group of `id` that stand.
    fn facts(&self, id: FactId, done: Done<Vec<(FactId, FactGiven)>>);

    /// Creates an empty namespace.
    fn create(&self) -> Result<(), Error>;

    /// All limits of the namespace.
    fn inspect(&self) -> Result<Vec<Inspected>, Error>;

    /// Whether the clock of the store runs on without a leap of the machine's clock.
    fn has_leapt(&self) -> bool;

    /// Closes it. Whether all was done within `timeout`.
    fn close(&self, timeout: Duration) -> bool;
}
