//! How capacity goes to those who wait: under the account's lock, oldest first, at the moment at
//! which it frees.

use std::sync::Arc;

use super::account::Account;
use super::error::Error;
use super::event::Outbox;
use super::group;
use super::queue::{Queues, Slot};
use super::state::State;
use super::turn::{Grant, Place, Turn, Wants};
use crate::accounting::{Denied, Moment, Terms, Tick, Window};

impl State {
    pub(crate) fn queues_mut(&mut self) -> &mut Queues {
        self.queues.get_or_insert_default()
    }

    /// Whether somebody older than `ticket` waits for `meter`, of which `amount` is asked.
    #[inline]
    pub(crate) fn is_behind(&self, meter: u8, amount: u64, terms: Terms, ticket: u64) -> bool {
        let Some(queues) = &self.queues else { return false };
        (amount > 0 || terms == Terms::Gated)
            && queues.first(meter).is_some_and(|first| first.ticket < ticket)
    }

    /// Brings the account to `now` where somebody waits or holds a slot: what comes by the passing
    /// of time alone comes in its order, however late it is looked at.
    #[cold]
    pub(crate) fn catch_up(&mut self, account: &Account, now: Moment, outbox: &mut Outbox) {
        let mut last = None;
        while let Some(at) =
            self.next_event(account, now).filter(|at| *at <= now.tick && last != Some(*at))
        {
            last = Some(at);
            let then = now.back_to(at);
            self.expire_due(account, then, outbox);
            self.roll(then);
            self.end_slots(then.tick);
            self.serve(account, then, outbox);
            self.end_overdue(account, then, outbox);
        }
    }

    /// When something happens next that those who wait may care about, if nobody does anything.
    pub(crate) fn next_event(&self, account: &Account, now: Moment) -> Option<Tick> {
        let queues = self.queues.as_ref()?;
        let slot = queues.next_slot_over();
        if queues.is_empty() {
            return slot;
        }
        let lease = self.book.as_ref().and_then(|book| book.next_due());
        let heads =
            queues.heads().filter_map(|(meter, turn)| self.frees_at(meter, turn, account, now));
        heads.chain(slot).chain(lease).chain(queues.next_deadline()).min()
    }

    /// When the first of a queue can be served by the passing of time alone.
    fn frees_at(&self, meter: u8, turn: &Turn, account: &Account, now: Moment) -> Option<Tick> {
        let (amount, terms) = (turn.asks_of(account, meter), turn.terms_of(account));
        let of_meter = &self.meters[usize::from(meter)];
        // Where it passes here already, something else is in its way.
        if of_meter.admits(amount, terms) {
            return None;
        }
        of_meter.frees_at(amount, terms, now)
    }

    fn end_slots(&mut self, now: Tick) {
        while let Some(queues) = &mut self.queues
            && queues.next_slot_over().is_some_and(|over| over <= now)
        {
            let Some(slot) = queues.pop_slot() else { return };
            self.meters[usize::from(slot.meter)].release(&slot.hold);
        }
    }

    /// Ends the waits that took too long.
    fn end_overdue(&mut self, account: &Account, now: Moment, outbox: &mut Outbox) {
        while let Some((meter, turn)) = self.queues.as_ref().and_then(|q| q.overdue(now.tick)) {
            self.queues_mut().remove(meter, turn.ticket, account);
            let refused = self.timed_out(meter, &turn, account, now);
            end(&turn, Err(refused), outbox);
        }
        self.serve(account, now, outbox);
    }

    /// The refusal of a wait that took too long.
    pub(crate) fn timed_out(
        &self,
        meter: u8,
        turn: &Turn,
        account: &Account,
        now: Moment,
    ) -> Error {
        let (asked, terms) = (turn.asks_of(account, meter), turn.terms_of(account));
        let of_meter = &self.meters[usize::from(meter)];
        let mut denied = Denied::by(of_meter, account.code(), account.denied_id(), asked, now);
        denied.retry_after = self.wait(account, &[(meter, asked)], now, terms);
        let waited = turn.timeout.unwrap_or_default().as_secs_f64();
        denied.reason = Some(format!("{} (waited {waited} s for it)", denied.message()));
        Error::TimedOut(denied)
    }

    /// Gives what is free to those whose turn it is.
    pub(crate) fn serve(&mut self, account: &Account, now: Moment, outbox: &mut Outbox) {
        let mut going = true;
        while going {
            let Some(queues) = self.queues.as_ref().filter(|queues| !queues.is_empty()) else {
                return;
            };
            let heads: Vec<(u8, Arc<Turn>)> =
                queues.heads().map(|(meter, turn)| (meter, Arc::clone(turn))).collect();
            going = false;
            for (meter, turn) in heads {
                going |= self.serve_first(meter, &turn, account, now, outbox);
            }
        }
    }

