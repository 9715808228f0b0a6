//! The leases of one account: what is open, and when it is due.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use slab::Slab;
use smallvec::SmallVec;

use crate::accounting::{Expired, Hold, RequestBudget, Tick, Unit, Usage};
use crate::ledger::claim::Request;
use crate::ledger::ending::{End, LeaseState};

/// Lease numbers are taken a block at a time: one atomic step in a thousand leases.
const NUMBERS: u64 = 1024;
static NEXT_NUMBERS: AtomicU64 = AtomicU64::new(1);

/// What a lease holds of one meter of the account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldMeter {
    pub(crate) meter: u8,
    pub(crate) hold: Hold,
}

/// One lease, as its account sees it. It stays as long as there is a handle of the lease.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    /// Its place in the order in which the account opened its leases.
    pub(crate) order: u64,
    /// How many handles there are.
    pub(crate) handles: u32,
    pub(crate) estimate: Usage,
    /// What the committed tokens are multiplied with, as the estimate was.
    pub(crate) multiplier: u64,
    pub(crate) deadline: Tick,
    pub(crate) holds: SmallVec<[HeldMeter; 2]>,
    /// How it ran out, if it did.
    pub(crate) expiry: Option<Box<Expiry>>,
    /// How it ended for good, if it did and other handles have to know.
    pub(crate) end: Option<Box<End>>,
    /// All places of the lease, where there are several. An account reads nothing of it: what knows
    /// accounts does.
    pub(crate) whole: Option<Arc<dyn Any + Send + Sync>>,
    pub(crate) boxed: Option<Box<BoxedFields>>,
}

/// Fields that few leases need. Boxed, to keep `Entry` small.
#[derive(Debug, Default)]
pub(crate) struct BoxedFields {
    /// The cap of the request itself.
    pub(crate) request_budget: RequestBudget,
    /// How many of the held calls were made, if that was reported.
    pub(crate) calls: Option<u64>,
}

/// How a lease ran out.
#[derive(Debug)]
pub(crate) struct Expiry {
    /// Whether its estimate was charged.
    pub(crate) charged: bool,
    /// What became of each hold.
    pub(crate) holds: SmallVec<[Expired; 2]>,
}

impl Entry {
    /// How far the lease has come.
    pub(crate) fn state(&self) -> LeaseState {
        match (&self.end, &self.expiry) {
            (Some(end), _) => end.state(),
            (None, Some(_)) => LeaseState::Expired,
            (None, None) => LeaseState::Open,
        }
    }

    fn calls(&self) -> Option<u64> {
        self.boxed.as_ref()?.calls
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.end.is_none() && self.expiry.is_none()
    }

    /// What committing `usage` books on a meter of `unit` of which `held` was held.
    #[inline]
    pub(crate) fn actual(&self, unit: Unit, held: u64, usage: &Usage) -> u64 {
        match unit {
            Unit::Tokens => usage.total_tokens.saturating_mul(self.multiplier),
            Unit::Calls | Unit::ToolCalls => self.calls().unwrap_or(held),
            Unit::Slots => 0,
            // Steps, jobs and the like happened, whatever came of them.
            other => usage.amount(other).unwrap_or(held),
        }
    }
}

impl BoxedFields {
    #[inline]
    pub(crate) fn of(request: &Request) -> Option<Box<Self>> {
        let request_budget = request.request_budget;
        let capped = request_budget != RequestBudget::unlimited();
        capped.then(|| Box::new(Self { request_budget, ..Self::default() }))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    deadline: Tick,
    order: u64,
    index: usize,
}

/// The leases of one account.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    slab: Slab<Entry>,
    /// May hold leases that have ended or moved: they are passed over, and cleared when they
    /// are more than the rest.
    due: BinaryHeap<Reverse<Due>>,
    /// What was committed in all, and charged for unsettled leases.
    pub(crate) committed: Usage,
    /// When the core's sweep comes to this account, if it knows of it.
    pub(crate) swept: Option<Tick>,
    opened: u64,
    next_number: u64,
    last_number: u64,
}

