//! Facts: what a workflow, a job or a setting is, all processes of a store know, and after a restart.
#![cfg(all(not(loom), feature = "sqlite", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod budgets;
mod jobs;
mod peer;
mod settings;
mod worker;
mod workflows;
