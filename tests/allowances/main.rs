//! Allowances: single calls, edges, and random histories beside a naive book.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod edges;
mod histories;
mod naive;
mod service;
