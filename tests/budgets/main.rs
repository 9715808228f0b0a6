//! Budgets, quotas and pools.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod faces;
#[cfg(feature = "sqlite")]
mod stored;
