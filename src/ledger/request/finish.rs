//! How a lease ends in all of its accounts, in one step.

use super::end_cell::EndCell;
use super::locked::Locked;
use super::places::Places;
use crate::accounting::{Usage, UsageEstimate};
use crate::ledger::account::Account;
use crate::ledger::account::entries::Entry;
use crate::ledger::ending::{Abandoned, Books, End, Finish, NOTHING};
use crate::ledger::error::LeaseError;
use crate::ledger::post::outbox::Outbox;

/// What the entries of a lease learn of its end.
struct Ending<'a> {
    /// What was committed for the whole lease, if anything was.
    committed: Option<&'a Usage>,
    /// How many of the held calls were made, if that was reported.
    calls: Option<u64>,
    /// Whether no other handle needs to know.
    alone: bool,
}

impl Ending<'_> {
    /// Ends an entry. Its account books `usage`, or nothing.
    #[inline]
    fn end(&self, index: usize, usage: Option<&Usage>, at: &mut Locked<'_>, outbox: &mut Outbox) {
        let (state, mut step) = at.step(outbox);
        if let Some(calls) = self.calls
            && let Some(entry) = state.entry_mut(index)
        {
            entry.boxed.get_or_insert_default().calls = Some(calls);
        }
        state.finish(index, usage, &mut step);
        if self.alone {
            state.entries_mut().remove(index);
        } else {
            state.entries_mut().end(index, End::of(self.committed));
        }
    }
}

/// What a lease needs to end.
#[derive(Clone, Copy)]
pub(super) struct Ends<'a> {
    pub(super) places: &'a Places,
    /// How it ended, if this handle knows.
    pub(super) end: &'a EndCell,
    pub(super) estimate: &'a UsageEstimate,
}

impl<'a> Ends<'a> {
    /// Its entries that are still there, each with its account.
    #[inline]
    pub(super) fn entries<'l, 'b>(
        self,
        locked: &'l [Locked<'b>],
    ) -> impl Iterator<Item = (&'l Entry, &'l Locked<'b>)>
    where
        'a: 'l,
    {
        let places = self.places.iter().zip(locked);
        places.filter_map(|(place, at)| Some((at.state.entry(place.entry)?, at)))
    }

    /// How it ended, if it has.
    #[inline]
    pub(super) fn end_of(self, locked: &[Locked<'_>]) -> Option<End> {
        if self.end.is_set() {
            return self.end.get();
        }
        self.entries(locked).find_map(|(entry, _)| entry.end.as_deref().cloned())
    }

    /// Ends it in all of its accounts.
    #[inline]
    pub(super) fn finish(
        self,
        finish: &Finish<'_>,
        locked: &mut [Locked<'_>],
        outbox: &mut Outbox,
    ) -> Result<(), LeaseError> {
        let (mut ended, mut expired, mut alone) = (self.end.is_set(), false, true);
        for (entry, _) in self.entries(locked) {
            ended |= entry.end.is_some();
            expired |= entry.expiry.is_some();
            alone &= entry.handles == 1;
        }
        if ended {
            return self.finish_again(finish, locked);
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
        let committed = match finish {
            Finish::Commit(usage) | Finish::Settle(usage, _) => Some(*usage),
            Finish::Release | Finish::GiveBack => None,
            Finish::Abandon(..) => {
                self.abandon_locked(finish, alone, locked, outbox);
                return Ok(());
            }
        };
        let ending = Ending { committed, calls: finish.calls(), alone };
        for (place, at) in self.places.iter().zip(locked) {
            ending.end(place.entry, committed, at, outbox);
        }
        self.keep_end(&ending);
        Ok(())
    }

    /// The only handle keeps the end itself. Otherwise the accounts keep it for all handles.
    #[inline]
    fn keep_end(self, ending: &Ending<'_>) {
        if ending.alone {
            self.end.set(ending.committed);
        }
    }

    /// Ends it once more. It must be the same end.
    #[cold]
    fn finish_again(self, finish: &Finish<'_>, locked: &[Locked<'_>]) -> Result<(), LeaseError> {
        match (finish, self.end_of(locked)) {
            (Finish::Commit(usage) | Finish::Settle(usage, _), Some(End::Committed(booked)))
                if **usage == booked =>
            {
                Ok(())
            }
            (Finish::Release, Some(End::Released)) => Ok(()),
            (Finish::Abandon(..) | Finish::GiveBack, _) => Ok(()),
            _ => Err(LeaseError::Finalized),
        }
    }

    /// Ends it as the policies of its accounts say. If they differ, the whole lease is committed if
    /// any of them charges it.
    #[cold]
    fn abandon_locked(
        self,
        finish: &Finish<'_>,
        alone: bool,
        locked: &mut [Locked<'_>],
        outbox: &mut Outbox,
    ) {
        let Finish::Abandon(why, _, open) = *finish else { return };
        let booked =
            self.places.iter().find_map(|place| match self.books(&place.account, why, open) {
                Books::Usage(usage) => Some(usage),
                Books::Requests | Books::Nothing => None,
            });
        let ending = Ending { committed: booked.as_ref(), calls: finish.calls(), alone };
        for (place, at) in self.places.iter().zip(locked) {
            let books = self.books(at.account, why, open);
            let usage = match &books {
                Books::Usage(usage) => Some(usage),
                Books::Requests if at.state.holds_requests(place.entry) => Some(&NOTHING),
                Books::Requests | Books::Nothing => None,
            };
            ending.end(place.entry, usage, at, outbox);
        }
        self.keep_end(&ending);
    }

    /// What an account books for it when it is abandoned.
    fn books(self, account: &Account, why: Abandoned, open: u64) -> Books {
        Books::abandoned(why, account.core().policy(), self.estimate, open)
    }

    /// Expires it in all accounts: a lease that expired in one has expired in all of them.
    pub(super) fn expire_all(self, locked: &mut [Locked<'_>], outbox: &mut Outbox) {
        for (place, at) in self.places.iter().zip(locked) {
            let (state, mut step) = at.step(outbox);
            state.expire(place.entry, &mut step);
        }
    }
}
