//! Finds the rules, prices and accounts that apply to a request, once for all requests with the
//! same labels.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::counter::{Counter, Values, checked_labels};
use super::matched::{Asked, Matched};
use super::rule_group::RuleGroup;
use super::state::Guard;
use super::state::in_force::InForce;
use super::unmatched::Stray;
use crate::accounting::{CallPrice, CostSource, Meter, Price, Unit, UsageEstimate};
use crate::budgets::allowances::PaidAccount;
use crate::budgets::policy::{Labels, Mode, UnknownPrice, is_tool_call, label};
use crate::ledger::{Demand, Error, Event, EventKind, MeterIndex, event_labels};

/// How many prices of models are kept; then they are found anew.
const PRICES_KEPT: usize = 4_096;

impl Guard {
    /// What applies to a request with these labels. A request without a required label is refused,
    /// unless it is spent already.
    pub(super) fn asked(&self, labels: &Labels<'_>, spent: bool) -> Result<Arc<Matched>, Error> {
        let key = bytes_of(labels);
        let found = match self.kept(&key) {
            Some(found) => found,
            None if spent => self.found(key, labels)?,
            None => {
                // Checked before a counter is made for it.
                self.in_force.read().policy.defaults.check_required(labels)?;
                self.found(key, labels)?
            }
        };
        if found.lacks_a_label && !spent {
            self.in_force.read().policy.defaults.check_required(labels)?;
        }
        Ok(found)
    }

    /// What applies to requests with these labels.
    pub(super) fn matched(&self, labels: &Labels<'_>) -> Result<Arc<Matched>, Error> {
        let key = bytes_of(labels);
        self.kept(&key).map_or_else(|| self.found(key, labels), Ok)
    }

    #[inline]
    fn kept(&self, key: &[u8]) -> Option<Arc<Matched>> {
        self.matched.get(key).filter(|found| found.generation == self.present_generation())
    }

    fn found(&self, key: SmallVec<[u8; 256]>, labels: &Labels<'_>) -> Result<Arc<Matched>, Error> {
        let generation = self.present_generation();
        checked_labels(labels)?;
        self.resolve_price(labels)?;
        // Held while counters are made: an update takes over every counter that exists.
        let matched = {
            let in_force = self.in_force.read();
            Arc::new(self.find(&in_force, labels, generation)?)
        };
        self.matched.insert(&key, Arc::clone(&matched));
        Ok(matched)
    }

    /// Asks for the price of a model that has none yet.
    fn resolve_price(&self, labels: &Labels<'_>) -> Result<(), Error> {
        let (Some(resolver), Some(model)) = (&self.resolver, label(labels, "model")) else {
            return Ok(());
        };
        if self.known_price(labels).is_some() {
            return Ok(());
        }
        if let Some(price) = resolver(model, label(labels, "provider"))? {
            let name = label(labels, "provider").map(|of| format!("{of}:{model}"));
            self.prices.write().resolved.set(name.as_deref().unwrap_or(model), price);
        }
        Ok(())
    }

    fn find(
        &self,
        in_force: &InForce,
        labels: &Labels<'_>,
        generation: u64,
    ) -> Result<Matched, Error> {
        let is_tool = is_tool_call(labels);
        let (agent, model) = (label(labels, "agent"), label(labels, "model"));
        let mut matched = Matched {
            generation,
            asked: Vec::new(),
            by_provider: Vec::new(),
            order: Vec::new(),
            allowances: if is_tool {
                Vec::new()
            } else {
                let paid = self.allowances.accounts_of_call(agent, model)?;
                let place = |paid: PaidAccount| {
                    let place = in_force.policy.place(paid.table, paid.account.key().as_str());
                    (paid, place)
                };
                paid.into_iter().map(place).collect()
            },
            price: self.price(in_force, labels, generation),
            needs_price: false,
            wait: None,
            is_tool,
            lacks_a_label: in_force.policy.defaults.check_required(labels).is_err(),
            labels: self.core.listening().then(|| event_labels(labels)),
            stray: None,
            is_per_run: false,
            steps: Vec::new(),
        };
        for (PaidAccount { account, units, .. }, _) in &matched.allowances {
            let limits_cost = |meter: &Meter| meter.unit() == Unit::Cost && meter.limit().is_some();
            matched.needs_price |= units.iter().any(|(_, unit)| *unit == Unit::Cost)
                && account.read(|meters, _| meters.iter().any(limits_cost))?;
        }
        let mut meets_a_budget = false;
        for (number, group) in in_force.groups.iter().enumerate() {
            let Some(values) = group.values(labels) else { continue };
            if !group.stands_back(&in_force.groups, labels) {
                let keep = in_force.policy.defaults.keep_runs;
                let counter = self.counter(number, group, Values::of(&values), keep)?;
                if let Some((of, model)) = group.provider_group().zip(model.filter(|_| !is_tool)) {
                    let values = Values::for_provider(&values, model);
                    let counter = self.counter(number, of, values, keep)?;
                    matched.by_provider.push(Asked::of(&counter, of, false));
                }
                add(&mut matched, &counter, group);
                meets_a_budget |= group.has_budgets();
            }
        }
        let meets_anything = !matched.asked.is_empty() || !matched.allowances.is_empty();
        let is_met = if in_force.policy.has_budgets() { meets_a_budget } else { meets_anything };
        matched.stray = (!is_met && !in_force.policy.is_empty()).then(|| Stray::of(labels));
        let id = |index: &usize| matched.asked[*index].counter.account.id();
        let mut order: Vec<usize> = (0..matched.asked.len()).collect();
        order.sort_by_key(id);
        matched.order = order;
        Ok(matched)
    }

