//! Stores that are SQLite files, on real disks and with real processes.

mod basics;
mod child;
mod files;
mod full;
mod same;
mod speaker;
