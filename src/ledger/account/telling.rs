//! What an account reports: events for listeners, and the texts of refusals.

use smallvec::SmallVec;

use super::entries::Entry;
use super::identity::{Identity, Step};
use crate::accounting::{Code, Denied, Key, Meter, Moment};
use crate::ledger::claim::{Demand, MeterIndex};
use crate::ledger::core::event::{Event, EventFigures, EventKind, EventLabels, EventRule};
use crate::ledger::error::Error;

/// What an account reports of one step: what happened, of which lease and of which request.
#[derive(Clone, Copy)]
pub(crate) struct Happened<'a> {
    pub(crate) kind: EventKind,
    pub(crate) lease: Option<u64>,
    pub(crate) labels: Option<&'a EventLabels>,
}

impl<'a> Happened<'a> {
    /// What happened at once, without a lease.
    pub(crate) const fn at_once(kind: EventKind, labels: Option<&'a EventLabels>) -> Self {
        Self { kind, lease: None, labels }
    }

    /// What happened to a lease.
    pub(crate) fn to(kind: EventKind, entry: &'a Entry) -> Self {
        Self { kind, lease: Some(entry.id), labels: entry.labels() }
    }
}

impl Step<'_> {
    /// Reports that `demands` on an account of `meters` were refused. Refusals of a guard's
    /// counters are reported by the guard, which knows the rule.
    #[cold]
    pub(crate) fn tell_denied(&mut self, meters: &[Meter], demands: &[Demand], refused: &Error) {
        if !self.hears(EventKind::Denied) || !self.identity.tells_denied() {
            return;
        }
        let happened = Happened::at_once(EventKind::Denied, self.labels);
        let known = demands.iter().filter(|demand| usize::from(demand.meter) < meters.len());
        let amounts = known.map(|demand| (demand.meter, demand.amount));
        let denied = refused.denied();
        self.tell_with(happened, meters, amounts, |event| {
            if let Some(denied) = denied {
                (event.unit, event.reason) = (Some(denied.unit), Some(denied.cause));
            }
        });
    }

    /// Reports that `used` of a meter has crossed warning marks: one event for each.
    #[cold]
    pub(crate) fn tell_warned(
        &mut self,
        meters: &[Meter],
        number: MeterIndex,
        marks: std::ops::Range<u8>,
        happened: Happened<'_>,
    ) {
        let meter = &meters[usize::from(number)];
        for mark in marks {
            let own = self.identity.warn_share(number, mark);
            let share = own.or_else(|| meter.share_at(mark));
            let amounts = std::iter::once((number, meter.used()));
            self.tell_with(happened, meters, amounts, |event| event.share = share);
        }
    }

    /// Reports amounts by the numbers of their meters: in one event, or in one event for each rule
    /// of the meters.
    #[cold]
    pub(crate) fn tell(
        &mut self,
        happened: Happened<'_>,
        meters: &[Meter],
        amounts: impl Iterator<Item = (MeterIndex, u64)>,
    ) {
        self.tell_with(happened, meters, amounts, |_| ());
    }

    fn tell_with(
        &mut self,
        happened: Happened<'_>,
        meters: &[Meter],
        amounts: impl Iterator<Item = (MeterIndex, u64)>,
        complete: impl Fn(&mut Event),
    ) {
        let identity = self.identity;
        let none = EventLabels::default();
        let clock = identity.core().clock();
        let mut plain = Event::new(
            happened.kind,
            identity.key().clone(),
            happened.labels.unwrap_or(&none),
            clock,
        );
        // A lease that ran out did so at its deadline.
        let then = Moment { tick: plain.tick, wall_ns: plain.wall_ns }.back_to(self.now.tick);
        (plain.tick, plain.wall_ns, plain.lease) = (self.now.tick, then.wall_ns, happened.lease);
        let mut events: SmallVec<[Event; 2]> = SmallVec::new();
        for (number, amount) in amounts {
            let rule = identity.rule(number);
            let place = |rule: Option<&EventRule>| rule.map(|rule| rule.place);
            let is_it = |event: &Event| place(event.rule.as_ref()) == place(rule.as_ref());
            let at = events.iter().position(is_it).unwrap_or_else(|| {
                events.push(plain.clone().about(rule));
                events.len() - 1
            });
            let meter = &meters[usize::from(number)];
            events[at].amounts.push((meter.unit(), amount));
            events[at].figures.push(EventFigures::of(meter));
        }
        if events.is_empty() {
            events.push(plain);
        }
        events.sort_by_key(Event::order);
        for event in events {
            let mut event = event.about_the_fullest();
            complete(&mut event);
            self.outbox.push(identity.core(), event);
        }
    }
}

impl Identity {
    /// The id in a refusal. A pool and a limiter have none.
    pub(crate) fn denied_id(&self) -> Option<Key> {
        let nameless = matches!(self.code(), Code::ThresholdExceeded | Code::RateLimitExceeded);
        (!nameless).then(|| self.key().clone())
    }

    /// The refusal of a closed account.
    pub(crate) fn closed_denial(&self, meters: &[Meter], asked: u64, now: Moment) -> Box<Denied> {
        match meters {
            [meter, ..] if self.code() == Code::WorkflowQuotaExceeded => {
                let mut denied = Denied::by(meter, self.code(), self.denied_id(), asked, now);
                denied.reason = Some("Step limit exceeded: the workflow has ended".to_owned());
                denied.remaining = 0;
                denied
            }
            _ => Denied::not_configured(self.key().as_str(), asked),
        }
    }
}
