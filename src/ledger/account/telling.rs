//! What an account reports: events for listeners, and the texts of refusals.

use smallvec::SmallVec;

use super::identity::{Identity, Step};
use crate::accounting::{Code, Denied, Key, Meter, Moment, Unit};
use crate::ledger::core::event::{Event, EventKind};

impl Step<'_> {
    /// Reports that `demands` on an account of `meters` were refused.
    #[cold]
    pub(crate) fn tell_denied(&mut self, meters: &[Meter], demands: &[(u8, u64)]) {
        if self.listening() {
            let meter = |number: u8| meters.get(usize::from(number));
            let amounts =
                demands.iter().filter_map(|&(n, amount)| Some((n, meter(n)?.unit(), amount)));
            self.tell(EventKind::Denied, None, amounts);
        }
    }

    /// Reports amounts by the numbers of their meters: in one event, or in one event for each rule
    /// of the meters.
    #[cold]
    pub(crate) fn tell(
        &mut self,
        kind: EventKind,
        lease: Option<u64>,
        amounts: impl Iterator<Item = (u8, Unit, u64)>,
    ) {
        let (identity, tick) = (self.identity, self.now.tick);
        let event =
            |key| Event { kind, key, lease, amounts: SmallVec::new(), tick, labels: Vec::new() };
        let mut events: SmallVec<[Event; 2]> = SmallVec::new();
        for (meter, unit, amount) in amounts {
            let rule = identity.rule(meter);
            let key = rule.unwrap_or_else(|| identity.key().clone());
            let at = events.iter().position(|event| event.key == key).unwrap_or_else(|| {
                events.push(event(key));
                events.len() - 1
            });
            events[at].amounts.push((unit, amount));
        }
        if events.is_empty() {
            events.push(event(identity.key().clone()));
        }
        events.into_iter().for_each(|event| self.outbox.push(identity.core(), event));
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
