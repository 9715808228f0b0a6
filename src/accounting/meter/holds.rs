//! What open leases hold of a meter, and how they ran out.

use crate::accounting::clock::Tick;

/// What an open lease holds of one meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The amount held.
    pub amount: u64,
    /// The number of the window in which it was reserved.
    pub(super) era: u32,
}

/// The result of the expiry of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The amount of the hold that its window has counted for good.
    pub(super) covered: u64,
    /// The amount that was booked for it. It is smaller if the meter was at its largest number.
    pub(super) booked: u64,
    /// When it expired.
    pub(super) at: Tick,
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
