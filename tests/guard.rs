//! The guard as a user of the crate calls it: the laws, windows, modes, parts, prices, policies.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "guard/kit.rs"]
mod kit;
#[path = "guard/laws.rs"]
mod laws;
#[path = "guard/meant.rs"]
mod meant;
#[path = "guard/modes.rs"]
mod modes;
#[path = "guard/parts.rs"]
mod parts;
#[path = "guard/policies.rs"]
mod policies;
#[path = "guard/prices.rs"]
mod prices;
#[path = "guard/reports.rs"]
mod reports;
#[path = "guard/runs.rs"]
mod runs;
#[path = "guard/updates.rs"]
mod updates;
#[path = "guard/windows.rs"]
mod windows;
#[path = "guard/workflows.rs"]
mod workflows;
