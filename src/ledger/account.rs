//! One account: a small group of meters that are always asked together, under one short lock.

pub(crate) mod entries;
pub(crate) mod held;
pub(crate) mod identity;
pub(crate) mod idle;
pub(crate) mod leasing;
pub(crate) mod naming;
pub(crate) mod passing;
pub(crate) mod retry;
pub(crate) mod serving;
pub(crate) mod short;
mod slots;
pub(crate) mod state;
pub(crate) mod supplied;
pub(crate) mod telling;
pub(crate) mod verdict;
pub(crate) mod visit;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use smallvec::SmallVec;

use self::held::Supplied;
use self::identity::{Identity, Step};
use self::idle::Idle;
use self::naming::Naming;
use self::state::State;
use super::account_id::AccountId;
use super::claim::{Demand, MeterIndex};
use super::core::Core;
use super::core::sweep::Swept;
use super::error::Error;
use super::fork::heir::Heritable;
use super::post::outbox::Outbox;
use super::supply::{Supply, SupplyMember, View};
use super::sync::{Mutex, MutexGuard};
use crate::accounting::{
    Cause, Code, Denied, Follower, Invalid, Key, Meter, Moment, Share, Terms, Tick,
};

/// The most meters of an account. A byte numbers them, with room to count beyond.
pub(crate) const METERS_MAX: usize = 250;

/// The meters of one agent, pool or workflow.
pub struct Account {
    identity: Identity,
    state: Mutex<State>,
}

impl Account {
    /// An account of `meters`. Its refusals carry `code`.
    pub fn new(
        core: &Arc<Core>,
        key: Key,
        code: Code,
        meters: impl IntoIterator<Item = Meter>,
    ) -> Arc<Self> {
        let meters: SmallVec<[Meter; 2]> = meters.into_iter().collect();
        Self::of(Identity::new(core, key, code, &meters, None), meters)
    }

    /// An account whose refusals are completed by `naming`.
    pub(crate) fn named(
        core: &Arc<Core>,
        key: Key,
        code: Code,
        meters: impl IntoIterator<Item = Meter>,
        naming: Arc<dyn Naming>,
    ) -> Arc<Self> {
        let meters: SmallVec<[Meter; 2]> = meters.into_iter().collect();
        Self::of(Identity::new(core, key, code, &meters, Some(naming)), meters)
    }

    fn of(identity: Identity, meters: SmallVec<[Meter; 2]>) -> Arc<Self> {
        let account = Arc::new(Self { identity, state: Mutex::new(State { meters, rare: None }) });
        account.join();
        account
    }

    /// The id.
    pub const fn key(&self) -> &Key {
        self.identity.key()
    }

    /// The code of its refusals.
    pub const fn code(&self) -> Code {
        self.identity.code()
    }

    /// What it shares with the other accounts of its budget, pool or manager.
    pub const fn core(&self) -> &Arc<Core> {
        self.identity.core()
    }

    /// What tells this account from all others that live.
    #[inline]
    pub(crate) fn id(&self) -> AccountId {
        self.identity.id()
    }

    #[inline]
    pub(crate) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The account as the sweep and the mailboxes know it.
    pub(crate) fn as_swept(self: &Arc<Self>) -> Weak<dyn Swept> {
        let this: Weak<Self> = Arc::downgrade(self);
        this
    }

    /// Books `demands` that have already happened. Never refused.
    pub fn record(&self, demands: &[Demand]) -> Result<(), Error> {
        self.locked(|state, step| state.charge(demands, step))
    }

    /// [`record`](Self::record) in one step. If `known` returns an answer, it is returned and
    /// nothing is booked.
    pub(crate) fn record_once<R>(
        &self,
        known: impl FnOnce() -> Option<R>,
        demands: &[Demand],
    ) -> Result<Option<R>, Error> {
        self.locked(|state, step| {
            let answer = known();
            if answer.is_none() {
                state.charge(demands, step);
            }
            answer
        })
    }

    /// Replaces the usage by the counts of a store. Charges for leases that ran out are part of the
    /// old counts, so they are forgotten.
    pub(crate) fn restore_used(&self, used: &[Demand]) -> Result<(), Error> {
        self.locked(|state, _| {
            for &Demand { meter, amount } in used {
                state.meters[usize::from(meter)].restore_used(amount);
            }
            if let Some(entries) = state.entries_if_any() {
                entries.forget_expired();
            }
        })
    }

