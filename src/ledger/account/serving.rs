//! How free capacity goes to the waits: under the lock of the account, oldest first.

use std::sync::{Arc, Weak};

use smallvec::SmallVec;

use super::identity::Step;
use super::state::State;
use crate::accounting::{Moment, Terms, Window};
use crate::ledger::claim::{Demand, MeterIndex};
use crate::ledger::error::Error;
use crate::ledger::post::outbox::Outbox;
use crate::ledger::queue::admissions::Admission;
use crate::ledger::queue::turn::{Granted, Opened, RoomHold, Stage, Turn, Wants};

impl State {
    /// Gives free capacity to the waits whose turn it is.
    pub(crate) fn serve(&mut self, step: &mut Step<'_>) {
        self.end_hopeless(step);
        let mut going = true;
        while going {
            let heads = self.queues().into_iter().flat_map(|queues| queues.heads());
            let heads: Vec<(MeterIndex, Arc<Turn>)> =
                heads.map(|(m, turn)| (m, Arc::clone(turn))).collect();
            going = false;
            for (meter, turn) in heads {
                going |= self.serve_first(meter, &turn, step);
            }
        }
    }

    /// Serves the first wait of a queue. Returns whether it has left the queue.
    fn serve_first(&mut self, meter: MeterIndex, turn: &Arc<Turn>, step: &mut Step<'_>) -> bool {
        let Some((index, ask)) = turn.claim_of(step.identity.id()) else { return false };
        let refused = self.refuses(&ask.demands, ask.terms, turn.ticket);
        let refused = refused.or_else(|| self.uncovered(&ask.demands, turn.until(step.now.tick)));
        match refused {
            None if turn.claims.len() > 1 => {
                // It needs the locks of its other accounts. It is decided right after this lock is
                // free.
                if let Some(wait) = turn.again() {
                    step.outbox.try_again(wait);
                }
                false
            }
            None => {
                let grant = self.grant_queued(turn, step);
                end(turn, Ok(grant), step.outbox);
                true
            }
            Some(at) => {
                let other = ask.demands[at].meter;
                if self.refuse_if_hopeless(meter, turn, step) {
                    return true;
                }
                if other != meter {
                    // Another meter refuses it now. It waits there, in the order of its age.
                    self.queues_mut().remove(meter, turn.ticket, step.identity.id());
                    self.queue(index, other, turn);
                }
                other != meter
            }
        }
    }

    /// Ends a wait that cannot pass any more. Returns whether it was one.
    fn refuse_if_hopeless(&mut self, meter: MeterIndex, turn: &Turn, step: &mut Step<'_>) -> bool {
        let Some((_, ask)) = turn.claim_of(step.identity.id()) else { return false };
        let Some(demand) = self.hopeless(&ask.demands, ask.terms) else { return false };
        self.queues_mut().remove(meter, turn.ticket, step.identity.id());
        let refused = self.refusal(step.identity, &ask.demands, demand, step.now, ask.terms);
        end(turn, Err(refused), step.outbox);
        true
    }

    /// Grants a request of this account alone, which leaves its queue.
    pub(crate) fn grant_queued(&mut self, turn: &Turn, step: &mut Step<'_>) -> Granted {
        self.unqueue(turn, step);
        self.grant(turn, step)
    }

    /// Ends a request of this account alone, which leaves its queue.
    pub(crate) fn end_queued(
        &mut self,
        turn: &Turn,
        error: Result<Granted, Error>,
        step: &mut Step<'_>,
    ) {
        self.unqueue(turn, step);
        end(turn, error, step.outbox);
    }

    fn unqueue(&mut self, turn: &Turn, step: &Step<'_>) {
        if let Some((_, meter)) = turn.queued() {
            self.queues_mut().remove(meter, turn.ticket, step.identity.id());
        }
    }

    /// Holds `demands` of the claim at `claim` for a request that is decided soon.
    pub(crate) fn hold_room(&mut self, claim: usize, demands: &[Demand], room: &mut Vec<RoomHold>) {
        for &Demand { meter, amount } in demands {
            let hold = self.meters[usize::from(meter)].hold(amount);
            room.push(RoomHold { claim, meter, hold });
        }
    }

