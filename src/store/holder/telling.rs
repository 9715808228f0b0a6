//! What the thread of a store says to callers: events, and its status.

use std::sync::Arc;

use super::notices::{StoreEvent, StoreEventKind};
use super::status::{ShareStatus, Status};
use super::talk::{Talk, machine};
use crate::store::message::{Answer, LimitId, Message};
use crate::store::supply::Meters;

impl Talk {
    pub(super) fn tell_of(&self, kind: StoreEventKind, limit: LimitId, amount: Option<u64>) {
        if self.shared.notices.is_heard() {
            let limit = Some(self.shared.name_of(limit));
            self.shared.notices.tell(&StoreEvent { limit, amount, ..StoreEvent::of(kind) });
        }
    }

    pub(super) fn tell_drawn(&self, message: &Message, answer: &Answer) {
        if !self.shared.notices.is_heard() {
            return;
        }
        for (ask, given) in message.asks.iter().zip(&answer.given) {
            let drawn = given.granted.saturating_sub(ask.have);
            if drawn > 0 {
                self.tell_of(StoreEventKind::Drawn, ask.limit, Some(drawn));
            }
        }
    }

    pub(super) fn status(&mut self) -> Status {
        let (shared, supply) = (Arc::clone(&self.shared), &self.supply);
        let mut shares = Vec::new();
        for limit in self.registry.limits() {
            self.registry.visit(limit, &mut |view, share| {
                shares.push(ShareStatus {
                    name: shared.name_of(limit),
                    out: share.amount(),
                    free: share.amount().saturating_sub(view.spent.saturating_add(view.held)),
                    used: view.spent,
                    held: view.held,
                });
            });
        }
        Status {
            url: shared.backend.place(),
            namespace: shared.options.namespace.clone(),
            connected: self.answered.is_some() && !shared.is_away(),
            holder: supply.holder().0,
            live: supply.live(),
            messages: supply.number(),
            limits: shares.len(),
            shares,
            last_answer: self.answered.map(|(at, _)| machine().since(at)),
            round_trip: supply.trip(),
            clock_offset: self.answered.map(|(_, offset)| offset),
            clock_leapt: shared.backend.has_leapt(),
            epoch: supply.epoch(),
            problem: self.problem.clone(),
        }
    }
}
