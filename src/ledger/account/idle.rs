//! Whether an account that is to end still has a lease that is open.

use super::state::State;
use crate::accounting::Tick;

/// What is still open in an account that is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    /// Nothing: it takes no more requests from now on.
    Closed,
    /// Leases, of which the next runs out then; `None` where none does by itself.
    Until(Option<Tick>),
}

impl State {
    /// Takes no more requests where no lease is open.
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
