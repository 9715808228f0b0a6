//! What time alone does for the waits: each event at its own moment, in order.

use super::held::Held;
use super::identity::{Identity, Step};
use super::serving::end;
use super::state::State;
use crate::accounting::{Cause, Denied, Moment, Tick};
use crate::ledger::claim::{Demand, MeterIndex};
use crate::ledger::error::Error;
use crate::ledger::queue::turn::Turn;

impl State {
    /// Brings an account with waits or admissions to `now`. Every event that time alone causes
    /// happens in order, however late this is called.
    #[cold]
    pub(crate) fn catch_up(&mut self, step: &mut Step<'_>) {
        let mut last = None;
        while let Some(at) =
            self.next_event(step.identity, step.now).filter(|at| *at <= step.now.tick)
        {
            // A lease that was granted just now may be due already, if it lives for no time.
            // Nothing else comes twice at one moment.
            if last == Some(at) && !self.is_due(at) {
                break;
            }
            last = Some(at);
            let then = &mut step.at(step.now.back_to(at));
            self.expire_due(then);
            self.roll(then.now);
            self.end_admissions(then.now.tick);
            self.serve(then);
            self.end_overdue(then);
        }
    }

    /// Whether a lease may have run out.
    #[inline]
    pub(crate) fn is_due(&self, now: Tick) -> bool {
        self.entries().and_then(|entries| entries.next_due()).is_some_and(|due| due <= now)
    }

    /// When the next event happens that a wait may depend on, if nobody does anything.
    pub(crate) fn next_event(&self, identity: &Identity, now: Moment) -> Option<Tick> {
        let queues = self.queues()?;
        let admission = queues.admissions.next_over();
        if queues.is_empty() {
            return admission;
        }
        let lease = self.entries().and_then(|entries| entries.next_due());
        let heads =
            queues.heads().filter_map(|(meter, turn)| self.frees_at(meter, turn, identity, now));
        heads.chain(admission).chain(lease).chain(queues.next_deadline()).min()
    }

    /// When time alone lets the first wait of a queue pass.
    fn frees_at(
        &self,
        meter: MeterIndex,
        turn: &Turn,
        identity: &Identity,
        now: Moment,
    ) -> Option<Tick> {
        let (amount, terms) = (turn.asks_of(identity.id(), meter), turn.terms_of(identity.id()));
        let own_meter = &self.meters[usize::from(meter)];
        // If it passes here already, something else refuses it.
        if own_meter.admits(amount, terms) {
            return None;
        }
        own_meter.frees_at(amount, terms, now)
    }

    fn end_admissions(&mut self, now: Tick) {
        while let Some(over) =
            self.queues_if_any().and_then(|queues| queues.admissions.pop_over(now))
        {
            self.meters[usize::from(over.meter)].release(&over.hold);
        }
    }

    /// Ends the waits whose deadline is over.
    fn end_overdue(&mut self, step: &mut Step<'_>) {
        while let Some((meter, turn)) = self.queues().and_then(|q| q.overdue(step.now.tick)) {
            self.queues_mut().remove(meter, turn.ticket, step.identity.id());
            let refused = self.timed_out(meter, &turn, step.identity, step.now);
            end(&turn, Err(refused), step.outbox);
        }
        self.serve(step);
    }

    /// The refusal of a wait that took too long.
    pub(crate) fn timed_out(
        &self,
        meter: MeterIndex,
        turn: &Turn,
        identity: &Identity,
        now: Moment,
    ) -> Error {
        let (asked, terms) = (turn.asks_of(identity.id(), meter), turn.terms_of(identity.id()));
        let own_meter = &self.meters[usize::from(meter)];
        if let Some((_, claim)) = turn.claim_of(identity.id())
            && let Some(ended) = self.drawn_out(turn, claim, identity, now)
        {
            return ended;
        }
        let mut denied = Denied::by(own_meter, identity.code(), identity.denied_id(), asked, now);
        let demands = [Demand::new(meter, asked)];
        (denied.cause, denied.retry_after) = match self.held(identity, &demands, now, terms) {
            Held::For(wait) => (Cause::Held, wait),
            Held::Not(_) => (Cause::Spent, self.wait(identity, &demands, now, terms)),
        };
        let waited = turn.wanted.timeout.unwrap_or_default().as_secs_f64();
        identity.complete(&mut denied, meter);
        denied.remark = Some(format!(" (waited {waited} s for it)"));
        Error::TimedOut(denied)
    }

    /// Ends a step: capacity that it freed goes to the waits.
    #[cold]
    pub(crate) fn serve_all(&mut self, step: &mut Step<'_>) {
        self.serve(step);
        if self.is_due(step.now.tick) {
            self.catch_up(step);
        }
        self.rearm(step);
    }

    /// Schedules the next refresh with the mailboxes that watch the clock, and wakes those whose
    /// refresh moves forward.
    pub(crate) fn rearm(&self, step: &mut Step<'_>) {
        let Some(queues) = self.waits() else { return };
        if step.identity.core().clock().is_manual() {
            return;
        }
        if let Some(at) = self.next_event(step.identity, step.now) {
            for mailbox in queues.watchers().filter(|mailbox| mailbox.arm(step.identity.id(), at)) {
                step.outbox.wake(mailbox);
            }
        }
    }
}
