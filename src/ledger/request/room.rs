//! Room that is held for a request that draws, and what becomes of one whose store is away.

use std::sync::Arc;

use smallvec::SmallVec;

use super::locked::{Locked, with_locked};
use crate::ledger::account::Account;
use crate::ledger::account::held::Verdict;
use crate::ledger::account::state::State;
use crate::ledger::error::Error;
use crate::ledger::queue::turn::{QueuedClaim, RoomHold, Turn};

/// What is held for a request until it is decided in one step. It is given back when it is dropped.
pub(super) struct Room {
    accounts: SmallVec<[Arc<Account>; 2]>,
    holds: Vec<RoomHold>,
}

impl Room {
    pub(super) fn new(accounts: SmallVec<[Arc<Account>; 2]>, holds: Vec<RoomHold>) -> Self {
        Self { accounts, holds }
    }

    /// Ends it under the locks of its accounts. Whether it was held until now.
    pub(super) fn end_in(&mut self, locked: &mut [Locked<'_>]) -> bool {
        let mut sure = true;
        for (claim, at) in locked.iter_mut().enumerate() {
            sure &= self.end_at(claim, &mut at.state);
        }
        self.holds.clear();
        sure
    }

    /// The same for a request of one account.
    pub(super) fn end_alone(&mut self, state: &mut State) -> bool {
        let sure = self.end_at(0, state);
        self.holds.clear();
        sure
    }

    fn end_at(&self, claim: usize, state: &mut State) -> bool {
        let own = self.holds.iter().filter(|held| held.claim == claim);
        let counts = |held: &RoomHold| state.meters[usize::from(held.meter)].counts(&held.hold);
        let sure = own.clone().all(counts) && !state.is_closed();
        state.end_room(&self.holds, claim);
        sure
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !self.holds.is_empty() {
            let accounts = self.accounts.clone();
            let accounts = accounts.iter().map(|account| &**account);
            // It fails only in a forked child, and there the parent ends it.
            let _ = with_locked(accounts, |locked, _| self.end_in(locked));
        }
    }
}

impl Locked<'_> {
    /// The first demand of the claim of a turn that more refuses than a share.
    pub(super) fn refuses(&self, claim: &QueuedClaim, turn: &Turn) -> Option<usize> {
        let (until, id) = (turn.until(self.now.tick), self.identity().id());
        match self.state.verdict(&claim.demands, claim.terms, turn.ticket, until, id) {
            Verdict::Refused(at) => Some(at),
            Verdict::Passes | Verdict::Short(_) => None,
        }
    }
}

/// Holds room for all claims.
pub(super) fn hold_all(turn: &Turn, locked: &mut [Locked<'_>]) -> Vec<RoomHold> {
    let mut room = Vec::new();
    for (index, (claim, at)) in turn.claims.iter().zip(locked).enumerate() {
        at.state.hold_room(index, &claim.demands, &mut room);
    }
    room
}

/// Whether a turn that lacks shares of a store that is away passes without it, or its error. `None`
/// if it is not away, or if the turn waits for it to come back.
pub(super) fn without_store(turn: &Turn, locked: &[Locked<'_>]) -> Option<Result<(), Error>> {
    let (passes, index, demand) = passes_when_away(turn, locked)?;
    if passes {
        return Some(Ok(()));
    }
    let at = &locked[index];
    let demands = &turn.claims[index].demands;
    turn.wanted.draws.then(|| Err(at.state.unavailable(at.identity(), demands, demand)))
}

/// Whether a turn that lacks shares passes without the store, and its first demand that does.
fn passes_when_away(turn: &Turn, locked: &[Locked<'_>]) -> Option<(bool, usize, usize)> {
    let mut found = None;
    for (index, (claim, at)) in turn.claims.iter().zip(locked).enumerate() {
        let (until, id) = (turn.until(at.now.tick), at.identity().id());
        let (demands, terms) = (&claim.demands, claim.terms);
        match at.state.verdict(demands, terms, turn.ticket, until, id) {
            Verdict::Passes => {}
            Verdict::Refused(_) => return None,
            Verdict::Short(demand) => {
                let passes = at.state.passes_when_away(demands, terms, until)?;
                let (all, index, demand) = found.unwrap_or((true, index, demand));
                found = Some((all & passes, index, demand));
            }
        }
    }
    found
}
