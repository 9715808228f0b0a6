//! A part that is set aside: what the parent holds for it, and what is spent of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::counter::Counter;
use super::ends::Ends;
use super::matched::{self, Owned};
use super::part_end::Known;
use crate::accounting::LONGEST;
use crate::accounting::{Tick, Unit, UsageEstimate};
use crate::ledger::{Account, Demands, Error, Lease, LeaseError};

/// What a part may set aside.
pub(super) const UNITS: [Unit; 3] = [Unit::Tokens, Unit::Cost, Unit::Calls];

/// How much is set aside; `None` leaves a unit to the parent.
#[derive(Clone, Copy, Debug, Default)]
pub struct PartOf {
    /// Tokens.
    pub tokens: Option<u64>,
    /// Micro-USD.
    pub cost_micros_usd: Option<u64>,
    /// Calls.
    pub calls: Option<u64>,
}

impl PartOf {
    pub(super) const fn of(&self, unit: Unit) -> Option<u64> {
        match unit {
            Unit::Tokens => self.tokens,
            Unit::Cost => self.cost_micros_usd,
            Unit::Calls => self.calls,
            _ => None,
        }
    }
}

/// The part itself: it ends with the last that hold it, and says then what was used.
pub(super) struct Part {
    pub(super) counter: Counter,
    /// What the parent holds for it.
    pub(super) lease: Lease,
    pub(super) of: PartOf,
    /// The counters that the lease holds a part of, and the meters.
    pub(super) carved: Vec<Carved>,
    pub(super) parent: Option<Arc<Self>>,
    pub(super) closed: AtomicBool,
    pub(super) deadline: Tick,
    /// Of how many parts it is a part.
    pub(super) depth: usize,
    pub(super) known: Mutex<Known>,
    pub(super) ends: Arc<Ends>,
    pub(super) me: Weak<Self>,
}

/// A counter, and those of its meters of which a part was set aside.
pub(super) struct Carved {
    pub(super) counter: Arc<Counter>,
    pub(super) meters: SmallVec<[(u8, Unit); 3]>,
}

impl Part {
    /// Whether requests of the child pay here what they are asked by that meter.
    pub(super) fn pays(&self, counter: &Counter, meter: u8) -> bool {
        let mine = self.carved.iter().any(|carved| {
            std::ptr::eq(&*carved.counter, counter)
                && carved.meters.iter().any(|(number, _)| *number == meter)
        });
        mine || self.parent.as_ref().is_some_and(|parent| parent.pays(counter, meter))
    }

    /// Whether it, or a part around it, sets such a unit aside.
    pub(super) fn sets_aside(&self, unit: Unit) -> bool {
        let around = || self.parent.as_ref().is_some_and(|parent| parent.sets_aside(unit));
        self.of.of(unit).is_some() || around()
    }

    /// The accounts of this part and of those around it.
    pub(super) fn own_accounts(&self) -> Vec<Arc<Account>> {
        let around = self.parent.as_ref().map_or_else(Vec::new, |parent| parent.own_accounts());
        [vec![Arc::clone(&self.counter.account)], around].concat()
    }

    /// The accounts of the guard that it, and the parts around it, are carved out of.
    pub(super) fn carved_accounts(&self) -> Vec<Arc<Account>> {
        let around = self.parent.as_ref().map_or_else(Vec::new, |parent| parent.carved_accounts());
        let own = self.carved.iter().map(|carved| Arc::clone(&carved.counter.account));
        own.chain(around).collect()
    }

    /// When the first window of which it is a part ends.
    pub(super) fn resets_in(carved: &[Carved]) -> Result<Duration, Error> {
        let mut least = LONGEST;
        for Carved { counter, meters: mine } in carved {
            // Others share the account: their windows are none of its business.
            let ends = counter.account.read(|meters, now| {
                let of_mine =
                    mine.iter().filter_map(|(number, _)| meters.get(usize::from(*number)));
                of_mine.filter_map(|meter| meter.resets_in(now)).min()
            })?;
            least = least.min(ends.unwrap_or(LONGEST));
        }
        Ok(least)
    }

    /// Adds what a request asks of this part, and of those around it for the units that this one
    /// does not set aside.
    pub(super) fn asks<'a>(
        self: &'a Arc<Self>,
        estimate: &UsageEstimate,
        owned: &mut Owned<'a>,
    ) -> Result<(), Error> {
        self.check_open()?;
        self.ask_for(estimate, 1, &UNITS, owned)
    }

    /// Whether it still gives something out.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        // Relaxed: a request that races with the end may come before it.
        let closed = self.closed.load(Ordering::Relaxed);
        if closed { Err(LeaseError::Finalized.into()) } else { self.check_time() }
    }

    /// Whether its lease still holds what was set aside, of parts of it too.
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
        for (number, metered) in (0_u8..).zip(self.counter.metered()) {
            if mine.contains(&metered.unit) {
                demands.push((number, matched::amount(metered.unit, estimate, calls)));
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
