//! A lease: what a request holds until it is committed, released or expires, once.

use std::sync::Arc;
use std::time::Duration;

use super::carried::{Carried, CarriedByLease};
use super::end_cell::EndCell;
use super::locked::{Locked, with_locked};
use super::places::Places;
use crate::accounting::{RequestBudget, Usage, UsageEstimate};
use crate::ledger::account::Account;
use crate::ledger::account::entries::Entry;
use crate::ledger::ending::{Abandoned, Actual, Books, End, Finish, LeaseState, NOTHING};
use crate::ledger::error::{Error, LeaseError};
use crate::ledger::post::outbox::Outbox;

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
#[derive(Debug)]
pub struct Lease(Box<LeaseFields>);

/// Boxed, so that a lease moves through its callers as one pointer.
#[derive(Debug)]
struct LeaseFields {
    id: u64,
    estimate: UsageEstimate,
    request_budget: Option<Box<RequestBudget>>,
    places: Places,
    /// Set when the lease has ended and its accounts have forgotten it.
    end: EndCell,
    carried: Option<Box<CarriedByLease>>,
}

impl Lease {
    #[inline]
    pub(crate) fn new(
        id: u64,
        estimate: UsageEstimate,
        request_budget: &RequestBudget,
        places: Places,
    ) -> Self {
        let capped = *request_budget != RequestBudget::unlimited();
        let request_budget = capped.then(|| Box::new(*request_budget));
        Self(Box::new(LeaseFields {
            id,
            estimate,
            request_budget,
            places,
            end: EndCell::default(),
            carried: None,
        }))
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
    pub fn request_budget(&self) -> RequestBudget {
        self.0.request_budget.as_deref().copied().unwrap_or_default()
    }

    /// The accounts that it holds of.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.0.places.iter().map(|place| &place.account)
    }

    /// Where its entries lie.
    #[inline]
    pub(crate) const fn places(&self) -> &Places {
        &self.0.places
    }

    /// How it ended, where this handle knows.
    #[inline]
    pub(crate) const fn end(&self) -> &EndCell {
        &self.0.end
    }

    /// Whether it is a lease of `account`.
    pub fn is_of(&self, account: &Arc<Account>) -> bool {
        self.0.places.iter().any(|place| Arc::ptr_eq(&place.account, account))
    }

    /// How far it has come.
    pub fn state(&self) -> Result<LeaseState, Error> {
        self.locked(|locked, _| self.state_of(locked))
    }

    /// The time until it runs out, zero once it has ended.
    pub fn expires_in(&self) -> Result<Duration, Error> {
        self.locked(|locked, _| {
            if self.state_of(locked) != LeaseState::Open {
                return Duration::ZERO;
            }
            let left = self.entries(locked).map(|(entry, at)| entry.deadline.since(at.now.tick));
            left.min().unwrap_or_default()
        })
    }

    /// Ends it with what was used. Never refused for lack of budget: what is above the estimate
    /// is booked as an overrun. After an expiry it replaces what the expiry charged.
    #[inline]
    pub fn commit(&self, actual: Actual) -> Result<(), Error> {
        let usage = actual.usage(&self.0.estimate);
        match &self.0.carried {
            None => self.finish(&Finish::Commit(usage)),
            Some(carried) => {
                let priced = actual.unpriced().and_then(|usage| carried.priced(usage));
                self.ended(self.finish(&Finish::Commit(priced.unwrap_or(usage))))
            }
        }
    }

    /// [`commit`](Self::commit) after `requests` were made for one answer: each counts as a call.
    /// Tokens that nothing prices keep the cost of the estimate.
    pub fn commit_after(&self, actual: Actual, requests: u64) -> Result<(), Error> {
        let carried = self.0.carried.as_ref();
        let priced =
            actual.unpriced().zip(carried).and_then(|(usage, carried)| carried.priced(usage));
        let usage = priced.unwrap_or_else(|| actual.never_free(&self.0.estimate));
        self.ended(self.finish(&Finish::Settle(usage, requests)))
    }

