//! An allotment that is set aside: what the parent holds for it, and what is spent of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::ends::Ends;
use crate::accounting::{LONGEST, Tick, Unit, UsageEstimate};
use crate::budgets::guard::counter::{Counter, amount};
use crate::budgets::guard::matched::Owned;
use crate::ledger::{Account, Demands, Error, Lease, LeaseError};

/// What an allotment may set aside.
pub(super) const UNITS: [Unit; 3] = [Unit::Tokens, Unit::Cost, Unit::Calls];

/// How much is set aside; `None` leaves a unit to the parent.
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
    pub(super) const fn of(&self, unit: Unit) -> Option<u64> {
        match unit {
            Unit::Tokens => self.tokens,
            Unit::Cost => self.cost_micros_usd,
            Unit::Calls => self.calls,
            _ => None,
        }
    }
}

/// The allotment itself, which its handles have in common: it ends with the last that hold it,
/// and says then what was used.
pub(crate) struct Allotted {
    pub(super) counter: Counter,
    /// What the parent holds for it.
    pub(super) lease: Lease,
    pub(super) of: AllotmentSize,
    /// The counters that the lease holds a part of, and the meters.
    pub(super) sources: Vec<Source>,
    pub(super) parent: Option<Arc<Self>>,
    pub(super) closed: AtomicBool,
    pub(super) deadline: Tick,
    /// How many allotments are around it.
    pub(super) depth: usize,
    pub(super) reported: Mutex<Reported>,
    pub(super) ends: Arc<Ends>,
    pub(super) me: Weak<Self>,
}

/// What those around an allotment know of its use, in the order of `UNITS`.
#[derive(Debug, Default)]
pub(super) struct Reported {
    /// Reported beside what they held, or what was reported at its end.
    pub(super) beside: [u64; 3],
    /// What was reported at its end; `None` while they hold the allotment, or count all of it.
    pub(super) at_end: Option<[u64; 3]>,
    /// Its time is over, and nothing of it was open any more.
    pub(super) over: bool,
}

/// A counter, and those of its meters of which a part was set aside.
pub(super) struct Source {
    pub(super) counter: Arc<Counter>,
    pub(super) meters: SmallVec<[(u8, Unit); 3]>,
}

impl Allotted {
    /// Whether requests of the child pay here what they are asked by that meter.
    pub(crate) fn pays(&self, counter: &Counter, meter: u8) -> bool {
        let mine = self.sources.iter().any(|source| {
            std::ptr::eq(&*source.counter, counter)
                && source.meters.iter().any(|(number, _)| *number == meter)
        });
        mine || self.parent.as_ref().is_some_and(|parent| parent.pays(counter, meter))
    }

    /// Whether it, or an allotment around it, sets such a unit aside.
    pub(crate) fn sets_aside(&self, unit: Unit) -> bool {
        let around = || self.parent.as_ref().is_some_and(|parent| parent.sets_aside(unit));
        self.of.of(unit).is_some() || around()
    }

    /// The accounts of this allotment and of those around it.
    pub(super) fn own_accounts(&self) -> Vec<Arc<Account>> {
        let around = self.parent.as_ref().map_or_else(Vec::new, |parent| parent.own_accounts());
        [vec![Arc::clone(&self.counter.account)], around].concat()
    }

    /// The accounts of the guard that it, and the allotments around it, are taken from.
    pub(super) fn source_accounts(&self) -> Vec<Arc<Account>> {
        let around = self.parent.as_ref().map_or_else(Vec::new, |parent| parent.source_accounts());
        let own = self.sources.iter().map(|source| Arc::clone(&source.counter.account));
        own.chain(around).collect()
    }

    /// When the first window of which it is a part ends.
    pub(super) fn resets_in(sources: &[Source]) -> Result<Duration, Error> {
        let mut least = LONGEST;
        for Source { counter, meters: mine } in sources {
            // Others share the account: their windows are none of its business.
            let ends = counter.account.read(|meters, now| {
                let own_meters =
                    mine.iter().filter_map(|(number, _)| meters.get(usize::from(*number)));
                own_meters.filter_map(|meter| meter.resets_in(now)).min()
            })?;
            least = least.min(ends.unwrap_or(LONGEST));
        }
        Ok(least)
    }

    /// Adds what a request asks of this allotment, and of those around it for the units that this
    /// one does not set aside.
    pub(crate) fn asks<'a>(
        self: &'a Arc<Self>,
        estimate: &UsageEstimate,
        owned: &mut Owned<'a>,
    ) -> Result<(), Error> {
        self.check_open()?;
        self.ask_for(estimate, 1, &UNITS, owned)
    }

    /// Whether it still gives something out.
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        // Relaxed: a request that races with the end may come before it.
        let closed = self.closed.load(Ordering::Relaxed);
        if closed { Err(LeaseError::Finalized.into()) } else { self.check_time() }
    }

    /// Whether its lease still holds what was set aside, of allotments of it too.
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
        for (number, rule_meter) in (0_u8..).zip(self.counter.rule_meters()) {
            if mine.contains(&rule_meter.unit) {
                demands.push((number, amount(rule_meter.unit, estimate, calls)));
            }
        }
        if !demands.is_empty() {
            owned.push((&self.counter.account, demands, false));
        }
        match &self.parent {
            Some(parent) => parent.ask_for(estimate, calls, &others, owned),
            None => Ok(()),
        }
    }
}
