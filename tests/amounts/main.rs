//! Amounts, prices and messages.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod prices;
mod sums;
