//! The real accounts and the naive ones, side by side.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use outlay::{
    Account, Actual, Ask, Clock, Error, Grant, Lease, LeaseError, Limit, Mailbox, ManualClock,
    Policy, PoolOptions, RateLimiter, RateOptions, Request, SharedPool, Unit, Unsettled, Usage,
    Wait,
};

use super::meters::{self, Meter, PERIOD};
use super::model::{Asks, Book, End, Wait as NaiveWait};
use super::ops::{Finish, Op, Plan, Step, Which};
use super::tally;

pub(crate) struct Driver {
    clock: Arc<ManualClock>,
    limiter: RateLimiter,
    pool: SharedPool,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) book: Book,
    /// By ticket: its number in the book.
    pub(crate) tickets: BTreeMap<u64, usize>,
    pub(crate) waits: BTreeMap<usize, Wait>,
    pub(crate) leases: BTreeMap<usize, Lease>,
    pub(crate) posted: usize,
}

impl Driver {
    pub(crate) fn new(plan: &Plan) -> Self {
        let clock = Arc::new(ManualClock::new());
        clock.advance(Duration::from_nanos(plan.start));
        let charges = |charge| if charge { Unsettled::Charge } else { Unsettled::Release };
        let policy = |charge| Policy { unsettled: charges(charge), ..Policy::default() };
        let options = RateOptions {
            threshold: plan.threshold,
            policy: policy(plan.charges[0]),
            clock: Clock::Manual(Arc::clone(&clock)),
            ..RateOptions::default()
        };
        let limiter = RateLimiter::per(100, Duration::from_nanos(PERIOD), options).unwrap();
        let pool = SharedPool::new(PoolOptions {
            capacity_tokens: Some(300),
            capacity_cost_micros_usd: Some(200),
            stop_threshold_tokens: plan.stop,
            policy: policy(plan.charges[1]),
            clock: Clock::Manual(Arc::clone(&clock)),
            ..PoolOptions::default()
        });
        let gate = (0..=100).find(|used| *used as f64 >= 100.0 * plan.threshold).unwrap();
        let limit = Meter { gate, ..Meter::new(100, true) };
        let pooled = [Meter { stop: plan.stop, ..Meter::new(300, false) }, Meter::new(200, false)];
        let account = |meters, charges| meters::Account { meters, charges, closed: false };
        let mut book = Book::new(vec![
            account(vec![limit], plan.charges[0]),
            account(pooled.to_vec(), plan.charges[1]),
        ]);
        book.pass(plan.start);
        let (tickets, waits, leases) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (pool, mailbox, posted) = (pool.unwrap(), Mailbox::new(|| ()), 0);
        Self { clock, limiter, pool, mailbox, book, tickets, waits, leases, posted }
    }

    pub(crate) fn account(&self, account: usize) -> &Arc<Account> {
        [self.limiter.account(), self.pool.account()][account]
    }

    fn asks(&self, which: Which, usage: &Usage) -> (Vec<Ask>, Asks) {
        let (tokens, cost) = (usage.total_tokens, usage.cost_micros_usd);
        let real = [self.limiter.ask(usage), self.pool.ask(usage)];
        let naive = [(0, vec![(0, tokens)]), (1, vec![(0, tokens), (1, cost)])];
        let of = |indexes: &[usize]| {
            let real = indexes.iter().map(|index| real[*index].clone());
            (real.collect(), indexes.iter().map(|index| naive[*index].clone()).collect())
        };
        match which {
            Which::Limiter => of(&[0]),
            Which::Pool => of(&[1]),
            Which::Both => of(&[0, 1]),
            Which::Reversed => of(&[1, 0]),
        }
    }

    pub(crate) fn run(&mut self, op: &Op) {
        match op.clone() {
            Op::Reserve { which, usage, ttl } => self.reserve(which, usage, ttl),
            Op::TryAcquire { tokens } => self.try_acquire(tokens),
            Op::Wait { which, usage, ttl, timeout } => self.wait(which, usage, ttl, timeout),
            Op::WaitSlot { tokens, timeout } => self.wait_slot(tokens, timeout),
            Op::End { pick, finish } => self.end(pick, finish),
            Op::Leave { pick } => self.leave(pick),
            Op::Take { pick } => self.take(pick),
            Op::Record { tokens } => {
                let oldest = self.book.slots.iter().position(Option::is_some);
                if let Some(slot) = oldest {
                    self.book.slots[slot] = None;
                }
                let meter = &mut self.book.accounts[0].meters[0];
                meter.strict &= tokens == 0;
                meter.charge(tokens, self.book.now, None);
                self.book.step(&[0]);
                self.limiter.record_usage(tokens).unwrap();
            }
            Op::Observe { status, max, tokens, requests } => {
                self.observe(status, max, tokens, requests);
            }
            Op::Advance { step } => self.advance(step),
            Op::SetLimit { meter, max } => self.set_limit(meter, max),
            Op::Reset { meter } => {
                let (account, meter) = at(meter);
                self.book.accounts[account].meters[meter].reset();
                self.book.step(&[account]);
                self.account(account).adjust(|meters, now| meters[meter].reset(now)).unwrap();
            }
            Op::Close { account } => {
                self.book.accounts[account].closed = true;
                self.book.step(&[account]);
                self.account(account).close().unwrap();
            }
        }
        self.check();
    }

