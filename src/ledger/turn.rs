//! A wait for capacity: its place in a queue, and what came of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use smallvec::SmallVec;

use super::account::Account;
use super::account_id::AccountId;
use super::error::Error;
use super::group::{Ask, Request};
use super::lease::Lease;
use super::mailbox::Mailbox;
use super::sync::Mutex;
use crate::accounting::{Terms, Tick};

/// The ticket of a request that does not wait: everybody who waits is older.
pub(crate) const NO_TICKET: u64 = u64::MAX;

static NEXT_TICKET: AtomicU64 = AtomicU64::new(1);

/// What a wait was given.
#[derive(Debug)]
pub enum Grant {
    /// A lease over all that was asked for.
    Lease(Lease),
    /// A slot of a limiter: the number of what is held until the usage is recorded, if anything.
    Slot(Option<u64>),
}

/// What a wait asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    Lease,
    Slot,
}

/// One wait. Queued in at most one queue at a time.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Its age: smaller is older.
    pub(crate) ticket: u64,
    pub(crate) asks: SmallVec<[Ask; 1]>,
    pub(crate) request: Request,
    pub(crate) wants: Wants,
    pub(crate) timeout: Option<Duration>,
    pub(crate) mailbox: Arc<Mailbox>,
    /// When it is over, by the clock of each account.
    deadlines: SmallVec<[Option<Tick>; 1]>,
    place: Mutex<Place>,
}

/// Where a wait is. Changed under the lock of the account whose queue it is in.
#[derive(Debug)]
pub(crate) enum Place {
    /// In the queue of a meter: the index of the account in the asks, and the meter.
    Queued(usize, u8),
    /// It ended and nobody has taken it yet.
    Ended(Result<Grant, Error>),
    /// In no queue: it has left, or it is being decided anew.
    Over,
    /// What came of it was taken: nothing more comes.
    Taken,
}

impl Turn {
    pub(crate) fn new(
        asks: SmallVec<[Ask; 1]>,
        request: Request,
        wants: Wants,
        timeout: Option<Duration>,
        mailbox: Arc<Mailbox>,
    ) -> Arc<Self> {
        // Relaxed: who comes first is decided by this number alone.
        let ticket = NEXT_TICKET.fetch_add(1, Ordering::Relaxed);
        let deadline = |ask: &Ask| Some(ask.account.core().clock().precise_tick().plus(timeout?));
        let deadlines = asks.iter().map(deadline).collect();
        let place = Mutex::new(Place::Over);
        Arc::new(Self { ticket, asks, request, wants, timeout, mailbox, deadlines, place })
    }

    pub(crate) fn accounts(&self) -> impl ExactSizeIterator<Item = &Account> {
        self.asks.iter().map(|ask| &*ask.account)
    }

    /// Its ask of `account`, with the index.
    pub(crate) fn ask_of(&self, account: AccountId) -> Option<(usize, &Ask)> {
        let mut asks = self.asks.iter().enumerate();
        asks.find(|(_, ask)| ask.account.identity().id() == account)
    }

    /// What it asks of a meter of `account`.
    pub(crate) fn asks_of(&self, account: AccountId, meter: u8) -> u64 {
        let demands = self.ask_of(account).map(|(_, ask)| ask.demands.iter());
        let amounts = demands.into_iter().flatten().filter(|(number, _)| *number == meter);
        amounts.fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    pub(crate) fn terms_of(&self, account: AccountId) -> Terms {
        self.ask_of(account).map_or(Terms::Plain, |(_, ask)| ask.terms)
    }

    pub(crate) fn deadline_of(&self, account: AccountId) -> Option<Tick> {
        let (index, _) = self.ask_of(account)?;
        *self.deadlines.get(index)?
    }

    /// Whether its time is over at `now` by the clock of the account at `index`.
    pub(crate) fn is_over(&self, index: usize, now: Tick) -> bool {
        self.deadlines[index].is_some_and(|deadline| deadline <= now)
    }

    pub(crate) fn queued(&self) -> Option<(usize, u8)> {
        match *self.place.lock() {
            Place::Queued(index, meter) => Some((index, meter)),
            Place::Ended(_) | Place::Over | Place::Taken => None,
        }
    }

    /// Whether what came of it was taken: then nothing is left of it.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(*self.place.lock(), Place::Taken)
    }

    pub(crate) fn put(&self, place: Place) {
        let old = std::mem::replace(&mut *self.place.lock(), place);
        debug_assert!(!matches!(old, Place::Ended(Ok(_))), "a grant was lost");
    }

    /// What came of it, once.
    pub(crate) fn take(&self) -> Option<Result<Grant, Error>> {
        let mut place = self.place.lock();
        match &*place {
            Place::Ended(_) => match std::mem::replace(&mut *place, Place::Taken) {
                Place::Ended(result) => Some(result),
                Place::Queued(..) | Place::Over | Place::Taken => None,
            },
            Place::Queued(..) | Place::Over | Place::Taken => None,
        }
    }
}
