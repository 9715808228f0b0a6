//! What listeners learn of a request: the refusal of a rule, and the decision, once a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use smallvec::SmallVec;

use super::counter::Amounts;
use super::matched::Matched;
use crate::accounting::{Cause, Code, Denied, Key, Meter, Terms};
use crate::budgets::policy::{RuleKind, Span};
use crate::ledger::{
    Account, Core, Decided, Decides, Demand, Error, Event, EventFigures, EventKind, EventLabels,
    EventRule,
};

/// A request that is about to be made, until it is decided.
pub(super) struct Undecided {
    pub(super) core: Arc<Core>,
    pub(super) matched: Arc<Matched>,
    /// What it asks for. `None` if it is spent already, so that nothing is decided.
    pub(super) amounts: Option<Amounts>,
    /// Events of soft limits, for when it has passed.
    pub(super) over: Vec<Event>,
    /// Whether it counts for the advice.
    pub(super) counts: bool,
    pub(super) decided: AtomicBool,
}

impl Undecided {
    /// What it asks for, if somebody listens and it was not decided before.
    fn to_decide(&self) -> Option<&Amounts> {
        let amounts = self.amounts.as_ref().filter(|_| self.core.listening())?;
        // Relaxed: it is only asked by the owner of the request.
        (!self.decided.swap(true, Ordering::Relaxed)).then_some(amounts)
    }
}

impl Decides for Undecided {
    fn passed(&self, lease: Option<u64>, waited: bool) {
        self.over.iter().for_each(|event| self.core.publish(event));
        if self.counts {
            self.matched.asked.iter().for_each(|asked| asked.counter.count());
        }
        if let Some(amounts) = self.to_decide() {
            self.matched.tell_passed(&self.core, amounts, lease, waited);
        }
    }

    fn refused(&self, refused: &Error, waited: bool) {
        if let Some(amounts) = self.to_decide() {
            self.matched.tell_refused(&self.core, amounts, refused, waited);
        }
    }

    fn left(&self) {
        if let Some(amounts) = self.to_decide() {
            let decided = Decided { allowed: false, waited: true, left: true };
            self.core.publish(&self.matched.decision(&self.core, amounts, decided));
        }
    }
}

impl Matched {
    /// The labels of its requests, as events carry them.
    fn event_labels(&self) -> EventLabels {
        self.labels.clone().unwrap_or_default()
    }

    fn decision(&self, core: &Core, amounts: &Amounts, decided: Decided) -> Event {
        let (kind, key) = (EventKind::Decision, Key::fixed("guard"));
        let amounts = amounts.clone();
        let plain = Event::new(kind, key, &self.event_labels(), core.clock());
        Event { amounts, decided: Some(decided), ..plain }
    }

    /// Notifies listeners of the decision of a request that has passed.
    #[cold]
    pub(super) fn tell_passed(
        &self,
        core: &Core,
        amounts: &Amounts,
        lease: Option<u64>,
        waited: bool,
    ) {
        let decided = Decided { allowed: true, waited, left: false };
        core.publish(&Event { lease, ..self.decision(core, amounts, decided) });
    }

    /// Notifies listeners of a refusal: of the rule that refused, and of the decision.
    #[cold]
    pub(super) fn tell_refused(
        &self,
        core: &Core,
        amounts: &Amounts,
        refused: &Error,
        waited: bool,
    ) {
        let Some(denied) = refused.denied() else { return };
        let rule = self.refusing_rule(denied);
        let complete = |event: Event| Event {
            unit: Some(denied.unit),
            figures: SmallVec::from_slice(&[figures_of(denied)]),
            reason: Some(denied.cause),
            ..event.about(rule.clone())
        };
        // Another budget of the same call may have refused: then no rule of this guard did.
        let is_own = rule.is_some()
            || (denied.code == Code::AllowanceExceeded && !self.allowances.is_empty());
        if is_own {
            let (kind, key) = (EventKind::Denied, Key::fixed("guard"));
            let event = Event::new(kind, key, &self.event_labels(), core.clock());
            let amounts = SmallVec::from_slice(&[(denied.unit, denied.requested)]);
            core.publish(&complete(Event { amounts, ..event }));
        }
        let decided = Decided { allowed: false, waited, left: false };
        core.publish(&complete(self.decision(core, amounts, decided)));
    }

    /// The event of a soft or shadow limit that would refuse `demand` if it were hard, with the
    /// figures after the request has passed.
    pub(super) fn over(
        &self,
        kind: EventKind,
        account: &Account,
        demand: Demand,
        meter: &Meter,
    ) -> Event {
        let event =
            Event::new(kind, account.key().clone(), &self.event_labels(), account.core().clock());
        let mut figures = EventFigures::of(meter);
        figures.reserved = figures.reserved.saturating_add(demand.amount);
        let is_held = meter.limit_now().is_some_and(|limit| {
            meter.used().checked_add(demand.amount).is_some_and(|sum| sum <= limit)
        });
        let reason = if meter.headroom(demand.amount, Terms::Strict).is_none() {
            Cause::TooLarge
        } else if is_held {
            Cause::Held
        } else {
            Cause::Spent
        };
        Event {
            amounts: SmallVec::from_slice(&[(meter.unit(), demand.amount)]),
            unit: Some(meter.unit()),
            figures: SmallVec::from_slice(&[figures]),
            reason: Some(reason),
            ..event.about(account.identity().rule(demand.meter))
        }
    }

    /// The rule that a refusal names.
    fn refusing_rule(&self, denied: &Denied) -> Option<EventRule> {
        let meters = self.asked.iter().chain(&self.by_provider).flat_map(|asked| {
            let numbered = (0_u8..).zip(asked.counter.rule_meters().to_vec());
            numbered.map(|(number, rule_meter)| (&asked.counter, number, rule_meter))
        });
        let named = meters.filter(|(counter, _, of)| {
            let is_named = denied.scope == counter.refusal_scope(&of.rule);
            of.in_force && of.unit == denied.unit && is_named
        });
        // A limiter may have one rule for each of several periods.
        let found = named.min_by_key(|(.., of)| period(&of.rule.span) != denied.period);
        match found {
            Some((counter, number, _)) => counter.account.identity().rule(number.into()),
            None => allotment(denied),
        }
    }
}

const fn period(span: &Span) -> Option<Duration> {
    match span {
        Span::Fixed(period) | Span::Rolling(period) => Some(*period),
        Span::Lifetime | Span::Run | Span::Calendar(..) | Span::Gauge => None,
    }
}

/// An allotment as a rule, if it has refused.
fn allotment(denied: &Denied) -> Option<EventRule> {
    let kind = RuleKind::Allotment.name();
    let (first, values) = denied.scope.split_first()?;
    (first.0 == kind).then(|| EventRule {
        name: Key::fixed("allotment"),
        kind,
        values: values.into(),
        place: u32::MAX,
    })
}

fn figures_of(denied: &Denied) -> EventFigures {
    let Denied { unit, limit, used, reserved, .. } = *denied;
    EventFigures { unit, limit: (limit != u64::MAX).then_some(limit), used, reserved }
}
