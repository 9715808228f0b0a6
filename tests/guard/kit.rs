//! What the tests of guards share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use outlay::{
    Clock, Denied, Error, Event, EventKind, Guard, GuardPolicy, GuardRequest, Lease, ManualClock,
    Usage,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// Labels of a request.
pub(crate) type Labels<'a> = &'a [(&'a str, &'a str)];

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) guard: Arc<Guard>,
    told: Arc<Mutex<Vec<Event>>>,
}

pub(crate) fn policy(toml: &str) -> GuardPolicy {
    GuardPolicy::from_toml("policy.toml", toml).unwrap()
}

impl World {
    pub(crate) fn new(toml: &str) -> Self {
        Self::at("1970-01-01T00:00:00Z", toml)
    }

    /// A guard whose clock starts at a time of the calendar.
    pub(crate) fn at(time: &str, toml: &str) -> Self {
        let clock = Arc::new(ManualClock::new());
        clock.set_wall(nanos(time));
        let guard = Guard::new(policy(toml), Clock::Manual(Arc::clone(&clock))).unwrap();
        let told: Arc<Mutex<Vec<Event>>> = Arc::default();
        let listener = Arc::clone(&told);
        guard.core().subscribe(move |event| listener.lock().unwrap().push(event.clone()));
        Self { clock, guard: Arc::new(guard), told }
    }

    pub(crate) fn reserve(&self, labels: Labels<'_>, tokens: u64) -> Result<Lease, Error> {
        self.guard.reserve(labels, asks(tokens))
    }

    /// Reserves and commits the same.
    pub(crate) fn spend(&self, labels: Labels<'_>, tokens: u64) -> Result<(), Error> {
        self.reserve(labels, tokens)?.commit(Usage::tokens(tokens).into())
    }

    pub(crate) fn update(&self, toml: &str) {
        self.guard.update(policy(toml)).unwrap();
    }

    /// Used and reserved of a unit of all counters of a rule together.
    pub(crate) fn figures(&self, name: &str, unit: &str) -> (u64, u64) {
        let mut sum = (0, 0);
        for counter in self.guard.snapshot().unwrap().iter().filter(|c| c.name == name) {
            for figures in counter.figures.iter().filter(|f| f.unit == unit) {
                sum = (sum.0 + figures.used, sum.1 + figures.reserved);
            }
        }
        sum
    }

    pub(crate) fn tokens(&self, name: &str) -> (u64, u64) {
        self.figures(name, "tokens")
    }

    /// The names of the events of a kind since the last time; all others are forgotten.
    pub(crate) fn told(&self, kind: EventKind) -> Vec<String> {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        told.into_iter().filter(|e| e.kind == kind).map(|e| e.key.to_string()).collect()
    }
}

pub(crate) fn asks(tokens: u64) -> GuardRequest {
    Usage::tokens(tokens).into()
}

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Denied {
    match result {
        Err(Error::Denied(denied)) => *denied,
        other => panic!("not refused: {other:?}"),
    }
}

/// The rule and the labels that a refusal names.
pub(crate) fn scope(denied: &Denied) -> Vec<(&str, &str)> {
    denied.scope.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// A time such as `2026-03-28T23:00:00Z` in nanoseconds since 1970.
pub(crate) fn nanos(time: &str) -> i64 {
    let time: jiff::Timestamp = time.parse().unwrap();
    i64::try_from(time.as_nanosecond()).unwrap()
}
