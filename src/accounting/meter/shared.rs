//! A meter of a limit that several processes share: it has two numbers, the limit and the share.
//!
//! Requests are admitted by the smaller of the share and of what the limit leaves. Everything that
//! is said of the meter speaks of the limit, with what all processes have used.

use std::time::Duration;

use smallvec::SmallVec;

use super::{Bound, Hold, Meter};
use crate::accounting::clock::{Moment, Tick};
use crate::accounting::limit::Terms;
use crate::accounting::share::{Era, Others, Share, ShareKind};
use crate::accounting::window::Window;

/// A meter that has a share is looked at again after so long.
const IDLE: Duration = Duration::from_secs(60);

/// What a meter knows beside its limit, if the limit is shared. Boxed: few meters have it.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    limit: u128,
    share: Share,
    /// Numbers of windows of this meter whose eras the store still counts.
    past: SmallVec<[(u32, Era); 2]>,
    /// The latest moment that it was brought to.
    now: Tick,
    /// Used and reserved as they were last counted, and what was asked for until then.
    counted: u64,
    asked: Asked,
    /// What was used when that was last asked.
    booked: u64,
    /// What its supply was last told: the news, the share, what was taken of it, and who waited.
    told: Option<(News, u64, u64, u64)>,
    /// What its owner wants to change, and the supply must still hear.
    changes: Changes,
}

/// How much was asked of a meter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// In how many calls.
    pub calls: u64,
    /// How much in all.
    pub amount: u64,
}

/// What the owner of a shared limit has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// A new window shall begin.
    pub reset: bool,
    /// The limit was set to that; `u64::MAX` is none.
    pub most: Option<u64>,
}

/// What a supply must hear of a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Little is free, or more is used than the share.
    Low,
    /// Something is free, and was called in.
    Surplus,
}

impl Meter {
    /// The same meter of a limit that several processes share, known to their store by that number.
    /// It admits nothing before the store has given it a share. Its window ends when the store says
    /// so.
    #[must_use]
    pub fn shared(mut self, limit: u128) -> Self {
        let share = Share::new(ShareKind::of(&self.window));
        let (past, now) = (SmallVec::new(), Tick::from_nanos(0));
        let (asked, changes) = (Asked::default(), Changes::default());
        let (counted, booked, told) = (0, 0, None);
        let shared = Shared { limit, share, past, now, counted, asked, booked, told, changes };
        self.take_shared(Some(Box::new(shared)));
        self
    }

    pub(super) fn take_shared(&mut self, shared: Option<Box<Shared>>) {
        if shared.is_none() {
            return;
        }
        self.marks.get_or_insert_default().shared = shared;
        if self.bound == Bound::Alone {
            self.bound = Bound::Shared;
        }
    }

    fn of_share(&self) -> Option<&Shared> {
        self.marks.as_ref()?.shared.as_deref()
    }

    fn of_share_mut(&mut self) -> Option<&mut Shared> {
        self.marks.as_mut()?.shared.as_deref_mut()
    }

    /// Whether several processes share its limit.
    pub fn is_shared(&self) -> bool {
        self.of_share().is_some()
    }

    /// The number by which the store knows the limit, if it is shared.
    pub fn shared_limit(&self) -> Option<u128> {
        self.of_share().map(|shared| shared.limit)
    }

    /// The share, if the limit is shared.
    pub fn share(&self) -> Option<&Share> {
        self.of_share().map(|shared| &shared.share)
    }

    pub(super) fn used_by_others(&self) -> u64 {
        self.of_share().map_or(0, |shared| shared.share.others().used)
    }

    /// The most that the store lets all processes use: what is kept back for nobody is not in it.
    /// `u64::MAX` for no limit, and for a soft one, of which nobody draws.
    pub fn most_of_all(&self) -> u64 {
        if !self.is_bounded() || !self.hardness.is_hard() {
            return u64::MAX;
        }
        let Some(marks) = &self.marks else { return self.max };
        if marks.lands { self.max } else { self.max.saturating_sub(marks.stop) }
    }

    /// Whether requests need a share.
    fn draws(&self) -> bool {
        self.bound == Bound::Shared && self.hardness.is_hard()
    }

    /// Used and reserved here.
    fn taken(&self) -> u64 {
        self.used_here().saturating_add(self.reserved)
    }

    /// Whether what was heard of the others is too old to refuse anything: the store is asked.
    pub(super) fn is_stale(&self) -> bool {
        self.of_share().is_some_and(|shared| self.draws() && !shared.share.is_fresh(shared.now))
    }

