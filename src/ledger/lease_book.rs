//! The leases of one account: what is open, and when it is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Weak;

use slab::Slab;
use smallvec::SmallVec;

use super::lease::Inner;
use crate::accounting::{Hold, Tick, Unit, Usage};

/// What a lease holds of one meter of the account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldMeter {
    pub(crate) meter: u8,
    pub(crate) hold: Hold,
}

/// One lease, as its account sees it. It stays until the lease is committed, released or dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) lease: Weak<Inner>,
    pub(crate) estimate: Usage,
    /// What the committed tokens are multiplied with, as the estimate was.
    pub(crate) multiplier: u64,
    pub(crate) deadline: Tick,
    pub(crate) holds: SmallVec<[HeldMeter; 2]>,
    /// What its end was, once it has run out.
    pub(crate) expiry: Option<Box<Expiry>>,
}

/// How a lease ran out.
#[derive(Debug)]
pub(crate) struct Expiry {
    pub(crate) at: Tick,
    /// Whether its estimate was charged.
    pub(crate) charged: bool,
    /// What of each hold the window of the reservation has counted for good.
    pub(crate) covered: SmallVec<[u64; 2]>,
}

impl Entry {
    /// What committing `usage` books on a meter of `unit` of which `held` was held.
    pub(crate) fn actual(&self, unit: Unit, held: u64, usage: &Usage) -> u64 {
        match unit {
            Unit::Tokens => usage.total_tokens.saturating_mul(self.multiplier),
            Unit::Cost => usage.cost_micros_usd,
            // They happened, whatever came of them.
            Unit::Calls | Unit::Steps | Unit::Workflows | Unit::Jobs => held,
            Unit::Slots => 0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    deadline: Tick,
    id: u64,
    slot: usize,
}

/// The leases of one account.
#[derive(Debug, Default)]
pub(crate) struct LeaseBook {
    entries: Slab<Entry>,
    /// May hold leases that have ended or moved: they are passed over, and cleared when they
    /// are more than the rest.
    due: BinaryHeap<Reverse<Due>>,
    /// What was committed in all, and charged for unsettled leases.
    pub(crate) committed: Usage,
    /// Whether the core's sweep knows of this account.
    pub(crate) swept: bool,
}

impl LeaseBook {
    pub(crate) fn vacant(&self) -> usize {
        self.entries.vacant_key()
    }

    pub(crate) fn insert(&mut self, entry: Entry) -> usize {
        let (deadline, id) = (entry.deadline, entry.id);
        let slot = self.entries.insert(entry);
        self.set_due(slot, id, deadline);
        slot
    }

    pub(crate) fn get(&self, slot: usize) -> Option<&Entry> {
        self.entries.get(slot)
    }

    pub(crate) fn get_mut(&mut self, slot: usize) -> Option<&mut Entry> {
        self.entries.get_mut(slot)
    }

    pub(crate) fn remove(&mut self, slot: usize) -> Option<Entry> {
        self.entries.try_remove(slot)
    }

    /// Gives the lease a new deadline.
    pub(crate) fn extend(&mut self, slot: usize, deadline: Tick) {
        let Some(entry) = self.entries.get_mut(slot) else {
            return;
        };
        entry.deadline = deadline;
        let id = entry.id;
        self.set_due(slot, id, deadline);
    }

    /// The leases that are open, in the order in which they were opened.
    pub(crate) fn open(&self) -> Vec<&Entry> {
        let open = self.entries.iter().map(|(_, entry)| entry);
        let mut open: Vec<&Entry> = open.filter(|entry| entry.expiry.is_none()).collect();
        open.sort_by_key(|entry| entry.id);
        open
    }

    /// The earliest deadline that may still be due: never later than the true one.
    pub(crate) fn next_due(&self) -> Option<Tick> {
        self.due.peek().map(|due| due.0.deadline)
    }

    /// The next lease that is due: its slot and its deadline.
    #[inline]
    pub(crate) fn pop_due(&mut self, now: Tick) -> Option<(usize, Tick)> {
        while let Some(&Reverse(due)) = self.due.peek() {
            if due.deadline > now {
                return None;
            }
            self.due.pop();
            if self.is_current(&due) {
                return Some((due.slot, due.deadline));
            }
        }
        None
    }

    fn is_current(&self, due: &Due) -> bool {
        self.entries.get(due.slot).is_some_and(|entry| {
            entry.id == due.id && entry.expiry.is_none() && entry.deadline == due.deadline
        })
    }

    #[inline]
    fn set_due(&mut self, slot: usize, id: u64, deadline: Tick) {
        if self.due.len() > 2 * self.entries.len() + 64 {
            let mut due = std::mem::take(&mut self.due).into_vec();
            due.retain(|due| self.is_current(&due.0));
            self.due = due.into();
        }
        self.due.push(Reverse(Due { deadline, id, slot }));
    }
}
