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
use crate::accounting::{Code, Invalid, RequestBudget, UsageEstimate};

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

    fn merge(&mut self, other: &Self) {
        self.multiplier = self.multiplier.max(other.multiplier);
        for &(meter, amount) in &other.demands {
            match self.demands.iter_mut().find(|(number, _)| *number == meter) {
                None => self.demands.push((meter, amount)),
                Some((_, asked)) => *asked = amount.max(*asked),
            }
        }
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
    /// How long the lease lives, by default the shortest time to live of its accounts.
    pub ttl: Option<Duration>,
}

impl From<UsageEstimate> for Request {
    fn from(estimate: UsageEstimate) -> Self {
        Self { estimate, ..Self::default() }
    }
}

/// Books all that is asked at once, or nothing. Who is asked twice is charged once.
pub fn charge(asks: &[Ask]) -> Result<(), Error> {
    let merged = distinct(asks);
    let asks: Vec<AskPart<'_>> = merged.iter().map(Ask::part).collect();
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
    if asks.is_empty() {
        return Err(Invalid::policy("asks", "requests of at least one account").into());
    }
    let merged = distinct(asks);
    let asks: Vec<AskPart<'_>> = merged.iter().map(Ask::part).collect();
    reserve_distinct(&asks, request)
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
    // One time to live for all parts, so that none runs out before another.
    let shortest = || asks.iter().map(|ask| ask.account.core().policy().lease_ttl).min();
    let ttl = request.ttl.or_else(shortest).unwrap_or_default();
    for (ask, at) in asks.iter().zip(locked.iter_mut()) {
        let deadline = at.now.tick.plus(ttl);
        let slot = at.state.open(ask, request, id, deadline);
        at.state.tell_reserved(slot, at.account, at.now, outbox);
        parts.push(Part { account: Arc::clone(ask.account), slot });
        at.due_at(deadline, ask.account);
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
            at.account.tell_denied(&at.state, ask.demands, at.now, outbox);
            return Err(with_wait(refused, asks, locked));
        }
    }
    Ok(())
}

/// A refusal by one of several accounts: the request can pass when all of them let it.
#[cold]
fn with_wait(refused: Error, asks: &[AskPart<'_>], locked: &[Locked<'_>]) -> Error {
    let Error::Denied(mut denied) = refused else { return refused };
    if denied.code != Code::NotConfigured && asks.len() > 1 {
        let waits = asks.iter().zip(locked);
        let waits = waits.map(|(ask, at)| at.state.wait(at.account, ask.demands, at.now, true));
        denied.retry_after = waits.collect::<Option<Vec<_>>>().and_then(|w| w.into_iter().max());
    }
    Error::Denied(denied)
}

#[inline]
fn accounts<'a>(asks: &'a [AskPart<'a>]) -> impl ExactSizeIterator<Item = &'a Account> {
    asks.iter().map(|ask| &**ask.account)
}

/// One request of each account: where there are several, the most that either asks of a meter.
fn distinct(asks: &[Ask]) -> Vec<Ask> {
    let mut merged: Vec<Ask> = Vec::with_capacity(asks.len());
    for ask in asks {
        match merged.iter_mut().find(|other| Arc::ptr_eq(&other.account, &ask.account)) {
            None => merged.push(ask.clone()),
            Some(same) => same.merge(ask),
        }
    }
    merged
}
