//! Shares: what one process may use of a limit that several processes share.
//!
//! A store keeps the limit, and a process, the *holder*, has a share of it. The holder's meter
//! admits a request against the limit and against the share. A share is raised after the store has
//! agreed, and lowered before the store hears of it. So at every instant it is at most what the
//! store counts as taken.

mod eras;
mod kind;
mod others;

use std::time::Duration;

pub use self::eras::{Era, NextShare, PastEra};
pub use self::kind::ShareKind;
pub(crate) use self::kind::taken;
pub use self::others::Others;
use super::clock::Tick;
use crate::seeded::{self, Bug};

/// Whether a share admits a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Fits,
    /// The share is too small, or the lease would last longer than the store was promised.
    Short,
    /// The store was not heard of for so long that the share may be with others.
    Lapsed,
}

/// For so long a holder believes what it has heard of a limit that has nothing left.
const BELIEVED: Duration = Duration::from_millis(100);

/// One holder's share of one limit. Its meter keeps it, under the meter's lock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Share {
    kind: ShareKind,
    era: Option<Era>,
    amount: u64,
    ends: Option<Tick>,
    /// From here on it may be with others, unless an answer comes before.
    lapses: Option<Tick>,
    /// No lease may last longer.
    leases_until: Option<Tick>,
    next: Option<NextShare>,
    past: Vec<PastEra>,
    ended: u32,
    /// The latest era that has ended here.
    latest: Option<Era>,
    others: Others,
    /// If less is free, the store must hear of it soon.
    low: u64,
    /// Whether what is free is wanted back.
    called_in: bool,
    /// Whether its owner has set the limit since that was last heard.
    set: bool,
    /// Whether a message has said it.
    said: bool,
}

impl Share {
    /// No share yet.
    pub const fn new(kind: ShareKind) -> Self {
        Self {
            kind,
            era: None,
            amount: 0,
            ends: None,
            lapses: None,
            leases_until: None,
            next: None,
            past: Vec::new(),
            ended: 0,
            latest: None,
            others: Others { most: None, used: 0, back: 0, out: 0, live: 0, heard: None },
            low: 0,
            called_in: false,
            set: false,
            said: false,
        }
    }

    /// Its owner has set the limit. What was heard of it is about an earlier one until the store has
    /// answered a message that said it.
    pub fn set_limit(&mut self) {
        (self.set, self.said) = (true, false);
    }

    /// A message says the limit that its owner has set.
    pub(crate) fn say_limit(&mut self) {
        self.said = self.set;
    }

    /// Whether what was heard of the limit is older than what its owner has set.
    pub(crate) const fn is_limit_old(&self) -> bool {
        self.set
    }

    /// What the store has last said of the others.
    pub const fn others(&self) -> &Others {
        &self.others
    }

    /// The store has said that of the era of the share.
    pub fn hear(&mut self, others: Others) {
        self.set &= !self.said;
        self.said = false;
        self.others = others;
    }

    /// Whether that is still believed where it refuses: others may have given back since.
    pub(crate) fn is_fresh(&self, now: Tick) -> bool {
        self.others.heard.is_some_and(|heard| now.since(heard) < BELIEVED)
    }

    /// From now on the meter speaks up if less than `low` is free, or if anything is free while it
    /// is `called_in`.
    pub fn watch(&mut self, low: u64, called_in: bool) {
        (self.low, self.called_in) = (low, called_in);
    }

    /// Whether the store must hear soon that `taken` (used and reserved) is so much.
    pub(crate) fn is_low(&self, taken: u64) -> bool {
        taken > self.amount || self.amount - taken < self.low
    }

    /// Whether something can go back beside `taken`, and is wanted.
    pub(crate) fn is_surplus(&self, taken: u64) -> bool {
        self.called_in && self.amount > taken
    }

    /// The kind.
    pub const fn kind(&self) -> ShareKind {
        self.kind
    }

    /// The largest `used + reserved`.
    pub const fn amount(&self) -> u64 {
        self.amount
    }

    /// The era in which it counts. `None` before the first answer, and after an era until the next.
    pub const fn era(&self) -> Option<Era> {
        self.era
    }

    /// When its era ends.
    pub const fn ends(&self) -> Option<Tick> {
        self.ends
    }

    /// The share of the era after this one.
    pub const fn next(&self) -> Option<NextShare> {
        self.next
    }

    /// Eras that are over, of which the store must still hear.
    pub fn past(&self) -> &[PastEra] {
        &self.past
    }

