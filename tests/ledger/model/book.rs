//! The naive book: accounts of naive meters, and leases.

use outlay::{EventKind, LeaseState, OnError, Unit, Unsettled, Usage};

use super::meter::{Event, Kind, Meter, Window};
use super::time::Walls;

/// What a request asks of one account: meters and amounts.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) account: usize,
    pub(crate) demands: Vec<(usize, u64)>,
    pub(crate) multiplier: u64,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum No {
    Denied { account: usize, meter: usize, refusal: Refusal },
    Closed { account: usize },
    Expired,
    Finalized,
}

/// The numbers of a refusal, times in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) limit: u64,
    pub(crate) used: u64,
    pub(crate) reserved: u64,
    pub(crate) requested: u64,
    pub(crate) remaining: u64,
    pub(crate) resets_in: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) meters: Vec<Meter>,
    pub(crate) unsettled: Unsettled,
    pub(crate) on_error: OnError,
    pub(crate) closed: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) account: usize,
    multiplier: u64,
    /// Meter, amount and window of the reservation.
    pub(crate) holds: Vec<(usize, u64, Window)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) estimate: Usage,
    pub(crate) deadline: u64,
    pub(crate) state: LeaseState,
    pub(crate) committed: Option<Usage>,
    /// The accounts that booked what was committed.
    pub(crate) booked_in: Vec<usize>,
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub(crate) accounts: Vec<Account>,
    pub(crate) leases: Vec<Lease>,
    pub(crate) walls: Walls,
    pub(crate) now: u64,
    /// What the listeners have to be told.
    pub(crate) told: Vec<(usize, EventKind)>,
}

impl Part {
    pub(crate) fn account(&self) -> usize {
        self.account
    }
}

impl Book {
    pub(crate) fn used(&self, account: usize, meter: usize) -> u64 {
        self.accounts[account].meters[meter].used(self.now, &self.walls)
    }

    /// What open leases hold in the present window.
    pub(crate) fn reserved(&self, account: usize, meter: usize) -> u64 {
        let window = self.window(account, meter);
        let open = self.leases.iter().filter(|lease| lease.state == LeaseState::Open);
        let parts = open.flat_map(|lease| &lease.parts).filter(|part| part.account == account);
        let holds = parts.flat_map(|part| &part.holds);
        holds
            .filter(|hold| hold.0 == meter && self.is_in(account, hold, window))
            .map(|hold| hold.1)
            .sum()
    }

    pub(crate) fn window(&self, account: usize, meter: usize) -> Window {
        self.accounts[account].meters[meter].window(self.now, &self.walls)
    }

    /// Whether a window that is asked lies in the future.
    pub(crate) fn is_ahead(&self, asks: &[Ask]) -> bool {
        asks.iter().any(|ask| {
            let meters = &self.accounts[ask.account].meters;
            ask.demands.iter().any(|(meter, _)| meters[*meter].is_ahead(self.now, &self.walls))
        })
    }

    /// Whether a hold counts in that window, which is the present one.
    pub(crate) fn is_in(
        &self,
        account: usize,
        hold: &(usize, u64, Window),
        window: Window,
    ) -> bool {
        let rule = &self.accounts[account].meters[hold.0];
        rule.canonical(hold.2, self.now, &self.walls) == window
    }

    /// The most that a request for this meter alone could be admitted.
    pub(crate) fn room(&self, account: usize, meter: usize) -> u64 {
        let rule = &self.accounts[account].meters[meter];
        let taken = self.used(account, meter).saturating_add(self.reserved(account, meter));
        let ceiling = rule.max.unwrap_or(u64::MAX).saturating_sub(rule.stop);
        ceiling.saturating_sub(taken)
    }

    /// The law of a meter.
    pub(crate) fn fits(&self, account: usize, meter: usize, amount: u64) -> bool {
        let rule = &self.accounts[account].meters[meter];
        let taken = u128::from(self.used(account, meter))
            + u128::from(self.reserved(account, meter))
            + u128::from(amount);
        rule.max.is_none_or(|max| taken <= u128::from(max.saturating_sub(rule.stop)))
    }

    /// All that refuses, in the order of the request.
    pub(crate) fn refusals(&self, asks: &[Ask], soft_admits: bool) -> Vec<No> {
        let mut refusals = Vec::new();
        for ask in asks {
            let account = &self.accounts[ask.account];
            if account.closed {
                refusals.push(No::Closed { account: ask.account });
                continue;
            }
            for &(meter, amount) in &ask.demands {
                let soft = soft_admits && !account.meters[meter].hard;
                if !soft && !self.fits(ask.account, meter, amount) {
                    refusals.push(self.refusal(ask.account, meter, amount));
                }
            }
        }
        refusals
    }

