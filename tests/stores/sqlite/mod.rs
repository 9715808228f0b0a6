//! Stores that are SQLite files, on real disks and with real processes.

mod basics;
mod child;
mod cut;
mod files;
mod full;
mod killed;
mod same;
mod speaker;
