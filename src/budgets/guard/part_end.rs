//! What a part tells those that it is carved out of: what was used above it, and what at its end.

use super::part::{Part, UNITS};
use crate::accounting::{Meter, Unit, Usage};
use crate::ledger::{Demands, Error, Idle, Kept, Unsettled};

/// What those around a part know of its use, in the order of `UNITS`.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Told beside what they held or were told at its end.
    told: [u64; 3],
    /// What was said at its end; `None` while they hold the part, or count all of it.
    said: Option<[u64; 3]>,
    /// Its time is over, and nothing of it was open any more.
    over: bool,
}

impl Part {
    /// What was used of it, and held in it where `held`, in the order of `UNITS`.
    fn taken(&self, held: bool) -> Result<[u64; 3], Error> {
        self.counter.account.read(|meters, _| {
            let of = |meter: &Meter| {
                meter.used().saturating_add(if held { meter.reserved() } else { 0 })
            };
            UNITS.map(|unit| meters.iter().find(|m| m.unit() == unit).map_or(0, of))
        })
    }

    /// What was used, with what is held in it, above what those around know, from now on told. What
    /// is held is never more than the part, so that no more is told than was used.
    fn untold(&self) -> Result<[u64; 3], Error> {
        let taken = self.taken(true)?;
        let mut known = self.known.lock();
        let mut more = [0; 3];
        for (index, unit) in UNITS.into_iter().enumerate() {
            let Some(of) = self.of.of(unit) else { continue };
            let held = known.said.map_or(of, |said| said[index]);
            let above = taken[index].saturating_sub(held);
            more[index] = above.saturating_sub(known.told[index]);
            known.told[index] = known.told[index].max(above);
        }
        Ok(more)
    }

    /// Books at once what was used above the part, where it was carved out of: nobody else is to
    /// be admitted on money that is spent. What it does not set aside itself was used of a part
    /// around it, so that they are asked whatever it has to tell.
    fn tell_overrun(&self) -> Result<(), Error> {
        let more = self.untold()?;
        if more != [0; 3] {
            let of = |unit: Unit| UNITS.iter().position(|u| *u == unit).map_or(0, |at| more[at]);
            for carved in &self.carved {
                let demands: Demands =
                    carved.meters.iter().map(|&(number, unit)| (number, of(unit))).collect();
                carved.counter.account.record(&demands)?;
            }
            if let Some(parent) = &self.parent {
                parent.book(more)?;
            }
        }
        self.parent.as_ref().map_or(Ok(()), |parent| parent.tell_overrun())
    }

    /// Books what was used above a part of it; what it does not set aside itself, further out.
    fn book(&self, mut more: [u64; 3]) -> Result<(), Error> {
        let mut demands = Demands::new();
        for (number, metered) in (0_u8..).zip(self.counter.metered()) {
            let place = UNITS.iter().position(|unit| *unit == metered.unit);
            if let (Some(place), Some(_)) = (place, self.of.of(metered.unit)) {
                demands.push((number, std::mem::take(&mut more[place])));
            }
        }
        self.counter.account.record(&demands)?;
        match &self.parent {
            Some(parent) if more != [0; 3] => parent.book(more),
            _ => Ok(()),
        }
    }

    /// Ends it where its time is over and no lease of it is open: until then what it set aside is
    /// held. `again`: where one is open, to be looked at when that runs out.
    pub(super) fn look(&self, again: bool) {
        let now = self.counter.account.core().clock().tick();
        if now < self.deadline || self.known.lock().over {
            return;
        }
        // In a forked child it fails: there the part still belongs to the parent process.
        match self.counter.account.close_if_idle() {
            Ok(Idle::Closed) => self.run_out(),
            Ok(Idle::Until(Some(next))) if again => {
                self.ends.add(next, self.depth, self.me.clone());
            }
            Ok(Idle::Until(_)) | Err(_) => {}
        }
    }

    /// It ends as a lease that runs out: all of it is charged until it is closed; or, where what is
    /// not settled is returned, what was used of it is booked and the rest goes back.
    fn run_out(&self) {
        if std::mem::replace(&mut self.known.lock().over, true) {
            return;
        }
        if self.counter.account.core().policy().unsettled == Unsettled::Charge {
            let _ = self.lease.run_out();
        } else {
            let _ = self.settle();
        }
        if let Some(parent) = &self.parent {
            parent.look(false);
        }
    }

    /// Says what was used, in place of what is held or was charged for it; once.
    fn settle(&self) -> Result<(), Error> {
        self.tell_overrun()?;
        let used = self.taken(false)?;
        let told = {
            let mut known = self.known.lock();
            if known.said.is_some() {
                return Ok(());
            }
            let told = std::mem::take(&mut known.told);
            known.said = Some([0, 1, 2].map(|at| used[at].max(told[at])));
            told
        };
        let [tokens, cost, calls] = [0, 1, 2].map(|at| used[at].saturating_sub(told[at]));
        self.lease.settle(Usage::priced(tokens, cost), calls)?;
        // What was used meanwhile.
        self.tell_overrun()
    }
}

impl Kept for Part {
    fn ended(&self) {
        // In a forked child this fails: there the part still belongs to the parent process.
        let _ = self.tell_overrun();
        let mut over = Some(self);
        while let Some(part) = over {
            part.look(false);
            over = part.parent.as_deref();
        }
    }

    /// It may be time to look at it sooner.
    fn moved(&self) {
        self.look(true);
    }
}

impl Drop for Part {
    /// Says to the parent what was used; in a forked child that fails, and the parent says it.
    fn drop(&mut self) {
        let _ = self.settle();
    }
}
