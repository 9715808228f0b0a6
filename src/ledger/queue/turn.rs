//! One wait for capacity: its place in a queue, and its result.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use smallvec::SmallVec;

use crate::accounting::{Follower, Hold, Terms, Tick};
use crate::ledger::account_id::AccountId;
use crate::ledger::claim::{AskPlace, Claim, Demands, MeterIndex, Request};
use crate::ledger::core::event::EventLabels;
use crate::ledger::core::sweep::Swept;
use crate::ledger::error::Error;
use crate::ledger::post::mailbox::Mailbox;
use crate::ledger::post::outbox::Again;
use crate::ledger::sync::Mutex;

/// The ticket of a request that does not wait: every wait is older.
pub(crate) const NO_TICKET: u64 = u64::MAX;

static NEXT_TICKET: AtomicU64 = AtomicU64::new(1);

/// What a wait is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    Lease,
    Admission,
    /// Room for a request that is then decided in one step.
    Room,
}

/// What a wait was given.
#[derive(Debug)]
pub(crate) enum Granted {
    /// A lease over all claims.
    Lease(Opened),
    /// An admission by a limiter. The number identifies the held amount, if one is held.
    Admission(Option<u64>),
    /// What is held for a request.
    Room(Vec<RoomHold>),
}

/// What is held of one meter for a request that is decided soon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoomHold {
    /// The claim of its account.
    pub(crate) claim: usize,
    pub(crate) meter: MeterIndex,
    pub(crate) hold: Hold,
}

/// An opened lease that has no handle yet.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) id: u64,
    /// Its entry in each account, in the order of the claims.
    pub(crate) entries: SmallVec<[usize; 2]>,
}

/// What a wait wants, beside its claims.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) what: Wants,
    pub(crate) request: Request,
    pub(crate) timeout: Option<Duration>,
    /// How long its lease lasts, if it opens one.
    pub(crate) lasts: Option<Duration>,
    /// Whether it waits for a store, and for nobody else.
    pub(crate) draws: bool,
}

/// What a wait asks of one account. It does not keep the account alive.
#[derive(Debug)]
pub(crate) struct QueuedClaim {
    pub(crate) id: AccountId,
    pub(crate) account: Weak<dyn Swept>,
    pub(crate) demands: Demands,
    pub(crate) multiplier: u64,
    pub(crate) terms: Terms,
    /// Whether it may wait for this account. Otherwise a refusal of this account is final.
    pub(crate) patient: bool,
    /// The deadline of the wait, by the clock of the account.
    pub(crate) deadline: Option<Tick>,
    /// When it began, by the clock of the account.
    pub(crate) since: Tick,
    /// The labels of the request, if somebody listens.
    pub(crate) labels: Option<EventLabels>,
    pub(crate) place: AskPlace,
}

/// One wait. It is in at most one queue at a time.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Its age: smaller is older.
    pub(crate) ticket: u64,
    pub(crate) claims: SmallVec<[QueuedClaim; 1]>,
    pub(crate) wanted: Wanted,
    pub(crate) mailbox: Arc<Mailbox>,
    /// Decides it again under the locks of all its accounts, where it has several.
    again: OnceLock<Weak<dyn Again>>,
    stage: Mutex<Stage>,
}

/// How far a wait has come. It changes under the lock of the account in whose queue it is.
#[derive(Debug)]
pub(crate) enum Stage {
    /// In the queue of a meter: the index of the account in the claims, and the meter.
    Queued(usize, MeterIndex),
    /// It has ended, and the result was not taken yet.
    Ended(Result<Granted, Error>),
    /// In no queue: its loop stands still, so that it lets others pass until it is resumed.
    Passed,
    /// In no queue: it has left, or it is being decided again.
    Over,
    /// The result was taken. There is no other.
    Taken,
}

impl QueuedClaim {
    /// The amount that it asks of a meter.
    pub(crate) fn asks_of(&self, meter: MeterIndex) -> u64 {
        let amounts = self.demands.iter().filter(|demand| demand.meter == meter);
        amounts.fold(0, |sum, demand| sum.saturating_add(demand.amount))
    }

    /// The account as a follower of the clock.
    pub(crate) fn follower(&self) -> Weak<dyn Follower> {
        let account: Weak<dyn Swept> = Weak::clone(&self.account);
        account
    }

