//! What is sent once the locks are free: events, wake-ups, and waits to try again.

pub(crate) mod mailbox;
pub(crate) mod outbox;
pub(crate) mod sleeper;

pub use mailbox::Mailbox;
pub use sleeper::Sleeper;
