//! The end of a step of an account whose limits several processes share: requests that the store
//! cannot help end, and the supply hears what it must.

use std::sync::Arc;

use super::held::Verdict;
use super::identity::Step;
use super::serving::end;
use super::state::State;
use crate::accounting::{Changes, News};
use crate::ledger::queue::turn::Turn;

impl State {
    /// Notes a request that waits and asks of this account.
    pub(crate) fn note(&mut self, turn: &Arc<Turn>) {
        if let Some(supplied) = self.rare.as_mut().and_then(|rare| rare.supplied.as_mut()) {
            supplied.waiting.entry(turn.ticket).or_insert_with(|| Arc::clone(turn));
        }
    }

    /// Ends the step of an account of shared limits: requests that wait for nobody but the store end
    /// if it cannot help them, and the supply hears what it must.
    #[cold]
    #[inline(never)]
    pub(crate) fn hand_on_shared(&mut self, step: &mut Step<'_>) {
        let waits = self.has_waits();
        if waits {
            self.serve_all(step);
            // Who has ended may have stood before others.
            while self.supplied().is_some_and(|supplied| !supplied.waiting.is_empty())
                && self.end_drawing(step)
            {
                self.serve_all(step);
            }
        }
        let Some(supplied) = self.supplied() else { return };
        let keeps = supplied.keeps;
        let id = step.identity.id();
        for at in 0..self.meters.len() {
            let Some(limit) = self.meters[at].shared_limit() else { continue };
            let needed = if waits { self.needed(at, id, step.now) } else { None };
            let meter = &mut self.meters[at];
            let changes = meter.take_changes();
            let news = meter.news(needed.map_or(0, |needed| needed.request));
            let booked = keeps && meter.take_booked();
            if news.is_none() && !booked && changes == Changes::default() {
                continue;
            }
            let Some(supply) = self.supplied().map(|supplied| Arc::clone(&supplied.supply)) else {
                return;
            };
            match news {
                None => {}
                Some(News::Low) => step.outbox.tell(&supply, move |supply| supply.short(limit)),
                Some(News::Surplus) => {
                    step.outbox.tell(&supply, move |supply| supply.surplus(limit));
                }
            }
            if booked {
                step.outbox.tell(&supply, move |supply| supply.booked(limit));
            }
            if changes != Changes::default() {
                step.outbox.tell(&supply, move |supply| supply.changed(limit, changes));
            }
        }
    }

    /// Whether anybody waits here.
    fn has_waits(&self) -> bool {
        self.supplied().is_some_and(|supplied| !supplied.waiting.is_empty())
            || self.queues().is_some_and(|queues| !queues.is_empty())
    }

    /// Ends requests that wait for the store alone, and that a limit refuses meanwhile. If the store
    /// is away, what waits for it is decided without it. Returns whether one has ended.
    fn end_drawing(&mut self, step: &mut Step<'_>) -> bool {
        let Some(supplied) = self.rare.as_mut().and_then(|rare| rare.supplied.as_mut()) else {
            return false;
        };
        supplied.waiting.retain(|_, turn| turn.is_pending());
        let turns: Vec<Arc<Turn>> = supplied.waiting.values().cloned().collect();
        let mut ended = false;
        for turn in turns.into_iter().filter(|turn| turn.is_pending()) {
            self.end_if_refused(&turn, step);
            ended |= !turn.is_pending();
        }
        ended
    }

    fn end_if_refused(&mut self, turn: &Arc<Turn>, step: &mut Step<'_>) {
        let id = step.identity.id();
        let Some((_, claim)) = turn.claim_of(id) else { return };
        let until = turn.until(step.now.tick);
        let draws = turn.wanted.draws || !claim.patient;
        let verdict = self.verdict(&claim.demands, claim.terms, turn.ticket, until, id);
        let alone = turn.claims.len() == 1;
        match verdict {
            Verdict::Passes => {}
            Verdict::Refused(at) if draws && alone => {
                let refused =
                    self.refusal(step.identity, &claim.demands, at, step.now, claim.terms);
                self.end_queued(turn, Err(refused), step);
            }
            Verdict::Refused(_) if draws => {
                if let Some(wait) = turn.again() {
                    step.outbox.try_again(wait);
                }
            }
            Verdict::Refused(_) => {}
            Verdict::Short(at) if alone => {
                match self.passes_when_away(&claim.demands, claim.terms, until) {
                    Some(true) => {
                        let granted = self.grant_queued(turn, step);
                        end(turn, Ok(granted), step.outbox);
                    }
                    Some(false) if draws => {
                        let away = self.unavailable(step.identity, &claim.demands, at);
                        self.end_queued(turn, Err(away), step);
                    }
                    Some(false) | None => {}
                }
            }
            Verdict::Short(_) => {}
        }
    }
}