    /// Whether a request for `asked` fits beside `taken` (used and reserved). `until` is the
    /// deadline of its lease, if it opens one.
    pub fn fit(&self, taken: u64, asked: u64, until: Option<Tick>, now: Tick) -> Fit {
        if self.has_lapsed(now) {
            return Fit::Lapsed;
        }
        let late = |until: Tick| self.leases_until.is_none_or(|last| until > last);
        let fits = taken.checked_add(asked).is_some_and(|sum| sum <= self.amount);
        if !fits || (self.kind.lapses() && until.is_some_and(late)) {
            Fit::Short
        } else {
            Fit::Fits
        }
    }

    /// Whether a request for `asked` fits beside `taken`, whatever its lease was promised.
    pub fn admits(&self, taken: u64, asked: u64, now: Tick) -> bool {
        let known = self.era.is_some() || asked == 0;
        known && self.fit(taken, asked, None, now) == Fit::Fits
    }

    /// Lowers it to `target`, never below what is used and reserved, and never above what it is.
    pub fn lower(&mut self, target: u64, spent: u64, held: u64) {
        self.amount = self.amount.min(target.max(spent.saturating_add(held)));
    }

    /// Takes what the store has granted, for an answer that is about this era.
    pub fn grant(&mut self, amount: u64) {
        self.amount = amount;
    }

    /// Takes a share of `era`, which ends at `ends`. The meter begins a new window unless it has.
    pub fn adopt(&mut self, era: Era, amount: u64, ends: Option<Tick>) {
        (self.era, self.amount, self.ends) = (Some(era), amount, ends);
        self.next = self.next.filter(|next| next.era > era);
    }

    /// Moves the end of the era forward in time, never back.
    pub fn ends_by(&mut self, ends: Option<Tick>) {
        self.ends = match (self.ends, ends) {
            (Some(before), Some(now)) => Some(before.min(now)),
            (before, now) => now.or(before),
        };
    }

    /// Keeps a share of the era after the present one.
    pub fn set_next(&mut self, next: NextShare) {
        self.next = Some(next);
    }

    /// The store has heard of this holder: the share is good until `lapses`.
    pub fn extend(&mut self, lapses: Tick, leases_until: Tick) {
        self.lapses = Some(self.lapses.map_or(lapses, |before| before.max(lapses)));
        self.leases_until = Some(leases_until);
    }

    /// A message that promises that no lease lasts longer is under way.
    pub fn promise(&mut self, leases_until: Tick) {
        self.leases_until = self.leases_until.map(|before| before.min(leases_until));
    }

    /// Whether it may be with others: the store was not heard of for too long.
    pub fn has_lapsed(&self, now: Tick) -> bool {
        self.kind.lapses() && self.lapses.is_none_or(|lapses| now >= lapses)
    }

    /// Whether leases until `until` may open at `now`, as far as time goes.
    pub(crate) fn covers(&self, until: Option<Tick>, now: Tick) -> bool {
        let late = |until: Tick| self.leases_until.is_none_or(|last| until > last);
        !(self.has_lapsed(now) || self.kind.lapses() && until.is_some_and(late))
    }

    /// Gives up the share of the era after the present one.
    pub fn drop_next(&mut self) {
        self.next = None;
    }

    /// Whether `era` has ended here. It never begins again, though a store whose clock went back
    /// may still count it.
    pub fn has_ended(&self, era: Era) -> bool {
        self.latest.is_some_and(|latest| era <= latest)
    }

    /// How many eras have ended. If it grows, the meter begins a new window.
    pub const fn ended(&self) -> u32 {
        self.ended
    }

    /// Ends the era if it is over at `now`. Returns true if the meter must begin a new window.
    /// `spent` and `held` are those of the era.
    pub fn roll(&mut self, spent: u64, held: u64, now: Tick) -> bool {
        if self.ends.is_none_or(|ends| now < ends) {
            return false;
        }
        self.end(spent, held);
        if let Some(next) = self.next.take() {
            self.adopt(next.era, next.amount, next.ends);
            if next.ends.is_some_and(|ends| now >= ends) {
                self.end(0, 0);
            }
        }
        true
    }

    /// Ends the era, by a reset here or in another process. The meter begins a new window.
    pub fn void(&mut self, spent: u64, held: u64) {
        self.end(spent, held);
        if !seeded::has(Bug::NextKept) {
            self.next = None;
        } else if let Some(next) = self.next.take() {
            self.adopt(next.era, next.amount, next.ends);
        }
    }

    /// Gives all of it up, with the count of what was used: the store counts that once it has
    /// answered. The meter begins a new window. The era may begin here again.
    pub fn leave(&mut self, spent: u64) {
        if let Some(era) = self.era
            && self.kind == ShareKind::Amount
        {
            let (amount, held, reported) = (spent.min(self.amount), 0, None);
            self.past.push(PastEra { era, amount, spent, held, reported, left: true });
        }
        (self.era, self.amount, self.ends, self.next) = (None, 0, None, None);
        (self.others.used, self.others.back) = (0, 0);
        (self.others.out, self.others.heard) = (0, None);
        self.ended = self.ended.wrapping_add(1);
    }

