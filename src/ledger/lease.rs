//! A lease: what a request holds until it is committed, released or expires, once.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use smallvec::SmallVec;

use super::account::Account;
use super::core::{OnError, Unsettled};
use super::error::{Error, LeaseError};
use super::event::Outbox;
use super::locked::{Locked, with_locked};
use crate::accounting::{RequestBudget, Usage, UsageEstimate};

/// How far a lease has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// It holds its estimate.
    Open,
    /// It ended with what was used.
    Committed,
    /// It ended and used nothing.
    Released,
    /// It ran out; one later commit still books.
    Expired,
}

/// What a commit says was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actual {
    /// Nothing is known: the estimate.
    Estimate,
    /// So many tokens; their cost is not known, so the estimate of the cost stands.
    Tokens(u64),
    /// All is known.
    Usage(Usage),
}

/// Why a lease ends that nobody has committed or released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abandoned {
    /// Its block ended: the usage never came.
    Unsettled,
    /// Its block ended by an error.
    Error,
    /// Its block was cancelled: the call may be under way.
    Cancelled,
}

/// One part of a lease: its place in an account's book.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) account: Arc<Account>,
    pub(crate) slot: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Committed(Usage),
    Released,
}

enum Finish {
    Commit(Usage),
    Release,
    Abandon(Abandoned),
}

/// What the handles of one lease share. Dropping the last of them ends the lease.
#[derive(Debug)]
pub(crate) struct Inner {
    id: u64,
    estimate: UsageEstimate,
    request_budget: RequestBudget,
    parts: SmallVec<[Part; 1]>,
    /// Written once, under the locks of all parts.
    end: OnceLock<End>,
}

impl Inner {
    pub(crate) const fn new(
        id: u64,
        estimate: UsageEstimate,
        request_budget: RequestBudget,
        parts: SmallVec<[Part; 1]>,
    ) -> Self {
        Self {
            id,
            estimate,
            request_budget,
            parts,
            end: OnceLock::new(),
        }
    }

    #[inline]
    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    #[inline]
    pub(super) const fn estimate(&self) -> &UsageEstimate {
        &self.estimate
    }

    #[inline]
    fn accounts(&self) -> impl ExactSizeIterator<Item = &Account> {
        self.parts.iter().map(|part| &*part.account)
    }

