//! The ledger: random histories beside a naive book, real threads, events, and defects that it had.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod events;
mod histories;
mod model;
mod regressions;
mod regressions_edges;
mod threads;