    fn refusal(&self, account: usize, meter: usize, requested: u64) -> No {
        let rule = &self.accounts[account].meters[meter];
        let refusal = Refusal {
            limit: rule.max.unwrap_or(u64::MAX),
            used: self.used(account, meter),
            reserved: self.reserved(account, meter),
            requested,
            remaining: self.room(account, meter),
            resets_in: rule.ends_in(self.now, &self.walls),
        };
        No::Denied { account, meter, refusal }
    }

    fn decide(&mut self, asks: &[Ask]) -> Result<(), No> {
        match self.refusals(asks, true).into_iter().next() {
            None => Ok(()),
            Some(no) => {
                if let No::Denied { account, .. } | No::Closed { account } = no {
                    self.told.push((account, EventKind::Denied));
                }
                Err(no)
            }
        }
    }

    pub(crate) fn charge(&mut self, asks: &[Ask]) -> Result<(), No> {
        self.decide(asks)?;
        for ask in asks {
            for &(meter, amount) in &ask.demands {
                let (window, at) = (self.window(ask.account, meter), self.now);
                let event = Event::Charge { window, at, amount };
                self.accounts[ask.account].meters[meter].events.push(event);
            }
            self.told.push((ask.account, EventKind::Charged));
            self.warn(ask.account);
        }
        Ok(())
    }

    pub(crate) fn reserve(&mut self, asks: &[Ask], estimate: Usage, ttl: u64) -> Result<(), No> {
        self.decide(asks)?;
        let mut lease = Lease {
            estimate,
            deadline: self.now.saturating_add(ttl),
            state: LeaseState::Open,
            committed: None,
            booked_in: Vec::new(),
            parts: Vec::new(),
        };
        for ask in asks {
            let hold = |&(meter, amount): &(usize, u64)| {
                let amount = amount.min(u64::MAX - self.reserved(ask.account, meter));
                (meter, amount, self.window(ask.account, meter))
            };
            let holds = ask.demands.iter().map(hold).collect();
            lease.parts.push(Part { account: ask.account, multiplier: ask.multiplier, holds });
            self.told.push((ask.account, EventKind::Reserved));
        }
        self.leases.push(lease);
        Ok(())
    }

    pub(crate) fn commit(&mut self, index: usize, usage: Usage) -> Result<(), No> {
        let lease = self.leases[index].clone();
        match (lease.state, &lease.committed) {
            (LeaseState::Committed, Some(booked)) if *booked == usage => return Ok(()),
            (LeaseState::Committed | LeaseState::Released, _) => return Err(No::Finalized),
            (LeaseState::Open | LeaseState::Expired, _) => {}
        }
        for part in &lease.parts {
            self.commit_part(index, &lease, part, &usage, None);
            self.leases[index].booked_in.push(part.account);
        }
        self.leases[index].state = LeaseState::Committed;
        self.leases[index].committed = Some(usage);
        Ok(())
    }

    /// `calls` were made of those that it held; all of them unless somebody says so.
    pub(crate) fn commit_part(
        &mut self,
        index: usize,
        lease: &Lease,
        part: &Part,
        usage: &Usage,
        calls: Option<u64>,
    ) {
        for &(meter, held, opened) in &part.holds {
            let (window, at) = (self.window(part.account, meter), self.now);
            let rule = &mut self.accounts[part.account].meters[meter];
            let actual = match rule.unit {
                Unit::Tokens => usage.total_tokens.saturating_mul(part.multiplier),
                Unit::Cost => usage.cost_micros_usd,
                Unit::Slots => 0,
                Unit::InputTokens => usage.input_tokens,
                Unit::OutputTokens => usage.output_tokens,
                Unit::CacheReadTokens => usage.cache_read_tokens,
                Unit::CacheWriteTokens => usage.cache_write_tokens,
                Unit::ReasoningTokens => usage.reasoning_tokens,
                Unit::ToolCalls | Unit::Calls => calls.unwrap_or(held),
                Unit::Steps | Unit::Workflows | Unit::Jobs | Unit::Actions => held,
            };
            rule.events.push(if lease.state == LeaseState::Expired {
                Event::Recommit { window, at, actual, lease: index as u64 }
            } else {
                Event::Commit { opened, window, at, held, actual }
            });
        }
        self.told.push((part.account, EventKind::Committed));
        self.warn(part.account);
    }

    pub(crate) fn release(&mut self, index: usize) -> Result<(), No> {
        match self.leases[index].state {
            LeaseState::Released => Ok(()),
            LeaseState::Committed => Err(No::Finalized),
            LeaseState::Expired => Err(No::Expired),
            LeaseState::Open => {
                let parts = self.leases[index].parts.clone();
                parts.iter().for_each(|part| self.told.push((part.account, EventKind::Released)));
                self.leases[index].state = LeaseState::Released;
                Ok(())
            }
        }
    }

