//! Waiting for capacity: first in, first out, without a thread and without a look too many.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::error::Error;
use super::group::{self, Ask, Request};
use super::locked::{Locked, with_locked_precisely};
use super::mailbox::Mailbox;
use super::outbox::{Again, Outbox};
use super::serve::end;
use super::sleeper::Sleeper;
use super::turn::{Grant, Place, Turn, Wants};
use crate::accounting::Follower;

/// A request that waits for its turn. Dropped, it leaves the queue; what it was given and did not
/// take is released.
#[derive(Debug)]
pub struct Wait {
    turn: Arc<Turn>,
}

impl Wait {
    /// Queues a request for a lease behind those who wait already; `mailbox` is told when it has
    /// ended. Who is asked twice is charged once. Refused at once where it can never pass.
    pub fn for_lease(
        asks: &[Ask],
        request: Request,
        timeout: Option<Duration>,
        mailbox: Arc<Mailbox>,
    ) -> Result<Self, Error> {
        let asks = group::distinct(asks)?.into_iter().collect();
        Self::join(Turn::new(asks, request, Wants::Lease, timeout, mailbox))
    }

    /// Queues a request for a slot of a limiter.
    pub(crate) fn for_slot(
        ask: Ask,
        timeout: Option<Duration>,
        mailbox: Arc<Mailbox>,
    ) -> Result<Self, Error> {
        let asks = SmallVec::from_iter([ask]);
        Self::join(Turn::new(asks, Request::default(), Wants::Slot, timeout, mailbox))
    }

    fn join(turn: Arc<Turn>) -> Result<Self, Error> {
        let wait = Self { turn };
        wait.follow_clocks();
        wait.locked(|locked, outbox| advance(&wait.turn, locked, outbox))??;
        Ok(wait)
    }

    /// Accounts on a clock that is moved by hand act when it is moved.
    fn follow_clocks(&self) {
        for ask in &self.turn.asks {
            if let crate::accounting::Clock::Manual(clock) = ask.account.core().clock() {
                let follower: Arc<dyn Follower> = Arc::clone(&ask.account) as _;
                clock.follow(Arc::downgrade(&follower));
            }
        }
    }

    /// The number under which its end is posted to its mailbox.
    pub fn ticket(&self) -> u64 {
        self.turn.ticket
    }

    /// Whether it is still in a queue.
    pub fn is_pending(&self) -> bool {
        self.turn.queued().is_some()
    }

    /// What came of it, once; `None` while it waits.
    pub fn take(&self) -> Option<Result<Grant, Error>> {
        self.turn.take()
    }

    /// Leaves the queue; what it was given and did not take is released.
    pub fn leave(&self) {
        // In a forked child the wait belongs to the parent, and its lock may be another thread's.
        if self.turn.asks.iter().any(|ask| ask.account.core().same_process().is_err()) {
            return;
        }
        if self.turn.is_taken() {
            return;
        }
        let _ = self.locked(|locked, _| {
            if let Some((index, meter)) = self.turn.queued() {
                let account = locked[index].identity().id();
                locked[index].state.queues_mut().remove(meter, self.turn.ticket, account);
                self.turn.put(Place::Over);
            }
        });
        match self.turn.take() {
            Some(Ok(Grant::Lease(lease))) => lease.give_back(),
            Some(Ok(Grant::Slot(Some(number)))) => self.end_slot(number),
            Some(Ok(Grant::Slot(None)) | Err(_)) | None => {}
        }
    }

    fn end_slot(&self, number: u64) {
        let _ = self.locked(|locked, _| {
            for at in locked {
                at.state.end_slot(Some(number));
            }
        });
    }

    /// Waits in this thread until it has ended. `sleeper` is the one that its mailbox wakes.
    pub fn block(&self, sleeper: &Sleeper) -> Result<Grant, Error> {
        loop {
            if let Some(result) = self.take() {
                return result;
            }
            let next = self.turn.mailbox.look();
            if let Some(result) = self.take() {
                return result;
            }
            sleeper.sleep(next);
        }
    }

    fn locked<R>(
        &self,
        step: impl FnOnce(&mut [Locked<'_>], &mut Outbox) -> R,
    ) -> Result<R, Error> {
        let mut outbox = Outbox::default();
        let result = with_locked_precisely(self.turn.accounts(), &mut outbox, step);
        outbox.send();
        result
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Again for Turn {
    /// It spans several accounts, and passed in the one whose queue it heads.
    fn again(self: Arc<Self>, outbox: &mut Outbox) {
        let _ = with_locked_precisely(self.accounts(), outbox, |locked, outbox| {
            if self.queued().is_some()
                && let Err(refused) = advance(&self, locked, outbox)
            {
                end(&self, Err(refused), outbox);
            }
        });
    }
}

/// Gives `turn` what it asks for, or the place in the queue of the meter that refuses it. An error
/// where it can never pass: then it is in no queue.
fn advance(turn: &Arc<Turn>, locked: &mut [Locked<'_>], outbox: &mut Outbox) -> Result<(), Error> {
    let refused = turn.asks.iter().zip(locked.iter()).enumerate().find_map(|(index, (ask, at))| {
        Some((index, at.state.refuses(&ask.demands, ask.terms, turn.ticket)?))
    });
    let place = refused.map(|(index, at)| (index, turn.asks[index].demands[at].0));
    if let Some(old) = turn.queued() {
        if place == Some(old) {
            return Ok(());
        }
        let at = &mut locked[old.0];
        let account = at.identity().id();
        at.state.queues_mut().remove(old.1, turn.ticket, account);
    }
    let Some((index, meter)) = place else {
        let grant = grant(turn, locked, outbox);
        end(turn, Ok(grant), outbox);
        return Ok(());
    };
    turn.put(Place::Over);
    // What can never pass is not worth the wait for another meter, nor is what nobody waits for.
    for (ask, at) in turn.asks.iter().zip(locked.iter_mut()) {
        let final_here = || {
            let refused = at.state.refuses(&ask.demands, ask.terms, turn.ticket);
            refused.filter(|_| !ask.patient)
        };
        if let Some(demand) = at.state.hopeless(&ask.demands, ask.terms).or_else(final_here) {
            let (state, mut step) = at.step(outbox);
            step.tell_denied(&state.meters, &ask.demands);
            let identity = step.identity;
            return Err(state.refusal(identity, &ask.demands, demand, step.now, ask.terms));
        }
    }
    let at = &mut locked[index];
    if turn.is_over(index, at.now.tick) {
        return Err(at.state.timed_out(meter, turn, at.identity(), at.now));
    }
    at.state.queue(index, meter, turn);
    Ok(())
}

fn grant(turn: &Turn, locked: &mut [Locked<'_>], outbox: &mut Outbox) -> Grant {
    match turn.wants {
        Wants::Slot => Grant::Slot(locked[0].state.take_slot(&turn.asks[0].demands, locked[0].now)),
        Wants::Lease => {
            let parts: SmallVec<[_; 4]> = turn.asks.iter().map(Ask::part).collect();
            Grant::Lease(group::open(&parts, &turn.request, locked, outbox))
        }
    }
}