    fn reserve(&mut self, which: Which, usage: Usage, ttl: u64) {
        let (real, naive) = self.asks(which, &usage);
        let request = Request { ttl: Some(Duration::from_nanos(ttl)), ..usage.into() };
        let lease = outlay::reserve(&real, &request);
        let refused = self.book.refused(&naive, false, usize::MAX);
        match (lease, refused) {
            (Ok(lease), None) => {
                let number = self.book.open(&naive, ttl);
                self.leases.insert(number, lease);
            }
            (Err(Error::Denied(_)), Some(_)) => {}
            (lease, refused) => panic!("{lease:?}, but the book: {refused:?}"),
        }
        let accounts: Vec<usize> = naive.iter().map(|(account, _)| *account).collect();
        self.book.step(&accounts);
    }

    fn try_acquire(&mut self, tokens: u64) {
        let naive = vec![(0, vec![(0, tokens)])];
        let refused = self.book.refused(&naive, true, usize::MAX);
        assert_eq!(self.limiter.try_acquire(tokens).unwrap(), refused.is_none());
        if refused.is_none() {
            self.book.take_slot(tokens);
        }
        self.book.step(&[0]);
    }

    fn wait(&mut self, which: Which, usage: Usage, ttl: u64, timeout: Option<u64>) {
        let (real, asks) = self.asks(which, &usage);
        let request = Request { ttl: Some(Duration::from_nanos(ttl)), ..usage.into() };
        let duration = timeout.map(Duration::from_nanos);
        let wait = Wait::for_lease(&real, request, duration, Arc::clone(&self.mailbox));
        self.joined(wait, asks, false, ttl, timeout);
    }

    fn wait_slot(&mut self, tokens: u64, timeout: Option<u64>) {
        let duration = timeout.map(Duration::from_nanos);
        let wait = self.limiter.wait_for_slot(tokens, duration, Arc::clone(&self.mailbox));
        self.joined(wait, vec![(0, vec![(0, tokens)])], true, 0, timeout);
    }

    fn joined(
        &mut self,
        wait: Result<Wait, Error>,
        asks: Asks,
        gated: bool,
        ttl: u64,
        timeout: Option<u64>,
    ) {
        let joined = self.book.now;
        let deadline = timeout.map(|timeout| joined + timeout);
        let naive = NaiveWait { asks, gated, ttl, joined, deadline, place: None, end: None };
        let number = self.book.waits.len();
        match (wait, self.book.join(naive)) {
            (Ok(wait), None) => {
                self.tickets.insert(wait.ticket(), number);
                self.waits.insert(number, wait);
            }
            (Err(Error::Denied(_)), Some(End::Denied)) => {}
            (Err(Error::TimedOut(_)), Some(End::TimedOut)) => {}
            (wait, refused) => panic!("{wait:?}, but the book: {refused:?}"),
        }
    }

    fn end(&mut self, pick: usize, finish: Finish) {
        let Some(&number) = pick_of(&self.leases, pick) else { return };
        let lease = self.leases.remove(&number).unwrap();
        let mut naive = self.book.leases[number].clone();
        let (open, now) = (naive.is_open(), self.book.now);
        let held = |unit: Unit| match unit {
            Unit::Tokens => lease.estimate().total_tokens,
            _ => lease.estimate().cost_micros_usd,
        };
        let usage = match finish {
            Finish::Less(by) => Some(Usage::priced(held(Unit::Tokens) / by, held(Unit::Cost) / by)),
            Finish::Equal => Some(lease.estimate().clone()),
            Finish::More(by) => Some(Usage::priced(
                held(Unit::Tokens).saturating_add(by),
                held(Unit::Cost).saturating_add(by),
            )),
            Finish::Release | Finish::Drop => None,
        };
        match (finish, usage) {
            (_, Some(usage)) => {
                for hold in &naive.holds {
                    let units = [usage.total_tokens, usage.cost_micros_usd];
                    let actual = units[hold.meter];
                    self.book.accounts[hold.account].commit(hold, number, actual, now);
                }
                lease.commit(Actual::Usage(usage)).unwrap();
            }
            (Finish::Release, _) if !open => {
                assert_eq!(lease.release(), Err(LeaseError::Expired.into()));
            }
            (Finish::Release, _) => lease.release().unwrap(),
            _ => {
                for hold in naive.holds.iter_mut().filter(|_| open) {
                    self.book.accounts[hold.account].expire(hold, number, now);
                }
                drop(lease);
            }
        }
        naive.over = true;
        self.book.leases[number] = naive.clone();
        self.book.step(&naive.accounts);
    }

