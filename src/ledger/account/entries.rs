//! The leases of one account, and when they are due.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;

use super::slots::Slots;
use crate::accounting::{Expired, Hold, RequestBudget, Tick, Unit, Usage};
use crate::ledger::claim::{Claim, MeterIndex, Request};
use crate::ledger::core::event::EventLabels;
use crate::ledger::ending::{End, LeaseState};

/// Lease numbers are taken in blocks: one atomic step for a thousand leases.
const NUMBERS: u64 = 1024;
static NEXT_NUMBERS: AtomicU64 = AtomicU64::new(NUMBERS);

/// From so many leases on an account keeps room for the next one. Many accounts never have as many.
const ROOM_FROM: u64 = 4;

/// What a lease holds of one meter of the account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldMeter {
    pub(crate) meter: MeterIndex,
    pub(crate) hold: Hold,
}

/// One lease, as its account sees it. It stays while a handle of the lease exists.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    /// Its position in the order in which the account opened its leases.
    pub(crate) order: u64,
    /// The number of handles.
    pub(crate) handles: u32,
    pub(crate) estimate: Usage,
    /// The factor of the committed tokens. The estimate has it already.
    pub(crate) multiplier: u64,
    pub(crate) deadline: Tick,
    pub(crate) holds: SmallVec<[HeldMeter; 2]>,
    /// How it ran out, if it has.
    pub(crate) expiry: Option<Box<Expiry>>,
    /// How it ended, if it has ended and other handles need to know.
    pub(crate) end: Option<Box<End>>,
    /// All places of the lease, if there are several. The account does not read them:
    /// `request::handles` does, which knows accounts.
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
    /// The labels of the request, if somebody listened when it was made.
    labels: Option<EventLabels>,
}

/// How a lease ran out.
#[derive(Debug)]
pub(crate) struct Expiry {
    /// Whether the estimate was charged.
    pub(crate) charged: bool,
    /// The result for each hold.
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

    /// The labels of the request, if they are known.
    pub(crate) fn labels(&self) -> Option<&EventLabels> {
        self.boxed.as_ref()?.labels.as_ref()
    }

    fn calls(&self) -> Option<u64> {
        self.boxed.as_ref()?.calls
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.end.is_none() && self.expiry.is_none()
    }

    /// The amount that a commit of `usage` books on a meter of `unit`, of which `held` was held.
    #[inline]
    pub(crate) fn actual(&self, unit: Unit, held: u64, usage: &Usage) -> u64 {
        match unit {
            Unit::Tokens => usage.total_tokens.saturating_mul(self.multiplier),
            Unit::Calls | Unit::ToolCalls => self.calls().unwrap_or(held),
            Unit::Slots => 0,
            // Steps, jobs and the like have happened, whatever the result.
            other => usage.amount(other).unwrap_or(held),
        }
    }
}

impl BoxedFields {
    #[inline]
    pub(crate) fn of(request: &Request, claim: &Claim<'_>) -> Option<Box<Self>> {
        let request_budget = request.request_budget;
        let any = request_budget != RequestBudget::unlimited() || claim.labels.is_some();
        any.then(|| Box::new(Self { request_budget, calls: None, labels: claim.labels.cloned() }))
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
    leases: Slots<Entry>,
    /// May hold leases that have ended or moved. They are skipped, and removed when they outnumber
    /// the others.
    due: BinaryHeap<Reverse<Due>>,
    /// The sum of all committed usage, with the charges for unsettled leases.
    pub(crate) committed: Usage,
    /// When the sweep of the core comes to this account, if it is queued there.
    pub(crate) swept: Option<Tick>,
    opened: u64,
    /// A whole number of blocks if none is left.
    next_number: u64,
}

impl Entries {
    /// A number that no other lease of this process has.
    #[inline]
    pub(crate) fn number(&mut self) -> u64 {
        if self.next_number.is_multiple_of(NUMBERS) {
            // Relaxed: each number must be given once, and nothing else is ordered by it.
            self.next_number = NEXT_NUMBERS.fetch_add(NUMBERS, Ordering::Relaxed);
        }
        self.next_number += 1;
        self.next_number - 1
    }

