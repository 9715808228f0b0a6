//! Waits for capacity: first in, first out, without a thread and without polling.

use std::sync::{Arc, Weak};
use std::time::Duration;

use smallvec::SmallVec;

use super::ask::{self, Ask, AskPart, distinct, queued, ttl};
use super::decide::{open, verdict_precisely};
use super::lease::Lease;
use super::locked::{Locked, with_locked_precisely};
use super::places::{Place, Places};
use super::room::{Room, hold_all, without_store};
use crate::accounting::{Clock, Follower};
use crate::ledger::account::Account;
use crate::ledger::account::serving::end;
use crate::ledger::claim::{AskPlace, MeterIndex, Request};
use crate::ledger::error::Error;
use crate::ledger::post::mailbox::Mailbox;
use crate::ledger::post::outbox::{Again, Outbox};
use crate::ledger::post::sleeper::Sleeper;
use crate::ledger::queue::turn::{Granted, Opened, QueuedClaim, Stage, Turn, Wanted, Wants};

/// What a wait was given.
#[derive(Debug)]
pub enum Grant {
    /// A lease over all asks.
    Lease(Lease),
    /// An admission by a limiter. The number identifies the held amount, if one is held.
    Slot(Option<u64>),
}

/// A request that waits for its turn. When it is dropped, it leaves the queue and releases a grant
/// that was not taken.
#[derive(Debug)]
pub struct Wait {
    pub(super) pending: Pending,
    /// Lives as long as the wait, and decides a turn on several accounts again.
    again: Option<Arc<Pending>>,
}

/// A turn and its accounts. The queues know the turn alone.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) accounts: SmallVec<[Arc<Account>; 2]>,
    pub(super) turn: Arc<Turn>,
}

impl Wait {
    /// Queues a request for a lease behind the earlier waits. `mailbox` is notified when the wait
    /// has ended. An account that is listed twice is charged once. A request that can never pass is
    /// refused at once.
    pub fn for_lease(
        asks: &[Ask],
        request: Request,
        timeout: Option<Duration>,
        mailbox: Arc<Mailbox>,
    ) -> Result<Self, Error> {
        let asks = distinct(asks)?;
        let lasts = Some(ttl(asks.iter().map(|ask| &ask.account), &request));
        let wanted = Wanted { what: Wants::Lease, request, timeout, lasts, draws: false };
        Self::join(asks, wanted, mailbox)
    }

    /// The same for a request that waits for a store and for nobody else. It is refused as soon as a
    /// limit refuses it.
    pub fn for_store(
        asks: &[Ask],
        request: Request,
        timeout: Option<Duration>,
        mailbox: Arc<Mailbox>,
    ) -> Result<Self, Error> {
        let asks = distinct(asks)?;
        let lasts = Some(ttl(asks.iter().map(|ask| &ask.account), &request));
        let wanted = Wanted { what: Wants::Lease, request, timeout, lasts, draws: true };
        Self::join(asks, wanted, mailbox)
    }

    /// Queues a request for an admission by a limiter.
    pub(crate) fn for_admission(
        ask: Ask,
        timeout: Option<Duration>,
        mailbox: Arc<Mailbox>,
    ) -> Result<Self, Error> {
        let (what, request) = (Wants::Admission, Request::default());
        let wanted = Wanted { what, request, timeout, lasts: None, draws: false };
        Self::join([ask], wanted, mailbox)
    }

    pub(super) fn join(
        asks: impl IntoIterator<Item = Ask>,
        wanted: Wanted,
        mailbox: Arc<Mailbox>,
    ) -> Result<Self, Error> {
        let timeout = wanted.timeout;
        let asks = ask::here(asks.into_iter().collect())?;
        let (accounts, claims) = asks.into_iter().map(|ask| queued(ask, timeout)).unzip();
        let pending = Pending { accounts, turn: Turn::new(claims, wanted, mailbox) };
        let several = pending.accounts.len() > 1;
        let wait = Self { again: several.then(|| Arc::new(pending.clone())), pending };
        if let Some(again) = &wait.again {
            let again: Weak<Pending> = Arc::downgrade(again);
            wait.pending.turn.decided_by(again);
        }
        wait.follow_clocks();
        let joined = wait.pending.locked(|locked, outbox| wait.pending.advance(locked, outbox))?;
        joined.map_err(|refused| wait.pending.named(refused))?;
        Ok(wait)
    }

    /// Registers the accounts with a clock that is moved by hand, so that they act when it moves.
    fn follow_clocks(&self) {
        for account in &self.pending.accounts {
            if let Clock::Manual(clock) = account.core().clock() {
                let follower: Weak<dyn Follower> = account.as_swept();
                clock.follow(follower);
            }
        }
    }

    /// The number that its mailbox posts when it has ended.
    pub fn ticket(&self) -> u64 {
        self.pending.turn.ticket
    }

