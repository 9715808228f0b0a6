//! Does every operation on the real ledger and on the naive book, and compares all that shows.

use std::sync::Arc;
use std::time::Duration;

use outlay::{Account, Ask, Demand, Error, Lease, LeaseState, ManualClock, Request, Usage};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::book::{self, Book, No};
use super::build::{LEASE_TTL, Told, limit, naive_account, real_account};
use super::meter::{self, Kind};
use super::ops::{AccountPlan, Op, Size, Step, Wish};
use super::tally;
use super::time::Walls;

pub(crate) type Checked = Result<(), TestCaseError>;

/// 2026-03-30 23:59:30 UTC: near the end of a day, of a month, and just after a Monday began.
const WALL_NS: i64 = 1_774_915_170_000_000_000;

/// What a request asked, in both worlds.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) estimate: Usage,
    /// As it was asked: an account may be there twice.
    raw: Vec<book::Ask>,
    /// Each account once.
    pub(crate) asks: Vec<book::Ask>,
    pub(crate) how: How,
}

#[derive(Clone, Copy)]
pub(crate) enum How {
    Charge,
    Check,
    Reserve(Option<u64>),
}

/// What one meter shows: used, reserved, remaining.
pub(crate) type Shown = (u64, u64, Option<u64>);

pub(crate) struct Driver {
    pub(crate) book: Book,
    clock: Arc<ManualClock>,
    pub(crate) accounts: Vec<Arc<Account>>,
    pub(crate) plans: Vec<AccountPlan>,
    pub(crate) handles: Vec<Vec<Lease>>,
    pub(crate) told: Told,
    refused: Option<(Asked, Option<Duration>)>,
    /// Sums of estimates that saturated say nothing about each of them.
    pub(crate) saturated: bool,
}

impl Driver {
    pub(crate) fn new(plans: Vec<AccountPlan>) -> Self {
        let clock = Arc::new(ManualClock::new());
        clock.set_wall(WALL_NS);
        let told = Told::default();
        let real = |(index, plan)| real_account(index, plan, &clock, &told);
        let accounts = plans.iter().enumerate().map(real).collect();
        let book = Book {
            accounts: plans.iter().map(naive_account).collect(),
            leases: Vec::new(),
            walls: Walls::new(WALL_NS),
            now: 0,
            told: Vec::new(),
        };
        Self {
            book,
            clock,
            accounts,
            plans,
            handles: Vec::new(),
            told,
            refused: None,
            saturated: false,
        }
    }

    pub(crate) fn run(&mut self, op: &Op) -> Checked {
        let before = self.shown();
        let windows = self.windows();
        let refunds = self.do_one(op)?;
        self.book.advance_to(self.book.now);
        self.compare()?;
        if !refunds {
            self.nothing_was_refunded(&before, &windows)?;
        }
        Ok(())
    }

    /// True where the operation may lower what is used.
    fn do_one(&mut self, op: &Op) -> Result<bool, TestCaseError> {
        match op {
            Op::Charge(wish) => self.ask(self.asked(wish, How::Charge))?,
            Op::Check(wish) => self.ask(self.asked(wish, How::Check))?,
            Op::Reserve(wish, ttl) => self.ask(self.asked(wish, How::Reserve(*ttl)))?,
            Op::Commit(index, said) => return self.commit(*index, *said),
            Op::Release(at) | Op::Abandon(at, ..) | Op::Extend(at, _) => self.end(*at, op)?,
            Op::Clone(at) | Op::Drop(at) => self.end(*at, op)?,
            Op::Reset(..) | Op::SetMax(..) | Op::GiveBack(..) | Op::Close(_) => {
                self.adjust(op);
                return Ok(true);
            }
            Op::Advance(step) => self.advance(*step),
            Op::StepWall(seconds) => {
                let wall = self.clock.wall_ns() + seconds * 1_000_000_000;
                self.clock.set_wall(wall);
                self.book.walls.step(self.book.now, wall);
            }
            Op::Retry(early) => self.retry(*early)?,
        }
        Ok(false)
    }

