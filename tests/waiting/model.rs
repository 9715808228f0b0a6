//! A naive ledger with queues: after each step every queue is decided anew, from what there is.

use std::collections::VecDeque;

use super::meters::{Account, Hold, Lease, WIDTH};

/// Meters and amounts, by account.
pub(crate) type Asks = Vec<(usize, Vec<(usize, u64)>)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Lease(usize),
    Slot(Option<usize>),
    TimedOut,
    Denied,
}

#[derive(Clone, Debug)]
pub(crate) struct Wait {
    pub(crate) asks: Asks,
    /// For a slot of the limiter, not for a lease.
    pub(crate) gated: bool,
    pub(crate) ttl: u64,
    pub(crate) joined: u64,
    pub(crate) deadline: Option<u64>,
    /// The account and the meter in whose queue it is.
    pub(crate) place: Option<(usize, usize)>,
    pub(crate) end: Option<End>,
}

#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub(crate) now: u64,
    pub(crate) accounts: Vec<Account>,
    pub(crate) leases: Vec<Lease>,
    /// By number: what is held, and until when.
    pub(crate) slots: Vec<Option<(Hold, u64)>>,
    pub(crate) waits: Vec<Wait>,
    /// Accounts that somebody waited for, in that order.
    pub(crate) followers: Vec<usize>,
    /// The waits that ended, in that order.
    pub(crate) posted: Vec<usize>,
    again: VecDeque<usize>,
    /// When somebody looked at each account.
    looked: Vec<u64>,
}

impl Book {
    pub(crate) fn new(accounts: Vec<Account>) -> Self {
        let (leases, slots, waits) = (Vec::new(), Vec::new(), Vec::new());
        let (followers, posted, again) = (Vec::new(), Vec::new(), VecDeque::new());
        let looked = vec![0; accounts.len()];
        Self { now: 0, accounts, leases, slots, waits, followers, posted, again, looked }
    }

    pub(crate) fn reserved(&self, account: usize, meter: usize) -> u64 {
        let leases = self.leases.iter().filter(|lease| !lease.over).flat_map(|l| &l.holds);
        let holds = leases.chain(self.slots.iter().flatten().map(|(hold, _)| hold));
        let era = self.accounts[account].meters[meter].era;
        let counts = |hold: &&Hold| {
            (hold.account, hold.meter, hold.era) == (account, meter, era) && hold.ended.is_none()
        };
        holds.filter(counts).map(|hold| hold.amount).sum()
    }

    /// The first account and meter that refuses; `ticket` is the age of who asks.
    pub(crate) fn refused(
        &self,
        asks: &Asks,
        gated: bool,
        ticket: usize,
    ) -> Option<(usize, usize)> {
        let all = asks.iter().flat_map(|(account, d)| d.iter().map(move |d| (*account, *d)));
        let mut refused = all.filter(|&(account, (meter, amount))| {
            let older = self.waits.iter().take(ticket);
            let behind = older.filter(|wait| wait.place == Some((account, meter))).count() > 0;
            let reserved = self.reserved(account, meter);
            let of_account = &self.accounts[account];
            let admits = of_account.meters[meter].admits(reserved, amount, gated, self.now);
            of_account.closed || !admits || (behind && (amount > 0 || gated))
        });
        refused.next().map(|(account, (meter, _))| (account, meter))
    }

    pub(crate) fn hopeless(&self, asks: &[(usize, Vec<(usize, u64)>)], gated: bool) -> bool {
        asks.iter().any(|(account, demands)| {
            let of_account = &self.accounts[*account];
            let never = |&(meter, amount): &(usize, u64)| {
                of_account.meters[meter].hopeless(amount, gated, self.now)
            };
            of_account.closed || demands.iter().any(never)
        })
    }

    /// Holds what was let pass; the number of the lease.
    pub(crate) fn open(&mut self, asks: &Asks, ttl: u64) -> usize {
        let mut holds = Vec::new();
        for (account, demands) in asks {
            for &(meter, amount) in demands {
                let of_meter = &mut self.accounts[*account].meters[meter];
                of_meter.start(amount, self.now);
                let (era, ended) = (of_meter.era, None);
                holds.push(Hold { account: *account, meter, amount, era, ended });
            }
        }
        let accounts = asks.iter().map(|(account, _)| *account).collect();
        self.leases.push(Lease { holds, accounts, deadline: self.now + ttl, over: false });
        self.leases.len() - 1
    }

