//! The state of an account under its lock: its meters, its leases and its waits.

use smallvec::SmallVec;

use super::entries::{Entries, Entry};
use super::held::Supplied;
use super::identity::Step;
use super::telling::Happened;
use crate::accounting::{Meter, Moment, Terms};
use crate::ledger::claim::{Demand, MeterIndex};
use crate::ledger::core::event::EventKind;
use crate::ledger::queue::Queues;

/// The state of an account. Its lock guards it.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) meters: SmallVec<[Meter; 2]>,
    /// `None` while the account was only charged.
    pub(crate) rare: Option<Box<Rare>>,
}

/// Fields that only accounts with leases, waits or an end need. Boxed, to keep `State` small.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    pub(crate) entries: Entries,
    /// The waits, and the admissions of a limiter.
    pub(crate) queues: Option<Box<Queues>>,
    /// Whether the account is closed to requests. Open leases still end.
    pub(crate) closed: bool,
    /// What it has beside its meters if several processes share its limits.
    pub(crate) supplied: Option<Box<Supplied>>,
}

impl State {
    #[inline]
    pub(crate) fn roll(&mut self, now: Moment) {
        for meter in &mut self.meters {
            meter.roll(now);
        }
    }

    /// Books `demands` that were admitted.
    #[inline]
    pub(crate) fn charge(&mut self, demands: &[Demand], step: &mut Step<'_>) {
        for &Demand { meter, amount } in demands {
            self.meters[usize::from(meter)].charge(amount);
        }
        if step.hears(EventKind::Charged) {
            let amounts = demands.iter().map(|demand| (demand.meter, demand.amount));
            step.tell(Happened::at_once(EventKind::Charged, step.labels), &self.meters, amounts);
        }
        let labels = step.labels;
        warn(&mut self.meters, || Happened::at_once(EventKind::Warned, labels), step);
    }

    #[inline]
    pub(crate) fn entry(&self, index: usize) -> Option<&Entry> {
        self.entries()?.get(index)
    }

    pub(crate) fn entry_mut(&mut self, index: usize) -> Option<&mut Entry> {
        self.entries_if_any()?.get_mut(index)
    }

    /// The meter of the demand at `index`, and the sum that the demands up to it ask of that meter.
    /// `None` if there is no such meter, or no such sum.
    #[inline]
    pub(crate) fn asked(&self, demands: &[Demand], index: usize) -> Option<(&Meter, u64)> {
        let Demand { meter, mut amount } = demands[index];
        for other in &demands[..index] {
            if other.meter == meter {
                amount = amount.checked_add(other.amount)?;
            }
        }
        Some((self.meters.get(usize::from(meter))?, amount))
    }

    /// The leases, if there was ever one.
    #[inline]
    pub(crate) fn entries(&self) -> Option<&Entries> {
        self.rare.as_ref().map(|rare| &rare.entries)
    }

    #[inline]
    pub(crate) fn entries_if_any(&mut self) -> Option<&mut Entries> {
        self.rare.as_mut().map(|rare| &mut rare.entries)
    }

    /// The queues, if there was ever a wait or an admission.
    #[inline]
    pub(crate) fn queues(&self) -> Option<&Queues> {
        self.rare.as_ref()?.queues.as_deref()
    }

    #[inline]
    pub(crate) fn queues_if_any(&mut self) -> Option<&mut Queues> {
        self.rare.as_mut()?.queues.as_deref_mut()
    }

    pub(crate) fn queues_mut(&mut self) -> &mut Queues {
        self.rare_mut().queues.get_or_insert_default()
    }

    /// The queues, if a wait is in them.
    #[inline]
    pub(crate) fn waits(&self) -> Option<&Queues> {
        self.queues().filter(|queues| !queues.is_empty())
    }

    /// Whether an older wait than `ticket` is queued on `meter`, of which `amount` is asked.
    #[inline]
    pub(crate) fn is_behind(
        &self,
        meter: MeterIndex,
        amount: u64,
        terms: Terms,
        ticket: u64,
    ) -> bool {
        let Some(queues) = self.waits() else { return false };
        let stands_behind = match terms {
            Terms::Plain | Terms::Named | Terms::Strict | Terms::Landing => amount > 0,
            Terms::Gated => true,
            Terms::Recorded => false,
        };
        stands_behind && queues.first(meter).is_some_and(|first| first.ticket < ticket)
    }

    /// What the account has beside its meters, if several processes share its limits.
    #[inline]
    pub(crate) fn supplied(&self) -> Option<&Supplied> {
        self.rare.as_ref()?.supplied.as_deref()
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.closed)
    }

    #[inline]
    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    #[inline]
    pub(crate) fn entries_mut(&mut self) -> &mut Entries {
        &mut self.rare_mut().entries
    }
}

/// Reports the warning marks that `used` has crossed.
#[inline]
pub(crate) fn warn<'a>(
    meters: &mut [Meter],
    happened: impl FnOnce() -> Happened<'a>,
    step: &mut Step<'_>,
) {
    if meters.iter().any(Meter::is_marked) {
        warn_at_marks(meters, happened(), step);
    }
}

#[inline(never)]
fn warn_at_marks(meters: &mut [Meter], happened: Happened<'_>, step: &mut Step<'_>) {
    for number in 0..meters.len() {
        let marks = meters[number].take_warnings();
        if !marks.is_empty() && step.hears(EventKind::Warned) {
            let number = MeterIndex(u8::try_from(number).unwrap_or(u8::MAX));
            step.tell_warned(meters, number, marks, happened);
        }
    }
}
