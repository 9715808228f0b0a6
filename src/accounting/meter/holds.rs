//! What open leases hold of a meter, and how it settles.

use super::Meter;
use crate::accounting::clock::{Moment, Tick};
use crate::accounting::window::Window;

/// What an open lease holds of one meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The amount held.
    pub amount: u64,
    /// The number of the window in which it was reserved.
    era: u32,
}

/// The result of the expiry of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The amount of the hold that its window has counted for good.
    covered: u64,
    /// The amount that was booked for it. It is smaller if the meter was at its largest number.
    booked: u64,
    /// When it expired.
    at: Tick,
}

impl Hold {
    /// Adds the amount of `other`, if both were reserved in one window.
    pub(crate) fn join(&mut self, other: &Self) -> bool {
        let sum = self.amount.checked_add(other.amount).filter(|_| self.era == other.era);
        if let Some(sum) = sum {
            self.amount = sum;
        }
        sum.is_some()
    }

    /// Takes out one of `shares` even shares, rounded down.
    pub(crate) const fn take_share(&mut self, shares: u64) -> Self {
        let amount = match self.amount.checked_div(shares) {
            Some(share) => share,
            None => self.amount,
        };
        self.amount -= amount;
        Self { amount, era: self.era }
    }
}

impl Expired {
    /// Forgets what was booked: the count that it belongs to is replaced.
    pub fn forget(&mut self) {
        (self.covered, self.booked) = (0, 0);
    }
}

impl Meter {
    /// Holds `amount` until [`commit`](Self::commit), [`release`](Self::release) or
    /// [`expire`](Self::expire). A limit that counts [at the start](Limit::at_start) is charged
    /// now.
    #[inline]
    pub fn reserve(&mut self, amount: u64) -> Hold {
        if self.marks.as_ref().is_some_and(|marks| marks.at_start) {
            self.charge(amount);
            return Hold { amount: 0, era: self.era };
        }
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
        matches!(&self.window, Window::Calendar(calendar) if calendar.counts(hold.era, self.era))
    }

    /// Ends a hold of an earlier window with `used`, if that window may still come back.
    #[cold]
    fn settle_kept(&mut self, hold: &Hold, used: u64) -> bool {
        match &mut self.window {
            Window::Calendar(calendar) => {
                calendar.settle_kept([hold.era, self.era], hold.amount, used)
            }
            _ => false,
        }
    }
}