    pub(crate) fn take_slot(&mut self, amount: u64) -> Option<usize> {
        let meter = &mut self.accounts[0].meters[0];
        meter.start(amount, self.now);
        let hold = Hold { account: 0, meter: 0, amount, era: meter.era, ended: None };
        (amount > 0).then(|| {
            self.slots.push(Some((hold, self.now + WIDTH)));
            self.slots.len() - 1
        })
    }

    fn grant(&mut self, wait: usize) {
        let Wait { asks, gated, ttl, .. } = self.waits[wait].clone();
        // Nobody older waits for what it asks, and all of it fits.
        assert_eq!(self.refused(&asks, gated, wait), None);
        let end = if gated {
            End::Slot(self.take_slot(asks[0].1[0].1))
        } else {
            End::Lease(self.open(&asks, ttl))
        };
        self.end(wait, end);
    }

    fn end(&mut self, wait: usize, end: End) {
        self.waits[wait].place = None;
        self.waits[wait].end = Some(end);
        self.posted.push(wait);
    }

    /// Decides a wait under all its accounts; what it is refused with, if it is.
    fn advance(&mut self, wait: usize) -> Option<End> {
        let Wait { asks, gated, deadline, place, .. } = self.waits[wait].clone();
        let refused = self.refused(&asks, gated, wait);
        if refused.is_some() && refused == place {
            return None;
        }
        self.waits[wait].place = None;
        if refused.is_none() {
            self.grant(wait);
        } else if self.hopeless(&asks, gated) {
            return Some(End::Denied);
        } else if deadline.is_some_and(|deadline| deadline <= self.now) {
            return Some(End::TimedOut);
        } else {
            self.waits[wait].place = refused;
        }
        None
    }

    /// Queues a wait; what it is refused with, if it is. Otherwise it is the last of `waits`.
    pub(crate) fn join(&mut self, wait: Wait) -> Option<End> {
        let accounts: Vec<usize> = wait.asks.iter().map(|(account, _)| *account).collect();
        for account in &accounts {
            if !self.followers.contains(account) {
                self.followers.push(*account);
            }
        }
        self.waits.push(wait);
        let refused = self.advance(self.waits.len() - 1);
        self.waits.last_mut().unwrap().end = self.waits.last().unwrap().end.or(refused);
        self.step(&accounts);
        refused
    }

    pub(crate) fn waiting(&self, account: usize, meter: usize) -> Vec<usize> {
        let here = |wait: &usize| self.waits[*wait].place == Some((account, meter));
        (0..self.waits.len()).filter(here).collect()
    }

    fn asked(&self, wait: usize, account: usize) -> Asks {
        let asks = self.waits[wait].asks.iter();
        asks.filter(|(of, _)| *of == account).cloned().collect()
    }

    fn end_hopeless(&mut self, account: usize) {
        for meter in 0..self.accounts[account].meters.len() {
            let amount = |book: &Self, wait: usize| {
                let demands = &book.asked(wait, account)[0].1;
                demands.iter().find(|(m, _)| *m == meter).unwrap().1
            };
            let largest = |book: &Self| {
                book.waiting(account, meter).into_iter().max_by_key(|w| (amount(book, *w), *w))
            };
            while let Some(wait) = largest(self) {
                let of_meter = &self.accounts[account].meters[meter];
                if !of_meter.hopeless(amount(self, wait), self.waits[wait].gated, self.now) {
                    break;
                }
                self.end(wait, End::Denied);
            }
        }
    }

    fn serve(&mut self, account: usize) {
        self.end_hopeless(account);
        let mut going = true;
        while going {
            going = false;
            let meters = 0..self.accounts[account].meters.len();
            let heads: Vec<_> = meters
                .filter_map(|meter| Some((meter, *self.waiting(account, meter).first()?)))
                .collect();
            for (meter, wait) in heads {
                going |= self.serve_first(account, meter, wait);
            }
        }
    }

