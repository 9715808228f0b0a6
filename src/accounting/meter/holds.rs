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

impl Expired {
    /// Forgets what was booked: the count that it belongs to is replaced.
    pub fn forget(&mut self) {
        (self.covered, self.booked) = (0, 0);
    }
}
