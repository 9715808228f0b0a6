//! What changes a guard beside reservations: steps, limits that providers report, and new policies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

use super::allowances::{set_allowances, take_back_allowances};
use super::ask::GuardAsk;
use super::counter::Counter;
use super::decision::Undecided;
use super::rule_meter::RuleMeter;
use super::state::Guard;
use super::state::in_force::{InForce, Prices};
use crate::accounting::{Audience, Invalid, RateHeaders, Unit, UsageEstimate};
use crate::budgets::policy::{GuardPolicy, Labels};
use crate::ledger::{Ask, Carried, Decides, Demand, Demands, Error, Heritable, MeterIndex};

impl Guard {
    /// Charges one step to the workflows that match, or refuses.
    pub fn step(&self, labels: &Labels<'_>) -> Result<(), Error> {
        self.step_call(labels)?.charge()
    }

    /// One step, to be charged together with others. Listeners learn how it was decided from what it
    /// carries.
    pub fn step_call(&self, labels: &Labels<'_>) -> Result<GuardAsk, Error> {
        let guard = self.here()?;
        let asks = guard.step_asks(labels)?;
        let decides = (!asks.is_empty() && guard.core.listening()).then(|| {
            guard.matched(labels).map(|matched| {
                let undecided = Undecided {
                    core: Arc::clone(&guard.core),
                    matched,
                    amounts: Some(SmallVec::from_slice(&[(Unit::Steps, 1)])),
                    over: Vec::new(),
                    counts: false,
                    decided: AtomicBool::new(false),
                };
                Arc::new(undecided) as Arc<dyn Decides>
            })
        });
        let carried = Carried { decides: decides.transpose()?, ..Carried::none() };
        Ok(GuardAsk { asks, estimate: UsageEstimate::zero(), carried, wait: None })
    }

    /// The asks of one step, to charge them together with others.
    pub fn step_asks(&self, labels: &Labels<'_>) -> Result<Vec<Ask>, Error> {
        let guard = self.here()?;
        let matched = guard.asked(labels, false)?;
        matched.touch_runs(guard.core.clock());
        let ask = |(counter, meter): &(Arc<Counter>, MeterIndex)| {
            let labels = matched.labels.clone();
            let demands = Demands::from_slice(&[Demand::new(*meter, 1)]);
            Ask { labels, ..Ask::new(&counter.account, demands) }
        };
        guard.tell_unmatched(&matched, &UsageEstimate::zero());
        Ok(matched.steps.iter().map(ask).collect())
    }

    /// Updates the adaptive limiters that match from the headers of a provider's response. See
    /// [`hear`](Self::hear).
    pub fn observe<'a>(
        &self,
        labels: &Labels<'_>,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        status: u16,
    ) -> Result<(), Error> {
        self.hear(labels, &RateHeaders::read(headers, self.core.clock().wall_ns()), status)
    }

    /// Updates the adaptive limiters that match from what a provider's response says. If the labels
    /// name a model, that holds for its calls alone.
    pub fn hear(&self, labels: &Labels<'_>, said: &RateHeaders, status: u16) -> Result<(), Error> {
        let guard = self.here()?;
        let matched = guard.matched(labels)?;
        let heard =
            if matched.by_provider.is_empty() { &matched.asked } else { &matched.by_provider };
        for asked in heard {
            let rule_meters = asked.counter.rule_meters();
            if !rule_meters.iter().any(|rule_meter| rule_meter.rule.adaptive) {
                continue;
            }
            asked.counter.account.adjust(|meters, now| {
                for (meter, RuleMeter { rule, unit, .. }) in meters.iter_mut().zip(&*rule_meters) {
                    // Where a limiter limits calls, they bound the requests.
                    let counts_calls = rule.limits.iter().any(|limit| limit.unit == Unit::Calls);
                    let beside = counts_calls && *unit != Unit::Calls;
                    let to = if beside { Audience::TokensAlone } else { Audience::Whole };
                    if rule.adaptive && matches!(unit, Unit::Tokens | Unit::Calls) {
                        meter.hear(said, status, to, now.tick);
                    }
                }
            })?;
        }
        Ok(())
    }

    /// Puts another policy in force. A rule with the same name, scope and window keeps its counts.
    /// A rule that comes back finds its counts again. The store stays: a policy with another address
    /// is refused.
    pub fn update(&self, policy: GuardPolicy) -> Result<(), Error> {
        let guard = self.here()?;
        guard.check_same_store(&policy)?;
        let mut in_force = guard.in_force.write();
        policy.check_for(guard.store.as_ref())?;
        let next = Arc::new(InForce::new(policy, &in_force.groups, guard.store.is_some()));
        for entry in &guard.counters {
            let (key, counter) = entry.pair();
            next.group_of(key).map_or(Ok(()), |group| counter.check_room(group))?;
        }
        take_back_allowances(&guard.allowances, &in_force.policy, &next.policy)?;
        set_allowances(&guard.allowances, &next.policy)?;
        for entry in &guard.counters {
            let (key, counter) = entry.pair();
            if let Some(group) = next.group_of(key) {
                counter.take_over(group, &guard.core)?;
            }
        }
        *guard.prices.write() = Prices::new(&next.policy);
        guard.taken.with(|taken| *taken = Arc::clone(&next));
        *in_force = next;
        // Release pairs with the load in `matched`: a thread that reads the new number also reads
        // the new policy.
        guard.generation.fetch_add(1, Ordering::Release);
        guard.matched.clear();
        Ok(())
    }

    /// An update moves no counts from one store to another.
    fn check_same_store(&self, policy: &GuardPolicy) -> Result<(), Invalid> {
        let Some(made) = &self.policy_url else { return Ok(()) };
        let given = &policy.defaults.store.url;
        if given == made {
            return Ok(());
        }
        let shown = |url: &Option<String>| match url {
            Some(url) => format!("{url:?}"),
            None => "memory".to_owned(),
        };
        Err(Invalid::sentence(format!(
            "store.url cannot change in an update: the counts of this guard are in {}, not in {}; \
             make a new guard",
            shown(made),
            shown(given)
        )))
    }
}
