//! What a process has of a store: accounts over a real file, and the thread between them.
#![cfg(all(feature = "sqlite", not(loom)))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod away;
mod basics;
mod child;
mod clock;
mod many;
mod objects;
mod processes;