    /// Whether the limit is known to leave `amount`.
    fn leaves(&self, amount: u64, terms: Terms) -> bool {
        let taken = self.used().checked_add(self.reserved);
        let sum = taken.and_then(|taken| taken.checked_add(amount));
        sum.is_some_and(|sum| sum <= self.ceiling_on(terms))
            && self.provider_admits(self.reserved, amount, terms)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn fits_share(&self, amount: u64, terms: Terms) -> bool {
        let fits = self.leaves(amount, terms) && self.share_gives(amount, self.ceiling_on(terms));
        fits || self.hardness.spares(amount)
    }

    /// Whether the share gives `amount`. Of a soft limit there is none.
    fn share_gives(&self, amount: u64, ceiling: u64) -> bool {
        let Some(Shared { share, now, .. }) = self.of_share().filter(|_| self.draws()) else {
            return true;
        };
        // Of a limit that keeps something back, only landings may use what is left of it beside all
        // that others may use.
        let Others { used, out, .. } = *share.others();
        let ordinary = match ceiling < self.most_of_all() {
            true => ceiling.saturating_sub(used.saturating_add(out)),
            false => u64::MAX,
        };
        let taken = self.taken();
        share.admits(taken, amount, *now) && taken.saturating_add(amount) <= ordinary
    }

    /// [Gated](Terms::Gated) requests pass below the same part of the share as of the limit.
    pub(super) fn is_share_below_gate(&self) -> bool {
        let share = self.of_share().map_or(0, |shared| shared.share.amount());
        !self.draws()
            || self.max == 0
            || self.taken() == 0
            || self.gated(share) > u128::from(self.taken())
    }

    fn gated(&self, share: u64) -> u128 {
        let gate = u128::from(self.gate().min(self.max));
        (u128::from(share) * gate).div_ceil(u128::from(self.max.max(1)))
    }

    /// Whether the limit is known to leave `amount`, and only the share does not give it.
    pub fn is_short(&self, amount: u64, terms: Terms) -> bool {
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
    pub fn needs(&self, amount: u64, terms: Terms) -> u64 {
        if terms != Terms::Gated || self.gate() >= self.max {
            return amount.max(1);
        }
        let taken = u128::from(self.taken());
        let least = taken * u128::from(self.max) / u128::from(self.gate().max(1)) + 1;
        let raise = u64::try_from(least.saturating_sub(taken)).unwrap_or(u64::MAX);
        raise.max(amount)
    }

    /// Whether a lease of it may last until `until`, as far as the store was promised.
    pub fn covers(&self, until: Tick) -> bool {
        match self.of_share() {
            Some(Shared { share, now, .. }) if self.draws() => share.covers(Some(until), *now),
            _ => true,
        }
    }

    /// Brings a shared meter to `now`. Its share ends its windows, and no clock of its own.
    #[cold]
    #[inline(never)]
    pub(super) fn roll_share(&mut self, now: Moment) {
        if let Window::Sliding(ring) = &mut self.window {
            ring.advance(now.tick);
            if self.warned > 0 {
                self.rewarn();
            }
        }
        let (spent, held) = (self.used_here(), self.reserved);
        self.visit_share(now, |share| share.roll(spent, held, now.tick));
    }

    /// Calls `act` with the share. If the share ends in it, a new window begins. `None` if there is
    /// no share.
    pub fn visit_share<R>(&mut self, now: Moment, act: impl FnOnce(&mut Share) -> R) -> Option<R> {
        let number = self.era;
        let shared = self.of_share_mut()?;
        shared.now = now.tick;
        let (era, ended) = (shared.share.era(), shared.share.ended());
        let result = act(&mut shared.share);
        if shared.share.ended() != ended {
            shared.past.extend(era.map(|era| (number, era)));
            let kept = &shared.share;
            shared.past.retain(|(_, era)| kept.past().iter().any(|past| past.era == *era));
            self.begin();
            if let Window::Sliding(ring) = &mut self.window {
                ring.clear();
                ring.advance(now.tick);
            }
            if let Some(shared) = self.of_share_mut() {
                shared.counted = 0;
            }
        }
        Some(result)
    }

    /// Takes the limit that is in force in the store, if it is another.
    pub fn take_most(&mut self) {
        let Some(most) = self.share().and_then(|share| share.others().most) else { return };
        let unheard = self.share().is_some_and(Share::is_limit_old);
        if self.draws() && most != self.most_of_all() && !unheard {
            let lands = self.marks.as_ref().is_some_and(|marks| marks.lands);
            let stop = self.marks.as_ref().map_or(0, |marks| marks.stop);
            self.max = if lands { most } else { most.saturating_add(stop) };
        }
    }

    /// The limit was set: what the share has above it goes at once, and the supply must hear of it.
    pub(super) fn cut_share(&mut self) {
        let (most, spent, held) = (self.most_of_all(), self.used_here(), self.reserved);
        let Some(shared) = self.of_share_mut() else { return };
        let Others { used, out, .. } = *shared.share.others();
        let fair = most.saturating_sub(used.saturating_add(out));
        shared.share.lower(fair, spent, held);
        shared.share.set_limit();
        shared.changes.most = Some(most);
    }

    /// A shared limit is reset in its store. Returns whether it is shared.
    pub(super) fn ask_for_reset(&mut self) -> bool {
        let Some(shared) = self.of_share_mut() else { return false };
        shared.changes.reset = true;
        true
    }

    /// What its owner has changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        self.of_share_mut().map_or(Changes::default(), |shared| std::mem::take(&mut shared.changes))
    }

    /// Counts what was asked of it since the last call, and says what the supply must hear. `waits`
    /// is who waits for more of the share, 0 for nobody. The same news is told once.
    pub fn news(&mut self, waits: u64) -> Option<News> {
        let (taken, draws) = (self.taken(), self.draws());
        let shared = self.of_share_mut()?;
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
        let told = Some((news, shared.share.amount(), taken, waits));
        (std::mem::replace(&mut shared.told, told) != told).then_some(news)
    }

    /// Whether something else is used than at the last call.
    pub fn take_booked(&mut self) -> bool {
        let used = self.used_here();
        let shared = self.of_share_mut();
        shared.is_some_and(|shared| std::mem::replace(&mut shared.booked, used) != used)
    }

    /// What was asked of it so far.
    pub fn asked(&self) -> Asked {
        self.of_share().map_or(Asked::default(), |shared| shared.asked)
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

    /// Ends a hold of an era that is over. Returns whether the store still counts that era.
    pub(super) fn settle_past(&mut self, hold: &Hold, used: u64) -> bool {
        let Some(shared) = self.of_share_mut() else { return false };
        let era = shared.past.iter().find(|(number, _)| *number == hold.era);
        let Some((_, era)) = era.copied() else { return false };
        shared.share.settle(era, hold.amount, used);
        true
    }
}
