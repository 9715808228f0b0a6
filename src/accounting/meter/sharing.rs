//! A meter of a limit that several processes share: it has two numbers, the limit and the share.
//!
//! Requests are admitted by the smaller of the share and of what the limit leaves. Everything that
//! is said of the meter speaks of the limit, with what all processes have used.

use std::time::Duration;

use super::law::{Bound, Meter};
use super::shared::{CallTotals, Changes, News, Sharing};
use crate::accounting::clock::{Moment, Tick};
use crate::accounting::limit::{Limit, Terms};
use crate::accounting::share::{Share, ShareKind};
use crate::accounting::window::Window;

/// A meter that has a share is looked at again after so long.
const IDLE: Duration = Duration::from_secs(60);

impl Meter {
    /// The same meter of a limit that several processes share, known to their store by that number.
    /// It admits nothing before the store has given it a share. Its window ends when the store says
    /// so.
    #[must_use]
    pub fn shared(mut self, limit: u128) -> Self {
        let share = Share::new(ShareKind::of(&self.window));
        self.take_shared(Some(Box::new(Sharing::new(limit, share))));
        self
    }

    /// The same, where the store says what the limit is: a fact has set it.
    #[must_use]
    pub(crate) fn following(mut self) -> Self {
        if let Some(shared) = self.sharing_mut() {
            shared.follows = true;
        }
        self
    }

    /// Whether the store says what its limit is.
    pub(crate) fn follows(&self) -> bool {
        self.sharing().is_some_and(|shared| shared.follows)
    }

    /// Takes a limit that its store knows already.
    pub(crate) fn learn_limit(&mut self, limit: &Limit) {
        self.set_limit(limit);
        if let Some(shared) = self.sharing_mut() {
            shared.changes.most = None;
        }
    }

    /// The number by which the store knows the limit, if it is shared.
    pub(crate) fn shared_limit(&self) -> Option<u128> {
        self.sharing().map(|shared| shared.limit)
    }

    /// Whether the limit is known to leave `amount`, and only the share does not give it.
    pub(crate) fn is_short(&self, amount: u64, terms: Terms) -> bool {
        if self.bound != Bound::Shared || self.admits(amount, terms) {
            return false;
        }
        let below = || self.used().saturating_add(self.reserved) < self.gate();
        if self.is_stale() {
            return true;
        }
        self.leaves(amount, terms) && (terms != Terms::Gated || below())
    }

    /// The raise of the share that lets `amount` pass.
    pub(crate) fn needs(&self, amount: u64, terms: Terms) -> u64 {
        if terms != Terms::Gated || self.gate() >= self.max {
            return amount.max(1);
        }
        let taken = u128::from(self.taken());
        let least = taken * u128::from(self.max) / u128::from(self.gate().max(1)) + 1;
        let raise = u64::try_from(least.saturating_sub(taken)).unwrap_or(u64::MAX);
        raise.max(amount)
    }

    /// Whether a lease of it may last until `until`, as far as the store was promised.
    pub(crate) fn covers(&self, until: Tick) -> bool {
        match self.sharing() {
            Some(Sharing { share, now, .. }) if self.draws() => share.covers(Some(until), *now),
            _ => true,
        }
    }

    /// Takes the limit that is in force in the store, if it is another.
    pub(crate) fn take_most(&mut self) {
        let Some(most) = self.share().and_then(|share| share.others().most) else { return };
        let unheard = self.share().is_some_and(Share::is_limit_old);
        if self.draws() && most != self.most_of_all() && !unheard {
            let lands = self.marks.as_ref().is_some_and(|marks| marks.lands);
            let stop = self.marks.as_ref().map_or(0, |marks| marks.stop);
            self.max = if lands { most } else { most.saturating_add(stop) };
        }
    }

    /// What its owner has changed since the last call.
    pub(crate) fn take_changes(&mut self) -> Changes {
        self.sharing_mut().map_or(Changes::default(), |shared| std::mem::take(&mut shared.changes))
    }

    /// Counts what was asked of it since the last call, and says what the supply must hear. `waits`
    /// is who waits for more of the share, 0 for nobody. The same news is given once.
    pub(crate) fn news(&mut self, waits: u64) -> Option<News> {
        let (taken, draws) = (self.taken(), self.draws());
        let shared = self.sharing_mut()?;
        if taken > shared.counted {
            shared.asked.calls += 1;
            shared.asked.amount = shared.asked.amount.saturating_add(taken - shared.counted);
        }
        shared.counted = taken;
        let low = waits > 0 || (draws && shared.share.is_low(taken));
        let news = match (low, shared.share.is_surplus(taken)) {
            (true, _) => News::Low,
            (false, true) => News::Surplus,
            (false, false) => return None,
        };
        let said = Some((news, shared.share.amount(), taken, waits));
        (std::mem::replace(&mut shared.last_news, said) != said).then_some(news)
    }

    /// Whether something else is used than at the last call.
    pub(crate) fn take_booked(&mut self) -> bool {
        let used = self.used_here();
        let shared = self.sharing_mut();
        shared.is_some_and(|shared| std::mem::replace(&mut shared.booked, used) != used)
    }

    /// What was asked of it so far.
    pub(crate) fn asked(&self) -> CallTotals {
        self.sharing().map_or(CallTotals::default(), |shared| shared.asked)
    }

    /// When its window ends, if it does. That of a shared limit ends when the store says so.
    pub(in crate::accounting) fn ends_at(&self, now: Moment) -> Option<Tick> {
        match self.share() {
            Some(share) => share.ends(),
            None => self.window.ends_at(now),
        }
    }

    /// When some usage is forgotten next, if that ever happens.
    pub(in crate::accounting) fn changes_at(&self, now: Moment) -> Option<Tick> {
        match (self.share(), &self.window) {
            (Some(share), window) if !matches!(window, Window::Sliding(_)) => share.ends(),
            (_, window) => window.changes_at(now),
        }
    }

    /// When this process alone makes room for `amount`, beside which `free` may be used and
    /// reserved: its sliding window empties, or the era of its share ends.
    pub(in crate::accounting) fn share_frees_at(&self, amount: u64, free: u64) -> Option<Tick> {
        let share = self.share()?;
        let Window::Sliding(ring) = &self.window else { return share.ends() };
        let by_limit = free.saturating_sub(self.used_by_others());
        let by_share = if self.draws() { share.amount().saturating_sub(amount) } else { u64::MAX };
        ring.falls_at(by_limit.min(by_share).checked_sub(self.reserved)?)
    }

    /// When nothing is used, held or drawn any more, at the earliest.
    pub(in crate::accounting) fn share_silent_from(&self, now: Tick) -> Option<Tick> {
        let share = self.share()?;
        let idle = self.used() == 0
            && self.reserved == 0
            && share.amount() == 0
            && share.past().is_empty();
        Some(if idle { now } else { now.plus(IDLE) })
    }
}
