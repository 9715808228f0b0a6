//! Events for listeners. Without a listener an event costs one load.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::accounting::{Cause, Clock, Key, Meter, Tick, Unit};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A lease was opened.
    Reserved,
    /// A lease ended with what was used.
    Committed,
    /// A lease ended and used nothing.
    Released,
    /// A lease ran out or was dropped.
    Expired,
    /// An amount was booked at once.
    Charged,
    /// A request was refused.
    Denied,
    /// `used` crossed a warning mark of a meter.
    Warned,
    /// A request passed that a soft limit would refuse if it were hard.
    Exceeded,
    /// A request passed that no rule matches.
    Unmatched,
    /// A request to a guard was decided: once for each request, beside the events of its rules.
    Decision,
}

impl EventKind {
    /// A bit that no other kind has.
    pub(crate) const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// The labels of a request, or the values of a counter.
pub type EventLabels = Arc<[(String, String)]>;

/// The rule of a guard that an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRule {
    /// Its name.
    pub name: Key,
    /// The word of its table.
    pub kind: &'static str,
    /// The labels that distinguish its counter from the other counters of the rule.
    pub values: EventLabels,
    /// Its position in the policy.
    pub place: u32,
}

/// The figures of one limit, as they stand after the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventFigures {
    /// What is counted.
    pub unit: Unit,
    /// The limit, or `None` if it is only counted.
    pub limit: Option<u64>,
    /// What was charged in the window.
    pub used: u64,
    /// What open leases hold.
    pub reserved: u64,
}

/// How a request was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Whether it may be made.
    pub allowed: bool,
    /// Whether it waited for that.
    pub waited: bool,
    /// Whether its caller gave up before it was decided.
    pub left: bool,
}

/// One event of one account, or the decision of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The account's id, or the name of the rule.
    pub key: Key,
    /// The lease, if the event is about one.
    pub lease: Option<u64>,
    /// The amounts, by unit.
    pub amounts: SmallVec<[(Unit, u64); 2]>,
    /// When it happened.
    pub tick: Tick,
    /// The same by the wall clock, in nanoseconds since 1970-01-01 UTC.
    pub wall_ns: i64,
    /// The labels of the request. Empty if the request was made before anybody listened.
    pub labels: EventLabels,
    /// The rule, if it is about one.
    pub rule: Option<EventRule>,
    /// The figures of its limits, by unit.
    pub figures: SmallVec<[EventFigures; 2]>,
    /// The unit that the event is about: of a refusal or a warning the unit that caused it, of other
    /// events the unit that is closest to its limit.
    pub unit: Option<Unit>,
    /// Of a warning: the share of the limit that was reached, in millionths.
    pub share: Option<u64>,
    /// Of a refusal: why the request does not fit.
    pub reason: Option<Cause>,
    /// Of a decision: how the request was decided.
    pub decided: Option<Decided>,
}

impl EventFigures {
    /// The figures of a meter as they are now.
    pub(crate) fn of(meter: &Meter) -> Self {
        let (limit, used, reserved) = (meter.limit_now(), meter.used(), meter.reserved());
        Self { unit: meter.unit(), limit, used, reserved }
    }

    /// Whether less is left here than there, as a share of the limit.
    fn is_fuller_than(&self, other: &Self) -> bool {
        let taken = |of: &Self| u128::from(of.used) + u128::from(of.reserved);
        match (self.limit, other.limit) {
            (Some(own), Some(others)) => {
                taken(self) * u128::from(others) > taken(other) * u128::from(own)
            }
            (own, others) => own.is_some() && others.is_none(),
        }
    }
}

impl Event {
    /// An event without figures, at the present by `clock`.
    pub(crate) fn new(kind: EventKind, key: Key, labels: &EventLabels, clock: &Clock) -> Self {
        let now = clock.now(true);
        Self {
            kind,
            key,
            lease: None,
            amounts: SmallVec::new(),
            tick: now.tick,
            wall_ns: now.wall_ns,
            labels: Arc::clone(labels),
            rule: None,
            figures: SmallVec::new(),
            unit: None,
            share: None,
            reason: None,
            decided: None,
        }
    }

    /// The same event about a rule.
    pub(crate) fn about(mut self, rule: Option<EventRule>) -> Self {
        if let Some(rule) = &rule {
            self.key = rule.name.clone();
        }
        self.rule = rule;
        self
    }

    /// The same event about the unit that is closest to its limit.
    pub(crate) fn about_the_fullest(mut self) -> Self {
        let mut fullest: Option<&EventFigures> = None;
        for figures in &self.figures {
            if fullest.is_none_or(|known| figures.is_fuller_than(known)) {
                fullest = Some(figures);
            }
        }
        self.unit = fullest.map(|figures| figures.unit);
        self
    }

    /// The figures of the unit that the event is about.
    pub fn unit_figures(&self) -> Option<&EventFigures> {
        self.figures.iter().find(|figures| Some(figures.unit) == self.unit)
    }

    /// Where it stands among the events of one step: by time, by lease, by the place of its rule.
    pub(crate) fn order(&self) -> (Tick, Option<u64>, u32) {
        let place = self.rule.as_ref().map_or(u32::MAX, |rule| rule.place);
        (self.tick, self.lease, place)
    }
}

/// The labels of a request, to be shared by its events.
pub(crate) fn event_labels(labels: &[(&str, &str)]) -> EventLabels {
    labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