    fn leave(&mut self, pick: usize) {
        let Some(&number) = pick_of(&self.waits, pick) else { return };
        drop(self.waits.remove(&number));
        self.book.waits[number].place = None;
        let asks = self.book.waits[number].asks.clone();
        let accounts: Vec<usize> = asks.iter().map(|(account, _)| *account).collect();
        self.book.step(&accounts);
        match self.book.waits[number].end {
            Some(End::Lease(lease)) => {
                tally::count(6);
                let naive = self.book.leases[lease].clone();
                for hold in naive.holds.iter().filter(|hold| hold.ended.is_some()) {
                    self.book.accounts[hold.account].commit(hold, lease, 0, self.book.now);
                }
                self.book.leases[lease].over = true;
                self.book.step(&naive.accounts);
            }
            Some(End::Slot(Some(slot))) => {
                self.book.slots[slot] = None;
                self.book.step(&[0]);
            }
            _ => {}
        }
    }

    /// Takes what came of a wait.
    fn take(&mut self, pick: usize) {
        let Some(&number) = pick_of(&self.waits, pick) else { return };
        let end = self.book.waits[number].end;
        match (self.waits[&number].take(), end) {
            (None, None) => return,
            (Some(Ok(Grant::Lease(lease))), Some(End::Lease(naive))) => {
                self.leases.insert(naive, lease);
            }
            (Some(Ok(Grant::Slot(slot))), Some(End::Slot(naive))) => {
                assert_eq!(slot.is_some(), naive.is_some());
            }
            (Some(Err(Error::TimedOut(_))), Some(End::TimedOut)) => {}
            (Some(Err(Error::Denied(_))), Some(End::Denied)) => {}
            (taken, end) => panic!("{taken:?}, but the book: {end:?}"),
        }
        self.waits.remove(&number);
        // The handle is dropped: nothing is given back, for it was taken.
        self.book.step(&[]);
    }

    fn observe(
        &mut self,
        status: u16,
        max: Option<u64>,
        tokens: Option<(u64, Option<u64>)>,
        requests: Option<(u64, Option<u64>)>,
    ) {
        let mut headers = Vec::new();
        headers.extend(max.map(|max| ("x-ratelimit-limit-tokens", max.to_string())));
        for (name, reset, left) in [
            ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", tokens),
            ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", requests),
        ] {
            headers.extend(left.map(|(left, _)| (name, left.to_string())));
            headers.extend(left.and_then(|(_, at)| at).map(|at| (reset, format!("{at}ns"))));
        }
        let pairs = headers.iter().map(|(name, value)| (*name, value.as_str()));
        self.limiter.observe(pairs, status).unwrap();
        let now = self.book.now;
        let Meter { told, max: own_max, .. } = &mut self.book.accounts[0].meters[0];
        let rest = |(left, reset): (u64, Option<u64>)| (left, now + reset.unwrap_or(PERIOD));
        told.max = max.or(told.max);
        told.tokens = tokens.map(rest).or(told.tokens.filter(|(_, until)| *until > now));
        told.requests = requests.map(rest).or(told.requests.filter(|(_, until)| *until > now));
        if status == 429 {
            let empty = [tokens, requests].into_iter().flatten().filter(|(left, _)| *left == 0);
            let closed = empty.filter_map(|(_, reset)| reset).max().unwrap_or(meters::WIDTH);
            told.closed = told.closed.max(Some(now + closed));
            let limit = (*own_max).min(told.max.unwrap_or(u64::MAX)).max(1);
            if closed > 0 {
                told.again = told.closed.map(|from| (from, limit, Vec::new()));
            }
        }
        self.book.step(&[0]);
    }

    fn advance(&mut self, step: Step) {
        let now = self.book.now;
        let target = match step {
            Step::By(by) => now + by,
            Step::ToEnd => match self.book.next_end(20_000) {
                None => now + 1,
                Some(at) => {
                    // To the nanosecond: not before, and not after.
                    self.pass(at - 1);
                    assert_eq!(self.book.posted.len(), self.posted);
                    at
                }
            },
        };
        self.pass(target);
        if matches!(step, Step::ToEnd) && target > now + 1 {
            assert!(!self.book.posted.is_empty());
        }
    }

    fn pass(&mut self, target: u64) {
        self.clock.advance(Duration::from_nanos(target - self.book.now));
        self.book.pass(target);
        self.check();
    }

    fn set_limit(&mut self, meter: usize, max: u64) {
        let (account, meter) = at(meter);
        let naive = &mut self.book.accounts[account].meters[meter];
        naive.strict &= max >= naive.max;
        (naive.max, naive.stop, naive.gate) = (max, 0, if account == 0 { max } else { u64::MAX });
        let unit = if meter == 0 { Unit::Tokens } else { Unit::Cost };
        let limit = Limit::new(unit, Some(max));
        let limit = if account == 0 { limit.gate(max) } else { limit };
        self.book.step(&[account]);
        self.account(account).adjust(|meters, _| meters[meter].set_limit(&limit)).unwrap();
    }
}

/// The account and the meter of that number.
fn at(meter: usize) -> (usize, usize) {
    if meter == 0 { (0, 0) } else { (1, meter - 1) }
}

fn pick_of<V>(map: &BTreeMap<usize, V>, pick: usize) -> Option<&usize> {
    map.keys().nth(pick % map.len().max(1))
}
