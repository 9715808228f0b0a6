//! Requests that no rule matches. Listeners are notified of each, and the operator is warned once
//! for each set of label names.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::counter::amounts_of;
use crate::accounting::{Key, UsageEstimate};
use crate::budgets::policy::Labels;
use crate::ledger::{Core, Event, EventKind, EventLabels, event_labels};

/// How many sets of names are remembered, each after one warning.
const SETS: usize = 256;

/// Called with a warning for the operator.
pub type Warner = Box<dyn Fn(&str) + Send + Sync>;

/// The sets of names that were warned of, and the function to call.
#[derive(Default)]
pub(super) struct Unmatched {
    seen: Mutex<BTreeSet<String>>,
    pub(super) warner: Option<Arc<Warner>>,
}

/// The labels of requests that no rule matches.
pub(super) struct Stray {
    labels: EventLabels,
    /// Whether the operator was warned, so that it is not checked again.
    was_warned_of: AtomicBool,
}

impl Stray {
    pub(super) fn of(labels: &Labels<'_>) -> Box<Self> {
        Box::new(Self { labels: event_labels(labels), was_warned_of: AtomicBool::new(false) })
    }

    /// The names, in one order.
    fn names(&self) -> String {
        let mut names: Vec<&str> = self.labels.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.join(", ")
    }
}

impl Unmatched {
    /// Notifies listeners of a request that passes and that no rule matches, and warns the operator
    /// of its label names.
    #[cold]
    pub(super) fn notify(
        &self,
        stray: &Stray,
        estimate: &UsageEstimate,
        core: &Core,
        has_budgets: impl FnOnce() -> bool,
    ) {
        if core.listening() {
            let (kind, key) = (EventKind::Unmatched, Key::fixed("guard"));
            let event = Event::new(kind, key, &stray.labels, core.clock());
            core.publish(&Event { amounts: amounts_of(estimate), ..event });
        }
        // Relaxed: at worst two threads check it.
        if !stray.was_warned_of.swap(true, Ordering::Relaxed) {
            self.warn_of(stray, has_budgets);
        }
    }

    fn warn_of(&self, stray: &Stray, has_budgets: impl FnOnce() -> bool) {
        let Some(warner) = &self.warner else { return };
        let names = stray.names();
        let is_new = {
            let mut seen = self.seen.lock();
            seen.len() < SETS && seen.insert(names.clone())
        };
        if is_new {
            let given = if names.is_empty() { "no label".to_owned() } else { names };
            let what = if has_budgets() { "[[budget]] or [[workflow]]" } else { "rule" };
            warner(&format!(
                "a request passes that no {what} of the policy is about, so nothing limits it \
                 there; its labels: {given}. Give it the label that a scope names, or write a \
                 [[budget]] without a scope; [defaults] require = [...] refuses such requests. \
                 This is said once for each set of names"
            ));
        }
    }
}
