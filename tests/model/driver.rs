//! Does every operation on the real ledger and on the naive book, and compares all that shows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use outlay::{
    Account, Actual, Ask, Code, Error, EventKind, Kind as Refused, Lease, LeaseError, LeaseState,
    ManualClock, Meter, Request, Usage, ledger,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::book::{self, Book, No};
use super::build::{LEASE_TTL, Told, limit, naive_account, real_account};
use super::meter::{self, Kind};
use super::ops::{AccountPlan, Op, Said, Size, Step, Wish};
use super::tally;
use super::time::Walls;

pub(crate) type Checked = Result<(), TestCaseError>;

/// 2026-03-30 23:59:30 UTC: near the end of a day, of a month, and just after a Monday began.
const WALL_NS: i64 = 1_774_915_170_000_000_000;

/// What a request asked, in both worlds.
#[derive(Clone)]
struct Asked {
    estimate: Usage,
    asks: Vec<book::Ask>,
    how: How,
}

#[derive(Clone, Copy)]
enum How {
    Charge,
    Check,
    Reserve(Option<u64>),
}

/// What one meter shows: used, reserved, remaining.
type Shown = (u64, u64, Option<u64>);

pub(crate) struct Driver {
    book: Book,
    clock: Arc<ManualClock>,
    accounts: Vec<Arc<Account>>,
    plans: Vec<AccountPlan>,
    handles: Vec<Option<Lease>>,
    told: Told,
    refused: Option<(Asked, Option<Duration>)>,
    /// Sums of estimates that saturated say nothing about each of them.
    saturated: bool,
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
            Op::Release(_)
            | Op::Abandon(..)
            | Op::Drop(_)
            | Op::CloneAndDrop(_)
            | Op::Extend(..) => {
                self.end(op)?;
            }
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
        let mut asks: Vec<book::Ask> = Vec::new();
        let first = wish.asks.first().map_or(0, |ask| ask.0) % self.plans.len();
        let room = self.book.room(first, 0);
        let size = |size| match size {
            Size::Small(amount) => amount,
            Size::Room(by) => room.min(1 << 40).saturating_add_signed(by.into()),
            Size::Huge => u64::MAX,
        };
        let estimate = Usage::priced(size(wish.tokens), size(wish.cost));
        for &(account, multiplier, mask) in &wish.asks {
            let account = account % self.plans.len();
            // An account that is asked twice counts once: not what is tested here.
            if asks.iter().any(|ask| ask.account == account) {
                continue;
            }
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
            asks.push(book::Ask { account, demands, multiplier });
        }
        Asked { estimate, asks, how }
    }

    fn ask(&mut self, asked: Asked) -> Checked {
        self.saturated |=
            asked.estimate.total_tokens == u64::MAX || asked.estimate.cost_micros_usd == u64::MAX;
        let expected = match asked.how {
            How::Charge => self.book.charge(&asked.asks),
            How::Check => self.naive_check(&asked.asks[0]),
            How::Reserve(ttl) => {
                let ttl = ttl.unwrap_or(LEASE_TTL);
                self.book.reserve(&asked.asks, asked.estimate, ttl)
            }
        };
        let before = self.shown();
        let real: Vec<Ask> = asked.asks.iter().map(|ask| self.real_ask(ask)).collect();
        let done = match asked.how {
            How::Charge if real.len() == 1 => real[0].account.charge(&real[0].demands),
            How::Charge => ledger::charge(&real),
            How::Check => real[0].account.check(&real[0].demands),
            How::Reserve(ttl) => {
                let ttl = ttl.map(Duration::from_nanos);
                let request = Request { ttl, ..asked.estimate.into() };
                ledger::reserve(&real, &request).map(|lease| self.handles.push(Some(lease)))
            }
        };
        match (&done, expected) {
            (Ok(()), Ok(())) => {
                tally::admitted();
                self.within_the_limit(&asked)
            }
            (Err(error), Err(no)) => {
                prop_assert_eq!(self.shown(), before, "a refusal changed something");
                self.same_refusal(error, &no, &asked)?;
                let Error::Denied(denied) = error else {
                    return Ok(());
                };
                self.refused = Some((asked, denied.retry_after));
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
        let demands = ask.demands.iter();
        let demands = demands.map(|&(meter, amount)| (u8::try_from(meter).unwrap_or(0), amount));
        Ask {
            multiplier: ask.multiplier,
            ..Ask::new(&self.accounts[ask.account], demands.collect())
        }
    }

    /// Law 1: what was admitted is within the limit.
    fn within_the_limit(&self, asked: &Asked) -> Checked {
        if matches!(asked.how, How::Check) {
            return Ok(());
        }
        for ask in &asked.asks {
            for &(meter, _) in &ask.demands {
                let rule = &self.book.accounts[ask.account].meters[meter];
                let (used, reserved, _) = self.shown()[ask.account][meter];
                if let (true, Some(max)) = (rule.hard, rule.max) {
                    let taken = u128::from(used) + u128::from(reserved);
                    prop_assert!(taken <= u128::from(max.saturating_sub(rule.stop)));
                }
            }
        }
        Ok(())
    }

    fn same_refusal(&self, error: &Error, no: &No, asked: &Asked) -> Checked {
        match (error, no) {
            (Error::Denied(denied), No::Closed { account }) => {
                let workflow = self.plans[*account].workflow;
                let code = if workflow { Code::WorkflowQuotaExceeded } else { Code::NotConfigured };
                prop_assert_eq!(denied.code, code);
                prop_assert_eq!(denied.remaining, 0);
            }
            (Error::Denied(denied), No::Denied { account, meter, refusal }) => {
                let rule = &self.book.accounts[*account].meters[*meter];
                let code = self.accounts[*account].code();
                prop_assert_eq!(denied.code, code);
                prop_assert_eq!(denied.kind, Refused::of(code, rule.unit));
                prop_assert_eq!(denied.id.as_ref(), Some(self.accounts[*account].key()));
                let seen = book::Refusal {
                    limit: denied.limit,
                    used: denied.used,
                    reserved: denied.reserved,
                    requested: denied.requested,
                    remaining: denied.remaining,
                    resets_in: denied.resets_in.map(nanos),
                };
                prop_assert_eq!(&seen, refusal);
                self.same_way_out(denied.retry_after, *account, *meter, asked)?;
            }
            (Error::Lease(LeaseError::Expired), No::Expired)
            | (Error::Lease(LeaseError::Finalized), No::Finalized) => {}
            (error, no) => prop_assert!(false, "real {error:?}, naive {no:?}"),
        }
        Ok(())
    }

    /// `retry_after` is when the same request passes if nothing else happens, to the nanosecond.
    fn same_way_out(
        &self,
        said: Option<Duration>,
        account: usize,
        meter: usize,
        asked: &Asked,
    ) -> Checked {
        let soft_admits = !matches!(asked.how, How::Check);
        let refusals = self.book.refusals(&asked.asks, soft_admits);
        let truth = self.book.passes_in(&asked.asks, soft_admits);
        if refusals.len() > 1 || self.lease_ends_help(account, meter) {
            tally::way_out_unclear(said.map(nanos) == truth);
            return Ok(());
        }
        tally::way_out();
        prop_assert_eq!(said.map(nanos), truth, "retry_after of meter {} of {}", meter, account);
        Ok(())
    }

    /// Whether an open lease frees room by itself when it runs out.
    fn lease_ends_help(&self, account: usize, meter: usize) -> bool {
        let returned = self.plans[account].unsettled == outlay::Unsettled::Release;
        let rule = &self.book.accounts[account].meters[meter];
        let moves = matches!(rule.kind, Kind::Gauge | Kind::Sliding { .. });
        (returned || moves) && self.book.reserved(account, meter) > 0
    }

    fn commit(&mut self, index: usize, said: Said) -> Result<bool, TestCaseError> {
        let Some((index, lease)) = self.lease(index) else {
            return Ok(false);
        };
        let estimate = *lease.estimate();
        let each = |op: fn(u64, u64) -> u64, by| {
            Usage::priced(op(estimate.total_tokens, by), op(estimate.cost_micros_usd, by))
        };
        let (actual, usage) = match said {
            Said::Estimate => (Actual::Estimate, estimate),
            Said::Equal => (Actual::Usage(estimate), estimate),
            Said::Tokens(n) => (Actual::Tokens(n), Usage::priced(n, estimate.cost_micros_usd)),
            Said::Less(n) => both(each(u64::saturating_sub, n)),
            Said::More(n) => both(each(u64::saturating_add, n)),
        };
        self.saturated |= usage.total_tokens == u64::MAX || usage.cost_micros_usd == u64::MAX;
        let expired = self.book.leases[index].state == LeaseState::Expired;
        let (real, naive) = (lease.commit(actual), self.book.commit(index, usage));
        self.same_end(&real, naive)?;
        Ok(expired)
    }

    fn end(&mut self, op: &Op) -> Checked {
        let (Op::Release(at)
        | Op::Abandon(at, _)
        | Op::Drop(at)
        | Op::CloneAndDrop(at)
        | Op::Extend(at, _)) = op
        else {
            return Ok(());
        };
        let Some((index, lease)) = self.lease(*at) else {
            return Ok(());
        };
        match op {
            Op::Release(_) => self.same_end_of(lease.release(), |book| book.release(index))?,
            Op::Abandon(_, why) => {
                lease.abandon(*why);
                self.book.abandon(index, *why);
            }
            Op::Extend(_, ttl) => {
                let real = lease.extend(Duration::from_nanos(*ttl));
                self.same_end_of(real, |book| book.extend(index, *ttl))?;
            }
            Op::Drop(_) => {
                self.handles[index] = None;
                drop(lease);
                self.book.expire(index, self.book.now);
            }
            _ => drop(lease),
        }
        Ok(())
    }

    fn same_end_of(
        &mut self,
        real: Result<(), Error>,
        naive: impl FnOnce(&mut Book) -> Result<(), No>,
    ) -> Checked {
        let naive = naive(&mut self.book);
        self.same_end(&real, naive)
    }

    fn same_end(&self, real: &Result<(), Error>, naive: Result<(), No>) -> Checked {
        match (real, naive) {
            (Ok(()), Ok(()))
            | (Err(Error::Lease(LeaseError::Expired)), Err(No::Expired))
            | (Err(Error::Lease(LeaseError::Finalized)), Err(No::Finalized)) => Ok(()),
            (real, naive) => {
                prop_assert!(false, "end: real {real:?}, naive {naive:?}");
                Ok(())
            }
        }
    }

    /// One of the leases whose handle is still there.
    fn lease(&self, at: usize) -> Option<(usize, Option<Lease>)> {
        let alive = |index: &usize| self.handles[*index].is_some();
        let alive: Vec<usize> = (0..self.handles.len()).filter(alive).collect();
        // Mostly one of the latest: it is more likely to be open.
        let recent = alive.len().saturating_sub(4);
        let from = if at % 4 == 0 { 0 } else { recent };
        let index = *alive.get(from + (at / 4) % (alive.len() - from).max(1))?;
        self.handles[index].clone().map(|lease| (index, lease))
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
                let window = self.book.window(account, meter);
                let naive = &mut self.book.accounts[account].meters[meter];
                if matches!(naive.kind, Kind::Lifetime | Kind::Fixed(_) | Kind::Calendar(_)) {
                    naive.events.push(meter::Event::GiveBack { window, amount });
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
                let leaving = meter.booked_at().filter_map(|at| meter.leaves_at(at));
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
        self.advance_to(self.book.now + wait);
        tally::retried();
        self.ask(asked)
    }

    /// used, reserved and remaining of every meter.
    fn shown(&self) -> Vec<Vec<Shown>> {
        let meter = |meter: &Meter| (meter.used(), meter.reserved(), meter.remaining());
        let account = |account: &Arc<Account>| {
            let read = account.read(|meters, _| meters.iter().map(meter).collect());
            read.unwrap_or_default()
        };
        self.accounts.iter().map(account).collect()
    }

    fn windows(&self) -> Vec<Vec<meter::Window>> {
        let count = |account: usize| 0..self.plans[account].meters.len();
        let windows = |account| count(account).map(|m| self.book.window(account, m)).collect();
        (0..self.accounts.len()).map(windows).collect()
    }

    /// Law 6: without a reset, a give-back or the end of a provisional charge, what a window has
    /// counted never becomes less.
    fn nothing_was_refunded(
        &self,
        before: &[Vec<Shown>],
        windows: &[Vec<meter::Window>],
    ) -> Checked {
        let (after, windows_after) = (self.shown(), self.windows());
        for (account, plan) in self.plans.iter().enumerate() {
            for (meter, rule) in plan.meters.iter().enumerate() {
                let same = windows[account][meter] == windows_after[account][meter];
                if same && !matches!(rule.kind, Kind::Sliding { .. }) {
                    prop_assert!(after[account][meter].0 >= before[account][meter].0);
                }
            }
        }
        Ok(())
    }

    fn compare(&mut self) -> Checked {
        for (index, account) in self.accounts.iter().enumerate() {
            let shown = account.read(|meters, _| {
                let show = |meter: &Meter| (meter.used(), meter.reserved(), meter.remaining());
                meters.iter().map(show).collect::<Vec<Shown>>()
            });
            let naive = |meter: usize| {
                let (used, reserved) =
                    (self.book.used(index, meter), self.book.reserved(index, meter));
                let max = self.book.accounts[index].meters[meter].max;
                let left = max.map(|max| max.saturating_sub(used).saturating_sub(reserved));
                (used, reserved, left)
            };
            let expected: Vec<Shown> = (0..self.plans[index].meters.len()).map(naive).collect();
            prop_assert_eq!(shown, Ok(expected), "account {}", index);
            self.compare_leases_of(index, account)?;
        }
        for (index, handle) in self.handles.iter().enumerate() {
            let (Some(lease), naive) = (handle, &self.book.leases[index]) else {
                continue;
            };
            prop_assert_eq!(lease.state(), Ok(naive.state), "lease {}", index);
            let left = match naive.state {
                LeaseState::Open => naive.deadline - self.book.now,
                _ => 0,
            };
            prop_assert_eq!(
                lease.expires_in().map(|left| nanos(left).min(1 << 61)),
                Ok(left.min(1 << 61))
            );
        }
        self.compare_told()
    }

    fn compare_leases_of(&self, index: usize, account: &Arc<Account>) -> Checked {
        let of_account = |at: &usize| {
            let lease = &self.book.leases[*at];
            lease.state == LeaseState::Open
                && lease.parts.iter().any(|part| part.account() == index)
        };
        let open: Vec<usize> = (0..self.book.leases.len()).filter(of_account).collect();
        let ids = |leases: Vec<Lease>| leases.iter().map(Lease::id).collect::<BTreeSet<u64>>();
        let handles = open.iter().filter_map(|&at| self.handles[at].as_ref().map(Lease::id));
        prop_assert_eq!(account.open_leases().map(ids), Ok(handles.collect::<BTreeSet<u64>>()));
        if !self.saturated {
            let estimates = open.iter().map(|&at| self.book.leases[at].estimate);
            let reserved = estimates.fold(Usage::zero(), |sum, one| sum.saturating_add(&one));
            prop_assert_eq!(account.reserved(), Ok(reserved));
            prop_assert_eq!(account.committed(), Ok(self.book.committed(index)));
        }
        Ok(())
    }

    fn compare_told(&mut self) -> Checked {
        let told = match self.told.lock() {
            Ok(mut told) => std::mem::take(&mut *told),
            Err(_) => Vec::new(),
        };
        let expected = std::mem::take(&mut self.book.told);
        for account in 0..self.accounts.len() {
            let of_account = |told: &[(usize, EventKind)]| {
                let kinds = told.iter().filter(|one| one.0 == account).map(|one| one.1);
                kinds.collect::<Vec<_>>()
            };
            prop_assert_eq!(of_account(&told), of_account(&expected), "events of {}", account);
        }
        Ok(())
    }
}

fn both(usage: Usage) -> (Actual, Usage) {
    (Actual::Usage(usage), usage)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
