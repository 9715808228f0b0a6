//! Calls that wait for nobody but a store: it brings their share, or time is over.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::ask::{Ask, AskPart, ttl};
use super::room::{Room, without_store};
use super::wait::{Pending, Wait};
use crate::accounting::{Clock, Terms, Tick};
use crate::ledger::account::Account;
use crate::ledger::account::serving::end;
use crate::ledger::claim::{Demand, Request};
use crate::ledger::error::Error;
use crate::ledger::patience::{may_wait, sleep_for_store};
use crate::ledger::post::mailbox::Mailbox;
use crate::ledger::post::sleeper::Sleeper;
use crate::ledger::queue::turn::{Granted, Stage, Wanted, Wants};

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
        match take_room(asks, lasts, drawn.end) {
            Ok(room) => Ok(Some(room)),
            Err(ended @ Error::Denied(_)) => {
                drawn.ended = Some(ended);
                Ok(None)
            }
            Err(ended) => Err(ended),
        }
    }

    /// Whether it is asked for the last time.
    pub(super) fn is_over(&self) -> bool {
        self.0.as_ref().is_some_and(|drawn| drawn.ended.is_some())
    }

    /// [`room`](Self::room) for a request of one account, which ends under its lock. It then says
    /// whether it was there.
    #[cold]
    #[inline(never)]
    pub(super) fn room_of(
        &mut self,
        account: &Arc<Account>,
        demands: &[Demand],
        terms: Terms,
    ) -> Result<Option<Room>, Error> {
        self.room(&[AskPart { terms, ..AskPart::alone(account, demands) }], None)
    }
}

/// Holds room for `asks`, or waits for it in this thread until the store has brought the shares
/// or `end` is over.
fn take_room(asks: &[AskPart<'_>], lasts: Option<Duration>, end: Tick) -> Result<Room, Error> {
    let sleeper = Sleeper::new();
    let (what, request, timeout) = (Wants::Room, Request::default(), None);
    let wanted = Wanted { what, request, timeout, lasts, draws: true };
    let asks = asks.iter().map(AskPart::owned);
    let wait = Wait::join(asks.collect::<Vec<Ask>>(), wanted, Mailbox::for_thread(&sleeper))?;
    loop {
        let next = wait.pending.turn.mailbox.refresh();
        if let Some(ended) = wait.pending.turn.take() {
            return ended.map(|granted| match granted {
                Granted::Room(holds) => Room::new(wait.pending.accounts.clone(), holds),
                Granted::Lease(_) | Granted::Admission(_) => Room::new(SmallVec::new(), Vec::new()),
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

impl Pending {
    /// Ends a turn that waited for a store for too long.
    pub(super) fn give_up(&self) -> Result<(), Error> {
        let turn = &self.turn;
        self.locked(|locked, outbox| {
            let Some((index, meter)) = turn.queued() else { return };
            let account = locked[index].identity().id();
            locked[index].state.queues_mut().remove(meter, turn.ticket, account);
            turn.put(Stage::Over);
            match without_store(turn, locked) {
                Some(Ok(())) => {
                    let granted = self.grant(locked, outbox);
                    end(turn, Ok(granted), outbox);
                }
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
