//! Books what was spent already, and of which nothing was held.

use smallvec::SmallVec;

use super::account::Account;
use super::error::Error;
use crate::accounting::{Unit, Usage};

impl Account {
    /// Books what a call has used: never refused. What is only open for a time is over.
    pub fn record_spent(&self, demands: &[(u8, u64)], usage: &Usage) -> Result<(), Error> {
        self.locked(|state, now, outbox| {
            let mut lasting: SmallVec<[(u8, u64); 4]> = SmallVec::from_slice(demands);
            lasting.retain(|(meter, _)| state.meters[usize::from(*meter)].unit() != Unit::Slots);
            state.charge(self, &lasting, *now, outbox);
            state.book_mut().book_committed(usage, None);
        })
    }
}