    fn serve_first(&mut self, account: usize, meter: usize, wait: usize) -> bool {
        let (asks, gated) = (self.asked(wait, account), self.waits[wait].gated);
        match self.refused(&asks, gated, wait) {
            None if self.waits[wait].asks.len() > 1 => {
                if !self.again.contains(&wait) {
                    self.again.push_back(wait);
                }
                false
            }
            None => {
                self.waits[wait].place = None;
                self.grant(wait);
                true
            }
            Some(_) if self.hopeless(&asks, gated) => {
                self.end(wait, End::Denied);
                true
            }
            Some(place) => {
                self.waits[wait].place = Some(place);
                place != (account, meter)
            }
        }
    }

    /// After a step on these accounts: what is free goes to those whose turn it is.
    pub(crate) fn step(&mut self, accounts: &[usize]) {
        accounts.iter().for_each(|account| self.serve(*account));
        while let Some(wait) = self.again.pop_front() {
            let accounts: Vec<usize> = self.waits[wait].asks.iter().map(|(a, _)| *a).collect();
            accounts.iter().for_each(|account| self.touch(*account));
            if self.waits[wait].place.is_some()
                && let Some(refused) = self.advance(wait)
            {
                self.end(wait, refused);
            }
            accounts.iter().for_each(|account| self.serve(*account));
        }
    }

    /// The next moment at which anything at all may happen.
    fn next(&self) -> Option<u64> {
        let leases = self.leases.iter().filter(|lease| lease.is_open()).map(|l| l.deadline);
        let slots = self.slots.iter().flatten().map(|(_, until)| *until);
        let waits = self.waits.iter().filter(|wait| wait.place.is_some());
        let meters = self.accounts.iter().flat_map(|account| &account.meters);
        let told = meters.clone().flat_map(|meter| {
            let until = [meter.told.tokens, meter.told.requests].map(|told| told.map(|t| t.1));
            until.into_iter().chain([meter.told.closed]).flatten()
        });
        let again = meters.clone().filter_map(|meter| meter.told.next_slot(self.now));
        let slides = meters.filter(|meter| meter.slides).flat_map(|meter| &meter.log);
        let all = leases.chain(slots).chain(waits.filter_map(|wait| wait.deadline));
        let all = all.chain(told).chain(again);
        all.chain(slides.map(|entry| entry.leaves)).filter(|at| *at > self.now).min()
    }

    /// Lets time pass until `target`, one moment after the other.
    pub(crate) fn pass(&mut self, target: u64) {
        while let Some(next) = self.next().filter(|next| *next <= target) {
            self.now = next;
            let idle = (0..self.accounts.len()).filter(|a| !self.followers.contains(a));
            let accounts: Vec<usize> = self.followers.iter().copied().chain(idle).collect();
            for account in accounts {
                self.touch(account);
                self.step(&[account]);
            }
        }
        self.now = target;
        self.looked.fill(target);
    }

    /// When the next wait ends if nobody does anything, within `most`.
    pub(crate) fn next_end(&self, most: u64) -> Option<u64> {
        let mut book = self.clone();
        let posted = book.posted.len();
        while book.posted.len() == posted {
            let next = book.next().filter(|next| *next <= self.now + most)?;
            book.pass(next);
        }
        Some(book.now)
    }

    /// What is due in an account, once.
    fn touch(&mut self, account: usize) {
        if std::mem::replace(&mut self.looked[account], self.now) == self.now {
            return;
        }
        for (number, lease) in self.leases.iter_mut().enumerate().filter(|(_, l)| !l.over) {
            let due = lease.deadline <= self.now;
            let holds = lease.holds.iter_mut().filter(|hold| hold.account == account && due);
            for hold in holds.filter(|hold| hold.ended.is_none()) {
                self.accounts[account].expire(hold, number, self.now);
            }
        }
        for slot in &mut self.slots {
            slot.take_if(|(hold, until)| hold.account == account && *until <= self.now);
        }
        self.serve(account);
        let here = |wait: &Wait| wait.place.is_some_and(|(of, _)| of == account);
        let mut over: Vec<usize> =
            (0..self.waits.len()).filter(|w| here(&self.waits[*w])).collect();
        over.retain(|wait| self.waits[*wait].deadline.is_some_and(|at| at <= self.now));
        over.sort_by_key(|wait| (self.waits[*wait].deadline, *wait));
        over.into_iter().for_each(|wait| self.end(wait, End::TimedOut));
        self.serve(account);
    }
}