    /// The counter of a group for these values of its labels.
    fn counter(
        &self,
        number: usize,
        group: &RuleGroup,
        values: Values,
        keep: Duration,
    ) -> Result<Arc<Counter>, Error> {
        let key = (u32::try_from(number).unwrap_or(u32::MAX), values);
        if let Some(found) = self.counters.get(&key) {
            found.last_asked.touch(self.core.clock().tick());
            return Ok(Arc::clone(&found));
        }
        let made = Arc::new(Counter::new(&self.core, self.store.as_ref(), group, key.clone())?);
        let found = Arc::clone(&*self.counters.entry(key).or_insert_with(|| Arc::clone(&made)));
        if Arc::ptr_eq(&found, &made) {
            self.queue_to_forget(&found, keep);
        }
        Ok(found)
    }

    /// The price of a call of the model, if it is known.
    fn price(
        &self,
        in_force: &InForce,
        labels: &Labels<'_>,
        generation: u64,
    ) -> Option<Arc<CallPrice>> {
        // One for all labels beside these: a label of users has as many values as there are users.
        let whose = ["provider", "model", "tool"].map(|name| label(labels, name));
        let key = format!("{whose:?}");
        if let Some(found) = self.call_prices.get(&key)
            && found.0 == generation
        {
            return Some(Arc::clone(&found.1));
        }
        let price = Arc::new(self.find_price(in_force, labels)?);
        if self.call_prices.len() >= PRICES_KEPT {
            self.call_prices.clear();
        }
        self.call_prices.insert(key, (generation, Arc::clone(&price)));
        Some(price)
    }

    fn find_price(&self, in_force: &InForce, labels: &Labels<'_>) -> Option<CallPrice> {
        let defaults = &in_force.policy.defaults;
        let Some(model) = label(labels, "model") else {
            let tool = label(labels, "tool")?;
            let price = self.prices.read().tool(tool).cloned()?;
            return Some(self.call_price(price, defaults.cost_source, tool));
        };
        let (known, source) = match (self.known_price(labels), &defaults.unknown_price) {
            (Some(known), _) => (known, defaults.cost_source),
            // It stands in for a price: a reported cost is nearer to the truth.
            (None, UnknownPrice::Fallback(price)) => {
                (Arc::new(Price::clone(price)), CostSource::Provider)
            }
            (None, UnknownPrice::Deny | UnknownPrice::Zero) => return None,
        };
        let whole = Price::clone(&known).with_maker_rates(label(labels, "provider"), model);
        let price = if whole == *known { known } else { Arc::new(whole) };
        Some(self.call_price(price, source, model))
    }

    fn call_price(&self, price: Arc<Price>, source: CostSource, model: &str) -> CallPrice {
        CallPrice { price, source, model: model.into(), tell: self.tell_unpriced }
    }

    fn known_price(&self, labels: &Labels<'_>) -> Option<Arc<Price>> {
        let model = label(labels, "model")?;
        self.prices.read().get(model, label(labels, "provider")).cloned()
    }

    /// Events for soft and shadow limits that would refuse the request if they were hard. They are
    /// published once the request has passed.
    pub(super) fn soft_over(
        &self,
        matched: &Matched,
        estimate: &UsageEstimate,
    ) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        if !self.core.listening() {
            return Ok(events);
        }
        for asked in matched.asked.iter().filter(|asked| !asked.soft.is_empty()) {
            let rule_meters = asked.counter.rule_meters();
            let demands = asked.amounts(estimate, 1, |_, number, _| !asked.is_soft(number));
            asked.counter.account.read(|meters, _| {
                for &Demand { meter: number, amount } in &demands {
                    let (meter, of) =
                        (&meters[usize::from(number)], &rule_meters[usize::from(number)]);
                    if !meter.fits(amount) {
                        let shadow = of.rule.mode == Mode::Shadow;
                        let kind = if shadow { EventKind::Denied } else { EventKind::Exceeded };
                        let demand = Demand::new(number, amount);
                        events.push(matched.over(kind, &asked.counter.account, demand, meter));
                    }
                }
            })?;
        }
        events.sort_by_key(Event::order);
        Ok(events)
    }
}

/// Adds a group that applies.
fn add(matched: &mut Matched, counter: &Arc<Counter>, group: &RuleGroup) {
    for rule in &group.rules {
        let limits_cost = rule.limits.iter().any(|limit| limit.unit == Unit::Cost);
        matched.needs_price |= limits_cost && rule.mode == Mode::Hard;
        matched.wait = match (matched.wait, rule.wait) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    for (number, rule_meter) in (0..).map(MeterIndex).zip(counter.rule_meters().iter()) {
        if rule_meter.unit == Unit::Steps && rule_meter.in_force {
            matched.steps.push((Arc::clone(counter), number));
        }
    }
    matched.is_per_run |= counter.last_asked.is_per_run();
    matched.asked.push(Asked::of(counter, group, matched.is_tool));
}

/// Labels as bytes. Different labels have different bytes.
fn bytes_of(labels: &Labels<'_>) -> SmallVec<[u8; 256]> {
    let mut bytes = SmallVec::new();
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}
