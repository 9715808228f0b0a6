//! A holder: the shipped accounts, leases, queues and waits of one process, and its supply.

mod changes;
mod lease;
mod link;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use outlay::store::{HolderId, HolderSupply, LimitId, Meters, Registry, View, WindowSpan};
use outlay::{
    Account, Ask, CalendarUnit, Clock, Code, Core, Demand, Demands, Era, Follower, Grant, Key,
    Limit, Mailbox, ManualClock, Meter, Moment, Policy, Request, Share, Tick, Unit, Usage, Wait,
    Window,
};

use self::lease::Lease;
use self::link::Link;
use crate::auditor::{Auditor, Broken, Entry, Use, broken};
use crate::plan::Spec;

/// Who is so patient always waits, for others too.
const LONG: Duration = Duration::from_secs(30);

/// Where the meter of a limit is, and what is known of it.
struct Local {
    account: usize,
    meter: u8,
    gauge: bool,
    ended: u32,
    /// What was used while there was no era to use it in.
    pending: u64,
}

struct Waiting {
    wait: Wait,
    ttl: Duration,
    demands: Vec<(usize, u64)>,
}

/// An admission of which the auditor has not heard.
struct Admitted {
    lease: Option<outlay::Lease>,
    deadline: Tick,
    demands: Vec<(usize, u64)>,
    eras: Vec<Option<Era>>,
}

pub(crate) struct Holder {
    pub(crate) supply: HolderSupply,
    pub(crate) inner: Inner,
    pub(crate) hung: bool,
    pub(crate) cut: bool,
    pub(crate) goes: bool,
    /// How long answers to it take.
    pub(crate) delay: Duration,
}

/// What the supply may visit: all but the supply itself.
pub(crate) struct Inner {
    clock: Arc<ManualClock>,
    link: Arc<Link>,
    registry: Registry,
    accounts: Vec<Arc<Account>>,
    locals: Vec<Local>,
    pub(crate) leases: Vec<Lease>,
    waits: Vec<Waiting>,
    fresh: Vec<Admitted>,
    /// How many admissions were fresh when a limit was last visited.
    visited: BTreeMap<u128, usize>,
    /// An admission that was found too late.
    late: Option<String>,
    mailbox: Arc<Mailbox>,
    requests: u64,
    /// When something happens next, until something changes.
    next: Cell<Option<Option<Tick>>>,
}

/// Microseconds since the world began.
pub(crate) fn micros(tick: Tick) -> i64 {
    i64::try_from(tick.since(Tick::from_nanos(0)).as_micros()).unwrap()
}

fn meter(at: usize, spec: &Spec, now: Tick) -> Meter {
    let window = match spec.span {
        WindowSpan::Sliding(period) => {
            Window::sliding(Duration::from_micros(period), 20, now).unwrap()
        }
        WindowSpan::Gauge => Window::Gauge,
        WindowSpan::Lifetime => Window::Lifetime,
        WindowSpan::Fixed(period) => Window::fixed(Duration::from_micros(period), now).unwrap(),
        WindowSpan::Calendar => {
            let now = Moment { tick: now, wall_ns: 0 };
            Window::calendar(CalendarUnit::Day, "UTC", now).unwrap()
        }
    };
    Meter::new(Limit::new(Unit::Tokens, Some(spec.most)), window).shared(at as u128)
}

impl Holder {
    /// Two limits are in one account, so that a request has several meters and several accounts.
    pub(crate) fn new(supply: HolderSupply, specs: &[Spec], now: Tick) -> Self {
        let (clock, link) = (Arc::new(ManualClock::new()), Arc::new(Link::default()));
        clock.advance(now.since(Tick::from_nanos(0)));
        let core = Core::new(Clock::from(Arc::clone(&clock)), Policy::default());
        let (mut registry, mut accounts) = (Registry::default(), Vec::new());
        for (number, pair) in specs.chunks(2).enumerate() {
            let key = Key::parse("id", "a").unwrap();
            let meters = pair.iter().enumerate();
            let meters = meters.map(|(at, spec)| meter(2 * number + at, spec, now));
            let account = Account::new(&core, key, Code::BudgetExceeded, meters);
            account.supplied_by(Arc::clone(&link) as Arc<dyn outlay::Supply>).unwrap();
            registry.add(&account).unwrap();
            accounts.push(account);
        }
        let local = |(at, spec): (usize, &Spec)| Local {
            account: at / 2,
            meter: u8::try_from(at % 2).unwrap(),
            gauge: spec.span == WindowSpan::Gauge,
            ended: 0,
            pending: 0,
        };
        let locals = specs.iter().enumerate().map(local).collect();
        let (leases, waits, fresh) = (Vec::new(), Vec::new(), Vec::new());
        let mailbox = Mailbox::new(|| ());
        let inner = Inner {
            clock,
            link,
            registry,
            accounts,
            locals,
            leases,
            waits,
            fresh,
            visited: BTreeMap::new(),
            late: None,
            mailbox,
            requests: 0,
            next: Cell::new(None),
        };
        Self { supply, inner, hung: false, cut: false, goes: false, delay: Duration::ZERO }
    }

