//! One request over several accounts: all of it, or nothing. Everything is decided before
//! anything is written.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use smallvec::SmallVec;

use super::account::Account;
use super::error::Error;
use super::event::Outbox;
use super::lease::{Inner, Lease, Part};
use super::lease_book::Entry;
use super::locked::{Locked, with_locked};
use crate::accounting::{RequestBudget, Tick, UsageEstimate};

/// What is asked of one account: meters and amounts.
pub type Demands = SmallVec<[(u8, u64); 2]>;

static LEASES: AtomicU64 = AtomicU64::new(1);

/// What a request asks of one account.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The account.
    pub account: Arc<Account>,
    /// Meters and amounts.
    pub demands: Demands,
    /// What the committed tokens are multiplied with, as those in `demands` were.
    pub multiplier: u64,
}

impl Ask {
    /// A request of `demands` on `account`.
    #[inline]
    pub fn new(account: &Arc<Account>, demands: impl IntoIterator<Item = (u8, u64)>) -> Self {
        let demands = demands.into_iter().collect();
        Self {
            account: Arc::clone(account),
            demands,
            multiplier: 1,
        }
    }
}

/// The request itself, beside what it asks of each account.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// What the call may use.
    pub estimate: UsageEstimate,
    /// Its own cap.
    pub request_budget: RequestBudget,
    /// How long the lease lives, by default each account's own time to live.
    pub ttl: Option<Duration>,
}

impl From<UsageEstimate> for Request {
    fn from(estimate: UsageEstimate) -> Self {
        Self {
            estimate,
            ..Self::default()
        }
    }
}

/// Books all that is asked at once, or nothing. Who is asked twice is charged once.
pub fn charge(asks: Vec<Ask>) -> Result<(), Error> {
    let asks = distinct(asks);
    with_locked(accounts(&asks), |locked, outbox| {
        decide(&asks, locked, outbox)?;
        for (ask, at) in asks.iter().zip(locked) {
            at.state.charge(at.account, &ask.demands, at.now, outbox);
        }
        Ok(())
    })?
}

/// Holds all that is asked in one lease, or nothing. Who is asked twice is charged once.
pub fn reserve(asks: Vec<Ask>, request: &Request) -> Result<Lease, Error> {
    reserve_distinct(&distinct(asks), request)
}

/// Holds what is asked of one account in a lease, or nothing.
#[inline]
pub fn reserve_one(ask: Ask, request: &Request) -> Result<Lease, Error> {
    reserve_distinct(&[ask], request)
}

#[inline]
fn reserve_distinct(asks: &[Ask], request: &Request) -> Result<Lease, Error> {
    let opened = with_locked(accounts(asks), |locked, outbox| {
        decide(asks, locked, outbox)?;
        // From here on the reservation succeeds.
        Ok::<_, Error>(open(asks, request, locked, outbox))
    })??;
    for (ask, swept) in asks.iter().zip(&opened.swept) {
        if let Some(due) = swept.add {
            ask.account
                .core()
                .sweep
                .add(due, Arc::downgrade(&ask.account));
        }
        ask.account.core().sweep.run(swept.now);
    }
    Ok(opened.lease)
}

struct Opened {
    lease: Lease,
    swept: SmallVec<[Swept; 1]>,
}

/// What the sweep has to know of an account once it is unlocked.
struct Swept {
    now: Tick,
    add: Option<Tick>,
}

#[inline]
fn open(asks: &[Ask], request: &Request, locked: &mut [Locked<'_>], outbox: &mut Outbox) -> Opened {
    let parts = asks.iter().zip(locked.iter_mut()).map(|(ask, at)| Part {
        account: Arc::clone(&ask.account),
        slot: at.state.book_mut().vacant(),
    });
    // Relaxed: only that each number is given once matters.
    let id = LEASES.fetch_add(1, Ordering::Relaxed);
    let inner = Inner::new(
        id,
        request.estimate,
        request.request_budget,
        parts.collect(),
    );
    let inner = Arc::new(inner);
    let mut swept = SmallVec::new();
    for (ask, at) in asks.iter().zip(locked) {
        let ttl = request.ttl.unwrap_or(at.account.core().policy().lease_ttl);
        let deadline = at.now.tick.plus(ttl);
        let entry = new_entry(&inner, Arc::downgrade(&inner), ask.multiplier, deadline);
        at.state
            .open(at.account, &ask.demands, entry, at.now, outbox);
        let known = std::mem::replace(&mut at.state.book_mut().swept, true);
        swept.push(Swept {
            now: at.now.tick,
            add: (!known).then_some(deadline),
        });
    }
    Opened {
        lease: Lease::from_inner(inner),
        swept,
    }
}

#[inline]
fn new_entry(inner: &Inner, lease: Weak<Inner>, multiplier: u64, deadline: Tick) -> Entry {
    Entry {
        id: inner.id(),
        lease,
        estimate: *inner.estimate(),
        multiplier,
        deadline,
        holds: SmallVec::new(),
        expiry: None,
    }
}

#[inline]
fn decide(asks: &[Ask], locked: &[Locked<'_>], outbox: &mut Outbox) -> Result<(), Error> {
    for (ask, at) in asks.iter().zip(locked) {
        if let Err(refused) = at.state.decide(at.account, &ask.demands, at.now, true) {
            at.account.tell_denied(&ask.demands, at.now, outbox);
            return Err(refused);
        }
    }
    Ok(())
}

#[inline]
fn accounts(asks: &[Ask]) -> impl ExactSizeIterator<Item = &Account> {
    asks.iter().map(|ask| &*ask.account)
}

/// Keeps the first request of each account.
fn distinct(asks: Vec<Ask>) -> Vec<Ask> {
    let mut kept: Vec<Ask> = Vec::with_capacity(asks.len());
    for ask in asks {
        if !kept
            .iter()
            .any(|other| Arc::ptr_eq(&other.account, &ask.account))
        {
            kept.push(ask);
        }
    }
    kept
}
