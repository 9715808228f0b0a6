//! The meter, on which all limits stand: `used + reserved + amount <= limit`.

use super::heard::Heard;
use super::marks::Marks;
use super::shared::Sharing;
use crate::accounting::calendar::{Counts, Rolled};
use crate::accounting::clock::Moment;
use crate::accounting::limit::{Hardness, Limit, Terms, Unit};
use crate::accounting::share::Share;
use crate::accounting::window::Window;

/// What a request is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// Nothing.
    Open,
    /// The limit.
    Alone,
    /// The limit, and the share of it that this process has.
    Shared,
}

/// One limit in one window, and what counts against it. It fits a cache line.
#[derive(Clone, Debug)]
pub struct Meter {
    pub(super) max: u64,
    pub(super) used: u64,
    pub(super) reserved: u64,
    pub(super) window: Window,
    pub(super) marks: Option<Box<Marks>>,
    pub(super) era: u32,
    pub(super) unit: Unit,
    pub(super) bound: Bound,
    pub(super) hardness: Hardness,
    /// The number of warning marks that it has reported.
    pub(super) warned: u8,
}

impl Meter {
    /// An empty meter.
    pub fn new(limit: Limit, window: Window) -> Self {
        let mut meter = Self {
            max: 0,
            used: 0,
            reserved: 0,
            window,
            marks: None,
            era: 0,
            unit: limit.unit,
            bound: Bound::Open,
            hardness: Hardness::Hard,
            warned: 0,
        };
        meter.set_limit(&limit);
        meter
    }

    /// Changes the limit. Used and reserved amounts stay.
    pub fn set_limit(&mut self, limit: &Limit) {
        let before = self.most_of_all();
        self.max = limit.max.unwrap_or(u64::MAX);
        self.hardness = limit.hardness(&self.window);
        self.unit = limit.unit;
        let kept = self.marks.take().map_or((None, None), |marks| (marks.provider, marks.shared));
        self.bound = match limit.max {
            None => Bound::Open,
            Some(_) if kept.1.is_some() => Bound::Shared,
            Some(_) => Bound::Alone,
        };
        self.marks = Marks::of(limit, kept);
        if self.most_of_all() != before {
            let (most, spent, held) = (self.most_of_all(), self.used_here(), self.reserved);
            self.sharing_mut().into_iter().for_each(|shared| shared.cut(most, spent, held));
        }
    }

    pub(in crate::accounting) fn provider(&self) -> Option<&Heard> {
        self.marks.as_ref()?.provider.as_deref()
    }

    /// Whether the provider behind it, if there is one, admits `amount` beside `reserved`.
    pub(in crate::accounting) fn provider_admits(
        &self,
        reserved: u64,
        amount: u64,
        terms: Terms,
    ) -> bool {
        self.provider().is_none_or(|provider| provider.admits(reserved, amount, terms))
    }

    /// What is counted.
    pub const fn unit(&self) -> Unit {
        self.unit
    }

    /// The limit, `None` for unlimited.
    pub fn limit(&self) -> Option<u64> {
        self.is_bounded().then_some(self.max)
    }

    #[inline]
    pub(super) fn is_bounded(&self) -> bool {
        self.bound != Bound::Open
    }

    /// What was charged in this window. Of a limit that several processes share: by all of them, as
    /// far as it is known.
    #[inline]
    pub fn used(&self) -> u64 {
        match &self.marks {
            None => self.used_here(),
            Some(_) => self
                .used_here()
                .saturating_add(self.used_by_others())
                .saturating_sub(self.sharing().map_or(0, Sharing::given_back)),
        }
    }

    /// What this process has charged in this window.
    #[inline]
    pub(crate) fn used_here(&self) -> u64 {
        match &self.window {
            Window::Sliding(ring) => ring.used(),
            _ => self.used,
        }
    }

    /// What open leases hold.
    pub const fn reserved(&self) -> u64 {
        self.reserved
    }

    /// The window.
    pub const fn window(&self) -> &Window {
        &self.window
    }

    /// The window, to change it.
    pub const fn window_mut(&mut self) -> &mut Window {
        &mut self.window
    }

    /// The largest `used + reserved` that is admitted.
    #[inline]
    pub fn ceiling(&self) -> u64 {
        self.ceiling_on(Terms::Plain)
    }

    /// The same for requests that may also use the amount that is kept back.
    pub(super) fn ceiling_on(&self, terms: Terms) -> u64 {
        self.marks.as_ref().map_or(self.max, |marks| marks.ceiling(self.max, terms))
    }

