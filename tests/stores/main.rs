//! Stores: the shipped rules of shares, holders and books in a simulated world with faults, beside an
//! auditor that knows nothing of them.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod auditor;
mod brief;
mod bugs;
mod holder;
mod laws;
mod memory;
mod plan;
mod random;
mod shrink;
mod world;
