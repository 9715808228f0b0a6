//! What a calendar window has counted, also one that a wrong reading has ended.

use crate::accounting::clock::Tick;

/// The counts of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// What was charged.
    pub used: u64,
    /// What open leases hold.
    pub reserved: u64,
    /// The era of the meter.
    pub era: u32,
    /// How many warning marks were reported.
    pub warned: u8,
}

/// A window that a reading ahead has ended.
#[derive(Clone, Debug)]
pub(super) struct KeptWindow {
    pub(super) over_at: Tick,
    pub(super) end_ns: i64,
    /// Its first era. After a return all eras from it on count in the present window.
    pub(super) since: u32,
    pub(super) used: u64,
    pub(super) reserved: u64,
    pub(super) warned: u8,
}

/// What a new reading of the clocks means for a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rolled {
    /// It goes on.
    Same,
    /// A new one has begun, in which nothing is used.
    Next,
    /// It goes on, and these counts belong to it too.
    Returned(Counts),
}

impl KeptWindow {
    /// Adds what a later window has counted.
    pub(super) const fn add(&mut self, counts: Counts) {
        self.used = self.used.saturating_add(counts.used);
        self.reserved = self.reserved.saturating_add(counts.reserved);
        if counts.warned > self.warned {
            self.warned = counts.warned;
        }
    }

    /// Whether an era is one from its first up to `end`, which is none of them.
    pub(super) const fn has(&self, era: u32, end: u32) -> bool {
        era.wrapping_sub(self.since) < end.wrapping_sub(self.since)
    }
}