    fn state(&self, locked: &[Locked<'_>]) -> LeaseState {
        match self.end.get() {
            Some(End::Committed(_)) => LeaseState::Committed,
            Some(End::Released) => LeaseState::Released,
            None if self.expired(locked) => LeaseState::Expired,
            None => LeaseState::Open,
        }
    }

    /// Expired in one account is expired in all: the others have only not noticed yet.
    #[inline]
    fn expired(&self, locked: &[Locked<'_>]) -> bool {
        self.parts.iter().zip(locked).any(|(part, at)| {
            at.state
                .entry(part.slot)
                .is_some_and(|entry| entry.expiry.is_some())
        })
    }

    fn expire_all(&self, locked: &mut [Locked<'_>], outbox: &mut Outbox) {
        for (part, at) in self.parts.iter().zip(locked) {
            at.state.expire(part.slot, at.account, at.now, outbox);
        }
    }

    fn finish(
        &self,
        finish: &Finish,
        locked: &mut [Locked<'_>],
        outbox: &mut Outbox,
    ) -> Result<(), LeaseError> {
        if let Some(end) = self.end.get() {
            return match (finish, end) {
                (Finish::Commit(usage), End::Committed(booked)) if usage == booked => Ok(()),
                (Finish::Release, End::Released) | (Finish::Abandon(_), _) => Ok(()),
                _ => Err(LeaseError::Finalized),
            };
        }
        if self.expired(locked) {
            self.expire_all(locked, outbox);
            match finish {
                Finish::Commit(_) => {}
                Finish::Release => return Err(LeaseError::Expired),
                Finish::Abandon(_) => return Ok(()),
            }
        }
        let mut end = End::Released;
        for (part, at) in self.parts.iter().zip(locked) {
            let usage = match finish {
                Finish::Commit(usage) => Some(*usage),
                Finish::Release => None,
                Finish::Abandon(why) => charges(at.account, *why).then_some(self.estimate),
            };
            match usage {
                Some(usage) => {
                    end = End::Committed(usage);
                    at.state
                        .commit(part.slot, &usage, at.account, at.now, outbox);
                }
                None => at.state.release(part.slot, at.account, at.now, outbox),
            }
        }
        // It was empty, and all who write it hold the locks that are held here.
        let _ = self.end.set(end);
        Ok(())
    }
}

/// Whether an abandoned lease is charged at its estimate.
fn charges(account: &Account, why: Abandoned) -> bool {
    let policy = account.core().policy();
    match why {
        Abandoned::Unsettled => policy.unsettled == Unsettled::Charge,
        Abandoned::Error => policy.on_error == OnError::Charge,
        Abandoned::Cancelled => true,
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.end.get().is_some() {
            return;
        }
        // In a forked child this fails: there the lease still belongs to the parent.
        let _ = with_locked(self.accounts(), |locked, outbox| {
            self.expire_all(locked, outbox);
            for (part, at) in self.parts.iter().zip(locked) {
                at.state.book_mut().remove(part.slot);
            }
        });
    }
}

/// A handle of a lease. When the last one is dropped an open lease ends as one that ran out.
///
/// ```
/// use outlay::{Actual, PoolOptions, SharedPool, Usage};
/// let pool = SharedPool::new(PoolOptions { capacity_tokens: Some(1_000), ..Default::default() })?;
/// let lease = pool.reserve(Usage::tokens(400).into())?;
/// lease.commit(Actual::Tokens(250))?;
/// assert_eq!(pool.remaining()?.tokens, Some(750));
/// # Ok::<(), outlay::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lease(Arc<Inner>);

impl Lease {
    pub(crate) const fn from_inner(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    /// A number that no other lease of this process has.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// What it was asked for.
    pub fn estimate(&self) -> &UsageEstimate {
        &self.0.estimate
    }

    /// The request's own cap.
    pub fn request_budget(&self) -> &RequestBudget {
        &self.0.request_budget
    }

    /// Whether it is a lease of `account`.
    pub fn is_of(&self, account: &Arc<Account>) -> bool {
        self.0
            .parts
            .iter()
            .any(|part| Arc::ptr_eq(&part.account, account))
    }

    /// How far it has come.
    pub fn state(&self) -> Result<LeaseState, Error> {
        self.locked(|inner, locked, _| inner.state(locked))
    }

    /// The time until it runs out, zero once it has ended.
    pub fn expires_in(&self) -> Result<Duration, Error> {
        self.locked(|inner, locked, _| {
            if inner.state(locked) != LeaseState::Open {
                return Duration::ZERO;
            }
            let left = inner.parts.iter().zip(locked).filter_map(|(part, at)| {
                Some(at.state.entry(part.slot)?.deadline.since(at.now.tick))
            });
            left.min().unwrap_or_default()
        })
    }

    /// Ends it with what was used. Never refused for lack of budget: what is above the estimate
    /// is booked as an overrun. After an expiry it replaces what the expiry charged.
    pub fn commit(&self, actual: Actual) -> Result<(), Error> {
        let usage = match actual {
            Actual::Estimate => self.0.estimate,
            Actual::Tokens(tokens) => Usage::priced(tokens, self.0.estimate.cost_micros_usd),
            Actual::Usage(usage) => usage,
        };
        self.finish(&Finish::Commit(usage))
    }

    /// Ends it; nothing was used.
    pub fn release(&self) -> Result<(), Error> {
        self.finish(&Finish::Release)
    }

    /// Ends it as its policy says, unless it has ended. Never fails.
    pub fn abandon(&self, why: Abandoned) {
        // The only error is that this process is a forked child: the parent ends the lease.
        let _ = self.finish(&Finish::Abandon(why));
    }

    /// Lets it run out `ttl` from now.
    pub fn extend(&self, ttl: Duration) -> Result<(), Error> {
        self.locked(|inner, locked, _| {
            match inner.state(locked) {
                LeaseState::Open => {}
                LeaseState::Expired => return Err(LeaseError::Expired.into()),
                LeaseState::Committed | LeaseState::Released => {
                    return Err(LeaseError::Finalized.into());
                }
            }
            for (part, at) in inner.parts.iter().zip(locked) {
                at.state.book_mut().extend(part.slot, at.now.tick.plus(ttl));
            }
            Ok(())
        })?
    }

    fn finish(&self, finish: &Finish) -> Result<(), Error> {
        Ok(self.locked(|inner, locked, outbox| inner.finish(finish, locked, outbox))??)
    }

    #[inline]
    fn locked<R>(
        &self,
        step: impl FnOnce(&Inner, &mut [Locked<'_>], &mut Outbox) -> R,
    ) -> Result<R, Error> {
        with_locked(self.0.accounts(), |locked, outbox| {
            step(&self.0, locked, outbox)
        })
    }
}