    /// The largest `used + reserved` beside which `amount` passes, or `None` if there is none.
    pub fn headroom(&self, amount: u64, terms: Terms) -> Option<u64> {
        let free = self.ceiling_on(terms).checked_sub(amount);
        match terms {
            Terms::Gated => Some(self.gate().checked_sub(1)?.min(free?)),
            Terms::Plain | Terms::Named | Terms::Strict | Terms::Landing => free,
            Terms::Recorded => Some(u64::MAX),
        }
    }

    /// Whether waiting never helps: `amount` is more than the limit, or than will ever be left.
    pub fn is_hopeless(&self, amount: u64, terms: Terms) -> bool {
        let lasts = matches!(self.window, Window::Lifetime);
        let taken = if lasts { self.used() } else { 0 };
        let hard = self.hardness.is_hard() || terms == Terms::Strict;
        let asks = hard && self.is_bounded() && !self.hardness.spares(amount) && !self.is_stale();
        asks && self.headroom(amount, terms).is_none_or(|room| taken > room)
    }

    /// [Gated](Terms::Gated) requests pass only below this.
    pub(super) fn gate(&self) -> u64 {
        let gate = self.marks.as_ref().and_then(|marks| marks.gate);
        gate.map_or(u64::MAX, |gate| gate.min(self.ceiling()))
    }

    fn is_below_gate(&self) -> bool {
        let below = self.used().saturating_add(self.reserved) < self.gate();
        below && (self.bound != Bound::Shared || self.is_share_below_gate())
    }

    /// The law. In debt it does not even admit zero, unless the limit spares it.
    #[inline(always)] // the law itself: each refusal and each booking asks it
    pub fn fits(&self, amount: u64) -> bool {
        self.fits_under(amount, Terms::Plain)
    }

    #[inline]
    fn fits_under(&self, amount: u64, terms: Terms) -> bool {
        match self.bound {
            Bound::Alone => {}
            Bound::Open => return true,
            Bound::Shared => return self.fits_share(amount, terms),
        }
        let taken = self.used_here().checked_add(self.reserved);
        let sum = taken.and_then(|taken| taken.checked_add(amount));
        let fits = sum.is_some_and(|sum| sum <= self.ceiling_on(terms));
        (fits && self.provider_admits(self.reserved, amount, terms)) || self.hardness.spares(amount)
    }

    /// Whether a charge or reservation of `amount` is admitted in this mode.
    #[inline(always)] // each refusal and each booking asks it
    pub fn admits(&self, amount: u64, terms: Terms) -> bool {
        let soft = !self.hardness.is_hard();
        match terms {
            Terms::Plain => soft || self.fits(amount),
            Terms::Landing | Terms::Named => soft || self.fits_under(amount, terms),
            Terms::Strict => self.fits(amount),
            Terms::Recorded => true,
            Terms::Gated => {
                soft || !self.is_bounded() || (self.fits(amount) && self.is_below_gate())
            }
        }
    }

    /// Moves on to `now`. In a new window nothing is used or reserved.
    #[inline(always)] // in the path of each step
    pub fn roll(&mut self, now: Moment) {
        if let Some(marks) = &mut self.marks {
            marks.provider.iter_mut().for_each(|heard| heard.roll(now.tick));
            if marks.shared.is_some() {
                return self.roll_share(now);
            }
        }
        match &mut self.window {
            Window::Lifetime | Window::Gauge => {}
            Window::Calendar(_) => self.roll_calendar(now),
            window => {
                if window.roll(now.tick) {
                    self.begin();
                } else if self.warned > 0 && matches!(self.window, Window::Sliding(_)) {
                    // It never begins again. It warns again after it was below its mark.
                    self.rewarn();
                }
            }
        }
    }

    #[inline(never)]
    fn roll_calendar(&mut self, now: Moment) {
        let Self { used, reserved, era, warned, .. } = *self;
        let Window::Calendar(calendar) = &mut self.window else { return };
        match calendar.roll(now, Counts { used, reserved, era, warned }) {
            Rolled::Same => {}
            Rolled::Next => self.begin(),
            // The wall clock has returned to an earlier window.
            Rolled::Returned(kept) => {
                self.used = used.saturating_add(kept.used);
                self.reserved = reserved.saturating_add(kept.reserved);
                self.warned = warned.max(kept.warned);
            }
        }
    }

    /// Lets marks warn again that are now above the usage.
    pub fn rewarn(&mut self) {
        self.warned = self.warned.min(self.marks_reached());
    }

    pub(super) fn marks_reached(&self) -> u8 {
        self.marks.as_ref().map_or(0, |marks| marks.reached(self.used()))
    }

