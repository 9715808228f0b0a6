//! Windows as a store numbers them, and shares of those that are not the present one.

use crate::accounting::clock::Tick;

/// A window of a limit, as the store numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Era {
    /// How often the limit was reset before it.
    pub generation: u32,
    /// When it begins: microseconds since 1970 UTC by the store's clock. 0 where nothing ends it
    /// but a reset.
    pub begins: i64,
}

/// An era that is over for its holder, and what the store must still hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PastEra {
    /// Which one.
    pub era: Era,
    /// What is left of the share.
    pub amount: u64,
    /// What was used in it.
    pub spent: u64,
    /// What leases from it still hold.
    pub held: u64,
    /// Spent and held as the store has last heard it.
    pub reported: Option<(u64, u64)>,
    /// Whether its holder has left the limit: what was used counts for no holder from now on.
    pub left: bool,
}

impl PastEra {
    /// Whether the store has heard all that will ever happen in it.
    pub fn is_settled(&self) -> bool {
        self.held == 0 && self.reported == Some((self.spent, 0))
    }
}

/// A share of an era that has not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NextShare {
    /// Which era.
    pub era: Era,
    /// How much.
    pub amount: u64,
    /// When it ends, if it does.
    pub ends: Option<Tick>,
}
