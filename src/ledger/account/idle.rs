//! Closes an account once none of its leases is open.

use super::state::State;
use crate::accounting::Tick;

/// What is still open in an account that shall close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    /// Nothing is open. The account is closed now.
    Closed,
    /// Leases are open. The next one runs out at this time, or `None` if none runs out by itself.
    Until(Option<Tick>),
}

impl State {
    /// Closes the account if no lease is open.
    pub(crate) fn close_if_idle(&mut self, now: Tick) -> Idle {
        let open = || self.entries().into_iter().flat_map(|entries| entries.open());
        if open().next().is_some() {
            let ends = open().map(|(_, entry)| entry.deadline);
            return Idle::Until(ends.filter(|end| *end > now).min());
        }
        self.rare_mut().closed = true;
        Idle::Closed
    }
}
