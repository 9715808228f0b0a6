//! What the auditor hears on the wire: what holders state, and what they are given for it.

use std::collections::BTreeMap;

use super::{Broken, Kind, NOBODY, Window, broken};

/// What one message states of one limit, and what its answer gives. Times are the store's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stated {
    pub(crate) limit: usize,
    pub(crate) window: Window,
    pub(crate) most: u64,
    pub(crate) have: u64,
    pub(crate) need: u64,
    pub(crate) spent: u64,
    pub(crate) held: u64,
    /// How long its leases last at most.
    pub(crate) until: i64,
    pub(crate) granted: u64,
    pub(crate) counted: bool,
    /// Whether its message says all that the holder has.
    pub(crate) whole: bool,
    /// Whether its holder has no use for the limit any more.
    pub(crate) leaves: bool,
}

#[derive(Clone, Copy, Debug)]
struct Share {
    granted: u64,
    spent: u64,
    held: u64,
    heard: i64,
    until: i64,
}

/// All that was stated to a store and given by it. A clone goes with a copy of the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire {
    kinds: Vec<Kind>,
    ttl: i64,
    numbers: BTreeMap<u128, u64>,
    shares: BTreeMap<(usize, Window), BTreeMap<u128, Share>>,
}

impl Wire {
    pub(crate) fn new(kinds: Vec<Kind>, ttl: i64) -> Self {
        Self { kinds, ttl, ..Self::default() }
    }

    /// The store has forgotten all.
    pub(crate) fn forget(&mut self) {
        self.numbers.clear();
        self.shares.clear();
    }

    /// A message was applied. A repeated one states nothing new: false.
    pub(crate) fn applied(
        &mut self,
        (holder, number): (u128, u64),
        stated: &[Stated],
        together: &[Vec<usize>],
        now: i64,
    ) -> Result<bool, Broken> {
        let last = self.numbers.entry(holder).or_default();
        if number <= *last {
            return Ok(false);
        }
        *last = number;
        for each in stated.iter().filter(|each| each.counted) {
            let lapsed = !each.whole && self.lapsed(each, holder, now);
            let granted = if lapsed { 0 } else { each.have };
            let until = now + each.until;
            let Stated { spent, held, .. } = *each;
            let share = Share { granted, spent, held, heard: now, until };
            self.shares.entry((each.limit, each.window)).or_default().insert(holder, share);
        }
        for each in stated.iter().filter(|each| each.counted) {
            self.grant(holder, each, now)?;
        }
        for each in stated.iter().filter(|each| each.counted && each.leaves && each.held == 0) {
            self.leave(holder, each, now);
        }
        for group in together {
            let grown = group.iter().any(|&at| stated[at].granted > stated[at].have);
            let met = group.iter().all(|&at| stated[at].granted >= stated[at].need);
            if grown && !met {
                return Err(broken("all or none", format!("half of {group:?} was granted")));
            }
        }
        Ok(true)
    }

    /// What was used counts for nobody. In a sliding window it counts for one more period.
    fn leave(&mut self, holder: u128, each: &Stated, now: i64) {
        let ttl = self.ttl;
        let kind = self.kinds[each.limit];
        let shares = self.shares.entry((each.limit, each.window)).or_default();
        let Some(own) = shares.get_mut(&holder) else { return };
        if kind != Kind::Amount {
            (own.heard, own.until) = (now - ttl, now);
            return;
        }
        let none = Share { granted: 0, spent: 0, held: 0, heard: now, until: now };
        shares.remove(&holder);
        shares.entry(NOBODY).or_insert(none).spent += each.spent;
    }

    fn lapsed(&self, each: &Stated, holder: u128, now: i64) -> bool {
        let shares = self.shares.get(&(each.limit, each.window));
        let own = shares.and_then(|shares| shares.get(&holder));
        own.is_some_and(|own| self.is_lapsed(each.limit, own, now))
    }

    fn is_lapsed(&self, limit: usize, share: &Share, now: i64) -> bool {
        let quiet = (share.heard + self.ttl).max(share.until);
        match self.kinds[limit] {
            Kind::Amount => false,
            Kind::Span(period) => now >= quiet + period,
            Kind::Open => now >= quiet,
        }
    }

    /// The second law: a share grows only into what is left.
    fn grant(&mut self, holder: u128, each: &Stated, now: i64) -> Result<(), Broken> {
        let place = (each.limit, each.window);
        let before = self.taken(place, now);
        let Some(own) = self.shares.get_mut(&place).and_then(|shares| shares.get_mut(&holder))
        else {
            return Ok(());
        };
        let grows = each.granted > own.granted;
        own.granted = each.granted;
        let after = self.taken(place, now);
        if grows && after > each.most {
            let text = format!(
                "limit {}: a share of {} grows to {}, in all {before} and then {after} of {} in {:?}",
                each.limit, each.have, each.granted, each.most, each.window
            );
            return Err(broken("no share grows without room", text));
        }
        Ok(())
    }

    fn taken(&self, place: (usize, Window), now: i64) -> u64 {
        let shares = self.shares.get(&place).into_iter().flat_map(|shares| shares.values());
        let counted = shares.filter(|share| !self.is_lapsed(place.0, share, now));
        counted.map(|share| share.granted.max(share.spent + share.held)).sum()
    }
}