    /// Books the usage of an admitted caller. The oldest admission ends.
    pub(crate) fn record_admitted(&self, demands: &[Demand]) -> Result<(), Error> {
        self.locked(|state, step| {
            state.end_admission(None);
            state.charge(demands, step);
        })
    }

    /// When `demands` could pass, or `None` for never.
    pub(crate) fn retry_after(
        &self,
        demands: &[Demand],
        terms: Terms,
    ) -> Result<Option<Duration>, Error> {
        self.locked_at(Identity::present, |state, step| {
            state.wait(step.identity, demands, step.now, terms)
        })
    }

    /// Brings the account to the present by the precise clock. Free capacity then goes to the
    /// waits.
    pub(crate) fn refresh(&self) -> Result<(), Error> {
        self.locked_at(Identity::present, |_, _| ())
    }

    /// When the next event happens that a wait may depend on.
    fn next_event(&self) -> Result<Option<Tick>, Error> {
        let here = self.here()?;
        let state = here.state.lock();
        Ok(state.next_event(&here.identity, here.identity.now()))
    }

    /// The refusal of an amount that no limit of `meter` can hold.
    pub fn deny_overflow(&self, meter: MeterIndex) -> Error {
        let denied = self.read(|meters, now| {
            let meter = &meters[usize::from(meter)];
            let denied = Denied::by(meter, self.code(), self.identity().denied_id(), u64::MAX, now);
            Box::new(Denied { cause: Cause::TooLarge, ..*denied })
        });
        denied.map_or_else(|forked| forked, Error::Denied)
    }

    /// Reads the meters at the present time.
    pub fn read<R>(&self, read: impl FnOnce(&[Meter], Moment) -> R) -> Result<R, Error> {
        self.locked(|state, step| read(&state.meters, step.now))
    }

    /// Changes the meters in one step: limits, windows, resets.
    pub fn adjust<R>(&self, adjust: impl FnOnce(&mut [Meter], Moment) -> R) -> Result<R, Error> {
        self.locked(|state, step| adjust(&mut state.meters, step.now))
    }

    /// Adds a meter that has counted nothing yet, and returns its number.
    pub(crate) fn add_meter(self: &Arc<Self>, meter: Meter) -> Result<MeterIndex, Error> {
        let added = self.locked(|state, _| {
            let room = (state.meters.len() < METERS_MAX).then_some(state.meters.len());
            let number = room.and_then(|number| u8::try_from(number).ok()).ok_or_else(|| {
                Invalid::sentence(format!(
                    "account {:?} has {} meters, the most that are allowed, and meters of earlier rules \
                     have open leases; try again when these leases have ended",
                    self.key().as_str(),
                    state.meters.len()
                ))
            })?;
            state.meters.push(meter);
            Ok(MeterIndex(number))
        })?;
        self.join();
        added
    }

    /// Replaces each meter by the one in `new`. Open leases keep what they hold. Charges for leases
    /// that ran out are part of the old counts, so they are forgotten.
    pub(crate) fn replace(
        self: &Arc<Self>,
        new: impl IntoIterator<Item = Meter>,
    ) -> Result<(), Error> {
        let replaced = self.locked(|state, step| {
            for (old, new) in state.meters.iter_mut().zip(new) {
                old.replace(new, step.now);
            }
            if let Some(entries) = state.entries_if_any() {
                entries.forget_expired();
            }
        });
        self.join();
        replaced
    }

    /// Closes the account to requests. Open leases still end. Returns false if it was closed
    /// before.
    pub fn close(&self) -> Result<bool, Error> {
        self.locked(|state, _| !std::mem::replace(&mut state.rare_mut().closed, true))
    }