    /// [`commit`](Self::commit) of a lease that held many calls, of which `calls` were made.
    pub(crate) fn settle(&self, usage: Usage, calls: u64) -> Result<(), Error> {
        self.finish(&Finish::Settle(usage, calls))
    }

    /// Ends it; nothing was used.
    pub fn release(&self) -> Result<(), Error> {
        match self.finish(&Finish::Release) {
            Err(Error::Lease(LeaseError::Expired)) => Err(LeaseError::Expired.into()),
            done => self.ended(done),
        }
    }

    /// Ends it as its policy says, unless it has ended. Never fails.
    pub fn abandon(&self, why: Abandoned) {
        self.abandon_after(why, 1);
    }

    /// [`abandon`](Self::abandon) after so many requests: each counts as a call, and each may be
    /// under way where it was cancelled.
    pub fn abandon_after(&self, why: Abandoned, requests: u64) {
        self.abandon_open(why, requests, requests);
    }

    /// [`abandon_after`](Self::abandon_after) so many requests, of which only `open` may be under
    /// way: the others were answered.
    pub fn abandon_open(&self, why: Abandoned, requests: u64, open: u64) {
        // The only error is that this process is a forked child: the parent ends the lease.
        let done = self.finish(&Finish::Abandon(why, requests, open));
        // One that has run out may still be committed.
        if self.0.carried.is_some() && self.state().is_ok_and(|state| state >= LeaseState::Released)
        {
            let _ = self.ended(done);
        }
    }

    /// Lets go of what the lease kept.
    #[inline]
    pub(crate) fn ended<R>(&self, result: R) -> R {
        match &self.0.carried {
            None => result,
            Some(carried) => carried.ended(result),
        }
    }

    /// Gives it what it carries beside its holds.
    #[must_use]
    pub fn carrying(mut self, carried: Carried) -> Self {
        self.0.carried = carried.into_boxed();
        self
    }

    /// Ends it for now as one whose time is over.
    pub(crate) fn run_out(&self) -> Result<(), Error> {
        self.locked(|locked, outbox| self.expire_all(locked, outbox))
    }

    /// Ends a lease that nobody has received: it was never used, even if it has run out meanwhile.
    pub(crate) fn give_back(&self) {
        // The only error is that this process is a forked child: the parent ends the lease.
        let _ = self.finish(&Finish::GiveBack);
    }

    /// Lets it run out `ttl` from now.
    pub fn extend(&self, ttl: Duration) -> Result<(), Error> {
        let done = self.locked(|locked, _| {
            match self.state_of(locked) {
                LeaseState::Open => {}
                LeaseState::Expired => return Err(LeaseError::Expired.into()),
                LeaseState::Committed | LeaseState::Released => {
                    return Err(LeaseError::Finalized.into());
                }
            }
            for (place, at) in self.0.places.iter().zip(locked) {
                let deadline = at.now.tick.plus(ttl);
                at.state.entries_mut().extend(place.entry, deadline);
                at.state.due_at(deadline, place.account.core(), || place.account.as_swept());
            }
            Ok(())
        })?;
        self.0.carried.iter().for_each(|carried| carried.moved());
        done
    }

    #[inline]
    fn finish(&self, finish: &Finish) -> Result<(), Error> {
        Ok(self.locked(|locked, outbox| self.finish_locked(finish, locked, outbox))??)
    }

