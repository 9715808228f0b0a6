//! The auditor: it keeps a list of what was admitted and ended, and knows nothing of the crate.

mod wire;

use std::collections::{BTreeMap, VecDeque};

pub(crate) use wire::{Stated, Wire};

/// A window of a limit: how often it was reset, and when it begins.
pub(crate) type Window = (u32, i64);

/// What holders have used that have left counts for it.
pub(crate) const NOBODY: u128 = u128::MAX;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An amount in each window.
    Amount,
    /// What was used in any span of so many microseconds, and what is held.
    Span(i64),
    /// What is open.
    Open,
}

/// A broken law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) law: &'static str,
    pub(crate) text: String,
}

pub(crate) fn broken(law: &'static str, text: String) -> Broken {
    Broken { law, text }
}

/// What one holder has used and holds in one window of an amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) used: u64,
    pub(crate) held: u64,
}

/// The list of one limit in one generation, for what is no amount.
#[derive(Debug, Default)]
struct Flow {
    events: VecDeque<(i64, u64)>,
    used: u64,
    held: u64,
}

impl Flow {
    fn book(&mut self, at: i64, amount: u64) {
        let place = self.events.partition_point(|(time, _)| *time <= at);
        self.events.insert(place, (at, amount));
        self.used += amount;
    }

    /// Forgets what is older than a span: a span is open at one end.
    fn pass(&mut self, until: i64) {
        while let Some(&(at, amount)) = self.events.front()
            && at <= until
        {
            self.events.pop_front();
            self.used -= amount;
        }
    }
}

#[derive(Debug)]
struct Listed {
    kind: Kind,
    /// The largest limit that was ever in force.
    most: u64,
    windows: BTreeMap<Window, BTreeMap<u128, Use>>,
    flows: BTreeMap<u32, Flow>,
}

/// One entry of an open lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) limit: usize,
    pub(crate) window: Window,
    pub(crate) amount: u64,
}

#[derive(Debug)]
struct Lease {
    holder: u128,
    deadline: i64,
    entries: Vec<Entry>,
}

/// The list of all limits. Times are microseconds of a clock that never steps.
#[derive(Debug)]
pub(crate) struct Auditor {
    limits: Vec<Listed>,
    leases: BTreeMap<u64, Lease>,
    deadlines: BTreeMap<(i64, u64), ()>,
    /// Whether used and held may not exceed the limit at any instant.
    strict: bool,
    pub(crate) admitted: u64,
    /// The latest time of the store's clock.
    pub(crate) store_time: i64,
    ttl: i64,
    /// When the store was last reached, by limit and holder.
    heard: BTreeMap<(usize, u128), i64>,
}

impl Auditor {
    pub(crate) fn new(limits: &[(Kind, u64)], strict: bool, ttl: i64) -> Self {
        let listed = |&(kind, most): &(Kind, u64)| Listed {
            kind,
            most,
            windows: BTreeMap::new(),
            flows: BTreeMap::new(),
        };
        let limits = limits.iter().map(listed).collect();
        let (leases, deadlines) = (BTreeMap::new(), BTreeMap::new());
        Self {
            limits,
            leases,
            deadlines,
            strict,
            admitted: 0,
            store_time: 0,
            ttl,
            heard: BTreeMap::new(),
        }
    }

    pub(crate) fn limit_set(&mut self, limit: usize, most: u64) {
        let listed = &mut self.limits[limit];
        listed.most = listed.most.max(most);
    }

    /// A lease was opened.
    pub(crate) fn admit(
        &mut self,
        holder: u128,
        lease: u64,
        entries: Vec<Entry>,
        deadline: i64,
        now: i64,
    ) -> Result<(), Broken> {
        self.pass(now);
        self.admitted += 1;
        if let Some(early) = entries.iter().find(|entry| entry.window.1 > self.store_time) {
            let text = format!("{early:?} at {}", self.store_time);
            return Err(broken("no use before its window", text));
        }
        self.check_heard(holder, &entries, now)?;
        for entry in &entries {
            let listed = &mut self.limits[entry.limit];
            match listed.kind {
                Kind::Amount => listed.of(entry.window, holder).held += entry.amount,
                Kind::Span(_) | Kind::Open => listed.flow(entry.window).held += entry.amount,
            }
        }
        let checked = entries.iter().try_for_each(|entry| self.check(entry, now));
        self.deadlines.insert((deadline, lease), ());
        self.leases.insert(lease, Lease { holder, deadline, entries });
        checked
    }

    /// A message of this holder about this limit has reached the store.
    pub(crate) fn heard(&mut self, limit: usize, holder: u128, now: i64) {
        self.heard.insert((limit, holder), now);
    }

