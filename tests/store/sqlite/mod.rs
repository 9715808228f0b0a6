//! Stores that are SQLite files, on real disks and with real processes.

mod basics;
mod child;
#[cfg(target_os = "linux")]
mod crowd;
mod cut;
mod files;
mod full;
#[cfg(target_os = "linux")]
mod judge;
mod killed;
mod same;
mod speaker;
mod speed;
#[cfg(target_os = "linux")]
mod worker;