    /// It ran out, or its last handle was dropped.
    pub(crate) fn expire(&mut self, index: usize, at: u64) {
        let lease = self.leases[index].clone();
        if lease.state != LeaseState::Open {
            return;
        }
        for part in &lease.parts {
            let charged = self.accounts[part.account].unsettled == Unsettled::Charge;
            for &(meter, held, opened) in &part.holds {
                let rule = &mut self.accounts[part.account].meters[meter];
                let (window, lease) = (rule.window(at, &self.walls), index as u64);
                rule.events.push(Event::Expire { opened, window, at, held, charged, lease });
            }
            self.told.push((part.account, EventKind::Expired));
            self.warn_at(part.account, at);
        }
        self.leases[index].state = LeaseState::Expired;
    }

    pub(crate) fn extend(&mut self, index: usize, ttl: u64) -> Result<(), No> {
        match self.leases[index].state {
            LeaseState::Open => {
                self.leases[index].deadline = self.now.saturating_add(ttl);
                Ok(())
            }
            LeaseState::Expired => Err(No::Expired),
            LeaseState::Committed | LeaseState::Released => Err(No::Finalized),
        }
    }

    /// Lets time pass: what is due on the way runs out, each lease at its deadline.
    pub(crate) fn advance_to(&mut self, now: u64) {
        let mut due: Vec<(u64, usize)> = (0..self.leases.len())
            .filter(|&index| self.leases[index].state == LeaseState::Open)
            .map(|index| (self.leases[index].deadline, index))
            .filter(|lease| lease.0 <= now)
            .collect();
        due.sort_unstable();
        for (deadline, index) in due {
            self.now = self.now.max(deadline);
            self.calm(deadline);
            self.expire(index, deadline);
        }
        self.now = now;
        self.calm(now);
    }

    pub(crate) fn warn(&mut self, account: usize) {
        self.warn_at(account, self.now);
    }

    /// One warning in each window in which `used` has reached the mark; a sliding window, which
    /// never begins anew, warns again once it was below.
    fn warn_at(&mut self, account: usize, at: u64) {
        for index in 0..self.accounts[account].meters.len() {
            let used = self.accounts[account].meters[index].used(at, &self.walls);
            let meter = &mut self.accounts[account].meters[index];
            let window = meter.window(at, &self.walls);
            let is_it = |other: &Window| meter.canonical(*other, at, &self.walls) == window;
            let was_warned = meter.warned.iter().any(is_it);
            let due = meter.warn_at.is_some_and(|mark| used >= mark.max(1));
            if due && !was_warned {
                meter.warned.push(window);
                self.told.push((account, EventKind::Warned));
            }
        }
    }

    /// Sliding windows that are below their mark now may warn again.
    fn calm(&mut self, at: u64) {
        for meter in self.accounts.iter_mut().flat_map(|account| &mut account.meters) {
            let used = meter.used(at, &self.walls);
            let below = meter.warn_at.is_none_or(|mark| used < mark.max(1));
            if below && matches!(meter.kind, Kind::Sliding { .. }) {
                meter.warned.clear();
            }
        }
    }

    /// What was committed in all, and charged for leases that ran out.
    pub(crate) fn committed(&self, account: usize) -> Usage {
        let of_account = |lease: &&Lease| lease.parts.iter().any(|part| part.account == account);
        let leases = self.leases.iter().filter(of_account);
        leases.fold(Usage::zero(), |sum, lease| match lease.state {
            LeaseState::Committed if lease.booked_in.contains(&account) => {
                sum.saturating_add(&lease.committed.clone().unwrap_or_default())
            }
            LeaseState::Expired if self.accounts[account].unsettled == Unsettled::Charge => {
                sum.saturating_add(&lease.estimate)
            }
            _ => sum,
        })
    }

    /// The time until the same request passes if nothing else happens, by trying every time at
    /// which anything changes by itself.
    pub(crate) fn passes_in(&self, asks: &[Ask], soft_admits: bool) -> Option<u64> {
        let mut times: Vec<u64> = Vec::new();
        let deadlines: Vec<u64> = self.leases.iter().map(|lease| lease.deadline).collect();
        for meter in self.accounts.iter().flat_map(|account| &account.meters) {
            times.extend(meter.ends_in(self.now, &self.walls).map(|left| self.now + left));
            times.extend(meter.leaving(&deadlines, &self.walls));
        }
        times.extend(&deadlines);
        // No deadline of the end of time: nobody waits that long.
        times.retain(|&at| at > self.now && at < 1 << 60);
        times.sort_unstable();
        times.dedup();
        let mut later = self.clone();
        times.into_iter().find_map(|at| {
            later.advance_to(at);
            later.refusals(asks, soft_admits).is_empty().then(|| at - self.now)
        })
    }
}