    fn asked(&self, wish: &Wish, how: How) -> Asked {
        let mut raw: Vec<book::Ask> = Vec::new();
        let first = wish.asks.first().map_or(0, |ask| ask.0) % self.plans.len();
        let room = self.book.room(first, 0);
        let size = |size| match size {
            Size::Small(amount) => amount,
            Size::Room(by) => room.min(1 << 40).saturating_add_signed(by.into()),
            // A slot that saturates forgets what it held before: too far away to matter.
            Size::Huge if matches!(how, How::Reserve(_)) => 1 << 40,
            Size::Huge => u64::MAX,
        };
        let estimate = Usage::priced(size(wish.tokens), size(wish.cost));
        for &(account, multiplier, mask) in &wish.asks {
            let account = account % self.plans.len();
            let meters = self.plans[account].meters.iter().enumerate();
            let wanted = meters.filter(|(index, _)| *index == 0 || mask >> index & 1 == 1);
            let demand = |(index, plan): (usize, &super::ops::MeterPlan)| {
                let amount = match plan.unit {
                    outlay::Unit::Tokens => estimate.total_tokens.saturating_mul(multiplier),
                    outlay::Unit::Cost => estimate.cost_micros_usd,
                    _ => 1,
                };
                (index, amount)
            };
            let demands = wanted.map(demand).collect();
            raw.push(book::Ask { account, demands, multiplier });
        }
        let mut asks = merged(&raw);
        if matches!(how, How::Check) {
            asks.truncate(1);
        }
        Asked { estimate, raw, asks, how }
    }

    fn ask(&mut self, asked: Asked) -> Checked {
        self.saturated |=
            asked.estimate.total_tokens == u64::MAX || asked.estimate.cost_micros_usd == u64::MAX;
        let expected = match asked.how {
            How::Charge => self.book.charge(&asked.asks),
            How::Check => self.naive_check(&asked.asks[0]),
            How::Reserve(ttl) => {
                let ttl = ttl.unwrap_or(LEASE_TTL);
                self.book.reserve(&asked.asks, asked.estimate.clone(), ttl)
            }
        };
        let before = self.shown();
        let real: Vec<Ask> = asked.raw.iter().map(|ask| self.real_ask(ask)).collect();
        let done = match asked.how {
            How::Charge if real.len() == 1 => real[0].account.charge(&real[0].demands),
            How::Charge => outlay::charge(&real),
            How::Check => {
                let one = self.real_ask(&asked.asks[0]);
                one.account.check(&one.demands)
            }
            How::Reserve(ttl) => {
                let ttl = ttl.map(Duration::from_nanos);
                let request = Request { ttl, ..asked.estimate.clone().into() };
                outlay::reserve(&real, &request).map(|lease| self.handles.push(vec![lease]))
            }
        };
        match (&done, expected) {
            (Ok(()), Ok(())) => {
                tally::admitted();
                if matches!(asked.how, How::Reserve(_)) && asked.asks.len() > 1 {
                    tally::leased_over_several();
                }
                self.within_the_limit(&asked)
            }
            (Err(error), Err(no)) => {
                prop_assert_eq!(self.shown(), before, "a refusal changed something");
                self.same_refusal(error, &no, &asked)?;
                let Error::Denied(denied) = error else {
                    return Ok(());
                };
                // When leases that are held end, nobody knows: nothing is promised for that.
                self.refused = (!denied.is_held()).then_some((asked, denied.retry_after));
                Ok(())
            }
            (done, expected) => {
                prop_assert!(false, "real {done:?}, naive {expected:?}");
                Ok(())
            }
        }
    }

    fn naive_check(&self, ask: &book::Ask) -> Result<(), No> {
        let refusals = self.book.refusals(std::slice::from_ref(ask), false);
        refusals.into_iter().next().map_or(Ok(()), Err)
    }

    fn real_ask(&self, ask: &book::Ask) -> Ask {
        let demand = |meter, amount| Demand::new(u8::try_from(meter).unwrap_or(0), amount);
        let demands = ask.demands.iter().map(|&(meter, amount)| demand(meter, amount));
        Ask {
            multiplier: ask.multiplier,
            ..Ask::new(&self.accounts[ask.account], demands.collect())
        }
    }

