//! What is booked on a meter and held of it.

use super::holds::{Expired, Hold};
use super::law::Meter;
use crate::accounting::clock::Moment;
use crate::accounting::window::Window;

impl Meter {
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

    /// Sets the usage of this window to what a file says.
    pub fn restore_used(&mut self, used: u64) {
        self.used = used.saturating_sub(self.used_by_others());
        if let Window::Calendar(calendar) = &mut self.window {
            calendar.forget_used();
        }
    }

    /// Holds `amount` until [`commit`](Self::commit), [`release`](Self::release) or
    /// [`expire`](Self::expire). [At the start](crate::Limit::at_start) it is charged now.
    #[inline]
    pub fn reserve(&mut self, amount: u64) -> Hold {
        if self.marks.as_ref().is_some_and(|marks| marks.at_start) {
            self.charge(amount);
            return Hold { amount: 0, era: self.era };
        }
        self.hold(amount)
    }

    /// Holds `amount`, also [at the start](crate::Limit::at_start).
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
            return self.sharing_mut().is_some_and(|shared| shared.settle(hold, used));
        }
        match &mut self.window {
            Window::Calendar(calendar) => {
                calendar.settle_kept([hold.era, self.era], hold.amount, used)
            }
            _ => false,
        }
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
}
