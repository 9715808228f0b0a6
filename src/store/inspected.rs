//! The limits of a store, for people.

use super::message::WindowSpan;

/// A limit as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// Its number.
    pub id: u128,
    /// Its readable name, if it was said.
    pub name: Option<String>,
    /// Its window.
    pub span: WindowSpan,
    /// The most that all may use, `u64::MAX` for no limit.
    pub most: u64,
    /// When the present era ends, in microseconds since 1970 UTC. `None` for never.
    pub ends: Option<i64>,
    /// What all have used of the present era.
    pub used: u64,
    /// What is taken and not used.
    pub out: u64,
    /// What was granted to processes that are gone, and counts as used though it may not have been.
    pub written_off: u64,
    /// The shares, by holder.
    pub holders: Vec<InspectedShare>,
}

/// The share of one holder as the store has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InspectedShare {
    /// Which holder.
    pub holder: u128,
    /// Its process on this machine, if it is known.
    pub pid: Option<u32>,
    /// What it may use.
    pub granted: u64,
    /// What it has used.
    pub spent: u64,
    /// What its leases hold.
    pub held: u64,
    /// When it was last heard of, in microseconds since 1970 UTC.
    pub heard: i64,
    /// Whether it lives, as far as the store knows.
    pub live: bool,
}
