//! Accounts of which nothing is open: they can be closed, and may have nothing left to say.

use super::state::State;
use crate::accounting::{Meter, Moment, Tick};
use crate::ledger::account::Account;
use crate::ledger::error::Error;

/// What is still open in an account that shall close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    /// Nothing is open. The account is closed now.
    Closed,
    /// Leases are open. The next one runs out at this time, or `None` if none runs out by itself.
    Until(Option<Tick>),
}

impl Account {
    /// Opens the account again, if it was closed.
    pub(crate) fn open_again(&self) -> Result<(), Error> {
        self.locked(|state, _| {
            if state.is_closed() {
                state.rare_mut().closed = false;
            }
        })
    }
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

/// When an account has nothing more to say: nothing is open, and nothing counts any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silent {
    /// Now.
    Now,
    /// Not before this time.
    From(Tick),
    /// Never: a window that does not end has counted something.
    Never,
}

impl State {
    /// Whether the account has anything to say at `now`. Changes nothing. `for_ever` tells whether
    /// what a meter has counted for ever is kept.
    pub(crate) fn silent(&self, now: Moment, for_ever: impl Fn(&Meter) -> bool) -> Silent {
        let next_due = self.entries().and_then(|entries| entries.next_due());
        let is_open = self.entries().is_some_and(|entries| entries.open().next().is_some())
            || self.queues().is_some_and(|queues| queues.may_be_due(Tick::from_nanos(u64::MAX)));
        let mut from = is_open.then(|| next_due.unwrap_or(now.tick));
        for meter in &self.meters {
            match meter.silent_from(now) {
                Some(at) if at > now.tick => from = from.max(Some(at)),
                Some(_) => {}
                None if is_open || !for_ever(meter) => {}
                None => return Silent::Never,
            }
        }
        from.map_or(Silent::Now, Silent::From)
    }
}
