//! A wait for capacity: its place in a queue, and what came of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use smallvec::SmallVec;

use crate::accounting::{Follower, Terms, Tick};
use crate::ledger::account_id::AccountId;
use crate::ledger::claim::{Claim, Demands, Request};
use crate::ledger::core::sweep::Swept;
use crate::ledger::error::Error;
use crate::ledger::post::mailbox::Mailbox;
use crate::ledger::post::outbox::Again;
use crate::ledger::sync::Mutex;

/// The ticket of a request that does not wait: everybody who waits is older.
pub(crate) const NO_TICKET: u64 = u64::MAX;

static NEXT_TICKET: AtomicU64 = AtomicU64::new(1);

/// What a wait is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    Lease,
    Admission,
}

/// What a wait was given.
#[derive(Debug)]
pub(crate) enum Granted {
    /// A lease over all that was asked for.
    Lease(Opened),
    /// An admission by a limiter: the number of what is held until the usage is recorded, if anything.
    Admission(Option<u64>),
}

/// A lease that was opened and that has no handle yet.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) id: u64,
    /// Its entry in each account, in the order of the claims.
    pub(crate) entries: SmallVec<[usize; 2]>,
}

/// What a wait asks for, beside its claims.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) what: Wants,
    pub(crate) request: Request,
    pub(crate) timeout: Option<Duration>,
}

/// What a wait asks of one account. It does not keep the account alive.
#[derive(Debug)]
pub(crate) struct QueuedClaim {
    pub(crate) id: AccountId,
    pub(crate) account: Weak<dyn Swept>,
    pub(crate) demands: Demands,
    pub(crate) multiplier: u64,
    pub(crate) terms: Terms,
    /// Whether it may wait for this account; else its refusal is final.
    pub(crate) patient: bool,
    /// When the wait is over, by the clock of the account.
    pub(crate) deadline: Option<Tick>,
}

/// One wait. Queued in at most one queue at a time.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Its age: smaller is older.
    pub(crate) ticket: u64,
    pub(crate) claims: SmallVec<[QueuedClaim; 1]>,
    pub(crate) wanted: Wanted,
    pub(crate) mailbox: Arc<Mailbox>,
    /// What decides it anew under the locks of all its accounts, where it has several.
    again: OnceLock<Weak<dyn Again>>,
    stage: Mutex<Stage>,
}

/// How far a wait has come. Changed under the lock of the account whose queue it is in.
#[derive(Debug)]
pub(crate) enum Stage {
    /// In the queue of a meter: the index of the account in the claims, and the meter.
    Queued(usize, u8),
    /// It ended and nobody has taken it yet.
    Ended(Result<Granted, Error>),
    /// In no queue: it has left, or it is being decided anew.
    Over,
    /// What came of it was taken: nothing more comes.
    Taken,
}

impl QueuedClaim {
    /// What is asked of a meter.
    pub(crate) fn asks_of(&self, meter: u8) -> u64 {
        let amounts = self.demands.iter().filter(|(number, _)| *number == meter);
        amounts.fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    /// The account as one that acts when time has passed.
    pub(crate) fn follower(&self) -> Weak<dyn Follower> {
        let account: Weak<dyn Swept> = Weak::clone(&self.account);
        account
    }

    /// What the account itself sees of it.
    pub(crate) fn claim(&self) -> Claim<'_> {
        Claim { demands: &self.demands, multiplier: self.multiplier, terms: self.terms }
    }
}

impl Turn {
    pub(crate) fn new(
        claims: SmallVec<[QueuedClaim; 1]>,
        wanted: Wanted,
        mailbox: Arc<Mailbox>,
    ) -> Arc<Self> {
        // Relaxed: who comes first is decided by this number alone.
        let ticket = NEXT_TICKET.fetch_add(1, Ordering::Relaxed);
        let stage = Mutex::new(Stage::Over);
        Arc::new(Self { ticket, claims, wanted, mailbox, again: OnceLock::new(), stage })
    }

    /// Lets `again` decide it anew. Called once, before it is in any queue.
    pub(crate) fn decided_by(&self, again: Weak<dyn Again>) {
        let first = self.again.set(again).is_ok();
        debug_assert!(first, "a turn has one wait");
    }

    /// What decides it anew, if its wait still lives.
    pub(crate) fn again(&self) -> Option<Arc<dyn Again>> {
        self.again.get()?.upgrade()
    }

    /// What it asks of an account, with the index.
    pub(crate) fn claim_of(&self, account: AccountId) -> Option<(usize, &QueuedClaim)> {
        self.claims.iter().enumerate().find(|(_, claim)| claim.id == account)
    }

    /// What it asks of a meter of an account.
    pub(crate) fn asks_of(&self, account: AccountId, meter: u8) -> u64 {
        self.claim_of(account).map_or(0, |(_, claim)| claim.asks_of(meter))
    }

    pub(crate) fn terms_of(&self, account: AccountId) -> Terms {
        self.claim_of(account).map_or(Terms::Plain, |(_, claim)| claim.terms)
    }

    /// Whether its time is over at `now` by the clock of the account at `index`.
    pub(crate) fn is_over(&self, index: usize, now: Tick) -> bool {
        self.claims[index].deadline.is_some_and(|deadline| deadline <= now)
    }

    pub(crate) fn queued(&self) -> Option<(usize, u8)> {
        match *self.stage.lock() {
            Stage::Queued(index, meter) => Some((index, meter)),
            Stage::Ended(_) | Stage::Over | Stage::Taken => None,
        }
    }

    /// Whether what came of it was taken: then nothing is left of it.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Taken)
    }

    pub(crate) fn put(&self, stage: Stage) {
        let old = std::mem::replace(&mut *self.stage.lock(), stage);
        debug_assert!(!matches!(old, Stage::Ended(Ok(_))), "a grant was lost");
    }

    /// What came of it, once.
    pub(crate) fn take(&self) -> Option<Result<Granted, Error>> {
        let mut stage = self.stage.lock();
        match &*stage {
            Stage::Ended(_) => match std::mem::replace(&mut *stage, Stage::Taken) {
                Stage::Ended(result) => Some(result),
                Stage::Queued(..) | Stage::Over | Stage::Taken => None,
            },
            Stage::Queued(..) | Stage::Over | Stage::Taken => None,
        }
    }
}