    /// How long it waits for its store at most, if it waits for a store alone. Its caller then has to
    /// [give it up](Self::give_up).
    pub fn gives_up_in(&self) -> Option<Duration> {
        let Pending { accounts, turn } = &self.pending;
        let timeout = |account: &Arc<Account>| Some(account.supply().ok()??.timeout());
        if turn.wanted.draws { accounts.iter().filter_map(timeout).max() } else { None }
    }

    /// Ends it if it still waits: a request that waits for a store has waited for too long. It is
    /// refused by what is known, or as `on_down` says.
    pub fn give_up(&self) -> Result<(), Error> {
        if self.is_foreign() { Ok(()) } else { self.pending.give_up() }
    }

    /// Whether it still waits.
    pub fn is_pending(&self) -> bool {
        self.pending.turn.is_pending()
    }

    /// Gives back what it was given and nobody took, because its loop stands still. Others pass it
    /// until it is [resumed](Self::resume). Returns whether it had been given something.
    pub fn pass_over(&self) -> bool {
        if self.is_foreign() {
            return false;
        }
        let passed = self.pending.turn.pass_over();
        passed.map(|granted| self.give_back(self.pending.receive(granted))).is_some()
    }

    /// Waits again, at the place of its age, if others passed it.
    pub fn resume(&self) {
        let turn = &self.pending.turn;
        if self.is_foreign() || !turn.resume() {
            return;
        }
        let _ = self.pending.locked(|locked, outbox| {
            if let Err(refused) = self.pending.advance(locked, outbox) {
                end(turn, Err(refused), outbox);
            }
        });
    }

    /// The result, once. `None` while it waits.
    pub fn take(&self) -> Option<Result<Grant, Error>> {
        let ended = self.pending.turn.take()?;
        let named = ended.map_err(|refused| self.pending.named(refused));
        Some(named.map(|granted| self.pending.receive(granted)))
    }

    /// Leaves the queue and releases a grant that was not taken.
    pub fn leave(&self) {
        let turn = &self.pending.turn;
        if self.is_foreign() || turn.is_taken() {
            return;
        }
        let _ = self.pending.locked(|locked, _| {
            if let Some((index, meter)) = turn.queued() {
                let account = locked[index].identity().id();
                locked[index].state.queues_mut().remove(meter, turn.ticket, account);
                turn.put(Stage::Over);
            }
        });
        turn.resume();
        if let Some(Ok(grant)) = self.take() {
            self.give_back(grant);
        }
    }

    /// Whether this is a forked child: the wait belongs to the parent, and another thread may hold
    /// its lock.
    fn is_foreign(&self) -> bool {
        self.pending.accounts.iter().any(|account| account.core().same_process().is_err())
    }

    fn give_back(&self, grant: Grant) {
        match grant {
            Grant::Lease(lease) => lease.give_back(),
            Grant::Slot(Some(number)) => self.end_admission(number),
            Grant::Slot(None) => {}
        }
    }

    fn end_admission(&self, number: u64) {
        let _ = self.pending.locked(|locked, _| {
            for at in locked {
                at.state.end_admission(Some(number));
            }
        });
    }