    /// Gives back what was held for a request.
    pub(crate) fn end_room(&mut self, room: &[RoomHold], claim: usize) {
        for held in room.iter().filter(|held| held.claim == claim) {
            self.meters[usize::from(held.meter)].release(&held.hold);
        }
    }

    /// Ends the waits, anywhere in a queue, that ask more of their meter than it will ever have.
    fn end_hopeless(&mut self, step: &mut Step<'_>) {
        for meter in (0..).map(MeterIndex).take(self.meters.len()) {
            while let Some(turn) = self.queues().and_then(|queues| queues.largest(meter)) {
                let turn = Arc::clone(turn);
                let (amount, terms) =
                    (turn.asks_of(step.identity.id(), meter), turn.terms_of(step.identity.id()));
                if !self.meters[usize::from(meter)].is_hopeless(amount, terms) {
                    break;
                }
                self.refuse_if_hopeless(meter, &turn, step);
            }
        }
    }

    /// Queues `turn` on a meter of this account. `index` is the claim on this account.
    pub(crate) fn queue(&mut self, index: usize, meter: MeterIndex, turn: &Arc<Turn>) {
        self.queues_mut().add(meter, turn, turn.claims[index].id);
        turn.put(Stage::Queued(index, meter));
    }

    /// Grants a request of this account alone that [`refuses`](Self::refuses) let pass.
    fn grant(&mut self, turn: &Turn, step: &mut Step<'_>) -> Granted {
        let ask = &turn.claims[0];
        match turn.wanted.what {
            Wants::Admission => Granted::Admission(self.take_admission(&ask.demands, step.now)),
            Wants::Room => {
                let mut room = Vec::new();
                self.hold_room(0, &ask.demands, &mut room);
                Granted::Room(room)
            }
            Wants::Lease => {
                let account = || Weak::clone(&ask.account);
                let (id, entry) = self.open_alone(ask.claim(), &turn.wanted.request, account, step);
                Granted::Lease(Opened { id, entries: SmallVec::from_iter([entry]) })
            }
        }
    }

    /// Admits a caller that reports its usage later. Its amount is held for one bucket of the
    /// window, or until the next usage is recorded.
    pub(crate) fn take_admission(&mut self, demands: &[Demand], now: Moment) -> Option<u64> {
        let &Demand { meter, amount } = demands.first()?;
        let own_meter = &mut self.meters[usize::from(meter)];
        own_meter.start(amount);
        let width = match own_meter.window() {
            Window::Sliding(ring) if amount > 0 => ring.width(),
            _ => return None,
        };
        let hold = own_meter.reserve(amount);
        let admission = Admission { meter, hold, deadline: now.tick.plus(width) };
        Some(self.queues_mut().admissions.add(admission, width))
    }

    /// Ends an admission before its time.
    pub(crate) fn end_admission(&mut self, number: Option<u64>) {
        let Some(queues) = self.queues_if_any() else { return };
        let admission = match number {
            Some(number) => queues.admissions.remove(number),
            None => queues.admissions.pop(),
        };
        if let Some(admission) = admission {
            self.meters[usize::from(admission.meter)].release(&admission.hold);
        }
    }

    /// The first of `demands` that can never pass, if there is one.
    pub(crate) fn hopeless(&self, demands: &[Demand], terms: Terms) -> Option<usize> {
        let never = |index: &usize| match self.asked(demands, *index) {
            Some((meter, asked)) => self.is_closed() || meter.is_hopeless(asked, terms),
            None => true,
        };
        (0..demands.len()).find(never)
    }
}

/// Ends a wait that has left its queue.
pub(crate) fn end(turn: &Turn, result: Result<Granted, Error>, outbox: &mut Outbox) {
    turn.put(Stage::Ended(result));
    turn.mailbox.post(turn.ticket);
    outbox.wake(&turn.mailbox);
}
