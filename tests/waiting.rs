//! Waiting: first in, first out, at the exact moment, and nothing left behind.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "waiting/edges.rs"]
mod edges;
#[path = "waiting/kit.rs"]
mod kit;
