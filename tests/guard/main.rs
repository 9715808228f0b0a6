//! The guard as a user of the crate calls it: the laws, windows, modes, parts, prices, policies.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod glitches;
mod histories;
mod kit;
mod labels;
mod laws;
mod meant;
mod model;
mod modes;
mod parts;
mod policies;
mod prices;
mod reports;
mod runs;
mod updates;
mod windows;
mod workflows;