    fn meter_at(&self, account: usize, meter: usize) -> (usize, usize) {
        let account = account % self.plans.len();
        (account, meter % self.plans[account].meters.len())
    }

    fn adjust(&mut self, op: &Op) {
        match *op {
            Op::Reset(account, meter) => {
                let (account, meter) = self.meter_at(account, meter);
                let _ = self.accounts[account].adjust(|meters, now| meters[meter].reset(now));
                let now = self.book.now;
                self.book.accounts[account].meters[meter].reset(now);
            }
            Op::SetMax(account, meter, max) => {
                let (account, meter) = self.meter_at(account, meter);
                self.plans[account].meters[meter].max = max;
                let limit = limit(&self.plans[account].meters[meter]);
                let _ = self.accounts[account].adjust(|meters, _| meters[meter].set_limit(&limit));
                self.book.accounts[account].meters[meter].max = max;
            }
            Op::GiveBack(account, meter, amount) => {
                let (account, meter) = self.meter_at(account, meter);
                let (window, at) = (self.book.window(account, meter), self.book.now);
                // No more than the window has used so far: a clock that steps back later, in the
                // same moment, may join it with another one.
                let given = amount.min(self.book.used(account, meter));
                let naive = &mut self.book.accounts[account].meters[meter];
                if matches!(naive.kind, Kind::Lifetime | Kind::Fixed(_) | Kind::Calendar(_)) {
                    naive.events.push(meter::Event::GiveBack { window, at, amount: given });
                    let _ = self.accounts[account].adjust(|m, _| m[meter].give_back(amount));
                }
            }
            Op::Close(account) if account < self.accounts.len() => {
                let _ = self.accounts[account].close();
                self.book.accounts[account].closed = true;
            }
            _ => {}
        }
    }

    fn advance(&mut self, step: Step) {
        let now = self.book.now;
        let (to, by) = match step {
            Step::By(by) => (Some(now.saturating_add(by)), 0),
            Step::Edge(account, meter, by) => {
                let (account, meter) = self.meter_at(account, meter);
                let meter = &self.book.accounts[account].meters[meter];
                (meter.ends_in(now, &self.book.walls).map(|left| now + left), by)
            }
            Step::Deadline(index, by) => {
                let open = |lease: &&book::Lease| lease.state == LeaseState::Open;
                let open: Vec<_> = self.book.leases.iter().filter(open).collect();
                let lease = open.get(index % open.len().max(1));
                (lease.map(|lease| lease.deadline), by)
            }
            Step::Slot(account, meter, by) => {
                let (account, meter) = self.meter_at(account, meter);
                let meter = &self.book.accounts[account].meters[meter];
                let leaving = meter.leaving(&[], &self.book.walls).into_iter();
                (leaving.filter(|&at| at > now).min(), by)
            }
        };
        let Some(to) = to.filter(|&to| to < 1 << 60) else {
            return;
        };
        self.advance_to(to.saturating_add_signed(by.into()));
    }

    fn advance_to(&mut self, to: u64) {
        if let Some(by) = to.checked_sub(self.book.now) {
            self.clock.advance(Duration::from_nanos(by));
            self.book.advance_to(to);
        }
    }

    fn retry(&mut self, early: bool) -> Checked {
        let Some((asked, Some(wait))) = self.refused.take() else {
            return Ok(());
        };
        let wait = nanos(wait).saturating_sub(early.into());
        if wait > 1 << 60 {
            return Ok(());
        }
        self.advance_to(self.book.now + wait);
        tally::retried();
        self.ask(asked)
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Who is asked twice is asked once, for the most that either asks of each meter.
fn merged(raw: &[book::Ask]) -> Vec<book::Ask> {
    let mut asks: Vec<book::Ask> = Vec::new();
    for ask in raw {
        let Some(same) = asks.iter_mut().find(|other| other.account == ask.account) else {
            asks.push(ask.clone());
            continue;
        };
        same.multiplier = same.multiplier.max(ask.multiplier);
        for &(meter, amount) in &ask.demands {
            match same.demands.iter_mut().find(|demand| demand.0 == meter) {
                Some(demand) => demand.1 = demand.1.max(amount),
                None => same.demands.push((meter, amount)),
            }
        }
    }
    asks
}