    /// Closes the account to requests if no lease is open.
    pub(crate) fn close_if_idle(&self) -> Result<Idle, Error> {
        self.locked(|state, step| state.close_if_idle(step.now.tick))
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> Result<bool, Error> {
        self.locked(|state, _| state.is_closed())
    }

    /// Joins the supply of its core, if it has one and a meter is shared.
    pub(crate) fn join(self: &Arc<Self>) {
        let Some(supply) = self.core().supply() else { return };
        // It fails only in a forked child, which makes its accounts anew.
        let shares = self.read(|meters, _| meters.iter().any(Meter::is_shared));
        if shares == Ok(true) && self.supplied_by(Arc::clone(supply)).is_ok() {
            let member: Arc<dyn SupplyMember> = Arc::clone(self) as _;
            supply.joined(&member);
        }
    }

    /// From now on `supply` brings the shares of its [shared](crate::Meter::shared) meters.
    pub fn supplied_by(&self, supply: Arc<dyn Supply>) -> Result<(), Error> {
        self.locked(|state, _| {
            let supplied = &mut state.rare_mut().supplied;
            if supplied.as_ref().is_none_or(|known| !Arc::ptr_eq(&known.supply, &supply)) {
                let keeps = supply.keeps_bookings();
                let waiting = BTreeMap::new();
                *supplied = Some(Box::new(Supplied { supply, keeps, waiting }));
            }
        })
    }

    /// What brings the shares of its meters, if anything does.
    pub fn supply(&self) -> Result<Option<Arc<dyn Supply>>, Error> {
        self.locked(|state, _| state.supplied().map(|supplied| Arc::clone(&supplied.supply)))
    }

    /// Calls `act` with what the meter of a shared limit says, and with its share. Requests that
    /// wait are then served. Returns whether there is such a meter.
    pub fn visit(
        &self,
        limit: u128,
        act: &mut dyn FnMut(&View, &mut Share),
    ) -> Result<bool, Error> {
        self.locked_at(Identity::present, |state, step| {
            let found = state.meters.iter().position(|meter| meter.shared_limit() == Some(limit));
            let Some(at) = found else { return false };
            let view = state.view(at, step.identity, step.now);
            let meter = &mut state.meters[at];
            meter.visit_share(step.now, |share| act(&view, share));
            meter.take_most();
            // The answer may have said that the era is over.
            meter.roll(step.now);
            true
        })
    }

    /// The refusal of `demands[at]`, which the store of its limit has refused.
    pub(crate) fn refused(
        &self,
        demands: &[Demand],
        at: usize,
        terms: Terms,
    ) -> Result<Error, Error> {
        self.locked(|state, step| state.refusal(step.identity, demands, at, step.now, terms))
    }

    /// The refusal of `demands`, if what is known of the limits refuses them. Nothing is drawn.
    pub(crate) fn known_refusal(
        &self,
        demands: &[Demand],
        terms: Terms,
    ) -> Result<Option<Error>, Error> {
        self.locked(|state, step| {
            let left = |demand: &Demand| {
                let meter = &state.meters[usize::from(demand.meter)];
                meter.admits(demand.amount, terms) || meter.is_short(demand.amount, terms)
            };
            let at = demands.iter().position(|demand| !left(demand))?;
            Some(state.refusal(step.identity, demands, at, step.now, terms))
        })
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Runs one step under the lock of the account. Listeners are notified after it. In a forked
    /// child it is a step on the heir of the account.
    #[inline]
    pub(crate) fn locked<R>(
        &self,
        act: impl FnOnce(&mut State, &mut Step<'_>) -> R,
    ) -> Result<R, Error> {
        self.locked_at(Identity::now, act)
    }

    #[inline]
    pub(crate) fn locked_at<R>(
        &self,
        clock: impl FnOnce(&Identity) -> Moment,
        act: impl FnOnce(&mut State, &mut Step<'_>) -> R,
    ) -> Result<R, Error> {
        let here = self.here()?;
        let mut outbox = Outbox::default();
        let result = {
            let mut state = here.state.lock();
            let identity = &here.identity;
            let now = clock(identity);
            let mut step = Step { identity, now, outbox: &mut outbox, labels: None };
            state.touch(&mut step);
            let result = act(&mut state, &mut step);
            state.hand_on(&mut step);
            result
        };
        outbox.send();
        Ok(result)
    }
}

impl Follower for Account {
    fn next(&self) -> Option<Tick> {
        self.next_event().ok()?
    }

    fn moved(&self) {
        // In a forked child nobody waits here.
        if self.core().same_process().is_ok() {
            let _ = self.refresh();
        }
    }
}

impl Swept for Account {
    fn sweep(&self, queued: Tick) -> Option<Tick> {
        self.core().same_process().ok()?;
        let next = self.locked(|state, _| {
            let entries = state.entries_if_any()?;
            if entries.swept != Some(queued) {
                return None;
            }
            entries.swept = entries.next_due();
            entries.give_room_back();
            entries.swept
        });
        next.ok()?
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("key", self.key()).finish_non_exhaustive()
    }
}