    /// Waits in this thread until it has ended. Its mailbox wakes `sleeper`.
    pub fn block(&self, sleeper: &Sleeper) -> Result<Grant, Error> {
        loop {
            if let Some(result) = self.take() {
                return result;
            }
            let next = self.pending.turn.mailbox.refresh();
            if let Some(result) = self.take() {
                return result;
            }
            sleeper.sleep(next);
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Again for Pending {
    /// Decides a wait over several accounts that passed in the account whose queue it heads.
    fn again(&self, outbox: &mut Outbox) {
        let accounts = self.accounts.iter().map(|account| &**account);
        let _ = with_locked_precisely(accounts, outbox, |locked, outbox| {
            if self.turn.queued().is_some()
                && let Err(refused) = self.advance(locked, outbox)
            {
                end(&self.turn, Err(refused), outbox);
            }
        });
    }
}

impl Pending {
    pub(super) fn locked<R>(
        &self,
        act: impl FnOnce(&mut [Locked<'_>], &mut Outbox) -> R,
    ) -> Result<R, Error> {
        let mut outbox = Outbox::default();
        let accounts = self.accounts.iter().map(|account| &**account);
        let result = with_locked_precisely(accounts, &mut outbox, act);
        outbox.send();
        result
    }

    /// The refusal of a wait, by the first that refuses it in the order of its asks. It waited on one
    /// meter, and others may refuse it too.
    fn named(&self, refused: Error) -> Error {
        let waited = matches!(refused, Error::TimedOut(_));
        let (Error::TimedOut(mut own) | Error::Denied(mut own)) = refused else { return refused };
        let has_rules = |account: &Arc<Account>| account.identity().place(MeterIndex(0)).is_some();
        if self.accounts.iter().any(has_rules) {
            let asks = self.accounts.iter().zip(&self.turn.claims);
            // A refusal at once comes from what nobody waits for: that is named first.
            let place = |claim: &QueuedClaim| match claim.patient && !waited {
                true => AskPlace { budget: u32::MAX, ..claim.place },
                false => claim.place,
            };
            let asks: SmallVec<[_; 4]> = asks
                .map(|(account, claim)| AskPart::of(account, claim.claim(), place(claim)))
                .collect();
            let verdict = self.locked(|locked, outbox| verdict_precisely(&asks, locked, outbox));
            if let Ok(Err((Error::Denied(first), index))) = verdict
                && (waited || !self.turn.claims[index].patient)
            {
                let remark = own.remark.take();
                own = first;
                own.remark = remark.or(own.remark);
            }
        }
        if waited { Error::TimedOut(own) } else { Error::Denied(own) }
    }

    /// Grants the turn, or queues it on the meter that refuses it. Fails if it can never pass: then
    /// it is in no queue.
    fn advance(&self, locked: &mut [Locked<'_>], outbox: &mut Outbox) -> Result<(), Error> {
        let turn = &self.turn;
        let claims = turn.claims.iter().zip(locked.iter()).enumerate();
        let refused = claims.into_iter().find_map(|(index, (ask, at))| {
            let refused = at.state.refuses(&ask.demands, ask.terms, turn.ticket);
            let uncovered = || at.state.uncovered(&ask.demands, turn.until(at.now.tick));
            Some((index, refused.or_else(uncovered)?))
        });
        let place = refused.map(|(index, at)| (index, turn.claims[index].demands[at].meter));
        if let Some(old) = turn.queued() {
            // One that waits for a store alone may have to end, though it stands where it stood.
            if place == Some(old) && !locked.iter().any(|at| at.state.supplied().is_some()) {
                return Ok(());
            }
            let at = &mut locked[old.0];
            let account = at.identity().id();
            at.state.queues_mut().remove(old.1, turn.ticket, account);
        }
        let Some((index, meter)) = place else {
            let granted = self.grant(locked, outbox);
            end(turn, Ok(granted), outbox);
            return Ok(());
        };
        turn.put(Stage::Over);
        // A request that can never pass does not wait for another meter. Nor does one that may not
        // wait for this account.
        for (ask, at) in turn.claims.iter().zip(locked.iter_mut()) {
            let final_here = || {
                let patient = ask.patient && !turn.wanted.draws;
                if patient { None } else { at.refuses(ask, turn) }
            };
            if let Some(demand) = at.state.hopeless(&ask.demands, ask.terms).or_else(final_here) {
                let (state, mut step) = at.step(outbox);
                step.labels = ask.labels.as_ref();
                let identity = step.identity;
                let refused = state.refusal(identity, &ask.demands, demand, step.now, ask.terms);
                step.tell_denied(&state.meters, &ask.demands, &refused);
                return Err(refused);
            }
        }
        match without_store(turn, locked) {
            None => {}
            Some(Err(away)) => return Err(away),
            Some(Ok(())) => {
                let granted = self.grant(locked, outbox);
                end(turn, Ok(granted), outbox);
                return Ok(());
            }
        }
        locked.iter_mut().for_each(|at| at.state.note(turn));
        let at = &mut locked[index];
        if turn.is_over(index, at.now.tick) {
            return Err(at.state.timed_out(meter, turn, at.identity(), at.now));
        }
        at.state.queue(index, meter, turn);
        Ok(())
    }

    /// Grants a request that passed, under the locks of all accounts.
    pub(super) fn grant(&self, locked: &mut [Locked<'_>], outbox: &mut Outbox) -> Granted {
        let Turn { claims, wanted, .. } = &*self.turn;
        match wanted.what {
            Wants::Admission => {
                let now = locked[0].now;
                Granted::Admission(locked[0].state.take_admission(&claims[0].demands, now))
            }
            Wants::Room => Granted::Room(hold_all(&self.turn, locked)),
            Wants::Lease => {
                let asks = self.accounts.iter().zip(claims);
                let asks: SmallVec<[_; 4]> = asks
                    .map(|(account, claim)| AskPart::of(account, claim.claim(), claim.place))
                    .collect();
                let (id, places) = open(&asks, &wanted.request, locked, outbox);
                let entries = places.iter().map(|place| place.entry).collect();
                Granted::Lease(Opened { id, entries })
            }
        }
    }

    /// Makes the first handle of a granted lease.
    fn receive(&self, granted: Granted) -> Grant {
        let opened = match granted {
            Granted::Admission(number) => return Grant::Slot(number),
            Granted::Room(room) => {
                drop(Room::new(self.accounts.clone(), room));
                return Grant::Slot(None);
            }
            Granted::Lease(opened) => opened,
        };
        let mut places = self
            .accounts
            .iter()
            .zip(opened.entries)
            .map(|(account, entry)| Place { account: Arc::clone(account), entry });
        let places = match (self.accounts.len(), places.next()) {
            (1, Some(only)) => Places::One(only),
            (_, first) => Places::many(first.into_iter().chain(places).collect()),
        };
        let request = &self.turn.wanted.request;
        Grant::Lease(Lease::new(
            opened.id,
            request.estimate.clone(),
            &request.request_budget,
            places,
        ))
    }
}