    /// The position of the next lease in the order of opening.
    #[inline]
    pub(crate) fn next_order(&mut self) -> u64 {
        self.opened += 1;
        self.opened
    }

    /// Adds a lease. A lease that `stays` does not run out by itself.
    #[inline]
    pub(crate) fn insert(&mut self, stays: bool, entry: Entry) -> usize {
        let (deadline, order) = (entry.deadline, entry.order);
        if self.leases.is_new() {
            // Most accounts have one lease at a time. A vector would begin with room for four.
            self.leases.reserve_one();
            self.due.reserve_exact(1);
        }
        let index = self.leases.insert(entry);
        if !stays {
            self.set_due(index, order, deadline);
        }
        index
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&Entry> {
        self.leases.get(index)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Entry> {
        self.leases.get_mut(index)
    }

    #[inline]
    pub(crate) fn remove(&mut self, index: usize) {
        self.leases.remove(index);
        if self.leases.is_empty() {
            self.due.clear();
            if self.opened <= ROOM_FROM {
                self.give_room_back();
            }
        }
    }

    /// Gives the room for leases back, if there is no lease. The next one makes room again.
    #[cold]
    pub(crate) fn give_room_back(&mut self) {
        if self.leases.is_empty() {
            (self.leases, self.due) = (Slots::default(), BinaryHeap::new());
        }
    }

    /// Forgets what was booked for expired leases: the counts are replaced.
    pub(crate) fn forget_expired(&mut self) {
        for entry in self.leases.values_mut() {
            if let Some(expiry) = &mut entry.expiry {
                expiry.holds.iter_mut().for_each(Expired::forget);
            }
        }
    }

    /// Adds the estimate of a lease to the committed usage.
    pub(crate) fn record_estimate(&mut self, index: usize) {
        if let Some(entry) = self.leases.get(index) {
            self.committed.add(&entry.estimate);
        }
    }

    /// Takes the estimate of a lease, which was charged, from the committed usage.
    #[cold]
    pub(crate) fn take_estimate_back(&mut self, index: usize) {
        if let Some(entry) = self.leases.get(index) {
            self.committed = self.committed.saturating_sub(&entry.estimate);
        }
    }

    /// Keeps the end of a lease for its other handles.
    #[cold]
    pub(crate) fn end(&mut self, index: usize, end: End) {
        if let Some(entry) = self.leases.get_mut(index) {
            entry.end = Some(Box::new(end));
        }
    }

    /// Gives the lease a new deadline.
    pub(crate) fn extend(&mut self, index: usize, deadline: Tick) {
        let Some(entry) = self.leases.get_mut(index) else {
            return;
        };
        entry.deadline = deadline;
        let order = entry.order;
        self.set_due(index, order, deadline);
    }

    /// The open leases, with their indexes.
    pub(crate) fn open(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.leases.iter().filter(|(_, entry)| entry.is_open())
    }

    /// Whether the sweep must learn that a lease is due at `deadline`.
    #[inline]
    pub(crate) fn is_news(&mut self, deadline: Tick) -> bool {
        let news = self.swept.is_none_or(|known| deadline < known);
        if news {
            self.swept = Some(deadline);
        }
        news
    }

    /// The earliest deadline that may still be due. Never later than the true one.
    #[inline]
    pub(crate) fn next_due(&self) -> Option<Tick> {
        self.due.peek().map(|due| due.0.deadline)
    }

    /// The next due lease: its index and its deadline.
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
        self.leases.get(due.index).is_some_and(|entry| {
            entry.order == due.order && entry.is_open() && entry.deadline == due.deadline
        })
    }

    #[inline]
    fn set_due(&mut self, index: usize, order: u64, deadline: Tick) {
        if self.due.len() > 2 * self.leases.len() + 64 {
            let mut due = std::mem::take(&mut self.due).into_vec();
            due.retain(|due| self.is_current(&due.0));
            self.due = due.into();
        }
        self.due.push(Reverse(Due { deadline, order, index }));
    }
}