    /// Starts a new window at `now`.
    pub fn reset(&mut self, now: Moment) {
        if let Some(shared) = self.sharing_mut() {
            shared.changes.reset = true;
            return;
        }
        self.begin();
        self.window.restart(now, self.era);
    }

    pub(super) fn begin(&mut self) {
        (self.used, self.reserved, self.warned) = (0, 0, 0);
        self.era = self.era.wrapping_add(1);
    }

    pub(super) fn take_shared(&mut self, shared: Option<Box<Sharing>>) {
        if shared.is_none() {
            return;
        }
        self.marks.get_or_insert_default().shared = shared;
        if self.bound == Bound::Alone {
            self.bound = Bound::Shared;
        }
    }

    /// What the meter knows of its share, if its limit is shared.
    pub(super) fn sharing(&self) -> Option<&Sharing> {
        self.marks.as_ref()?.shared.as_deref()
    }

    pub(super) fn sharing_mut(&mut self) -> Option<&mut Sharing> {
        self.marks.as_mut()?.shared.as_deref_mut()
    }

    /// Whether several processes share its limit.
    pub(crate) fn is_shared(&self) -> bool {
        self.sharing().is_some()
    }

    /// The share, if the limit is shared.
    pub fn share(&self) -> Option<&Share> {
        self.sharing().map(|shared| &shared.share)
    }

    pub(super) fn used_by_others(&self) -> u64 {
        self.sharing().map_or(0, |shared| shared.share.others().used)
    }

    /// The most that the store lets all processes use: what is kept back for nobody is not in it.
    /// `u64::MAX` for no limit, and for a soft one, of which nobody draws.
    pub(crate) fn most_of_all(&self) -> u64 {
        if !self.is_bounded() || !self.hardness.is_hard() {
            return u64::MAX;
        }
        let Some(marks) = &self.marks else { return self.max };
        if marks.lands { self.max } else { self.max.saturating_sub(marks.stop) }
    }

    /// Whether requests need a share.
    pub(super) fn draws(&self) -> bool {
        self.bound == Bound::Shared && self.hardness.is_hard()
    }

    /// Used and reserved here.
    pub(super) fn taken(&self) -> u64 {
        self.used_here().saturating_add(self.reserved)
    }

    /// Whether what was heard of the others is too old to refuse anything: the store is asked.
    pub(super) fn is_stale(&self) -> bool {
        self.sharing().is_some_and(|shared| self.draws() && !shared.share.is_fresh(shared.now))
    }

    /// Whether the limit is known to leave `amount`.
    pub(super) fn leaves(&self, amount: u64, terms: Terms) -> bool {
        let taken = self.used().checked_add(self.reserved);
        let sum = taken.and_then(|taken| taken.checked_add(amount));
        sum.is_some_and(|sum| sum <= self.ceiling_on(terms))
            && self.provider_admits(self.reserved, amount, terms)
    }

    #[cold]
    #[inline(never)]
    fn fits_share(&self, amount: u64, terms: Terms) -> bool {
        let (ceiling, most, taken) = (self.ceiling_on(terms), self.most_of_all(), self.taken());
        let gives =
            |shared: &Sharing| shared.gives(taken, amount, (ceiling < most).then_some(ceiling));
        let given = !self.draws() || self.sharing().is_none_or(gives);
        (given && self.leaves(amount, terms)) || self.hardness.spares(amount)
    }

    /// [Gated](Terms::Gated) requests pass below the same part of the share as of the limit.
    #[cold]
    fn is_share_below_gate(&self) -> bool {
        let share = self.share().map_or(0, Share::amount);
        let gate = u128::from(self.gate().min(self.max));
        let gated = (u128::from(share) * gate).div_ceil(u128::from(self.max.max(1)));
        !self.draws() || self.max == 0 || self.taken() == 0 || gated > u128::from(self.taken())
    }

    /// Brings a shared meter to `now`. Its share ends its windows, and no clock of its own.
    #[cold]
    #[inline(never)]
    fn roll_share(&mut self, now: Moment) {
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
    pub(crate) fn visit_share<R>(
        &mut self,
        now: Moment,
        act: impl FnOnce(&mut Share) -> R,
    ) -> Option<R> {
        let number = self.era;
        let (result, ended) = self.sharing_mut()?.visit(now.tick, number, act);
        if ended {
            self.begin();
            if let Window::Sliding(ring) = &mut self.window {
                ring.clear();
                ring.advance(now.tick);
            }
        }
        Some(result)
    }
}
