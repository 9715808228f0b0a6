//! A holder: the shipped meters, shares and supply of one process, and the requests of its callers.

use std::collections::VecDeque;
use std::time::Duration;

use outlay::store::{HolderId, LimitId, Meters, Span, Supply, View};
use outlay::{Era, Fit, Hold, Limit, Meter, Moment, Share, Terms, Tick, Unit, Window};

use crate::auditor::{Auditor, Broken, Entry};
use crate::plan::Spec;

pub(crate) struct Local {
    pub(crate) id: LimitId,
    pub(crate) meter: Meter,
    pub(crate) share: Share,
    ended: u32,
    calls: u64,
    asked: u64,
    /// What was used while there was no era to use it in.
    pending: u64,
}

pub(crate) struct Entered {
    limit: usize,
    hold: Hold,
    era: Era,
}

pub(crate) struct Lease {
    pub(crate) number: u64,
    deadline: Tick,
    entries: Vec<Entered>,
}

pub(crate) struct Wait {
    request: u64,
    since: Tick,
    until: Tick,
    ttl: Duration,
    demands: Vec<(usize, u64)>,
}

pub(crate) struct Holder {
    pub(crate) supply: Supply,
    pub(crate) inner: Inner,
    pub(crate) hung: bool,
    pub(crate) cut: bool,
    /// How long answers to it take.
    pub(crate) delay: Duration,
}

/// What the supply may visit: all but the supply itself.
pub(crate) struct Inner {
    pub(crate) locals: Vec<Local>,
    pub(crate) leases: Vec<Lease>,
    waits: VecDeque<Wait>,
    now: Tick,
    requests: u64,
}

pub(crate) fn moment(tick: Tick) -> Moment {
    Moment { tick, wall_ns: 0 }
}

/// Microseconds since the world began.
pub(crate) fn micros(tick: Tick) -> i64 {
    i64::try_from(tick.since(Tick::from_nanos(0)).as_micros()).unwrap()
}

fn window(span: Span, now: Tick) -> Window {
    match span {
        Span::Sliding(period) => Window::sliding(Duration::from_micros(period), 20, now).unwrap(),
        Span::Gauge => Window::Gauge,
        Span::Lifetime | Span::Fixed(_) | Span::Calendar => Window::Lifetime,
    }
}

impl Holder {
    pub(crate) fn new(supply: Supply, specs: &[Spec], now: Tick) -> Self {
        let local = |(at, spec): (usize, &Spec)| {
            let window = window(spec.span, now);
            let share = Share::new(spec.span.kind());
            let limit = Limit::new(Unit::Tokens, Some(spec.most));
            let meter = Meter::new(limit, window);
            let id = LimitId(at as u128);
            Local { id, meter, share, ended: 0, calls: 0, asked: 0, pending: 0 }
        };
        let locals = specs.iter().enumerate().map(local).collect();
        let (leases, waits) = (Vec::new(), VecDeque::new());
        let inner = Inner { locals, leases, waits, now, requests: 0 };
        Self { supply, inner, hung: false, cut: false, delay: Duration::ZERO }
    }

    pub(crate) fn id(&self) -> HolderId {
        self.supply.holder()
    }

    /// Takes the limits in force from the supply.
    pub(crate) fn set_limits(&mut self) {
        for local in &mut self.inner.locals {
            if let Some(figures) = self.supply.figures(local.id)
                && local.meter.limit() != Some(figures.most)
            {
                local.meter.set_limit(&Limit::new(Unit::Tokens, Some(figures.most)));
            }
        }
    }

    /// Brings the meters to `now`: leases and eras end, in the order of time.
    pub(crate) fn touch(&mut self, now: Tick) {
        self.inner.now = now;
        loop {
            let due = |lease: &&Lease| lease.deadline <= now;
            let lease = self.inner.leases.iter().filter(due).map(|lease| lease.deadline).min();
            let ends = self.inner.locals.iter().filter_map(|local| local.share.ends());
            let era = ends.filter(|ends| *ends <= now).min();
            match (lease, era) {
                (Some(lease), era) if era.is_none_or(|era| lease <= era) => {
                    self.inner.expire(lease)
                }
                (_, Some(era)) => self.inner.roll(era),
                _ => break,
            }
        }
        for local in &mut self.inner.locals {
            local.meter.roll(moment(now));
        }
    }