    /// Tells the supply which limits have news.
    pub(crate) fn mark(&mut self) {
        for limit in std::mem::take(&mut *self.inner.link.news.lock()) {
            self.supply.mark(LimitId(limit));
        }
    }

    pub(crate) fn id(&self) -> HolderId {
        self.supply.holder()
    }

    /// When something happens here without a message.
    pub(crate) fn next(&self) -> Option<Tick> {
        self.inner.next()
    }

    /// Brings the accounts to `now`, each event at its time.
    pub(crate) fn touch(&mut self, now: Tick) {
        let inner = &mut self.inner;
        let was = inner.link.away.swap(self.cut, Ordering::Relaxed);
        while let Some(next) = inner.next().filter(|next| *next < now) {
            inner.pass(next);
        }
        inner.pass(now);
        if was != self.cut {
            inner.next.set(None);
            inner.accounts.iter().for_each(|account| account.decide_again().unwrap());
            inner.collect();
        }
    }

    /// Asks for `demands`. What does not fit waits: for the store, or for others too.
    pub(crate) fn call(&mut self, demands: Vec<(usize, u64)>, [ttl, patience]: [Duration; 2]) {
        let inner = &mut self.inner;
        inner.requests += 1;
        inner.next.set(None);
        let asks = inner.asks(&demands);
        let estimate = Usage::tokens(demands.first().map_or(0, |(_, amount)| *amount));
        let request = Request { ttl: Some(ttl), ..Request::from(estimate) };
        if inner.requests.is_multiple_of(4) && patience < LONG {
            let lease = match ttl.is_zero() {
                true => outlay::charge(&asks).ok().map(|()| None),
                false => outlay::reserve(&asks, &request).ok().map(Some),
            };
            if let Some(lease) = lease {
                inner.admitted(lease, ttl, demands);
            }
            return inner.collect();
        }
        let join = if inner.requests.is_multiple_of(2) && patience < LONG {
            Wait::for_store
        } else {
            Wait::for_lease
        };
        let mailbox = Arc::clone(&inner.mailbox);
        if let Ok(wait) = join(&asks, request, Some(patience), mailbox) {
            inner.waits.push(Waiting { wait, ttl, demands });
        }
        inner.collect();
    }

    /// Tells the auditor what was admitted, and what was used before there was an era for it.
    pub(crate) fn flush(&mut self, number: &mut u64, auditor: &mut Auditor) -> Result<(), Broken> {
        let (id, now) = (self.id().0, self.inner.clock.tick());
        self.inner.collect();
        if let Some(late) = self.inner.late.take() {
            let text = format!("holder {id} found a lease of {late}");
            return Err(broken("who can pass does so at once", text));
        }
        for limit in 0..self.inner.locals.len() {
            self.inner.used(id, limit, 0, auditor);
        }
        for admitted in std::mem::take(&mut self.inner.fresh) {
            let Admitted { lease, deadline, demands, eras } = admitted;
            if eras.contains(&None) {
                let text = format!("holder {id} of {demands:?}");
                return Err(broken("what is admitted is of an era", text));
            }
            let entry = |(&(limit, amount), era): (&(usize, u64), &Option<Era>)| {
                let Era { generation, begins } = era.unwrap();
                Entry { limit, window: (generation, begins), amount }
            };
            let entries: Vec<Entry> = demands.iter().zip(&eras).map(entry).collect();
            *number += 1;
            match lease {
                Some(lease) if deadline > now => {
                    auditor.admit(id, *number, entries, micros(deadline), micros(now))?;
                    let number = *number;
                    self.inner.next.set(None);
                    self.inner.leases.push(Lease { number, lease, deadline, demands, eras });
                }
                Some(_) if deadline < now => {
                    // It was opened and has run out while the process slept.
                    for entry in entries {
                        auditor.record(id, entry, micros(deadline));
                    }
                }
                _ => {
                    let used: Vec<u64> = entries.iter().map(|entry| entry.amount).collect();
                    auditor.admit(id, *number, entries, micros(now), micros(now))?;
                    auditor.end(*number, &used, micros(now));
                }
            }
        }
        Ok(())
    }

