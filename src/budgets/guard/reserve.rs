//! Reservations of a guard, under all limits that match.

use std::sync::Arc;

use smallvec::SmallVec;

use super::allotments::Allotted;
use super::counter::{Counter, amount, amounts_of};
use super::matched::{Matched, Owned, OwnedAsk};
use super::state::{Guard, GuardRequest, Known};
use crate::accounting::{Invalid, Terms, Unit, UsageEstimate};
use crate::budgets::allowances::PaidAccount;
use crate::budgets::policy::{Labels, UnknownPrice, label};
use crate::ledger::{
    AskPart, Carried, Demand, Demands, Error, Heritable, Kept, Lease, Request, reserve_quietly,
};

impl Guard {
    /// Holds the estimate under all limits that match, or refuses and changes nothing.
    pub fn reserve(&self, labels: &Labels<'_>, request: GuardRequest) -> Result<Lease, Error> {
        self.reserve_in(None, labels, request)
    }

    /// What applies to requests with these labels, for callers that use the same labels often.
    pub fn known(&self, labels: &Labels<'_>) -> Result<Known, Error> {
        self.here()?.matched(labels).map(Known)
    }

    /// [`reserve`](Self::reserve) with what is known of its labels. `None` if that is out of date,
    /// a price is missing, or a required label is missing. Then the labels must be looked up again.
    #[inline]
    pub fn reserve_known(
        &self,
        known: &Known,
        request: &GuardRequest,
    ) -> Result<Option<Lease>, Error> {
        let guard = self.here()?;
        let matched = &known.0;
        let priced = matched.price.is_some() || !matched.needs_price;
        let askable = priced && !matched.lacks_a_label;
        if matched.generation != guard.present_generation() || !askable {
            return Ok(None);
        }
        let estimate = guard.priced(matched, None, &[], request)?;
        guard.reserve_matched(None, matched, estimate, request, false).map(Some)
    }

    pub(super) fn reserve_in(
        &self,
        allotted: Option<&Arc<Allotted>>,
        labels: &Labels<'_>,
        request: GuardRequest,
    ) -> Result<Lease, Error> {
        let guard = self.here_for(allotted)?;
        let matched = guard.asked(labels, request.spent)?;
        let estimate = guard.priced(&matched, allotted, labels, &request)?;
        guard.reserve_matched(allotted, &matched, estimate, &request, false)
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
        let guard = self.here_for(allotted)?;
        let matched = guard.asked(labels, request.spent)?;
        let estimate = guard.priced(&matched, allotted, labels, &request)?;
        let waits = matched.wait.is_some();
        match guard.reserve_matched(allotted, &matched, estimate, &request, waits) {
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
        let labels = matched.labels.as_ref();
        let owned = self.demands(matched, &estimate, allotted)?;
        let asks: SmallVec<[AskPart<'_>; 8]> =
            owned.iter().map(|one| one.part(terms, labels)).collect();
        let request = Request { estimate, ttl: request.ttl, ..Request::default() };
        let lease = match reserve_quietly(&asks, &request) {
            Err(Error::Denied(denied)) if !waits => {
                allotted.map_or(Ok(()), |allotted| allotted.check_open())?;
                let refused = denied.into();
                if self.core.listening() {
                    let asked = amounts_of(&request.estimate);
                    matched.tell_refused(&self.core, &asked, &refused, false);
                }
                return Err(refused);
            }
            other => other?,
        };
        self.forget_sometimes(matched);
        matched.asked.iter().for_each(|asked| asked.counter.count());
        over.iter().for_each(|event| self.core.publish(event));
        self.tell_unmatched(matched, &request.estimate);
        if self.core.listening() {
            matched.tell_passed(
                &self.core,
                &amounts_of(&request.estimate),
                Some(lease.id()),
                false,
            );
        }
        Ok(lease.carrying(carried(matched, allotted)))
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
                |model| no_price(model, label(labels, "provider")),
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
        let counters = matched.order.iter().map(|index| &matched.asked[*index]);
        for asked in counters.chain(&matched.by_provider) {
            let demands = asked.amounts(estimate, 1, paid);
            if !demands.is_empty() {
                let (account, patient) = (&asked.counter.account, asked.patient);
                owned.push(OwnedAsk { account, demands, patient, entry: u32::MAX });
            }
        }
        for (PaidAccount { account, units, .. }, entry) in &matched.allowances {
            let amount = |&(meter, unit)| Demand::new(meter, amount(unit, estimate, 1));
            let demands = units.iter().map(amount).collect();
            owned.push(OwnedAsk { account, demands, patient: false, entry: *entry });
        }
        if let Some(allotted) = allotted {
            allotted.asks(estimate, &mut owned)?;
        }
        if owned.is_empty() {
            owned.push(OwnedAsk::last(&self.nobody, Demands::new()));
        }
        Ok(owned)
    }
}

/// The error for a model without a price, and the ways out.
fn no_price(model: &str, provider: Option<&str>) -> String {
    let key = provider.map_or_else(|| model.to_owned(), |provider| format!("{provider}:{model}"));
    format!(
        "a rule limits the cost of this request, but no price is known for the model {model:?}; \
         write [prices.{key:?}] with input and output in US dollars for a million tokens, or \
         install the prices of genai-prices (pip install \"outlay[prices]\"), or set [defaults] \
         on_unknown_price"
    )
}

pub(super) fn carried(matched: &Matched, allotted: Option<&Arc<Allotted>>) -> Carried {
    let keeps = allotted.map(|allotted| Arc::clone(allotted) as Arc<dyn Kept>);
    Carried { price: matched.price.clone(), keeps, ..Carried::none() }
}
