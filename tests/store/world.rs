//! The simulated world: a network that delays, drops, repeats and reorders, and a store behind it.

mod network;

use std::fmt::Write;
use std::time::Duration;

use outlay::store::{Edging, HolderId, HolderSupply, LimitId, StoreRules, SupplyRules, WindowSpan};
use outlay::{ShareKind, Tick};

use self::network::Packet;
use crate::auditor::{Auditor, Broken, Kind, Wire};
use crate::holder::{Holder, micros};
use crate::memory::Memory;
use crate::plan::{Op, Step, World};
use crate::random::Random;
use crate::twin;

/// When a world begins, by the store's clock.
const BEGIN: i64 = 1_700_000_000_000_000;
const TTL: Duration = Duration::from_secs(6);

pub(crate) const RULES: SupplyRules = SupplyRules {
    ttl: TTL,
    beat: Duration::from_millis(1_500),
    idle: Duration::from_secs(8),
    ahead: Duration::from_secs(1),
    ahead_calls: 8,
    again: Duration::from_millis(250),
};

const STORE: StoreRules = StoreRules { ttl: 6_000_000, strict: false, keep: 86_400_000_000 };

/// A calendar whose windows are so many microseconds long.
#[derive(Debug)]
struct Days(i64);

impl Edging for Days {
    fn around(&self, time: i64) -> (i64, i64) {
        let begins = time - time.rem_euclid(self.0);
        (begins, begins + self.0)
    }
}

pub(crate) struct Run<'a> {
    pub(crate) world: &'a World,
    pub(crate) holders: Vec<Option<Holder>>,
    pub(crate) auditor: Auditor,
    pub(crate) rows: Memory,
    wire: Wire,
    copy: Option<(Memory, Wire)>,
    /// Each with the time before which it does not arrive.
    packets: Vec<(Tick, Packet)>,
    pub(crate) now: Tick,
    step_micros: i64,
    leapt: i64,
    random: Random,
    leases: u64,
    born: u64,
    auto_sync_at: Tick,
    pub(crate) trace: Option<String>,
    pub(crate) applied: u64,
}

fn kind(span: WindowSpan) -> Kind {
    match span.kind() {
        ShareKind::Amount => Kind::Amount,
        ShareKind::Open => Kind::Open,
        ShareKind::Rate => {
            let WindowSpan::Sliding(period) = span else {
                panic!("only sliding windows have rates")
            };
            Kind::Span(i64::try_from(period).unwrap())
        }
    }
}

impl<'a> Run<'a> {
    pub(crate) fn new(world: &'a World, trace: bool) -> Self {
        let listed: Vec<_> = world.specs.iter().map(|spec| (kind(spec.span), spec.most)).collect();
        let kinds = listed.iter().map(|(kind, _)| *kind).collect();
        let (now, ttl) = (Tick::from_nanos(0), i64::try_from(STORE.ttl).unwrap());
        let mut run = Self {
            world,
            holders: Vec::new(),
            auditor: Auditor::new(&listed, world.faults.strict, ttl),
            rows: Memory::default(),
            wire: Wire::new(kinds, ttl),
            copy: None,
            packets: Vec::new(),
            now,
            step_micros: 0,
            leapt: 0,
            random: Random::new(7),
            leases: 0,
            born: 0,
            auto_sync_at: now,
            trace: trace.then(String::new),
            applied: 0,
        };
        for _ in 0..world.holders {
            let holder = run.born();
            run.holders.push(Some(holder));
        }
        run
    }

    fn born(&mut self) -> Holder {
        let mut supply = HolderSupply::new(RULES, self.holder_id());
        for (at, spec) in self.world.specs.iter().enumerate() {
            let calendar = spec.span == WindowSpan::Calendar;
            let edging: Option<Box<dyn Edging>> =
                if calendar { Some(Box::new(Days(20_000_000))) } else { None };
            supply.add(LimitId(at as u128), spec.span, spec.most, edging);
        }
        Holder::new(supply, &self.world.specs, self.now)
    }

    fn holder_id(&mut self) -> HolderId {
        self.born += 1;
        HolderId(u128::from(self.born))
    }

    fn store_time(&self) -> i64 {
        BEGIN + micros(self.now) + self.step_micros
    }

