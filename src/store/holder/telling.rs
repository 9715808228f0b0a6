//! What the thread of a store says to callers: events, and its status.

use super::notices::{StoreEvent, StoreEventKind};
use super::shared::{StoreState, machine};
use super::status::{ShareStatus, Status};
use crate::accounting::Tick;
use crate::store::message::{Answer, LimitId, Message};
use crate::store::supply::{HolderSupply, Meters, Registry};

impl StoreState {
    pub(super) fn tell_of(&self, kind: StoreEventKind, limit: LimitId, amount: Option<u64>) {
        if self.notices.is_heard() {
            let limit = Some(self.name_of(limit));
            self.notices.tell(&StoreEvent { limit, amount, ..StoreEvent::of(kind) });
        }
    }

    pub(super) fn tell_drawn(&self, message: &Message, answer: &Answer) {
        if !self.notices.is_heard() {
            return;
        }
        for (ask, given) in message.asks.iter().zip(&answer.given) {
            let drawn = given.granted.saturating_sub(ask.have);
            if drawn > 0 {
                self.tell_of(StoreEventKind::Drawn, ask.limit, Some(drawn));
            }
        }
    }
}

/// The status of a store. `answered` is when it last answered, and how far its clock is ahead.
pub(super) fn status(
    shared: &StoreState,
    supply: &HolderSupply,
    registry: &mut Registry,
    answered: Option<(Tick, i64)>,
    problem: Option<&str>,
) -> Status {
    let mut shares = Vec::new();
    for limit in registry.limits() {
        registry.visit(limit, &mut |view, share| {
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
        connected: answered.is_some() && !shared.is_away(),
        holder: supply.holder().0,
        live: supply.live(),
        messages: supply.number(),
        limits: shares.len(),
        shares,
        last_answer: answered.map(|(at, _)| machine().since(at)),
        round_trip: supply.trip(),
        clock_offset: answered.map(|(_, offset)| offset),
        clock_leapt: shared.backend.has_leapt(),
        epoch: supply.epoch(),
        problem: problem.map(str::to_owned),
    }
}