    /// What is no amount is used only while the store cannot have given it to others.
    fn check_heard(&self, holder: u128, entries: &[Entry], now: i64) -> Result<(), Broken> {
        for entry in entries.iter().filter(|entry| self.limits[entry.limit].kind != Kind::Amount) {
            let heard = self.heard.get(&(entry.limit, holder)).copied().unwrap_or(i64::MIN);
            if now >= heard.saturating_add(self.ttl) {
                let text = format!("{entry:?} at {now}, heard at {heard}");
                return Err(broken("no use of a share that has lapsed", text));
            }
        }
        Ok(())
    }

    /// A lease has ended. `used` is what its entries have used, each at most its estimate.
    pub(crate) fn end(&mut self, lease: u64, used: &[u64], now: i64) {
        self.pass(now);
        let Some(ended) = self.leases.remove(&lease) else { return };
        self.deadlines.remove(&(ended.deadline, lease));
        self.close(&ended, used, now);
    }

    /// What was used beside a lease, or above its estimate.
    pub(crate) fn record(&mut self, holder: u128, entry: Entry, now: i64) {
        self.pass(now);
        let listed = &mut self.limits[entry.limit];
        match listed.kind {
            Kind::Amount => listed.of(entry.window, holder).used += entry.amount,
            Kind::Span(_) => listed.flow(entry.window).book(now, entry.amount),
            Kind::Open => {}
        }
    }

    fn close(&mut self, lease: &Lease, used: &[u64], at: i64) {
        for (entry, used) in lease.entries.iter().zip(used) {
            let listed = &mut self.limits[entry.limit];
            match listed.kind {
                Kind::Amount => {
                    let own = listed.of(entry.window, lease.holder);
                    own.held -= entry.amount;
                    own.used += used;
                }
                Kind::Span(_) => {
                    let flow = listed.flow(entry.window);
                    flow.held -= entry.amount;
                    flow.book(at, *used);
                }
                Kind::Open => listed.flow(entry.window).held -= entry.amount,
            }
        }
    }

    /// Leases that have run out are charged their estimates at their deadlines, whoever lives.
    pub(crate) fn pass(&mut self, now: i64) {
        while let Some((&(at, lease), ())) = self.deadlines.first_key_value()
            && at <= now
        {
            self.deadlines.pop_first();
            if let Some(ended) = self.leases.remove(&lease) {
                let used: Vec<u64> = ended.entries.iter().map(|entry| entry.amount).collect();
                self.close(&ended, &used, at);
            }
        }
    }

    /// The first law.
    fn check(&mut self, entry: &Entry, now: i64) -> Result<(), Broken> {
        let listed = &mut self.limits[entry.limit];
        let sum = match listed.kind {
            Kind::Amount => {
                let window = listed.windows.get(&entry.window);
                window.into_iter().flatten().map(|(_, own)| own.used + own.held).sum()
            }
            Kind::Span(period) => {
                let flow = listed.flow(entry.window);
                flow.pass(now - period);
                flow.used + flow.held
            }
            Kind::Open => listed.flow(entry.window).held,
        };
        let most = listed.most;
        if self.strict && sum > most {
            let text = format!("limit {}: {sum} of {most} in {:?}", entry.limit, entry.window);
            return Err(broken("never above the limit", text));
        }
        Ok(())
    }

    /// What a holder says of a window is its list.
    pub(crate) fn said(
        &mut self,
        holder: u128,
        (limit, window): (usize, Window),
        said: Use,
        now: i64,
    ) -> Result<(), Broken> {
        self.pass(now);
        let uses = self.limits[limit].windows.get(&window);
        let listed = uses.and_then(|uses| uses.get(&holder)).copied().unwrap_or_default();
        if listed != said {
            let text = format!("limit {limit} {window:?}: says {said:?}, listed {listed:?}");
            return Err(broken("what is said is the list", text));
        }
        Ok(())
    }

    /// What a holder has used of a window counts for nobody: it leaves the limit.
    pub(crate) fn left(&mut self, holder: u128, (limit, window): (usize, Window)) {
        let listed = &mut self.limits[limit];
        let used = std::mem::take(&mut listed.of(window, holder).used);
        listed.of(window, NOBODY).used += used;
    }

    /// Whether nothing is listed of a holder in a window, for it has left.
    pub(crate) fn has_left(&mut self, holder: u128, (limit, window): (usize, Window)) -> bool {
        *self.limits[limit].of(window, holder) == Use::default()
    }

    /// What each holder has used and holds in each window of an amount.
    pub(crate) fn windows(
        &self,
        limit: usize,
    ) -> impl Iterator<Item = (Window, &BTreeMap<u128, Use>)> {
        self.limits[limit].windows.iter().map(|(window, uses)| (*window, uses))
    }
}

impl Listed {
    fn of(&mut self, window: Window, holder: u128) -> &mut Use {
        self.windows.entry(window).or_default().entry(holder).or_default()
    }

    fn flow(&mut self, window: Window) -> &mut Flow {
        self.flows.entry(window.0).or_default()
    }
}
