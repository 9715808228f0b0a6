//! Calls that wait for nobody but a store: it brings their share, or time is over.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::ask::{Ask, AskPart};
use super::locked::{Locked, with_locked};
use super::reserve::ttl;
use super::wait::{Pending, Wait};
use crate::accounting::{Clock, Terms, Tick};
use crate::ledger::account::Account;
use crate::ledger::account::serving::end;
use crate::ledger::account::state::State;
use crate::ledger::account::supplied::Verdict;
use crate::ledger::account::verdict::Refused;
use crate::ledger::claim::{Demand, Request};
use crate::ledger::error::{Error, Stop};
use crate::ledger::patience::{may_wait, sleep_for_store};
use crate::ledger::post::mailbox::Mailbox;
use crate::ledger::post::outbox::Outbox;
use crate::ledger::post::sleeper::Sleeper;
use crate::ledger::queue::turn::{Granted, QueuedClaim, RoomHold, Stage, Turn, Wanted, Wants};

/// What is held for a request until it is decided in one step. It is given back when it is dropped.
pub(super) struct Room {
    accounts: SmallVec<[Arc<Account>; 2]>,
    holds: Vec<RoomHold>,
}

impl Room {
    pub(super) fn of(pending: &Pending, holds: Vec<RoomHold>) -> Self {
        Self { accounts: pending.accounts.clone(), holds }
    }

