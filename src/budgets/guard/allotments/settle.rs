//! What an allotment reports to the accounts it is taken from: overruns at once, and its usage at
//! its end.

use super::allotted::{Allotted, UNITS};
use super::ends::EndsInTime;
use crate::accounting::{Meter, Unit, Usage};
use crate::ledger::{Demand, Demands, Error, Idle, Kept, MeterIndex, Unsettled};

impl Allotted {
    /// The usage of it, and what is held in it if `held`, in the order of `UNITS`.
    fn taken(&self, held: bool) -> Result<[u64; 3], Error> {
        self.counter.account.read(|meters, _| {
            let of = |meter: &Meter| {
                meter.used().saturating_add(if held { meter.reserved() } else { 0 })
            };
            UNITS.map(|unit| meters.iter().find(|m| m.unit() == unit).map_or(0, of))
        })
    }

    /// Usage and holds above what the outer accounts know. They count as reported from now on.
    /// Holds never exceed the allotment, so no more is reported than was used.
    fn unreported(&self) -> Result<[u64; 3], Error> {
        let taken = self.taken(true)?;
        let mut reported = self.reported.lock();
        let mut overrun = [0; 3];
        for (index, unit) in UNITS.into_iter().enumerate() {
            let Some(of) = self.of.of(unit) else { continue };
            let held = reported.at_end.map_or(of, |at_end| at_end[index]);
            let above = taken[index].saturating_sub(held);
            overrun[index] = above.saturating_sub(reported.beside[index]);
            reported.beside[index] = reported.beside[index].max(above);
        }
        Ok(overrun)
    }

    /// Books usage above the allotment at once where the allotment was taken from. So no other
    /// request is admitted on money that is spent. Allotments around it are asked too: they paid
    /// for the units that it does not set aside.
    fn report_overrun(&self) -> Result<(), Error> {
        let overrun = self.unreported()?;
        if overrun != [0; 3] {
            let of = |unit: Unit| UNITS.iter().position(|u| *u == unit).map_or(0, |at| overrun[at]);
            for source in &self.sources {
                let demands: Demands = source
                    .meters
                    .iter()
                    .map(|&(number, unit)| Demand::new(number, of(unit)))
                    .collect();
                source.counter.account.record(&demands)?;
            }
            if let Some(parent) = &self.parent {
                parent.book(overrun)?;
            }
        }
        self.parent.as_ref().map_or(Ok(()), |parent| parent.report_overrun())
    }

    /// Books usage above an inner allotment. Units that it does not set aside are booked further
    /// out.
    fn book(&self, mut overrun: [u64; 3]) -> Result<(), Error> {
        let mut demands = Demands::new();
        for (number, rule_meter) in (0..).map(MeterIndex).zip(self.counter.rule_meters().iter()) {
            let place = UNITS.iter().position(|unit| *unit == rule_meter.unit);
            if let (Some(place), Some(_)) = (place, self.of.of(rule_meter.unit)) {
                demands.push(Demand::new(number, std::mem::take(&mut overrun[place])));
            }
        }
        self.counter.account.record(&demands)?;
        match &self.parent {
            Some(parent) if overrun != [0; 3] => parent.book(overrun),
            _ => Ok(()),
        }
    }

    /// Ends it if its time is over and none of its leases is open. Until then it holds what it set
    /// aside. `again`: if a lease is open, check again when that lease runs out.
    fn end_if_over(&self, again: bool) {
        let now = self.counter.account.core().clock().tick();
        if now < self.deadline || self.reported.lock().over {
            return;
        }
        // In a forked child it fails: the allotment still belongs to the parent process.
        match self.counter.account.close_if_idle() {
            Ok(Idle::Closed) => self.run_out(),
            Ok(Idle::Until(Some(next))) if again => {
                self.ends.add(next, self.depth, self.me.clone());
            }
            Ok(Idle::Until(_)) | Err(_) => {}
        }
    }

    /// Ends it as a lease that runs out. If the policy charges unsettled leases, all of it is
    /// charged until it is closed. Otherwise its usage is booked and the remaining amount goes
    /// back.
    fn run_out(&self) {
        if std::mem::replace(&mut self.reported.lock().over, true) {
            return;
        }
        if self.counter.account.core().policy().unsettled == Unsettled::Charge {
            let _ = self.lease.run_out();
        } else {
            let _ = self.settle();
        }
        if let Some(parent) = &self.parent {
            parent.end_if_over(false);
        }
    }

    /// Reports its usage, in place of what is held or was charged for it. Once only.
    fn settle(&self) -> Result<(), Error> {
        self.report_overrun()?;
        let used = self.taken(false)?;
        let beside = {
            let mut reported = self.reported.lock();
            if reported.at_end.is_some() {
                return Ok(());
            }
            let beside = std::mem::take(&mut reported.beside);
            reported.at_end = Some([0, 1, 2].map(|at| used[at].max(beside[at])));
            beside
        };
        let [tokens, cost, calls] = [0, 1, 2].map(|at| used[at].saturating_sub(beside[at]));
        self.lease.settle(&Usage::priced(tokens, cost), calls)?;
        // Usage of the meantime.
        self.report_overrun()
    }
}

impl EndsInTime for Allotted {
    fn end_if_due(&self) {
        self.end_if_over(true);
    }
}

impl Kept for Allotted {
    fn ended(&self) {
        // In a forked child this fails: the allotment still belongs to the parent process.
        let _ = self.report_overrun();
        let mut over = Some(self);
        while let Some(allotted) = over {
            allotted.end_if_over(false);
            over = allotted.parent.as_deref();
        }
    }

    /// The allotment may end sooner now.
    fn moved(&self) {
        self.end_if_over(true);
    }
}

impl Drop for Allotted {
    /// Reports its usage to the parent. In a forked child this fails, and the parent process
    /// reports it.
    fn drop(&mut self) {
        let _ = self.settle();
    }
}
