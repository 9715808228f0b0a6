//! A lease: the amounts that a request holds until it commits, releases or expires, exactly once.

use std::sync::Arc;
use std::time::Duration;

use super::carried::{Carried, CarriedByLease};
use super::end_cell::EndCell;
use super::finish::Ends;
use super::locked::{Locked, with_locked};
use super::places::Places;
use crate::accounting::{RequestBudget, Usage, UsageEstimate};
use crate::ledger::account::Account;
use crate::ledger::ending::{Abandoned, Actual, ActualRef, End, Finish, LeaseState};
use crate::ledger::error::{Error, LeaseError};
use crate::ledger::post::outbox::Outbox;

/// A handle of a lease. When the last handle of an open lease is dropped, the lease ends as if it
/// had run out.
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

/// The fields of a lease. Boxed, so that a lease moves between functions as one pointer.
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

    /// The estimate of the request.
    pub fn estimate(&self) -> &UsageEstimate {
        &self.0.estimate
    }

    /// The request's own cap.
    pub fn request_budget(&self) -> RequestBudget {
        self.0.request_budget.as_deref().copied().unwrap_or_default()
    }

    /// The accounts in which it holds amounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.0.places.iter().map(|place| &place.account)
    }

    /// Where its entries are.
    #[inline]
    pub(crate) const fn places(&self) -> &Places {
        &self.0.places
    }

    /// How it ended, if this handle knows.
    #[inline]
    pub(crate) const fn end(&self) -> &EndCell {
        &self.0.end
    }

    /// Whether it is a lease of `account`.
    pub fn is_of(&self, account: &Arc<Account>) -> bool {
        self.0.places.iter().any(|place| Arc::ptr_eq(&place.account, account))
    }

    /// Its state.
    pub fn state(&self) -> Result<LeaseState, Error> {
        self.locked(|locked, _| self.state_of(locked))
    }

    /// What it was committed with, with its cost as it was booked. `None` while it is open, and for a
    /// lease that was released or has run out without a commit.
    pub fn committed(&self) -> Result<Option<Usage>, Error> {
        self.locked(|locked, _| match self.ends().end_of(locked) {
            Some(End::Committed(usage)) => Some(usage),
            Some(End::Released) | None => None,
        })
    }

    /// The time until it runs out, or zero once it has ended.
    pub fn expires_in(&self) -> Result<Duration, Error> {
        self.locked(|locked, _| {
            if self.state_of(locked) != LeaseState::Open {
                return Duration::ZERO;
            }
            let left =
                self.ends().entries(locked).map(|(entry, at)| entry.deadline.since(at.now.tick));
            left.min().unwrap_or_default()
        })
    }

    /// Ends it with the actual usage. Never refused for lack of budget: usage above the estimate is
    /// booked as an overrun. After an expiry it replaces what the expiry charged.
    #[inline]
    pub fn commit(&self, actual: Actual) -> Result<(), Error> {
        self.commit_ref(actual.by_ref())
    }

    #[inline]
    pub(crate) fn commit_ref(&self, actual: ActualRef<'_>) -> Result<(), Error> {
        if self.0.carried.is_some() {
            return self.commit_priced(actual);
        }
        match actual {
            ActualRef::Estimate => self.finish(&Finish::Commit(&self.0.estimate)),
            ActualRef::Usage(usage) => self.finish(&Finish::Commit(usage)),
            ActualRef::Tokens(tokens) => {
                let usage = Usage::priced(tokens, self.0.estimate.cost_micros_usd);
                self.finish(&Finish::Commit(&usage))
            }
        }
    }

    #[inline(never)]
    fn commit_priced(&self, actual: ActualRef<'_>) -> Result<(), Error> {
        let usage = self.priced(actual).unwrap_or_else(|| actual.usage(&self.0.estimate));
        self.ended(self.finish(&Finish::Commit(&usage)))
    }

    fn priced(&self, actual: ActualRef<'_>) -> Option<Usage> {
        self.0.carried.as_ref().and_then(|carried| carried.priced(actual))
    }

    /// [`commit`](Self::commit) after `requests` were made for one answer. Each of them counts as a
    /// call. Tokens without a price keep the cost of the estimate.
    pub fn commit_after(&self, actual: Actual, requests: u64) -> Result<(), Error> {
        self.commit_ref_after(actual.by_ref(), requests)
    }

    pub(crate) fn commit_ref_after(
        &self,
        actual: ActualRef<'_>,
        requests: u64,
    ) -> Result<(), Error> {
        let usage = self.priced(actual).unwrap_or_else(|| actual.never_free(&self.0.estimate));
        self.ended(self.finish(&Finish::Settle(&usage, requests)))
    }

    /// [`commit`](Self::commit) of a lease that held many calls, of which `calls` were made.
    pub(crate) fn settle(&self, usage: &Usage, calls: u64) -> Result<(), Error> {
        self.finish(&Finish::Settle(usage, calls))
    }

    /// Ends it with no usage.
    pub fn release(&self) -> Result<(), Error> {
        match self.finish(&Finish::Release) {
            Err(Error::Lease(LeaseError::Expired)) => Err(LeaseError::Expired.into()),
            done => self.ended(done),
        }
    }

    /// Ends it as its policy says, unless it has ended already. Never fails.
    pub fn abandon(&self, why: Abandoned) {
        self.abandon_after(why, 1);
    }

    /// [`abandon`](Self::abandon) after `requests`. Each of them counts as a call. If the lease was
    /// cancelled, each may still be running.
    pub fn abandon_after(&self, why: Abandoned, requests: u64) {
        self.abandon_open(why, requests, requests);
    }

    /// [`abandon_after`](Self::abandon_after), but only `open` of the requests may still be
    /// running. The others were answered.
    pub fn abandon_open(&self, why: Abandoned, requests: u64, open: u64) {
        // It fails only in a forked child, and there the parent ends the lease.
        let done = self.finish(&Finish::Abandon(why, requests, open));
        // A lease that has run out may still be committed.
        if self.0.carried.is_some() && self.state().is_ok_and(|state| state >= LeaseState::Released)
        {
            let _ = self.ended(done);
        }
    }

    /// Drops what the lease kept.
    #[inline]
    pub(crate) fn ended<R>(&self, result: R) -> R {
        match &self.0.carried {
            None => result,
            Some(carried) => carried.ended(result),
        }
    }

    /// Adds what the lease carries beside its holds.
    #[must_use]
    pub fn carrying(mut self, carried: Carried) -> Self {
        self.0.carried = carried.into_boxed(self.0.id);
        self
    }

    /// Ends it provisionally, as if its time were over.
    pub(crate) fn run_out(&self) -> Result<(), Error> {
        self.locked(|locked, outbox| self.ends().expire_all(locked, outbox))
    }

    /// Ends a lease that no caller received. It was never used, even if it has run out meanwhile.
    pub(crate) fn give_back(&self) {
        // It fails only in a forked child, and there the parent ends the lease.
        let _ = self.finish(&Finish::GiveBack);
    }

    /// Moves its deadline to `ttl` from now.
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

    /// The furthest state of its entries: an account may not have noticed yet that it ran out.
    #[inline]
    fn state_of(&self, locked: &[Locked<'_>]) -> LeaseState {
        if let Some(end) = self.0.end.get() {
            return end.state();
        }
        let states = self.ends().entries(locked).map(|(entry, _)| entry.state());
        states.max().unwrap_or(LeaseState::Released)
    }

    #[inline]
    fn ends(&self) -> Ends<'_> {
        Ends { places: &self.0.places, end: &self.0.end, estimate: &self.0.estimate }
    }

    #[inline]
    fn finish(&self, finish: &Finish<'_>) -> Result<(), Error> {
        Ok(self.locked(|locked, outbox| self.ends().finish(finish, locked, outbox))??)
    }

    #[inline]
    pub(crate) fn locked<R>(
        &self,
        step: impl FnOnce(&mut [Locked<'_>], &mut Outbox) -> R,
    ) -> Result<R, Error> {
        with_locked(self.0.places.iter().map(|place| &*place.account), step)
    }
}