    /// What was admitted of a limit after its supply has spoken of it.
    pub(crate) fn after(&self, limit: usize, era: Era) -> Use {
        let (inner, now) = (&self.inner, self.inner.clock.tick());
        let first = inner.visited.get(&(limit as u128)).copied().unwrap_or(usize::MAX);
        let mut after = Use::default();
        for admitted in inner.fresh.iter().skip(first) {
            let own = admitted.demands.iter().zip(&admitted.eras);
            let own = own.filter(|((at, _), of)| *at == limit && **of == Some(era));
            let amount: u64 = own.map(|((_, amount), _)| amount).sum();
            if admitted.lease.is_some() && admitted.deadline > now {
                after.held += amount;
            } else {
                after.used += amount;
            }
        }
        after
    }
}

impl Inner {
    fn asks(&self, demands: &[(usize, u64)]) -> Vec<Ask> {
        let of = |number: usize| {
            let own = demands.iter().filter(|(limit, _)| self.locals[*limit].account == number);
            let own = own.map(|&(limit, amount)| Demand::new(self.locals[limit].meter, amount));
            own.collect::<Demands>()
        };
        let asks = self.accounts.iter().enumerate();
        let asks = asks.map(|(number, account)| Ask::new(account, of(number)));
        asks.filter(|ask| !ask.demands.is_empty()).collect()
    }

    fn share<R>(&self, limit: usize, read: impl FnOnce(&Share) -> R) -> R {
        let local = &self.locals[limit];
        let account = &self.accounts[local.account];
        account.read(|meters, _| read(meters[usize::from(local.meter)].share().unwrap())).unwrap()
    }

    /// When a lease runs out, an era ends, or time alone lets a wait pass.
    fn next(&self) -> Option<Tick> {
        if let Some(known) = self.next.get() {
            return known;
        }
        let leases = self.leases.iter().map(|lease| lease.deadline);
        let waits = self.accounts.iter().filter_map(|account| Follower::next(&**account));
        let ends = self.accounts.iter().flat_map(|account| {
            let ends = |meter: &Meter| meter.share().and_then(Share::ends);
            account.read(|meters, _| meters.iter().filter_map(ends).collect::<Vec<_>>()).unwrap()
        });
        let now = self.clock.tick();
        let next = leases.chain(waits).chain(ends).filter(|at| *at > now).min();
        self.next.set(Some(next));
        next
    }

    fn pass(&mut self, to: Tick) {
        let now = self.clock.tick();
        if to <= now || self.next().is_none_or(|next| to < next) {
            self.clock.advance(to.since(now));
            return;
        }
        self.next.set(None);
        self.clock.advance(to.since(now));
        for account in &self.accounts {
            account.read(|_, _| ()).unwrap();
        }
        self.leases.retain(|lease| lease.deadline > to);
        self.collect();
    }

    /// Takes what the waits were given.
    fn collect(&mut self) {
        let mut at = 0;
        while at < self.waits.len() {
            match self.waits[at].wait.take() {
                None => at += 1,
                Some(ended) => {
                    let Waiting { wait, ttl, demands } = self.waits.remove(at);
                    if let Ok(Grant::Lease(lease)) = ended {
                        self.admitted(Some(lease), ttl, demands);
                    }
                    // What it leaves behind may go to one that was looked at already.
                    drop(wait);
                    at = 0;
                }
            }
        }
    }

    fn admitted(
        &mut self,
        lease: Option<outlay::Lease>,
        ttl: Duration,
        demands: Vec<(usize, u64)>,
    ) {
        let eras = demands.iter().map(|(limit, _)| self.share(*limit, Share::era)).collect();
        let deadline = self.clock.tick().plus(ttl);
        if let Some(lease) = &lease {
            let left = lease.expires_in().unwrap();
            if left != ttl && self.late.is_none() {
                self.late =
                    Some(format!("{demands:?} that lasts {ttl:?}, {left:?} before its end"));
            }
        }
        self.fresh.push(Admitted { lease, deadline, demands, eras });
    }

    /// Tells the auditor what was used beside leases, now or before there was an era.
    fn used(&mut self, holder: u128, limit: usize, amount: u64, auditor: &mut Auditor) {
        let (era, ended) = self.share(limit, |share| (share.era(), share.ended()));
        let now = micros(self.clock.tick());
        let local = &mut self.locals[limit];
        if std::mem::replace(&mut local.ended, ended) != ended {
            local.pending = 0;
        }
        local.pending += amount;
        if let Some(Era { generation, begins }) = era
            && local.pending > 0
        {
            let amount = std::mem::take(&mut local.pending);
            auditor.record(holder, Entry { limit, window: (generation, begins), amount }, now);
        }
    }
}

impl Meters for Inner {
    fn visit(&mut self, limit: LimitId, act: &mut dyn FnMut(&View, &mut Share)) {
        self.visited.insert(limit.0, self.fresh.len());
        self.registry.visit(limit, act);
        self.next.set(None);
        self.collect();
    }
}