    /// Asks for `demands`. What does not fit waits for the store.
    pub(crate) fn call(
        &mut self,
        demands: Vec<(usize, u64)>,
        [ttl, patience]: [Duration; 2],
        lease: &mut dyn FnMut() -> u64,
        auditor: &mut Auditor,
    ) -> Result<(), Broken> {
        let inner = &mut self.inner;
        for &(limit, amount) in &demands {
            inner.locals[limit].calls += 1;
            inner.locals[limit].asked += amount;
        }
        inner.requests += 1;
        let (request, now) = (inner.requests, inner.now);
        let wait = Wait { request, since: now, until: now.plus(patience), ttl, demands };
        inner.waits.push_back(wait);
        self.serve(lease, auditor)
    }

    /// Tells the auditor what was used before there was an era for it.
    pub(crate) fn flush(&mut self, auditor: &mut Auditor) {
        let (id, now) = (self.id().0, self.inner.now);
        for (at, local) in self.inner.locals.iter_mut().enumerate() {
            local.flush(id, at, auditor, now);
        }
    }

    /// Books what has happened already.
    pub(crate) fn record(&mut self, limit: usize, amount: u64, auditor: &mut Auditor) {
        let (id, now) = (self.id().0, self.inner.now);
        let local = &mut self.inner.locals[limit];
        local.meter.charge(amount);
        local.used(id, limit, amount, auditor, now);
    }

    /// Serves the waits, oldest first; one that does not fit holds up those behind it.
    pub(crate) fn serve(
        &mut self,
        lease: &mut dyn FnMut() -> u64,
        auditor: &mut Auditor,
    ) -> Result<(), Broken> {
        let (id, now) = (self.id().0, self.inner.now);
        self.inner.waits.retain(|wait| wait.until > now);
        let mut blocked = 0u64;
        let mut at = 0;
        while at < self.inner.waits.len() {
            let wait = &self.inner.waits[at];
            let limits = wait.demands.iter().fold(0u64, |bits, (limit, _)| bits | 1 << limit);
            if blocked & limits == 0 && self.inner.fits(wait) {
                let wait = self.inner.waits.remove(at).unwrap();
                self.inner.open(wait, lease(), id, auditor)?;
            } else {
                blocked |= limits;
                at += 1;
            }
        }
        Ok(())
    }

    /// Ends a lease. `tenths` of its estimates were used.
    pub(crate) fn end(&mut self, at: usize, tenths: u64, auditor: &mut Auditor) {
        let (id, now) = (self.id().0, self.inner.now);
        let lease = self.inner.leases.swap_remove(at);
        let mut used = Vec::with_capacity(lease.entries.len());
        for entry in &lease.entries {
            let local = &mut self.inner.locals[entry.limit];
            let amount = entry.hold.amount;
            let actual = if local.is_gauge() { amount } else { amount * tenths / 10 };
            used.push(actual.min(amount));
            if !local.meter.counts(&entry.hold) {
                local.share.settle(entry.era, amount, actual.min(amount));
            }
            local.meter.commit(&entry.hold, actual);
            local.used(id, entry.limit, actual.saturating_sub(amount), auditor, now);
        }
        auditor.end(lease.number, &used, micros(now));
    }
}

impl Wait {
    /// When its lease would end, if it opens one.
    fn until_of(&self, now: Tick) -> Option<Tick> {
        (!self.ttl.is_zero()).then(|| now.plus(self.ttl))
    }
}

impl Inner {
    fn fits(&self, wait: &Wait) -> bool {
        let until = wait.until_of(self.now);
        wait.demands.iter().all(|&(limit, amount)| {
            let Local { meter, share, .. } = &self.locals[limit];
            let taken = meter.used().saturating_add(meter.reserved());
            share.era().is_some()
                && share.fit(taken, amount, until, self.now) == Fit::Fits
                && meter.admits(amount, Terms::Plain)
        })
    }