    /// The part of it that the account sees.
    pub(crate) fn claim(&self) -> Claim<'_> {
        let Self { demands, multiplier, terms, labels, .. } = self;
        Claim { demands, multiplier: *multiplier, terms: *terms, labels: labels.as_ref() }
    }
}

impl Turn {
    pub(crate) fn new(
        claims: SmallVec<[QueuedClaim; 1]>,
        wanted: Wanted,
        mailbox: Arc<Mailbox>,
    ) -> Arc<Self> {
        // Relaxed: this number alone decides the order.
        let ticket = NEXT_TICKET.fetch_add(1, Ordering::Relaxed);
        let stage = Mutex::new(Stage::Over);
        Arc::new(Self { ticket, claims, wanted, mailbox, again: OnceLock::new(), stage })
    }

    /// Lets `again` decide it again. It is called once, before the turn is in any queue.
    pub(crate) fn decided_by(&self, again: Weak<dyn Again>) {
        let first = self.again.set(again).is_ok();
        debug_assert!(first, "a turn has one wait");
    }

    /// What decides it again, if its wait still lives.
    pub(crate) fn again(&self) -> Option<Arc<dyn Again>> {
        self.again.get()?.upgrade()
    }

    /// The claim on an account, and its index.
    pub(crate) fn claim_of(&self, account: AccountId) -> Option<(usize, &QueuedClaim)> {
        self.claims.iter().enumerate().find(|(_, claim)| claim.id == account)
    }

    /// The amount that it asks of a meter of an account.
    pub(crate) fn asks_of(&self, account: AccountId, meter: MeterIndex) -> u64 {
        self.claim_of(account).map_or(0, |(_, claim)| claim.asks_of(meter))
    }

    pub(crate) fn terms_of(&self, account: AccountId) -> Terms {
        self.claim_of(account).map_or(Terms::Plain, |(_, claim)| claim.terms)
    }

    /// Whether its deadline is over at `now`, by the clock of the account at `index`.
    pub(crate) fn is_over(&self, index: usize, now: Tick) -> bool {
        self.claims[index].deadline.is_some_and(|deadline| deadline <= now)
    }

    /// The deadline of a lease that it opens at `now`.
    pub(crate) fn until(&self, now: Tick) -> Option<Tick> {
        self.wanted.lasts.map(|lasts| now.plus(lasts))
    }

    pub(crate) fn queued(&self) -> Option<(usize, MeterIndex)> {
        match *self.stage.lock() {
            Stage::Queued(index, meter) => Some((index, meter)),
            Stage::Ended(_) | Stage::Passed | Stage::Over | Stage::Taken => None,
        }
    }

    /// Whether it still waits: in a queue, or until it is resumed.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Queued(..) | Stage::Passed)
    }

    /// What it was given and has not taken. It then lets others pass.
    pub(crate) fn pass_over(&self) -> Option<Granted> {
        let mut stage = self.stage.lock();
        if !matches!(&*stage, Stage::Ended(Ok(_))) {
            return None;
        }
        match std::mem::replace(&mut *stage, Stage::Passed) {
            Stage::Ended(Ok(granted)) => Some(granted),
            _ => None,
        }
    }

    /// Whether it lets others pass. If so, that is over.
    pub(crate) fn resume(&self) -> bool {
        let mut stage = self.stage.lock();
        let passed = matches!(&*stage, Stage::Passed);
        if passed {
            *stage = Stage::Over;
        }
        passed
    }

    /// Whether its result was taken. Then nothing is left of it.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Taken)
    }

    pub(crate) fn put(&self, stage: Stage) {
        let old = std::mem::replace(&mut *self.stage.lock(), stage);
        debug_assert!(!matches!(old, Stage::Ended(Ok(_))), "a grant was lost");
    }

    /// The result, once.
    pub(crate) fn take(&self) -> Option<Result<Granted, Error>> {
        let mut stage = self.stage.lock();
        match &*stage {
            Stage::Ended(_) => match std::mem::replace(&mut *stage, Stage::Taken) {
                Stage::Ended(result) => Some(result),
                _ => None,
            },
            _ => None,
        }
    }
}