    pub(crate) fn say(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            writeln!(trace, "{:>9} {}", micros(self.now) / 1_000, text()).unwrap();
        }
    }

    /// Makes one step.
    pub(crate) fn step(&mut self, step: &Step) -> Result<(), Broken> {
        self.pass(self.now.plus(Duration::from_millis(step.after)))?;
        if self.world.faults.quiet && self.now >= self.auto_sync_at {
            self.auto_sync_at = self.now.plus(Duration::from_secs(1));
            for holder in 0..self.holders.len() {
                self.sync(holder)?;
            }
        }
        self.say(|| format!("{:?}", step.op));
        match step.op {
            Op::Pass => {}
            Op::Call { holder, limits, amount, ttl, patience } => {
                let all = 0..self.world.specs.len();
                let demands = all.filter(|limit| limits >> limit & 1 == 1);
                let demands = demands.map(|limit| (limit, amount)).collect();
                let times = [ttl, patience].map(Duration::from_millis);
                self.call(holder, demands, times)?;
            }
            Op::End { holder, pick, tenths } => self.end(holder, pick, tenths)?,
            Op::Record { holder, limit, amount } => {
                if let Some((holder, auditor)) = self.awake(holder) {
                    holder.record(limit, amount, auditor);
                }
            }
            Op::Plan { holder } => self.plan(holder)?,
            Op::Sync { holder } => self.sync(holder)?,
            Op::Deliver { pick, again } => self.deliver(pick, again)?,
            Op::Drop { pick } => {
                if !self.packets.is_empty() {
                    self.packets.remove(pick % self.packets.len());
                }
            }
            _ => self.fault(step.op),
        }
        Ok(())
    }

    /// Lets time pass: what happens in the processes that run, happens in the order of time.
    pub(crate) fn pass(&mut self, to: Tick) -> Result<(), Broken> {
        loop {
            let running = self.holders.iter().flatten().filter(|holder| !holder.hung);
            let next = running.filter_map(Holder::next).filter(|next| *next <= to).min();
            let Some(next) = next else { break };
            self.now = next;
            for holder in 0..self.holders.len() {
                let due = |own: &Holder| !own.hung && own.next() == Some(next);
                if self.holders[holder].as_ref().is_some_and(due) {
                    self.awake(holder);
                    self.flush(holder)?;
                }
            }
        }
        self.now = to;
        Ok(())
    }

    /// Tells the auditor what a holder has admitted.
    fn flush(&mut self, holder: usize) -> Result<(), Broken> {
        match self.holders[holder].as_mut() {
            Some(holder) => holder.flush(&mut self.leases, &mut self.auditor),
            None => Ok(()),
        }
    }

    fn fault(&mut self, op: Op) {
        twin::fault(op);
        match op {
            Op::Crash { holder } => {
                let fresh = self.born();
                self.holders[holder] = Some(fresh);
            }
            Op::Fork { holder, child } if holder != child => self.fork(holder, child),
            Op::Hang { holder } => self.set(holder, |holder| holder.hung = true),
            Op::Wake { holder } => self.set(holder, |holder| holder.hung = false),
            Op::Cut { holder } => self.set(holder, |holder| holder.cut = true),
            Op::Slow { holder, millis } => {
                self.set(holder, |holder| holder.delay = Duration::from_millis(millis));
            }
            Op::Heal { holder } => {
                self.set(holder, |holder| (holder.cut, holder.delay) = (false, Duration::ZERO));
            }
            Op::Forget => {
                self.rows = Memory::default();
                self.wire.forget();
            }
            Op::Copy => self.copy = Some((self.rows.clone(), self.wire.clone())),
            Op::Failover => {
                if let Some((rows, wire)) = self.copy.take() {
                    (self.rows, self.wire) = (rows, wire);
                }
            }
            Op::StepClock { millis } => {
                self.step_micros += millis * 1_000;
                self.leapt += millis.max(0) * 1_000;
            }
            Op::Reset { holder, limit } => {
                if let Some((holder, _)) = self.awake(holder) {
                    holder.change(limit, None);
                }
            }
            Op::CallIn { holder, limit } => {
                self.set(holder, |holder| holder.supply.call_in(LimitId(limit as u128)));
            }
            Op::Leave { holder, limit } => {
                self.set(holder, |holder| holder.supply.leave(LimitId(limit as u128)));
            }
            Op::Go { holder } => self.set(holder, Holder::go),
            Op::SetLimit { holder, limit, most } => {
                if let Some((holder, auditor)) = self.awake(holder) {
                    holder.change(limit, Some(most));
                    auditor.limit_set(limit, most);
                }
            }
            _ => {}
        }
    }

    /// All faults end, and nothing is on its way.
    pub(crate) fn calm(&mut self) {
        self.packets.clear();
        for holder in self.holders.iter_mut().flatten() {
            (holder.hung, holder.cut, holder.delay) = (false, false, Duration::ZERO);
        }
    }

    /// Whether a holder has an open lease, or a request that waits.
    pub(crate) fn has_lease(&mut self, holder: usize) -> bool {
        self.awake(holder).is_some_and(|(holder, _)| !holder.inner.leases.is_empty())
    }

    fn set(&mut self, holder: usize, set: impl FnOnce(&mut Holder)) {
        if let Some(holder) = &mut self.holders[holder] {
            set(holder);
        }
    }

    /// A holder that runs, brought to the present.
    fn awake(&mut self, holder: usize) -> Option<(&mut Holder, &mut Auditor)> {
        let holder = self.holders[holder].as_mut().filter(|holder| !holder.hung)?;
        holder.touch(self.now);
        // Eras end by the time that has passed, though the store's clock may have gone back.
        self.auditor.store_time = BEGIN + micros(self.now) + self.leapt;
        Some((holder, &mut self.auditor))
    }

    fn fork(&mut self, holder: usize, child: usize) {
        let id = self.holder_id();
        let (now, specs) = (self.now, &self.world.specs);
        let parent = self.holders[holder].as_ref();
        let forked = parent.map(|parent| Holder::new(parent.supply.forked(id), specs, now));
        self.holders[child] = forked;
    }

    pub(crate) fn call(
        &mut self,
        holder: usize,
        demands: Vec<(usize, u64)>,
        times: [Duration; 2],
    ) -> Result<(), Broken> {
        if let Some((own, _)) = self.awake(holder).filter(|(own, _)| !own.goes) {
            own.call(demands, times);
        }
        self.flush(holder)
    }

    pub(crate) fn end(&mut self, at: usize, pick: usize, tenths: u64) -> Result<(), Broken> {
        if let Some((holder, auditor)) = self.awake(at) {
            let leases = holder.inner.leases.len();
            if leases > 0 {
                holder.end(pick % leases, tenths, auditor);
            }
        }
        self.flush(at)
    }
}
