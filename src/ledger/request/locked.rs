//! Accounts under their locks: nearly always one, or several in one order.
//!
//! Several accounts are locked in the order of their addresses. So two requests cannot wait for
//! each other.

use smallvec::SmallVec;

use crate::accounting::{Moment, Tick};
use crate::ledger::account::Account;
use crate::ledger::account::identity::{Identity, Step};
use crate::ledger::account::state::State;
use crate::ledger::error::Error;
use crate::ledger::post::outbox::Outbox;
use crate::ledger::sync::MutexGuard;

/// An account under its lock, and its present.
pub(crate) struct Locked<'a> {
    pub(crate) account: &'a Account,
    pub(crate) state: MutexGuard<'a, State>,
    pub(crate) now: Moment,
}

impl<'a> Locked<'a> {
    #[inline]
    fn lock(account: &'a Account) -> Self {
        let state = account.lock();
        Self { account, state, now: account.identity().now() }
    }

    /// The state of the account, and a step on it that sends into `outbox`.
    #[inline]
    pub(crate) fn step<'s>(&'s mut self, outbox: &'s mut Outbox) -> (&'s mut State, Step<'s>) {
        let step = Step { identity: self.identity(), now: self.now, outbox, labels: None };
        (&mut self.state, step)
    }

    #[inline]
    pub(crate) const fn identity(&self) -> &'a Identity {
        self.account.identity()
    }

    #[inline]
    fn touch(&mut self, outbox: &mut Outbox) {
        let (state, mut step) = self.step(outbox);
        state.touch(&mut step);
    }

    #[inline]
    fn hand_on(&mut self, outbox: &mut Outbox) {
        let (state, mut step) = self.step(outbox);
        state.hand_on(&mut step);
    }

    /// Brings the account to the present by the precise clock, if that may matter.
    #[cold]
    pub(crate) fn use_precise_clock(&mut self, outbox: &mut Outbox) {
        if let Some(now) = self.state.precise_now(self.identity(), self.now) {
            self.now = now;
            self.touch(outbox);
        }
    }

    /// Brings the account to the present, read under its lock. A clock that is moved later
    /// refreshes the account again once the lock is free.
    fn refresh(&mut self, outbox: &mut Outbox) {
        self.now = self.identity().present();
        self.touch(outbox);
    }
}

/// Runs one step over distinct accounts under all of their locks. `step` sees them in the order
/// given. Listeners are notified after it.
#[inline]
pub(crate) fn with_locked<'a, R>(
    accounts: impl ExactSizeIterator<Item = &'a Account>,
    step: impl FnOnce(&mut [Locked<'a>], &mut Outbox) -> R,
) -> Result<R, Error> {
    let mut outbox = Outbox::default();
    let result = with_locked_into(accounts, &mut outbox, step);
    outbox.send();
    result
}

/// The same, but the caller sends `outbox`.
#[inline]
fn with_locked_into<'a, R>(
    accounts: impl ExactSizeIterator<Item = &'a Account>,
    outbox: &mut Outbox,
    step: impl FnOnce(&mut [Locked<'a>], &mut Outbox) -> R,
) -> Result<R, Error> {
    let mut accounts = accounts;
    if accounts.len() == 1
        && let Some(account) = accounts.next()
    {
        account.core().same_process()?;
        let mut one = [Locked::lock(account)];
        one[0].touch(outbox);
        let result = step(&mut one, outbox);
        one[0].hand_on(outbox);
        Ok(result)
    } else {
        let mut all: SmallVec<[Locked<'_>; 8]> = SmallVec::new();
        lock_all(&accounts.collect::<SmallVec<[&Account; 8]>>(), &mut all)?;
        let before = outbox.events();
        all.iter_mut().for_each(|locked| locked.touch(outbox));
        outbox.in_order(before);
        let touched = outbox.events();
        let result = step(&mut all, outbox);
        outbox.in_order(touched);
        let done = outbox.events();
        all.iter_mut().for_each(|locked| locked.hand_on(outbox));
        outbox.in_order(done);
        Ok(result)
    }
}

/// The same by the precise clock, for waits that end at an exact moment.
pub(crate) fn with_locked_precisely<'a, R>(
    accounts: impl ExactSizeIterator<Item = &'a Account>,
    outbox: &mut Outbox,
    step: impl FnOnce(&mut [Locked<'a>], &mut Outbox) -> R,
) -> Result<R, Error> {
    with_locked_into(accounts, outbox, |locked, outbox| {
        locked.iter_mut().for_each(|at| at.refresh(outbox));
        step(locked, outbox)
    })
}

/// Locks the accounts in the order of their addresses. `all` has them in the order given.
#[inline]
fn lock_all<'a>(
    accounts: &[&'a Account],
    all: &mut SmallVec<[Locked<'a>; 8]>,
) -> Result<(), Error> {
    for account in accounts {
        account.core().same_process()?;
    }
    let id = |account: &&Account| account.id();
    let now = Moment { tick: Tick::from_nanos(0), wall_ns: 0 };
    let lock = |account: &&'a Account| Locked { account, state: account.lock(), now };
    if accounts.is_sorted_by_key(id) {
        all.extend(accounts.iter().map(lock));
    } else {
        let mut order: SmallVec<[usize; 8]> = (0..accounts.len()).collect();
        order.sort_by_key(|&index| id(&accounts[index]));
        let mut locked: SmallVec<[Option<Locked<'_>>; 8]> = accounts.iter().map(|_| None).collect();
        for index in order {
            locked[index] = Some(lock(&accounts[index]));
        }
        all.extend(locked.into_iter().flatten());
    }
    // The clock is read under all locks, and once for accounts that share it.
    let mut last: Option<(&Identity, Moment)> = None;
    for at in all {
        at.now = match last {
            Some((other, now)) if at.identity().shares_now(other) => now,
            _ => at.identity().now(),
        };
        last = Some((at.identity(), at.now));
    }
    Ok(())
}