impl Entries {
    /// A number that no other lease of this process has.
    #[inline]
    pub(crate) fn number(&mut self) -> u64 {
        if self.next_number == self.last_number {
            // Relaxed: only that each number is given once matters.
            self.next_number = NEXT_NUMBERS.fetch_add(NUMBERS, Ordering::Relaxed);
            self.last_number = self.next_number + NUMBERS;
        }
        self.next_number += 1;
        self.next_number - 1
    }

    /// The place of the next lease in the order in which they are opened.
    #[inline]
    pub(crate) fn next_order(&mut self) -> u64 {
        self.opened += 1;
        self.opened
    }

    /// One lease more; one that `stays` does not run out by itself.
    #[inline]
    pub(crate) fn insert(&mut self, stays: bool, entry: Entry) -> usize {
        let (deadline, order) = (entry.deadline, entry.order);
        let index = self.slab.insert(entry);
        if !stays {
            self.set_due(index, order, deadline);
        }
        index
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&Entry> {
        self.slab.get(index)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Entry> {
        self.slab.get_mut(index)
    }

    #[inline]
    pub(crate) fn remove(&mut self, index: usize) -> Option<Entry> {
        self.slab.try_remove(index)
    }

    /// The counts that expired leases were part of are replaced.
    pub(crate) fn forget_expired(&mut self) {
        for (_, entry) in &mut self.slab {
            if let Some(expiry) = &mut entry.expiry {
                expiry.holds.iter_mut().for_each(Expired::forget);
            }
        }
    }

    /// Adds to what was committed; `replaced` was charged for the same lease before.
    #[inline]
    pub(crate) fn record_committed(&mut self, usage: &Usage, replaced: Option<&Usage>) {
        if let Some(replaced) = replaced {
            self.committed = self.committed.saturating_sub(replaced);
        }
        self.committed = self.committed.saturating_add(usage);
    }

    /// Keeps the end of a lease for its other handles; forgets it where there is none.
    #[inline]
    pub(crate) fn end(&mut self, index: usize, kept: Option<End>) {
        match kept {
            None => drop(self.slab.try_remove(index)),
            Some(end) => {
                if let Some(entry) = self.slab.get_mut(index) {
                    entry.end = Some(Box::new(end));
                }
            }
        }
    }

    /// Gives the lease a new deadline.
    pub(crate) fn extend(&mut self, index: usize, deadline: Tick) {
        let Some(entry) = self.slab.get_mut(index) else {
            return;
        };
        entry.deadline = deadline;
        let order = entry.order;
        self.set_due(index, order, deadline);
    }

    /// The leases that are open, with their places.
    pub(crate) fn open(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.slab.iter().filter(|(_, entry)| entry.is_open())
    }

    /// Whether the sweep has to be told that a lease is due at `deadline`.
    #[inline]
    pub(crate) fn is_news(&mut self, deadline: Tick) -> bool {
        let news = self.swept.is_none_or(|known| deadline < known);
        if news {
            self.swept = Some(deadline);
        }
        news
    }

    /// The earliest deadline that may still be due: never later than the true one.
    #[inline]
    pub(crate) fn next_due(&self) -> Option<Tick> {
        self.due.peek().map(|due| due.0.deadline)
    }

    /// The next lease that is due: its entry and its deadline.
    #[inline]
    pub(crate) fn pop_due(&mut self, now: Tick) -> Option<(usize, Tick)> {
        while let Some(&Reverse(due)) = self.due.peek() {
            if due.deadline > now {
                return None;
            }
            self.due.pop();
            if self.is_current(&due) {
                return Some((due.index, due.deadline));
            }
        }
        None
    }

    fn is_current(&self, due: &Due) -> bool {
        self.slab.get(due.index).is_some_and(|entry| {
            entry.order == due.order && entry.is_open() && entry.deadline == due.deadline
        })
    }

    #[inline]
    fn set_due(&mut self, index: usize, order: u64, deadline: Tick) {
        if self.due.len() > 2 * self.slab.len() + 64 {
            let mut due = std::mem::take(&mut self.due).into_vec();
            due.retain(|due| self.is_current(&due.0));
            self.due = due.into();
        }
        self.due.push(Reverse(Due { deadline, order, index }));
    }
}
