//! What goes out once the locks are free: events, wake-ups, waits to be tried again.

pub(crate) mod mailbox;
pub(crate) mod outbox;
pub(crate) mod sleeper;

pub use mailbox::Mailbox;
pub use sleeper::Sleeper;
