//! The meter, on which all limits stand: `used + reserved + amount <= limit`.

pub(super) mod heard;
pub(super) mod holds;
mod marks;
pub(super) mod shared;

use std::ops::Range;

pub use self::heard::Audience;
use self::heard::{Heard, hearing};
use self::holds::{Expired, Hold};
use self::marks::Marks;
use super::calendar::{Counts, Rolled};
use super::clock::{Moment, Tick};
use super::headers::RateHeaders;
use super::limit::{Hardness, Limit, Terms, Unit};
use super::provider_limit::ProviderLimit;
use super::window::Window;

/// What a request is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
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
    max: u64,
    used: u64,
    reserved: u64,
    window: Window,
    marks: Option<Box<Marks>>,
    era: u32,
    unit: Unit,
    bound: Bound,
    hardness: Hardness,
    /// The number of warning marks that it has reported.
    warned: u8,
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
            self.cut_share();
        }
    }

    /// The limit that the provider behind it reports: no more is ever admitted.
    pub fn provider_mut(&mut self) -> &mut ProviderLimit {
        self.heard_mut().all_mut()
    }

    fn heard_mut(&mut self) -> &mut Heard {
        self.marks.get_or_insert_default().provider.get_or_insert_default()
    }

    fn heard_if_any(&mut self) -> Option<&mut Heard> {
        self.marks.as_mut()?.provider.as_deref_mut()
    }

    pub(super) fn provider(&self) -> Option<&Heard> {
        self.marks.as_ref()?.provider.as_deref()
    }

    /// Whether the provider behind it, if there is one, admits `amount` beside `reserved`.
    pub(super) fn provider_admits(&self, reserved: u64, amount: u64, terms: Terms) -> bool {
        self.provider().is_none_or(|provider| provider.admits(reserved, amount, terms))
    }

    /// Updates what is known of the limit of the provider behind it, from a response at `now`.
    pub fn hear(&mut self, said: &RateHeaders, status: u16, to: Audience, now: Tick) {
        let Some(by) = hearing(&self.window, (self.unit, self.max), to) else { return };
        self.heard_mut().hear(said, status, by, now);
    }

    /// Counts an admitted request that asks for `amount`.
    pub fn start(&mut self, amount: u64) {
        self.heard_if_any().into_iter().for_each(|heard| heard.start(amount));
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
    fn is_bounded(&self) -> bool {
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
                .saturating_sub(self.given_back()),
        }
    }

    /// What this process has charged in this window.
    #[inline]
    pub fn used_here(&self) -> u64 {
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
    fn ceiling_on(&self, terms: Terms) -> u64 {
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
    fn gate(&self) -> u64 {
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
    #[inline]
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

    fn marks_reached(&self) -> u8 {
        self.marks.as_ref().map_or(0, |marks| marks.reached(self.used()))
    }

    /// Starts a new window at `now`.
    pub fn reset(&mut self, now: Moment) {
        if self.ask_for_reset() {
            return;
        }
        self.begin();
        self.window.restart(now, self.era);
    }

    fn begin(&mut self) {
        (self.used, self.reserved, self.warned) = (0, 0, 0);
        self.era = self.era.wrapping_add(1);
    }

    /// Books `amount` as used, and returns how much was booked. It saturates and never wraps.
    #[inline]
    pub fn charge(&mut self, amount: u64) -> u64 {
        self.heard_if_any().into_iter().for_each(|heard| heard.charge(amount));
        match &mut self.window {
            Window::Sliding(ring) => {
                ring.add(amount);
                amount
            }
            Window::Gauge => 0,
            _ => {
                let booked = amount.min(u64::MAX - self.used);
                self.used += booked;
                booked
            }
        }
    }

    /// Gives `amount` back to this window, never below zero.
    pub fn give_back(&mut self, amount: u64) {
        self.used = self.used.saturating_sub(amount);
    }

    /// Replaces it by `new`, brought to `now`. Open leases keep what they hold.
    pub fn replace(&mut self, new: Self, now: Moment) {
        let shared = self.marks.as_mut().and_then(|marks| marks.shared.take());
        *self = Self { era: self.era, reserved: self.reserved, ..new };
        self.take_shared(shared);
        if let Window::Calendar(calendar) = &mut self.window {
            calendar.restart(self.era);
        }
        self.roll(now);
    }

    /// Sets the usage of this window to what a file says.
    pub fn restore_used(&mut self, used: u64) {
        self.used = used.saturating_sub(self.used_by_others());
        if let Window::Calendar(calendar) = &mut self.window {
            calendar.forget_used();
        }
    }

    /// Whether `used` has reached any of its warning marks.
    #[inline]
    pub fn is_marked(&self) -> bool {
        let lowest = self.marks.as_ref().and_then(|marks| marks.warn_from);
        lowest.is_some_and(|lowest| self.used() >= lowest)
    }

    /// The warning marks that `used` has reached since the last call, by their order: 0 is the
    /// lowest. Each is returned once per window.
    pub fn take_warnings(&mut self) -> Range<u8> {
        let reached = self.marks_reached();
        let before = self.warned;
        self.warned = before.max(reached);
        before..self.warned
    }

    /// The share of the limit at which a warning mark stands, in millionths. 0 is the lowest mark.
    pub fn share_at(&self, mark: u8) -> Option<u64> {
        self.marks.as_ref()?.share_at(mark, self.limit()?)
    }

    /// Holds `amount` until [`commit`](Self::commit), [`release`](Self::release) or
    /// [`expire`](Self::expire). [At the start](Limit::at_start) it is charged now.
    #[inline]
    pub fn reserve(&mut self, amount: u64) -> Hold {
        if self.marks.as_ref().is_some_and(|marks| marks.at_start) {
            self.charge(amount);
            return Hold { amount: 0, era: self.era };
        }
        self.hold(amount)
    }

    /// Holds `amount`, also [at the start](Limit::at_start).
    #[inline]
    pub fn hold(&mut self, amount: u64) -> Hold {
        let amount = amount.min(u64::MAX - self.reserved);
        self.reserved += amount;
        Hold { amount, era: self.era }
    }

    /// Ends the hold and books `actual`. Returns how much was booked now. The held amount counts in
    /// the window of the reservation. In a later window only what exceeds it is booked.
    #[inline]
    pub fn commit(&mut self, hold: &Hold, actual: u64) -> u64 {
        if self.counts(hold) {
            self.reserved = self.reserved.saturating_sub(hold.amount);
            self.charge(actual)
        } else {
            self.settle_kept(hold, actual.min(hold.amount));
            self.charge(actual.saturating_sub(hold.amount))
        }
    }

    /// Ends the hold and books nothing.
    pub fn release(&mut self, hold: &Hold) {
        if self.counts(hold) {
            self.reserved = self.reserved.saturating_sub(hold.amount);
        } else {
            self.settle_kept(hold, 0);
        }
    }

    /// Ends the hold provisionally: its estimate is charged, or returned. A later
    /// [`recommit`](Self::recommit) replaces that by the actual usage.
    pub fn expire(&mut self, hold: &Hold, charge: bool, now: Moment) -> Expired {
        let (covered, booked) = if !self.counts(hold) {
            let charged = if charge { hold.amount } else { 0 };
            if self.settle_kept(hold, charged) { (charged, charged) } else { (hold.amount, 0) }
        } else if charge && !matches!(self.window, Window::Gauge) {
            (hold.amount, self.commit(hold, hold.amount))
        } else {
            self.release(hold);
            (0, 0)
        };
        Expired { covered, booked, at: now.tick }
    }

    /// Replaces the charge of an expiry by `actual`.
    pub fn recommit(&mut self, hold: &Hold, expired: &Expired, actual: u64) {
        let replaced = self.counts(hold)
            && match &mut self.window {
                Window::Sliding(ring) => ring.remove(expired.booked, expired.at),
                _ => {
                    self.used = self.used.saturating_sub(expired.booked);
                    true
                }
            };
        let still_due = if replaced { actual } else { actual.saturating_sub(expired.covered) };
        self.charge(still_due);
    }

    /// Whether `hold` is part of the reserved amount of the present window.
    #[inline]
    pub fn counts(&self, hold: &Hold) -> bool {
        hold.era == self.era || self.counts_earlier(hold)
    }

    /// The same for a hold of an earlier era, which the wall clock may have returned to.
    #[cold]
    fn counts_earlier(&self, hold: &Hold) -> bool {
        match &self.window {
            Window::Calendar(calendar) => !self.is_shared() && calendar.counts(hold.era, self.era),
            _ => false,
        }
    }

    /// Ends a hold of an earlier window with `used`, if that window may still come back.
    #[cold]
    fn settle_kept(&mut self, hold: &Hold, used: u64) -> bool {
        if self.is_shared() {
            return self.settle_past(hold, used);
        }
        match &mut self.window {
            Window::Calendar(calendar) => {
                calendar.settle_kept([hold.era, self.era], hold.amount, used)
            }
            _ => false,
        }
    }
}
