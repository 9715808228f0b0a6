//! Reservations of a guard, under all limits that match.

use std::sync::Arc;

use smallvec::SmallVec;

use super::allotments::Allotted;
use super::counter::{Counter, amount};
use super::matched::{Matched, Owned};
use super::state::{Guard, GuardRequest, Known};
use crate::accounting::{Denied, Invalid, Key, Terms, Unit, UsageEstimate};
use crate::budgets::policy::{Labels, UnknownPrice, label};
use crate::ledger::{
    Ask, AskPart, Carried, Demand, Demands, Error, Event, EventKind, Kept, Lease, Request, check,
    reserve_quietly,
};

impl Guard {
    /// Holds the estimate under all limits that match, or refuses and changes nothing.
    pub fn reserve(&self, labels: &Labels<'_>, request: GuardRequest) -> Result<Lease, Error> {
        self.reserve_in(None, labels, request)
    }

    /// What applies to requests with these labels, for callers that use the same labels often.
    pub fn known(&self, labels: &Labels<'_>) -> Result<Known, Error> {
        self.matched(labels).map(Known)
    }

    /// [`reserve`](Self::reserve) with what is known of its labels. `None` if that is out of date,
    /// a price is missing, or a required label is missing. Then the labels must be looked up again.
    #[inline]
    pub fn reserve_known(
        &self,
        known: &Known,
        request: &GuardRequest,
    ) -> Result<Option<Lease>, Error> {
        let matched = &known.0;
        let priced = matched.price.is_some() || !matched.needs_price;
        let askable = priced && !matched.lacks_a_label;
        if matched.generation != self.present_generation() || !askable {
            return Ok(None);
        }
        self.core.same_process()?;
        let estimate = self.priced(matched, None, &[], request)?;
        self.reserve_matched(None, matched, estimate, request, false).map(Some)
    }

    pub(super) fn reserve_in(
        &self,
        allotted: Option<&Arc<Allotted>>,
        labels: &Labels<'_>,
        request: GuardRequest,
    ) -> Result<Lease, Error> {
        self.core.same_process()?;
        let matched = self.asked(labels, request.spent)?;
        let estimate = self.priced(&matched, allotted, labels, &request)?;
        self.reserve_matched(allotted, &matched, estimate, &request, false)
    }

    /// [`reserve`](Self::reserve), or `None` if it is refused and may [`wait`](Self::wait).
    pub fn try_reserve(
        &self,
        labels: &Labels<'_>,
        request: GuardRequest,
    ) -> Result<Option<Lease>, Error> {
        self.try_reserve_in(None, labels, request)
    }

    pub(super) fn try_reserve_in(
        &self,
        allotted: Option<&Arc<Allotted>>,
        labels: &Labels<'_>,
        request: GuardRequest,
    ) -> Result<Option<Lease>, Error> {
        self.core.same_process()?;
        let matched = self.asked(labels, request.spent)?;
        let estimate = self.priced(&matched, allotted, labels, &request)?;
        let waits = matched.wait.is_some();
        match self.reserve_matched(allotted, &matched, estimate, &request, waits) {
            Err(Error::Denied(_)) if waits => Ok(None),
            other => other.map(Some),
        }
    }

