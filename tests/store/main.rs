//! Stores: the shipped rules of shares, holders and books in a simulated world with faults, beside an
//! auditor that knows nothing of them.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod auditor;
mod brief;
mod bugs;
mod facts;
mod holder;
mod laws;
mod memory;
mod model;
mod plan;
mod random;
mod shrink;
#[cfg(feature = "sqlite")]
mod sqlite;
mod traces;
mod twin;
mod world;