    fn end(&mut self, spent: u64, held: u64) {
        let amount = self.amount.min(spent.saturating_add(held));
        self.latest = self.latest.max(self.era);
        if let Some(era) = self.era.take()
            && self.kind == ShareKind::Amount
        {
            self.past.push(PastEra { era, amount, spent, held, reported: None, left: false });
        }
        (self.amount, self.ends) = (0, None);
        (self.others.used, self.others.back) = (0, 0);
        (self.others.out, self.others.heard) = (0, None);
        self.ended = self.ended.wrapping_add(1);
    }

    /// Ends a hold of an era that is over: `used` of it was used, the other part comes back to that
    /// era.
    pub fn settle(&mut self, era: Era, hold: u64, used: u64) {
        if let Some(past) = self.past.iter_mut().find(|past| past.era == era) {
            past.held = past.held.saturating_sub(hold);
            past.spent = past.spent.saturating_add(used);
            past.amount = past.amount.min(past.spent.saturating_add(past.held));
        }
    }

    /// A message about an era that is over is under way: what was reported before does not count any
    /// more.
    pub(crate) fn reporting(&mut self, era: Era) {
        if let Some(past) = self.past.iter_mut().find(|past| past.era == era) {
            past.reported = None;
        }
    }

    /// The store has heard what was spent and held in an era that is over. `known`: it still counts
    /// that era. Eras that are settled are forgotten.
    pub fn reported(&mut self, era: Era, spent: u64, held: u64, known: bool) {
        if let Some(past) = self.past.iter_mut().find(|past| past.era == era) {
            past.reported = Some(if known { (spent, held) } else { (past.spent, past.held) });
        }
        self.past.retain(|past| !past.is_settled() && (known || past.era != era));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::from_nanos(seconds * 1_000_000_000)
    }

    const FIRST: Era = Era { generation: 0, begins: 10 };
    const SECOND: Era = Era { generation: 0, begins: 20 };

    #[test]
    fn an_amount_is_never_lowered_below_what_is_used_and_reserved() {
        let mut share = Share::new(ShareKind::Amount);
        share.adopt(FIRST, 100, Some(at(60)));
        assert_eq!(share.fit(60, 40, None, at(0)), Fit::Fits);
        assert_eq!(share.fit(60, 41, None, at(0)), Fit::Short);
        share.lower(0, 30, 20);
        assert_eq!(share.amount(), 50);
        share.lower(80, 0, 0);
        assert_eq!(share.amount(), 50, "only the store raises it");
    }

    #[test]
    fn an_era_that_ends_keeps_what_the_store_must_hear() {
        let mut share = Share::new(ShareKind::Amount);
        share.adopt(FIRST, 100, Some(at(60)));
        share.set_next(NextShare { era: SECOND, amount: 7, ends: Some(at(120)) });
        assert!(!share.roll(30, 20, at(59)));
        assert!(share.roll(30, 20, at(60)));
        assert_eq!((share.era(), share.amount()), (Some(SECOND), 7));
        share.settle(FIRST, 20, 12);
        let [past] = share.past() else { panic!("one era is over") };
        assert_eq!((past.amount, past.spent, past.held), (42, 42, 0));
        share.reported(FIRST, 42, 0, true);
        assert_eq!(share.past(), []);
    }

    #[test]
    fn a_reset_voids_the_share_and_that_of_the_next_era() {
        let mut share = Share::new(ShareKind::Amount);
        share.adopt(FIRST, 100, Some(at(60)));
        share.set_next(NextShare { era: SECOND, amount: 7, ends: None });
        share.void(1, 0);
        assert_eq!((share.era(), share.amount(), share.next()), (None, 0, None));
    }

    #[test]
    fn slots_lapse_and_promise_when_their_leases_end() {
        let mut share = Share::new(ShareKind::Open);
        share.adopt(Era { generation: 0, begins: 0 }, 2, None);
        assert_eq!(share.fit(0, 1, None, at(0)), Fit::Lapsed, "no message was answered");
        share.extend(at(10), at(30));
        assert_eq!(share.fit(0, 1, Some(at(30)), at(9)), Fit::Fits);
        assert_eq!(share.fit(0, 1, Some(at(31)), at(9)), Fit::Short);
        share.promise(at(20));
        assert_eq!(share.fit(0, 1, Some(at(30)), at(9)), Fit::Short);
        assert_eq!(share.fit(0, 1, Some(at(20)), at(10)), Fit::Lapsed);
    }
}
