//! The state of an allotment: what the parent holds for it, and what is spent from it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::ends::AllotmentEnds;
use crate::accounting::{LONGEST, Tick, Unit, UsageEstimate};
use crate::budgets::guard::counter::{Amounts, Counter, amount};
use crate::budgets::guard::matched::{Owned, OwnedAsk};
use crate::ledger::{Account, Demand, Demands, Error, Lease, LeaseError, MeterIndex};

/// The units that an allotment may set aside.
pub(super) const UNITS: [Unit; 3] = [Unit::Tokens, Unit::Cost, Unit::Calls];

/// How much is set aside. `None` leaves a unit to the parent.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllotmentSize {
    /// Tokens.
    pub tokens: Option<u64>,
    /// Micro-USD.
    pub cost_micros_usd: Option<u64>,
    /// Calls.
    pub calls: Option<u64>,
}

impl AllotmentSize {
    /// The amounts that are set aside, by unit.
    pub(super) fn asked(&self) -> Amounts {
        UNITS.into_iter().filter_map(|unit| Some((unit, self.of(unit)?))).collect()
    }

    pub(super) const fn of(&self, unit: Unit) -> Option<u64> {
        match unit {
            Unit::Tokens => self.tokens,
            Unit::Cost => self.cost_micros_usd,
            Unit::Calls => self.calls,
            _ => None,
        }
    }
}

/// The state that all handles of an allotment share. When the last handle is dropped, it reports
/// what was used.
pub(crate) struct Allotted {
    pub(super) counter: Counter,
    /// The lease of the parent that holds it.
    pub(super) lease: Lease,
    pub(super) of: AllotmentSize,
    /// The counters and meters in which the lease holds an amount.
    pub(super) sources: Vec<Source>,
    pub(super) parent: Option<Arc<Self>>,
    pub(super) closed: AtomicBool,
    pub(super) deadline: Tick,
    /// How many allotments it is nested in.
    pub(super) depth: usize,
    pub(super) reported: Mutex<Reported>,
    pub(super) ends: Arc<AllotmentEnds>,
    pub(super) me: Weak<Self>,
}

/// What the outer accounts know of its usage, in the order of `UNITS`.
#[derive(Debug, Default)]
pub(super) struct Reported {
    /// The usage reported beyond what they hold, or beyond what was reported at its end.
    pub(super) beside: [u64; 3],
    /// The usage reported at its end. `None` while they hold the allotment, or count all of it.
    pub(super) at_end: Option<[u64; 3]>,
    /// Whether its time was over when none of its leases was open.
    pub(super) over: bool,
}

/// A counter, and those of its meters from which an amount was set aside.
pub(super) struct Source {
    pub(super) counter: Arc<Counter>,
    pub(super) meters: SmallVec<[(MeterIndex, Unit); 3]>,
}

impl Allotted {
    /// Whether the allotment, or one around it, pays that meter for requests of the child.
    pub(crate) fn pays(&self, counter: &Counter, meter: MeterIndex) -> bool {
        let mine = self.sources.iter().any(|source| {
            std::ptr::eq(&*source.counter, counter)
                && source.meters.iter().any(|(number, _)| *number == meter)
        });
        mine || self.parent.as_ref().is_some_and(|parent| parent.pays(counter, meter))
    }

    /// Whether it, or an allotment around it, sets this unit aside.
    pub(crate) fn sets_aside(&self, unit: Unit) -> bool {
        let around = || self.parent.as_ref().is_some_and(|parent| parent.sets_aside(unit));
        self.of.of(unit).is_some() || around()
    }

    /// The accounts of this allotment and of those around it.
    pub(super) fn own_accounts(&self) -> Vec<Arc<Account>> {
        let around = self.parent.as_ref().map_or_else(Vec::new, |parent| parent.own_accounts());
        [vec![Arc::clone(&self.counter.account)], around].concat()
    }

    /// The accounts of the guard from which it, and the allotments around it, were taken.
    pub(super) fn source_accounts(&self) -> Vec<Arc<Account>> {
        let around = self.parent.as_ref().map_or_else(Vec::new, |parent| parent.source_accounts());
        let own = self.sources.iter().map(|source| Arc::clone(&source.counter.account));
        own.chain(around).collect()
    }

    /// The time until the first window ends from which it was taken.
    pub(super) fn resets_in(sources: &[Source]) -> Result<Duration, Error> {
        let mut least = LONGEST;
        for Source { counter, meters: mine } in sources {
            // Other rules share the account. Their windows do not matter here.
            let ends = counter.account.read(|meters, now| {
                let own_meters =
                    mine.iter().filter_map(|(number, _)| meters.get(usize::from(*number)));
                own_meters.filter_map(|meter| meter.resets_in(now)).min()
            })?;
            least = least.min(ends.unwrap_or(LONGEST));
        }
        Ok(least)
    }

    /// Adds the demands of a request on this allotment. Units that it does not set aside are asked
    /// of the allotments around it.
    pub(crate) fn asks<'a>(
        self: &'a Arc<Self>,
        estimate: &UsageEstimate,
        owned: &mut Owned<'a>,
    ) -> Result<(), Error> {
        self.check_open()?;
        self.ask_for(estimate, 1, &UNITS, owned)
    }

    /// Whether it still admits requests.
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        // Relaxed: a request that races with the end may come before it.
        let closed = self.closed.load(Ordering::Relaxed);
        if closed { Err(LeaseError::Finalized.into()) } else { self.check_time() }
    }

    /// Whether its lease still holds what was set aside.
    fn check_time(&self) -> Result<(), Error> {
        let over = self.counter.account.core().clock().tick() >= self.deadline;
        if over { Err(LeaseError::Expired.into()) } else { Ok(()) }
    }

    pub(super) fn ask_for<'a>(
        self: &'a Arc<Self>,
        estimate: &UsageEstimate,
        calls: u64,
        units: &[Unit],
        owned: &mut Owned<'a>,
    ) -> Result<(), Error> {
        let mut demands = Demands::new();
        let (mine, others): (Vec<Unit>, Vec<Unit>) =
            units.iter().partition(|unit| self.of.of(**unit).is_some());
        if mine.is_empty() {
            self.check_time()?;
        } else {
            self.check_open()?;
        }
        for (number, rule_meter) in (0..).map(MeterIndex).zip(self.counter.rule_meters().iter()) {
            if mine.contains(&rule_meter.unit) {
                demands.push(Demand::new(number, amount(rule_meter.unit, estimate, calls)));
            }
        }
        if !demands.is_empty() {
            owned.push(OwnedAsk::last(&self.counter.account, demands));
        }
        match &self.parent {
            Some(parent) => parent.ask_for(estimate, calls, &others, owned),
            None => Ok(()),
        }
    }
}