    fn open(
        &mut self,
        wait: Wait,
        number: u64,
        holder: u128,
        auditor: &mut Auditor,
    ) -> Result<(), Broken> {
        let deadline = self.now.plus(wait.ttl);
        let at_once = wait.ttl.is_zero();
        let (mut entries, mut listed) = (Vec::new(), Vec::new());
        for (limit, amount) in wait.demands {
            let local = &mut self.locals[limit];
            let Some(era) = local.share.era() else { continue };
            let hold = local.meter.reserve(amount);
            entries.push(Entered { limit, hold, era });
            let window = (era.generation, era.begins);
            listed.push(Entry { limit, window, amount });
        }
        let used: Vec<u64> = listed.iter().map(|entry| entry.amount).collect();
        auditor.admit(holder, number, listed, micros(deadline), micros(self.now))?;
        if at_once {
            for entry in &entries {
                self.locals[entry.limit].meter.commit(&entry.hold, entry.hold.amount);
            }
            auditor.end(number, &used, micros(self.now));
        } else {
            self.leases.push(Lease { number, deadline, entries });
        }
        Ok(())
    }

    /// Ends the leases that are due at `at`. They are charged their estimates.
    fn expire(&mut self, at: Tick) {
        let mut due: Vec<Lease> =
            self.leases.extract_if(.., |lease| lease.deadline <= at).collect();
        due.sort_by_key(|lease| lease.number);
        for entry in due.iter().flat_map(|lease| &lease.entries) {
            let local = &mut self.locals[entry.limit];
            local.meter.roll(moment(at));
            if !local.meter.counts(&entry.hold) {
                local.share.settle(entry.era, entry.hold.amount, entry.hold.amount);
            }
            local.meter.expire(&entry.hold, true, moment(at));
        }
    }

    /// Ends the eras that are over at `at`.
    fn roll(&mut self, at: Tick) {
        for local in &mut self.locals {
            local.share.roll(local.meter.used(), local.meter.reserved(), at);
            local.follow(at);
        }
    }

    fn view(&self, at: usize) -> View {
        let Local { meter, share, calls, asked, .. } = &self.locals[at];
        let names = |lease: &&Lease| lease.entries.iter().any(|entry| entry.limit == at);
        let mut until = self.leases.iter().filter(names).map(|lease| lease.deadline).max();
        let (mut need, mut since, mut request) = (0, None, None);
        let taken = meter.used().saturating_add(meter.reserved());
        for wait in &self.waits {
            let Some((_, amount)) = wait.demands.iter().find(|(limit, _)| *limit == at) else {
                continue;
            };
            let ends = wait.until_of(self.now);
            until = until.max(ends);
            if need == 0 && share.fit(taken, *amount, ends, self.now) != Fit::Fits {
                (need, since, request) = (*amount, Some(wait.since), Some(wait.request));
            }
        }
        let (spent, held) = (meter.used(), meter.reserved());
        View { spent, held, until, need, since, request, calls: *calls, asked: *asked }
    }
}

impl Meters for Inner {
    fn visit(&mut self, limit: LimitId, act: &mut dyn FnMut(&View, &mut Share)) {
        let at = usize::try_from(limit.0).unwrap();
        let view = self.view(at);
        let local = &mut self.locals[at];
        act(&view, &mut local.share);
        local.follow(self.now);
    }
}

impl Local {
    fn is_gauge(&self) -> bool {
        matches!(self.meter.window(), Window::Gauge)
    }

    /// Begins a new window if the era of the share has ended.
    fn follow(&mut self, now: Tick) {
        if self.share.ended() != self.ended {
            self.ended = self.share.ended();
            self.meter.reset(moment(now));
            self.pending = 0;
        }
    }

    /// Tells the auditor what was used beside leases.
    fn used(&mut self, holder: u128, limit: usize, amount: u64, auditor: &mut Auditor, now: Tick) {
        match self.share.era() {
            _ if amount == 0 => {}
            Some(Era { generation, begins }) => {
                let entry = Entry { limit, window: (generation, begins), amount };
                auditor.record(holder, entry, micros(now));
            }
            None => self.pending += amount,
        }
    }

    /// Tells the auditor what was used before there was an era.
    pub(crate) fn flush(&mut self, holder: u128, limit: usize, auditor: &mut Auditor, now: Tick) {
        if self.share.era().is_some() {
            let pending = std::mem::take(&mut self.pending);
            self.used(holder, limit, pending, auditor, now);
        }
    }
}