    /// Holds room for `asks`, or waits for it in this thread until the store has brought the shares
    /// or `end` is over.
    fn take(asks: &[AskPart<'_>], lasts: Option<Duration>, end: Tick) -> Result<Self, Error> {
        let sleeper = Sleeper::new();
        let (what, request, timeout) = (Wants::Room, Request::default(), None);
        let wanted = Wanted { what, request, timeout, lasts, draws: true };
        let asks = asks.iter().map(AskPart::owned);
        let wait = Wait::join(asks.collect::<Vec<Ask>>(), wanted, Mailbox::for_thread(&sleeper))?;
        loop {
            let next = wait.pending.turn.mailbox.refresh();
            if let Some(ended) = wait.pending.turn.take() {
                return ended.map(|granted| match granted {
                    Granted::Room(holds) => Self::of(&wait.pending, holds),
                    Granted::Lease(_) | Granted::Admission(_) => {
                        Self::of(&wait.pending, Vec::new())
                    }
                });
            }
            let left = end.since(Clock::System.precise_tick());
            if left.is_zero() {
                wait.pending.give_up()?;
            } else {
                let limit = next.map_or(left, |next| next.min(left));
                sleep_for_store(|| sleeper.sleep(Some(limit)));
            }
        }
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
    fn end_alone(&mut self, state: &mut State) -> bool {
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

/// How far a request has come that lacks shares. Empty for nearly all of them.
#[derive(Default)]
pub(super) struct Drawing(Option<Box<Drawn>>);

struct Drawn {
    end: Tick,
    /// How it ended, if it may be asked once more, to name what refuses.
    ended: Option<Error>,
}

impl Drawing {
    /// Room for a request that lacked shares, once the store has brought them. `None` if there is
    /// none: then it is asked for the last time, to name what refuses.
    #[cold]
    #[inline(never)]
    pub(super) fn room(
        &mut self,
        asks: &[AskPart<'_>],
        opens: Option<&Request>,
    ) -> Result<Option<Room>, Error> {
        if !may_wait() {
            return Err(Error::Short);
        }
        let drawn = match &mut self.0 {
            Some(drawn) => drawn,
            None => {
                let mut timeout = Duration::ZERO;
                for ask in asks {
                    let supply = ask.account.supply()?;
                    timeout = timeout.max(supply.map_or(Duration::ZERO, |supply| supply.timeout()));
                }
                let end = Clock::System.precise_tick().plus(timeout);
                self.0.insert(Box::new(Drawn { end, ended: None }))
            }
        };
        if let Some(ended) = drawn.ended.take() {
            return Err(ended);
        }
        let lasts = opens.map(|request| ttl(asks.iter().map(|ask| ask.account), request));
        match Room::take(asks, lasts, drawn.end) {
            Ok(room) => Ok(Some(room)),
            Err(ended @ Error::Denied(_)) => {
                drawn.ended = Some(ended);
                Ok(None)
            }
            Err(ended) => Err(ended),
        }
    }

    /// Whether it is asked for the last time.
    fn is_over(&self) -> bool {
        self.0.as_ref().is_some_and(|drawn| drawn.ended.is_some())
    }

    /// [`room`](Self::room) for a request of one account, which ends under its lock. It then says
    /// whether it was there.
    #[cold]
    #[inline(never)]
    fn room_of(
        &mut self,
        account: &Arc<Account>,
        demands: &[Demand],
        terms: Terms,
    ) -> Result<Option<Room>, Error> {
        self.room(&[AskPart { terms, ..AskPart::alone(account, demands) }], None)
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

impl Pending {
    /// Holds room for all claims.
    pub(super) fn hold(&self, locked: &mut [Locked<'_>]) -> Vec<RoomHold> {
        let mut room = Vec::new();
        for (index, (claim, at)) in self.turn.claims.iter().zip(locked).enumerate() {
            at.state.hold_room(index, &claim.demands, &mut room);
        }
        room
    }

    /// Decides a turn that lacks shares of a store that is away. `None` if it is not away, or if the
    /// turn waits for it to come back.
    pub(super) fn without_store(
        &self,
        locked: &mut [Locked<'_>],
        outbox: &mut Outbox,
    ) -> Option<Result<(), Error>> {
        let (passes, index, demand) = self.passes_when_away(locked)?;
        if passes {
            let granted = self.grant(locked, outbox);
            end(&self.turn, Ok(granted), outbox);
            return Some(Ok(()));
        }
        let at = &locked[index];
        let demands = &self.turn.claims[index].demands;
        self.turn.wanted.draws.then(|| Err(at.state.unavailable(at.identity(), demands, demand)))
    }

    /// Whether a turn that lacks shares passes without the store, and its first demand that does.
    fn passes_when_away(&self, locked: &[Locked<'_>]) -> Option<(bool, usize, usize)> {
        let mut found = None;
        for (index, (claim, at)) in self.turn.claims.iter().zip(locked).enumerate() {
            let (until, id) = (self.turn.until(at.now.tick), at.identity().id());
            let (demands, terms) = (&claim.demands, claim.terms);
            match at.state.verdict(demands, terms, self.turn.ticket, until, id) {
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

    /// Ends a turn that waited for a store for too long.
    pub(super) fn give_up(&self) -> Result<(), Error> {
        let turn = &self.turn;
        self.locked(|locked, outbox| {
            let Some((index, meter)) = turn.queued() else { return };
            let account = locked[index].identity().id();
            locked[index].state.queues_mut().remove(meter, turn.ticket, account);
            turn.put(Stage::Over);
            match self.without_store(locked, outbox) {
                Some(Ok(())) => {}
                Some(Err(away)) => end(turn, Err(away), outbox),
                None => {
                    let (at, claim) = (&locked[index], &turn.claims[index]);
                    let demand = claim.demands.iter().position(|demand| demand.meter == meter);
                    let refused = at.state.with_others(
                        at.identity(),
                        &claim.demands,
                        demand.unwrap_or(0),
                        at.now,
                        claim.terms,
                    );
                    end(turn, Err(refused), outbox);
                }
            }
        })
    }
}

impl Account {
    /// Books `demands` (meter and amount) at once. Either all of them are booked, or it is refused
    /// and nothing changes.
    #[inline]
    pub fn charge(self: &Arc<Self>, demands: &[Demand]) -> Result<(), Error> {
        self.charge_once(|| None, demands, || ())
    }

    /// Books `demands` and then calls `then`, in one step. If `known` returns an answer, nothing is
    /// booked.
    #[inline]
    pub(crate) fn charge_once<R>(
        self: &Arc<Self>,
        known: impl Fn() -> Option<R>,
        demands: &[Demand],
        then: impl Fn() -> R,
    ) -> Result<R, Error> {
        let (mut room, mut drawing) = (None, Drawing::default());
        loop {
            match self.try_charge(|state| ends(&mut room, state), &known, demands, &then) {
                Ok(done) => return Ok(done),
                Err(Stop::Refused(refused)) => return Err(refused),
                Err(Stop::Short) => room = drawing.room_of(self, demands, Terms::Plain)?,
            }
        }
    }

    /// Admits a caller that reports its usage later. `demands` are held for one bucket of the
    /// window, or until the next usage is recorded. `refuse` makes the refusal, so that its text is
    /// only made for a caller that reads it.
    #[inline]
    pub(crate) fn take_admission<E>(
        self: &Arc<Self>,
        demands: &[Demand],
        refuse: impl Fn(Refused<'_>) -> E,
    ) -> Result<Result<(), E>, Error> {
        let (mut room, mut drawing) = (None, Drawing::default());
        loop {
            let last = drawing.is_over();
            match self.try_admission(|state| ends(&mut room, state), demands, last, &refuse) {
                Ok(done) => return Ok(done),
                Err(Stop::Refused(refused)) => return Err(refused),
                Err(Stop::Short) => room = drawing.room_of(self, demands, Terms::Gated)?,
            }
        }
    }

    /// Whether `demands` would be admitted. Soft limits are checked as if they were hard.
    pub fn check(self: &Arc<Self>, demands: &[Demand]) -> Result<(), Error> {
        self.check_on(demands, Terms::Strict)
    }

    /// Whether `demands` would be admitted in this mode.
    pub(crate) fn check_on(
        self: &Arc<Self>,
        demands: &[Demand],
        terms: Terms,
    ) -> Result<(), Error> {
        let (mut room, mut drawing) = (None, Drawing::default());
        loop {
            match self.try_check(|state| ends(&mut room, state), demands, terms) {
                Ok(()) => return Ok(()),
                Err(Stop::Refused(refused)) => return Err(refused),
                Err(Stop::Short) => room = drawing.room_of(self, demands, terms)?,
            }
        }
    }
}

/// Ends the room of a request of one account, under its lock. Whether it was there until now.
#[inline]
fn ends(room: &mut Option<Room>, state: &mut State) -> bool {
    room.as_mut().is_some_and(|room| room.end_alone(state))
}
