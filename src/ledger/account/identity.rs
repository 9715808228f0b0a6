//! The identity of an account: the facts that never change and need no lock.

use std::sync::Arc;

use super::naming::Naming;
use crate::accounting::{Clock, Code, Denied, Key, Meter, Moment, Window};
use crate::ledger::account_id::AccountId;
use crate::ledger::claim::MeterIndex;
use crate::ledger::core::Core;
use crate::ledger::core::event::{EventKind, EventLabels, EventRule};
use crate::ledger::post::outbox::Outbox;

/// The identity of an account. It is stored inside its account, which never moves.
pub(crate) struct Identity {
    core: Arc<Core>,
    key: Key,
    code: Code,
    needs_wall: bool,
    /// Whether a meter has a sliding window. With a clock that lags, bookings would leave it too
    /// early.
    slides: bool,
    naming: Option<Arc<dyn Naming>>,
}

/// One step on an account under its lock: the account, the time, and where to send.
pub(crate) struct Step<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) now: Moment,
    pub(crate) outbox: &'a mut Outbox,
    /// The labels of the request that the step is about, if somebody listens.
    pub(crate) labels: Option<&'a EventLabels>,
}

impl Step<'_> {
    /// The same step at another time.
    pub(crate) fn at(&mut self, now: Moment) -> Step<'_> {
        Step { identity: self.identity, now, outbox: self.outbox, labels: self.labels }
    }

    /// Whether anybody listens to events of a kind.
    #[inline]
    pub(crate) fn hears(&self, kind: EventKind) -> bool {
        self.identity.core.hears(kind) && self.identity.tells()
    }
}

impl Identity {
    /// The identity of an account of `meters`.
    pub(crate) fn new(
        core: &Arc<Core>,
        key: Key,
        code: Code,
        meters: &[Meter],
        naming: Option<Arc<dyn Naming>>,
    ) -> Self {
        let needs_wall = meters.iter().any(|meter| meter.window().needs_wall());
        let slides = meters.iter().any(|meter| matches!(meter.window(), Window::Sliding(_)));
        Self { core: Arc::clone(core), key, code, needs_wall, slides, naming }
    }

    /// The address of this account.
    #[inline]
    pub(crate) fn id(&self) -> AccountId {
        AccountId::new(self)
    }

    pub(crate) const fn key(&self) -> &Key {
        &self.key
    }

    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    pub(crate) const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Reads the clock. Call it under the lock of the account, so that a decision and its booking
    /// share one moment.
    #[inline]
    pub(crate) fn now(&self) -> Moment {
        let read = if self.slides { Clock::precise_now } else { Clock::now };
        read(self.core.clock(), self.needs_wall)
    }

    /// Whether the present of `other` is also the present of this account.
    #[inline]
    pub(crate) fn shares_now(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
            && (self.slides, self.needs_wall) == (other.slides, other.needs_wall)
    }

    /// The present by the precise clock, or `None` if the clock of the account is precise already.
    #[cold]
    pub(crate) fn precise_now(&self) -> Option<Moment> {
        let lags = !self.slides && !self.core.clock().lag().is_zero();
        lags.then(|| self.core.clock().precise_now(self.needs_wall))
    }

    /// The present by the most precise clock.
    pub(crate) fn present(&self) -> Moment {
        self.precise_now().unwrap_or_else(|| self.now())
    }

    /// How its refusals are completed, if they are.
    pub(crate) fn naming(&self) -> Option<Arc<dyn Naming>> {
        self.naming.clone()
    }

    /// The rule of a meter, if the account has several rules.
    pub(crate) fn rule(&self, meter: MeterIndex) -> Option<EventRule> {
        self.naming.as_ref()?.rule(meter)
    }

    /// The share of the limit at which its rule warns, if the account has rules.
    pub(crate) fn warn_share(&self, meter: MeterIndex, mark: u8) -> Option<u64> {
        self.naming.as_ref()?.warn_share(meter, mark)
    }

    /// Whether the account reports anything.
    fn tells(&self) -> bool {
        self.naming.as_ref().is_none_or(|naming| naming.tells())
    }

    /// Whether the account reports its refusals.
    pub(crate) fn tells_denied(&self) -> bool {
        self.naming.as_ref().is_none_or(|naming| naming.tells_denied())
    }

    /// The place of a meter's rule in its policy, if the account has several rules.
    pub(crate) fn place(&self, meter: MeterIndex) -> Option<u32> {
        self.naming.as_ref()?.place(meter)
    }

    /// Completes a refusal by that meter.
    pub(crate) fn complete(&self, denied: &mut Denied, meter: MeterIndex) {
        if let Some(naming) = &self.naming {
            naming.name(denied, meter);
        }
    }
}
