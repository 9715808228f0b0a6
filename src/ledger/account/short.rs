//! Requests that lack a share of a limit that several processes share. Nothing changes here.

use std::sync::Arc;

use super::held::Verdict;
use super::identity::Identity;
use super::state::State;
use crate::accounting::{Cause, Moment, Share, Terms, Tick};
use crate::ledger::account_id::AccountId;
use crate::ledger::claim::{Demand, MeterIndex};
use crate::ledger::error::{Error, StoreError};
use crate::ledger::queue::turn::{QueuedClaim, Turn};
use crate::ledger::supply::{Lack, View};

/// What the oldest waiter that lacks a share of a meter needs.
pub(crate) struct Needed {
    amount: u64,
    since: Tick,
    pub(crate) request: u64,
}

impl State {
    /// Whether a request passes. `until` is the deadline of its lease, if it opens one.
    #[cold]
    pub(crate) fn verdict(
        &self,
        demands: &[Demand],
        terms: Terms,
        ticket: u64,
        until: Option<Tick>,
        id: AccountId,
    ) -> Verdict {
        let Some(at) = self.refuses(demands, terms, ticket) else {
            let uncovered = self.uncovered(demands, until);
            return uncovered.map_or(Verdict::Passes, Verdict::Short);
        };
        if self.supplied().is_none() || self.is_closed() {
            return Verdict::Refused(at);
        }
        let is_short = |index: usize| {
            let Some((meter, amount)) = self.asked(demands, index) else { return false };
            let number = demands[index].meter;
            let left = meter.admits(amount, terms) || meter.is_short(amount, terms);
            left && (!self.is_behind(number, amount, terms, ticket)
                || self.is_head_short(number, id))
        };
        let refused = (0..demands.len())
            .find(|&index| !self.passes(demands, index, terms, ticket) && !is_short(index));
        refused.map_or(Verdict::Short(at), Verdict::Refused)
    }

    /// Whether the oldest wait on a meter waits for the store, and for nobody else.
    fn is_head_short(&self, number: MeterIndex, id: AccountId) -> bool {
        let Some(head) = self.queues().and_then(|queues| queues.first(number)) else { return true };
        let (amount, terms) = (head.asks_of(id, number), head.terms_of(id));
        let meter = &self.meters[usize::from(number)];
        meter.admits(amount, terms) || meter.is_short(amount, terms)
    }

    /// The first of `demands` of which no lease may last until `until`: the store was not promised
    /// that.
    pub(crate) fn uncovered(&self, demands: &[Demand], until: Option<Tick>) -> Option<usize> {
        self.supplied()?;
        let until = until?;
        let meter = |demand: &Demand| self.meters.get(usize::from(demand.meter));
        demands.iter().position(|demand| meter(demand).is_some_and(|meter| !meter.covers(until)))
    }

    /// Whether a request that lacks shares passes because the store is away. `None` if it is not.
    pub(crate) fn passes_when_away(
        &self,
        demands: &[Demand],
        terms: Terms,
        until: Option<Tick>,
    ) -> Option<bool> {
        let supplied = self.supplied()?;
        let mut passes = None;
        for (index, demand) in demands.iter().enumerate() {
            let (meter, asked) = self.asked(demands, index)?;
            let uncovered = until.is_some_and(|until| !meter.covers(until));
            let Some(limit) = meter.shared_limit() else { continue };
            if !uncovered && !self.meters[usize::from(demand.meter)].is_short(asked, terms) {
                continue;
            }
            let taken = meter.used_here().saturating_add(meter.reserved());
            let share = meter.share()?;
            let others = share.others().most.map(|_| *share.others());
            let lack = Lack { limit, share: share.amount(), taken, asked, others };
            passes = Some(passes.unwrap_or(true) & supplied.supply.passes_when_away(&lack)?);
        }
        passes
    }

    /// The error of a request that lacks a share of a store that is away.
    #[cold]
    pub(crate) fn unavailable(&self, identity: &Identity, demands: &[Demand], at: usize) -> Error {
        let asked = self.asked(demands, at);
        let text = asked.map_or(String::new(), |(meter, amount)| {
            let share = meter.share().map_or(0, Share::amount);
            let taken = meter.used_here().saturating_add(meter.reserved());
            let (free, unit) = (share.saturating_sub(taken), meter.unit().name());
            let over = self.supplied().is_some_and(|supplied| supplied.supply.is_over());
            let (what, then) = if over {
                ("is closed in this process", "open it again")
            } else {
                let then = "try again when the store is back, or choose with on_down what passes \
                            meanwhile";
                ("does not answer", then)
            };
            format!(
                "the store of {:?} {what}: {amount} {unit} were asked for, and {free} of the {share} \
                 that this process had drawn are free; nothing was booked; {then}",
                identity.key().as_str(),
            )
        });
        StoreError::Unavailable(text).into()
    }

