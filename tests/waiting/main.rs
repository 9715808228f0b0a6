//! Waiting: first in, first out, at the exact moment, and nothing left behind.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod check;
mod driver;
mod edges;
mod histories;
mod kit;
mod meters;
mod model;
mod ops;
mod reentry;
mod tally;
mod threads;
