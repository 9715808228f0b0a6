//! One request over several accounts: all of it, or nothing. Everything is decided before
//! anything is written.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::account::Account;
use super::error::Error;
use super::event::Outbox;
use super::lease::{Lease, Part};
use super::locked::{Locked, with_locked};
use crate::accounting::{RequestBudget, UsageEstimate};

/// What is asked of one account: meters and amounts.
pub type Demands = SmallVec<[(u8, u64); 2]>;

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
    pub fn new(account: &Arc<Account>, demands: Demands) -> Self {
        Self { account: Arc::clone(account), demands, multiplier: 1 }
    }

    fn part(&self) -> AskPart<'_> {
        AskPart { account: &self.account, demands: &self.demands, multiplier: self.multiplier }
    }
}

/// What a request asks of one account, for who holds the account.
#[derive(Clone, Copy, Debug)]
pub struct AskPart<'a> {
    /// The account.
    pub account: &'a Arc<Account>,
    /// Meters and amounts.
    pub demands: &'a [(u8, u64)],
    /// What the committed tokens are multiplied with, as those in `demands` were.
    pub multiplier: u64,
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
        Self { estimate, ..Self::default() }
    }
}

/// Books all that is asked at once, or nothing. Who is asked twice is charged once.
pub fn charge(asks: &[Ask]) -> Result<(), Error> {
    let asks = distinct(asks);
    with_locked(accounts(&asks), |locked, outbox| {
        decide(&asks, locked, outbox)?;
        for (ask, at) in asks.iter().zip(locked) {
            at.state.charge(at.account, ask.demands, at.now, outbox);
        }
        Ok(())
    })?
}

/// Holds all that is asked in one lease, or nothing. Who is asked twice is charged once.
pub fn reserve(asks: &[Ask], request: &Request) -> Result<Lease, Error> {
    reserve_distinct(&distinct(asks), request)
}

/// Holds what is asked of one account in a lease, or nothing.
#[inline]
pub fn reserve_one(ask: AskPart<'_>, request: &Request) -> Result<Lease, Error> {
    reserve_distinct(&[ask], request)
}

#[inline]
fn reserve_distinct(asks: &[AskPart<'_>], request: &Request) -> Result<Lease, Error> {
    let opened = with_locked(accounts(asks), |locked, outbox| {
        decide(asks, locked, outbox)?;
        // From here on the reservation succeeds.
        Ok::<_, Error>((open(asks, request, locked, outbox), locked[0].now.tick))
    });
    let (lease, tick) = opened??;
    match asks {
        [ask] => ask.account.core().sweep.run(tick),
        _ => accounts(asks).for_each(|a| a.core().sweep.run(a.core().clock().tick())),
    }
    Ok(lease)
}

#[inline]
fn open(
    asks: &[AskPart<'_>],
    request: &Request,
    locked: &mut [Locked<'_>],
    outbox: &mut Outbox,
) -> Lease {
    let id = locked[0].state.book_mut().number();
    let mut parts = SmallVec::new();
    for (ask, at) in asks.iter().zip(locked.iter_mut()) {
        let core = at.account.core();
        let deadline = at.now.tick.plus(request.ttl.unwrap_or(core.policy().lease_ttl));
        let slot = at.state.open(ask, request, id, deadline);
        at.state.tell_reserved(slot, at.account, at.now, outbox);
        parts.push(Part { account: Arc::clone(ask.account), slot });
        if !std::mem::replace(&mut at.state.book_mut().swept, true) {
            core.sweep.add(deadline, Arc::downgrade(ask.account));
        }
    }
    let lease = Lease::new(id, request.estimate, &request.request_budget, parts);
    if asks.len() > 1 {
        lease.tell_parts(locked);
    }
    lease
}

#[inline]
fn decide(asks: &[AskPart<'_>], locked: &[Locked<'_>], outbox: &mut Outbox) -> Result<(), Error> {
    for (ask, at) in asks.iter().zip(locked) {
        if let Err(refused) = at.state.decide(at.account, ask.demands, at.now, true) {
            at.account.tell_denied(ask.demands, at.now, outbox);
            return Err(refused);
        }
    }
    Ok(())
}

#[inline]
fn accounts<'a>(asks: &'a [AskPart<'a>]) -> impl ExactSizeIterator<Item = &'a Account> {
    asks.iter().map(|ask| &**ask.account)
}

/// The first request of each account.
fn distinct(asks: &[Ask]) -> Vec<AskPart<'_>> {
    let mut kept: Vec<AskPart<'_>> = Vec::with_capacity(asks.len());
    for ask in asks {
        if !kept.iter().any(|other| Arc::ptr_eq(other.account, &ask.account)) {
            kept.push(ask.part());
        }
    }
    kept
}