    /// Serves the first of a queue; whether it has left the queue.
    fn serve_first(
        &mut self,
        meter: u8,
        turn: &Arc<Turn>,
        account: &Account,
        now: Moment,
        outbox: &mut Outbox,
    ) -> bool {
        let Some((index, ask)) = turn.ask_of(account) else { return false };
        let refused = self.refuses(&ask.demands, ask.terms, turn.ticket);
        let hopeless = refused.and_then(|_| self.hopeless(&ask.demands, ask.terms));
        match (refused, hopeless) {
            (None, _) if turn.asks.len() > 1 => {
                // It needs the locks of its other accounts: decided right after this one is free.
                outbox.try_again(turn);
                false
            }
            (None, _) => {
                self.queues_mut().remove(meter, turn.ticket, account);
                let grant = self.grant(turn, now, outbox);
                end(turn, Ok(grant), outbox);
                true
            }
            (_, Some(at)) => {
                self.queues_mut().remove(meter, turn.ticket, account);
                let refused = self.refusal(account, &ask.demands, at, now, ask.terms);
                end(turn, Err(refused), outbox);
                true
            }
            (Some(at), None) if ask.demands[at].0 != meter => {
                // Another meter is in its way now: it waits there, at the place of its age.
                self.queues_mut().remove(meter, turn.ticket, account);
                self.queue(index, ask.demands[at].0, turn);
                true
            }
            (Some(_), None) => false,
        }
    }

    /// Queues `turn` on a meter of this account, which is that one of its asks.
    pub(crate) fn queue(&mut self, index: usize, meter: u8, turn: &Arc<Turn>) {
        self.queues_mut().add(meter, turn, &turn.asks[index].account);
        turn.put(Place::Queued(index, meter));
    }

    /// Gives what [`refuses`](Self::refuses) has let pass to a request of this account alone.
    fn grant(&mut self, turn: &Turn, now: Moment, outbox: &mut Outbox) -> Grant {
        let ask = &turn.asks[0];
        match turn.wants {
            Wants::Slot => Grant::Slot(self.take_slot(&ask.demands, now)),
            Wants::Lease => {
                Grant::Lease(group::open_one(self, ask.part(), &turn.request, now, outbox))
            }
        }
    }

    /// Lets a caller through that reports its usage later; what it asks for is held for a slot of
    /// the window, or until the next usage is recorded.
    pub(crate) fn take_slot(&mut self, demands: &[(u8, u64)], now: Moment) -> Option<u64> {
        let &(meter, amount) = demands.first()?;
        let of_meter = &mut self.meters[usize::from(meter)];
        of_meter.take_request();
        let width = match of_meter.window() {
            Window::Sliding(ring) if amount > 0 => ring.width(),
            _ => return None,
        };
        let hold = of_meter.reserve(amount);
        let slot = Slot { meter, hold, deadline: now.tick.plus(width) };
        Some(self.queues_mut().add_slot(slot))
    }

    /// Ends a slot before its time.
    pub(crate) fn end_slot(&mut self, number: Option<u64>) {
        let Some(queues) = &mut self.queues else { return };
        let slot = match number {
            Some(number) => queues.remove_slot(number),
            None => queues.pop_slot(),
        };
        if let Some(slot) = slot {
            self.meters[usize::from(slot.meter)].release(&slot.hold);
        }
    }

    /// The first of `demands` that can never pass.
    pub(crate) fn hopeless(&self, demands: &[(u8, u64)], terms: Terms) -> Option<usize> {
        (0..demands.len()).find(|&index| {
            let asked = self.asked(demands, index);
            self.closed || asked.is_none_or(|(meter, asked)| meter.is_hopeless(asked, terms))
        })
    }

    /// Tells those who watch the clock when to look next, where it is earlier than they know.
    pub(crate) fn rearm(&self, account: &Account, now: Moment, outbox: &mut Outbox) {
        let Some(queues) = self.queues.as_ref().filter(|queues| !queues.is_empty()) else { return };
        if account.core().clock().is_manual() {
            return;
        }
        if let Some(at) = self.next_event(account, now) {
            for mailbox in queues.watchers().filter(|mailbox| mailbox.arm(account, at)) {
                outbox.wake(mailbox);
            }
        }
    }
}

/// Ends a wait that is in no queue any more.
pub(super) fn end(turn: &Turn, result: Result<Grant, Error>, outbox: &mut Outbox) {
    turn.put(Place::Ended(result));
    turn.mailbox.post(turn.ticket);
    outbox.wake(&turn.mailbox);
}