    /// The refusal of a request that others hold up: they have drawn what the limit leaves.
    #[cold]
    pub(crate) fn with_others(
        &self,
        identity: &Identity,
        demands: &[Demand],
        at: usize,
        now: Moment,
        terms: Terms,
    ) -> Error {
        let mut refused = self.refusal(identity, demands, at, now, terms);
        if let Error::Denied(denied) = &mut refused {
            denied.cause = Cause::Held;
            denied.retry_after = denied.retry_after.filter(|wait| !wait.is_zero());
            denied.remark = Some(": other processes hold what is left of it".to_owned());
        }
        refused
    }

    /// The end of a wait that took too long, if it waited for the store.
    #[cold]
    pub(crate) fn drawn_out(
        &self,
        turn: &Turn,
        claim: &QueuedClaim,
        identity: &Identity,
        now: Moment,
    ) -> Option<Error> {
        self.supplied()?;
        let (demands, terms, until) = (&claim.demands, claim.terms, turn.until(now.tick));
        let verdict = self.verdict(demands, terms, turn.ticket, until, identity.id());
        let Verdict::Short(at) = verdict else { return None };
        if self.passes_when_away(demands, terms, until).is_some() {
            return Some(self.unavailable(identity, demands, at));
        }
        let refused = self.with_others(identity, demands, at, now, terms);
        match refused {
            Error::Denied(denied) if !turn.wanted.draws => Some(Error::TimedOut(denied)),
            refused => Some(refused),
        }
    }

    /// What the oldest waiter that lacks a share of the meter at `at` needs.
    pub(crate) fn needed(&self, at: usize, id: AccountId, now: Moment) -> Option<Needed> {
        let waiting = &self.supplied()?.waiting;
        let number = MeterIndex(u8::try_from(at).ok()?);
        let meter = &self.meters[at];
        waiting.values().filter(|turn| turn.is_pending()).find_map(|turn| {
            let (_, claim) = turn.claim_of(id)?;
            if claim.demands.iter().all(|demand| demand.meter != number) {
                return None;
            }
            let amount = claim.asks_of(number);
            let uncovered = turn.until(now.tick).is_some_and(|until| !meter.covers(until));
            let short = meter.is_short(amount, claim.terms);
            (short || uncovered).then(|| Needed {
                amount: meter.needs(amount, claim.terms),
                since: claim.since,
                request: turn.ticket,
            })
        })
    }

    /// What the meter at `at` says to its supply.
    pub(crate) fn view(&self, at: usize, identity: &Identity, now: Moment) -> View {
        let needed = self.needed(at, identity.id(), now);
        let until = self.last_deadline(at, identity.id(), now);
        let asked = self.meters[at].asked();
        let meter = &self.meters[at];
        View {
            spent: meter.used_here(),
            held: meter.reserved(),
            until,
            need: needed.as_ref().map_or(0, |needed| needed.amount),
            since: needed.as_ref().map(|needed| needed.since),
            request: needed.map(|needed| needed.request),
            calls: asked.calls,
            asked: asked.amount,
        }
    }

    /// The latest deadline of the leases that hold of a meter, and of those that waiters ask for.
    fn last_deadline(&self, at: usize, id: AccountId, now: Moment) -> Option<Tick> {
        let number = MeterIndex(u8::try_from(at).ok()?);
        let open = self.entries().into_iter().flat_map(|entries| entries.open());
        let open = open.filter(|(_, entry)| entry.holds.iter().any(|held| held.meter == number));
        let open = open.map(|(_, entry)| entry.deadline);
        let waiting = self.supplied()?.waiting.values().filter(|turn| turn.is_pending());
        let asks = |turn: &&Arc<Turn>| {
            let claim = turn.claim_of(id);
            claim.is_some_and(|(_, claim)| claim.demands.iter().any(|d| d.meter == number))
        };
        let waiting = waiting.filter(asks).filter_map(|turn| turn.until(now.tick));
        let admissions = self.queues().into_iter().flat_map(|queues| queues.admissions.iter());
        open.chain(waiting).chain(admissions.map(|admission| admission.deadline)).max()
    }
}