    #[inline]
    fn finish_locked(
        &self,
        finish: &Finish,
        locked: &mut [Locked<'_>],
        outbox: &mut Outbox,
    ) -> Result<(), LeaseError> {
        if let Some(end) = self.end_of(locked) {
            return match (finish, end) {
                (Finish::Commit(usage) | Finish::Settle(usage, _), End::Committed(booked))
                    if *usage == booked =>
                {
                    Ok(())
                }
                (Finish::Release, End::Released) => Ok(()),
                (Finish::Abandon(..) | Finish::GiveBack, _) => Ok(()),
                _ => Err(LeaseError::Finalized),
            };
        }
        let (mut expired, mut alone) = (false, true);
        for (entry, _) in self.entries(locked) {
            expired |= entry.expiry.is_some();
            alone &= entry.handles == 1;
        }
        if expired {
            match finish {
                Finish::Commit(_) | Finish::Settle(..) | Finish::GiveBack => {
                    self.expire_all(locked, outbox);
                }
                Finish::Release => return Err(LeaseError::Expired),
                Finish::Abandon(..) => return Ok(()),
            }
        }
        let end = self.end_by(finish);
        let kept = (!alone).then_some(end);
        for (place, at) in self.0.places.iter().zip(locked) {
            if let (Some(calls), Some(entry)) = (finish.calls(), at.state.entry_mut(place.entry)) {
                entry.boxed.get_or_insert_default().calls = Some(calls);
            }
            let books;
            let usage = match finish {
                Finish::Commit(usage) | Finish::Settle(usage, _) => Some(usage),
                Finish::Release | Finish::GiveBack => None,
                Finish::Abandon(why, _, open) => {
                    books = self.books(at.account, *why, *open);
                    match &books {
                        Books::Usage(usage) => Some(usage),
                        Books::Requests if at.state.holds_requests(place.entry) => Some(&NOTHING),
                        Books::Requests | Books::Nothing => None,
                    }
                }
            };
            let (state, mut step) = at.step(outbox);
            state.finish(place.entry, usage, kept, &mut step);
        }
        // A handle that is alone keeps the end itself; else the accounts keep it for all of them.
        if alone {
            self.0.end.set(&end);
        }
        Ok(())
    }

    /// The one end of the lease. Where the accounts' policies differ on an abandoned one, it is
    /// committed if any of them charges it.
    #[inline]
    fn end_by(&self, finish: &Finish) -> End {
        match finish {
            Finish::Commit(usage) | Finish::Settle(usage, _) => End::Committed(*usage),
            Finish::Release | Finish::GiveBack => End::Released,
            Finish::Abandon(why, _, open) => {
                let booked = self.0.places.iter().find_map(|place| {
                    match self.books(&place.account, *why, *open) {
                        Books::Usage(usage) => Some(usage),
                        Books::Requests | Books::Nothing => None,
                    }
                });
                booked.map_or(End::Released, End::Committed)
            }
        }
    }

    /// What an account books of it once it is abandoned.
    fn books(&self, account: &Account, why: Abandoned, open: u64) -> Books {
        Books::abandoned(why, account.core().policy(), &self.0.estimate, open)
    }

    /// Expired in one account is expired in all: the others have only not noticed yet.
    fn expire_all(&self, locked: &mut [Locked<'_>], outbox: &mut Outbox) {
        for (place, at) in self.0.places.iter().zip(locked) {
            let (state, mut step) = at.step(outbox);
            state.expire(place.entry, &mut step);
        }
    }

    /// The furthest state of its parts: an account may not have noticed yet that it ran out.
    #[inline]
    fn state_of(&self, locked: &[Locked<'_>]) -> LeaseState {
        if let Some(end) = self.0.end.get() {
            return end.state();
        }
        let states = self.entries(locked).map(|(entry, _)| entry.state());
        states.max().unwrap_or(LeaseState::Released)
    }

    #[inline]
    fn end_of(&self, locked: &[Locked<'_>]) -> Option<End> {
        if self.0.end.is_set() {
            return self.0.end.get();
        }
        self.entries(locked).find_map(|(entry, _)| entry.end.as_deref().copied())
    }

    #[inline]
    fn entries<'a, 'b>(
        &'a self,
        locked: &'a [Locked<'b>],
    ) -> impl Iterator<Item = (&'a Entry, &'a Locked<'b>)> {
        let places = self.0.places.iter().zip(locked);
        places.filter_map(|(place, at)| Some((at.state.entry(place.entry)?, at)))
    }

    #[inline]
    pub(crate) fn locked<R>(
        &self,
        step: impl FnOnce(&mut [Locked<'_>], &mut Outbox) -> R,
    ) -> Result<R, Error> {
        with_locked(self.0.places.iter().map(|place| &*place.account), step)
    }
}
