//! The waits on the meters of an account, and the admissions of its limiter. Data only, no
//! decisions.

pub(crate) mod admissions;
pub(crate) mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::admissions::Admissions;
use self::turn::Turn;
use super::account_id::AccountId;
use super::post::mailbox::Mailbox;
use crate::accounting::Tick;

/// The waits on the meters of one account, first in, first out.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    /// By meter and ticket. The smallest ticket is the oldest.
    waits: BTreeMap<(u8, u64), Arc<Turn>>,
    deadlines: BTreeSet<(Tick, u64, u8)>,
    /// By meter and amount: the wait that asks the most is the first that can become hopeless.
    amounts: BTreeSet<(u8, u64, u64)>,
    /// The sum that the waits on each meter ask of it.
    asked: BTreeMap<u8, u128>,
    /// Event loops with waits here, and the number of these waits.
    loops: BTreeMap<u64, (Arc<Mailbox>, usize)>,
    /// Threads that wait here, by ticket. The first of them watches the clock for all.
    threads: BTreeMap<u64, Arc<Mailbox>>,
    /// Admissions of callers that report their usage later.
    pub(crate) admissions: Admissions,
}

impl Queues {
    /// Whether the queues are empty.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    /// Whether anything here may be due by `now`.
    #[inline]
    pub(crate) fn may_be_due(&self, now: Tick) -> bool {
        !self.is_empty() || self.admissions.next_over().is_some_and(|over| over <= now)
    }

    /// The oldest wait on `meter`.
    pub(crate) fn first(&self, meter: u8) -> Option<&Arc<Turn>> {
        let mut waits = self.waits.range((meter, 0)..=(meter, u64::MAX));
        waits.next().map(|(_, turn)| turn)
    }

    /// The oldest wait of each meter.
    pub(crate) fn heads(&self) -> impl Iterator<Item = (u8, &Arc<Turn>)> {
        self.asked.keys().filter_map(|&meter| Some((meter, self.first(meter)?)))
    }

    /// The wait that asks the most of `meter`.
    pub(crate) fn largest(&self, meter: u8) -> Option<&Arc<Turn>> {
        let meter_range = (meter, 0, 0)..=(meter, u64::MAX, u64::MAX);
        let &(_, _, ticket) = self.amounts.range(meter_range).next_back()?;
        self.waits.get(&(meter, ticket))
    }

    /// The sum that the waits on `meter` ask of it.
    pub(crate) fn asked(&self, meter: u8) -> u128 {
        self.asked.get(&meter).copied().unwrap_or(0)
    }

    /// Queues `turn` on `meter`, at the place of its ticket.
    pub(crate) fn add(&mut self, meter: u8, turn: &Arc<Turn>, id: AccountId) {
        let Some((_, claim)) = turn.claim_of(id) else { return };
        if self.waits.insert((meter, turn.ticket), Arc::clone(turn)).is_some() {
            return;
        }
        let amount = claim.asks_of(meter);
        *self.asked.entry(meter).or_default() += u128::from(amount);
        self.amounts.insert((meter, amount, turn.ticket));
        if let Some(deadline) = claim.deadline {
            self.deadlines.insert((deadline, turn.ticket, meter));
        }
        turn.mailbox.watch(id, || claim.follower());
        if turn.mailbox.is_alone() {
            self.threads.insert(turn.ticket, Arc::clone(&turn.mailbox));
        } else {
            let fresh = || (Arc::clone(&turn.mailbox), 0);
            self.loops.entry(turn.mailbox.id()).or_insert_with(fresh).1 += 1;
        }
    }

    /// Takes the wait with that ticket out of the queue of `meter`.
    pub(crate) fn remove(&mut self, meter: u8, ticket: u64, id: AccountId) {
        let Some(turn) = self.waits.remove(&(meter, ticket)) else { return };
        let Some((_, claim)) = turn.claim_of(id) else { return };
        let amount = claim.asks_of(meter);
        if let Some(asked) = self.asked.get_mut(&meter) {
            *asked -= u128::from(amount);
        }
        self.amounts.remove(&(meter, amount, ticket));
        if let Some(deadline) = claim.deadline {
            self.deadlines.remove(&(deadline, ticket, meter));
        }
        turn.mailbox.unwatch(id);
        self.threads.remove(&ticket);
        if let Some((_, waits)) = self.loops.get_mut(&turn.mailbox.id()) {
            *waits -= 1;
            if *waits == 0 {
                self.loops.remove(&turn.mailbox.id());
            }
        }
    }

    /// A wait whose deadline is over at `now`, and its meter.
    pub(crate) fn overdue(&self, now: Tick) -> Option<(u8, Arc<Turn>)> {
        let &(deadline, ticket, meter) = self.deadlines.first()?;
        let turn = self.waits.get(&(meter, ticket))?;
        (deadline <= now).then(|| (meter, Arc::clone(turn)))
    }

    /// When the first deadline of a wait is over.
    pub(crate) fn next_deadline(&self) -> Option<Tick> {
        self.deadlines.first().map(|&(deadline, ..)| deadline)
    }

    /// The mailboxes that watch the clock for this account.
    pub(crate) fn watchers(&self) -> impl Iterator<Item = &Arc<Mailbox>> {
        let loops = self.loops.values().map(|(mailbox, _)| mailbox);
        loops.chain(self.threads.first_key_value().map(|(_, mailbox)| mailbox))
    }
}