    #[inline]
    fn reserve_matched(
        &self,
        allotted: Option<&Arc<Allotted>>,
        matched: &Matched,
        estimate: UsageEstimate,
        request: &GuardRequest,
        waits: bool,
    ) -> Result<Lease, Error> {
        let over = self.soft_over(matched, &estimate)?;
        let terms = if request.landing { Terms::Landing } else { Terms::Plain };
        let owned = self.demands(matched, &estimate, allotted)?;
        let asks: SmallVec<[AskPart<'_>; 8]> = owned
            .iter()
            .map(|(account, demands, _)| AskPart { account, demands, multiplier: 1, terms })
            .collect();
        let request = Request { estimate, ttl: request.ttl, ..Request::default() };
        let lease = match reserve_quietly(&asks, &request) {
            Err(Error::Denied(denied)) if !waits => {
                allotted.map_or(Ok(()), |allotted| allotted.check_open())?;
                return Err(self.first_refusal(matched, &asks, denied));
            }
            other => other?,
        };
        self.forget_sometimes(matched);
        matched.asked.iter().for_each(|asked| asked.counter.count());
        over.iter().for_each(|event| self.core.publish(event));
        self.tell_unmatched(matched, &request.estimate);
        Ok(lease.carrying(carried(matched, allotted)))
    }

    /// Of all refusals, the first in the order of the policy.
    #[cold]
    pub(super) fn first_refusal(
        &self,
        matched: &Matched,
        asks: &[AskPart<'_>],
        denied: Box<Denied>,
    ) -> Error {
        let in_force = Arc::clone(&self.in_force.read());
        let mut single: Vec<(usize, &AskPart<'_>, Demand)> = Vec::new();
        for ask in asks {
            let demands = ask.demands.iter();
            single.extend(
                demands.map(|&demand| (matched.rule(ask, demand.meter, &in_force), ask, demand)),
            );
        }
        single.sort_by_key(|(place, ..)| *place);
        let refuses = |(_, ask, demand): &(usize, &AskPart<'_>, Demand)| {
            ask.account.check_on(&[*demand], ask.terms).err()
        };
        let first = single.iter().find_map(refuses);
        let all: Vec<Ask> = asks.iter().map(|ask| ask.to_ask()).collect();
        // The request can pass when all of them admit it.
        match (first, check(&all).err()) {
            (Some(Error::Denied(mut first)), Some(Error::Denied(all))) => {
                first.retry_after = all.retry_after;
                if !all.is_held() {
                    first.cause = first.cause.unheld();
                }
                self.tell_denied(&first);
                first.into()
            }
            (Some(first), _) => first,
            (None, all) => all.unwrap_or(Error::Denied(denied)),
        }
    }

    #[cold]
    fn tell_denied(&self, denied: &Denied) {
        let rule = denied.scope.first().and_then(|(_, name)| Key::parse("name", name).ok());
        let amounts = SmallVec::from_slice(&[(denied.unit, denied.requested)]);
        let (key, tick) = (rule.unwrap_or(Key::fixed("guard")), self.core.clock().tick());
        let (kind, lease, labels) = (EventKind::Denied, None, Vec::new());
        self.core.publish(&Event { kind, key, lease, amounts, tick, labels });
    }

    /// The estimate with its cost. A call without a known price is refused if money is limited.
    pub(super) fn priced(
        &self,
        matched: &Matched,
        allotted: Option<&Arc<Allotted>>,
        labels: &Labels<'_>,
        request: &GuardRequest,
    ) -> Result<UsageEstimate, Error> {
        let estimate = request.estimate.clone();
        if let Some(price) = &matched.price {
            return Ok(if request.spent {
                price.booked(estimate)
            } else {
                price.estimated(estimate)
            });
        }
        if estimate.cost_micros_usd > 0 || matched.is_tool {
            return Ok(estimate);
        }
        let denies = self.in_force.read().policy.defaults.unknown_price == UnknownPrice::Deny;
        let sets_aside = allotted.is_some_and(|allotted| allotted.sets_aside(Unit::Cost));
        if denies && (matched.needs_price || sets_aside) {
            let message = label(labels, "model").map_or_else(
                || {
                    "a rule limits the cost of this request, but the request has no label model=, \
                     so its price is unknown; give the label, or set [defaults] on_unknown_price"
                        .to_owned()
                },
                |model| {
                    format!(
                        "a rule limits the cost of this request, but no price is known for the \
                         model {model:?}; add it to [prices], or set [defaults] on_unknown_price"
                    )
                },
            );
            return Err(Invalid::sentence(message).into());
        }
        Ok(estimate)
    }

    /// The accounts of a request, with the meters and amounts that it asks for.
    pub(super) fn demands<'a>(
        &'a self,
        matched: &'a Matched,
        estimate: &UsageEstimate,
        allotted: Option<&'a Arc<Allotted>>,
    ) -> Result<Owned<'a>, Error> {
        let paid = |counter: &Counter, meter, _| {
            allotted.is_some_and(|allotted| allotted.pays(counter, meter))
        };
        let mut owned: Owned<'_> = SmallVec::new();
        matched.touch_runs(self.core.clock());
        self.ends.run(self.core.clock());
        for asked in matched.order.iter().map(|index| &matched.asked[*index]) {
            let demands = asked.amounts(estimate, 1, paid);
            if !demands.is_empty() {
                owned.push((&asked.counter.account, demands, asked.patient));
            }
        }
        for (account, units) in &matched.allowances {
            let amount = |&(meter, unit)| Demand::new(meter, amount(unit, estimate, 1));
            owned.push((account, units.iter().map(amount).collect(), false));
        }
        if let Some(allotted) = allotted {
            allotted.asks(estimate, &mut owned)?;
        }
        if owned.is_empty() {
            owned.push((&self.nobody, Demands::new(), false));
        }
        Ok(owned)
    }
}

pub(super) fn carried(matched: &Matched, allotted: Option<&Arc<Allotted>>) -> Carried {
    let keeps = allotted.map(|allotted| Arc::clone(allotted) as Arc<dyn Kept>);
    Carried { price: matched.price.clone(), keeps, passed: None }
}
