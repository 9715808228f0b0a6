//! Grants: what a holder may have, and what is set aside for those that wait.

use super::eras::Placed;
use super::numbers::has_lapsed;
use super::visit::Visit;
use crate::accounting::ShareKind;
use crate::seeded::{self, Bug};
use crate::store::message::{HolderId, ShareAsk, WhichEra};
use crate::store::rows::{Rows, ShareRow, after};

/// An ask that was booked: where, the holder's own share, and the shares of all others.
#[derive(Debug)]
pub(super) struct Booked {
    pub(super) placed: Placed,
    pub(super) own: ShareRow,
    pub(super) others: OtherShares,
    /// Whether the ask says what its holder has.
    pub(super) said: bool,
}

/// The shares of all other holders in an era.
#[derive(Debug, Default)]
pub(super) struct OtherShares {
    pub(super) taken: u64,
    pub(super) spent: u64,
    pub(super) held: u64,
    /// What lost ones had taken of an amount and not said that they used. Nobody knows, so it counts as
    /// used.
    pub(super) lost: u64,
    /// What is free with live ones.
    pub(super) free: u64,
    /// Since when live ones wait, and what raise each of them needs.
    waits: Vec<(i64, u64)>,
    /// Holders whose share has lapsed long ago.
    gone: Vec<HolderId>,
}

impl OtherShares {
    /// Whether one of them waits that began before `since`. A holder that needs nothing is younger
    /// than all that wait.
    pub(super) fn waits_before(&self, need: u64, since: i64) -> bool {
        self.waits.iter().any(|(other, _)| need == 0 || *other < since)
    }

    /// What is set aside for those that have waited for longer.
    fn aside(&self, need: u64, since: i64) -> u64 {
        let older = self.waits.iter().filter(|(other, _)| need == 0 || *other < since);
        older.fold(0, |sum, (_, need)| sum.saturating_add(*need))
    }
}

/// Reads the own share and those of all others.
pub(super) fn read<R: Rows>(
    visit: &mut Visit<'_, R>,
    ask: &ShareAsk,
    placed: Placed,
) -> Result<Booked, R::Fault> {
    let (time, rules, holder) = (visit.time(), visit.rules, visit.holder);
    let mut own = ShareRow::default();
    let mut others = OtherShares::default();
    visit.rows.shares(ask.limit, placed.era, &mut |id, row| {
        if id == holder {
            own = *row;
        } else {
            others.add(id, row, lapse_of(ask, row, rules.ttl), (time, rules.ttl));
        }
    })?;
    Ok(Booked { placed, own, others, said: false })
}

/// When the share of a holder comes back.
fn lapse_of(ask: &ShareAsk, row: &ShareRow, ttl: u64) -> Option<i64> {
    let quiet = after(row.heard, ttl);
    match ask.span.kind() {
        ShareKind::Open if seeded::has(Bug::SlotsTooEarly) => Some(quiet),
        ShareKind::Amount if seeded::has(Bug::WrittenOffGranted) => Some(quiet),
        _ => row.lapses(ask.span, ttl),
    }
}

impl OtherShares {
    fn add(&mut self, id: HolderId, row: &ShareRow, lapses: Option<i64>, (time, ttl): (i64, u64)) {
        if let Some(at) = lapses
            && time >= at
        {
            if time >= after(at, ttl.saturating_mul(KEPT)) {
                self.gone.push(id);
            }
            return;
        }
        let quiet = after(row.heard, ttl);
        self.taken = self.taken.saturating_add(row.taken());
        self.spent = self.spent.saturating_add(row.spent);
        self.held = self.held.saturating_add(row.held);
        if time >= quiet && lapses.is_none() {
            self.lost = self.lost.saturating_add(row.taken().saturating_sub(row.spent));
        }
        if time < quiet {
            self.free = self.free.saturating_add(row.free());
            if row.need > 0 {
                self.waits.push((row.since, row.need));
            }
        }
    }
}

/// For how many times the time to live the row of a share is kept that went to others.
const KEPT: u64 = 10;

/// Books what the holder has used, holds and gives back.
pub(super) fn lower<R: Rows>(
    visit: &mut Visit<'_, R>,
    ask: &ShareAsk,
    mut placed: Placed,
    whole: bool,
) -> Result<Booked, R::Fault> {
    let learns = visit.learns();
    let silent = placed.row.silent_until != 0 && visit.time() >= placed.row.silent_until;
    if silent {
        (placed.row.silent, placed.row.silent_until) = (0, 0);
    }
    let mut booked = read(visit, ask, placed)?;
    if !learns && placed.row.heard > 0 {
        booked.end_learning(visit.time(), visit.rules.ttl, ask);
    }
    let unnamed = !matches!(ask.era, WhichEra::This(_));
    let has_used = booked.own.spent > 0 || booked.own.held > 0;
    if !placed.known || (unnamed && (has_used || !placed.grants)) {
        // A holder that names no era says nothing of what it has used.
        (booked.placed.grants, booked.own.granted) = (false, 0);
        return Ok(booked);
    }
    booked.said = true;
    let before = booked.own.taken();
    let has = has_lapsed(visit, ask.span, &booked.own) && !seeded::has(Bug::EndedShare);
    let own = &mut booked.own;
    let have = if has && !(whole && learns) { 0 } else { ask.have };
    let freed = own.granted.saturating_sub(have);
    own.granted = match (whole, learns) {
        (true, true) if seeded::has(Bug::LearnsWants) => ask.want,
        (true, true) => have,
        // What it has without the store's knowledge it gives back, but for what it has used.
        (true, false) => {
            let used = ask.spent.saturating_add(ask.held);
            have.min(own.granted.max(used))
        }
        (false, _) => have,
    };
    (own.spent, own.held) = (ask.spent, ask.held);
    own.heard = visit.time();
    own.until = after(visit.time(), ask.until);
    own.since = visit.time().saturating_sub_unsigned(ask.waited);
    if seeded::has(Bug::RefundTwice) {
        own.granted = own.granted.saturating_sub(freed);
    }
    own.need = ask.need.saturating_sub(own.granted);
    if whole {
        let row = &mut booked.placed.row;
        let grown = own.taken().saturating_sub(before);
        if learns {
            let others = ask.heard.used.saturating_add(ask.heard.out);
            row.heard = row.heard.max(others.saturating_add(own.taken()));
        } else {
            row.silent = row.silent.saturating_sub(grown);
        }
    }
    Ok(booked)
}

impl Booked {
    /// An ask that changes nothing.
    pub(super) fn nothing(placed: Placed) -> Self {
        let (own, others) = (ShareRow::default(), OtherShares::default());
        Self { placed, own, others, said: false }
    }

    /// What a holder has used that leaves counts for nobody. A part of a sliding window comes back
    /// one period from now.
    fn leave(&mut self, ask: &ShareAsk, ttl: u64) {
        if !ask.leaves || self.own.held > 0 {
            return;
        }
        if ask.span.kind() == ShareKind::Amount {
            let row = &mut self.placed.row;
            row.base = row.base.saturating_add(self.own.spent);
            self.own = ShareRow { heard: self.own.heard, ..ShareRow::default() };
        } else {
            self.own.until = self.own.heard;
            self.own.heard = self.own.heard.saturating_sub_unsigned(ttl);
        }
    }

    /// The store has learned: what was heard of and what nobody has said counts for the silent.
    fn end_learning(&mut self, time: i64, ttl: u64, ask: &ShareAsk) {
        let row = &mut self.placed.row;
        let known = row.base.saturating_add(self.others.taken).saturating_add(self.own.taken());
        row.silent = row.heard.saturating_sub(known);
        row.heard = 0;
        let until = ShareRow { heard: time, until: time, ..ShareRow::default() };
        row.silent_until = until.lapses(ask.span, ttl).unwrap_or(0);
    }
}

/// The share that the holder may have from now on.
pub(super) fn raise(ask: &ShareAsk, booked: &Booked, live: u32) -> u64 {
    let Booked { placed, own, others, .. } = booked;
    let has = own.granted;
    let used = own.spent.saturating_add(own.held);
    let fixed = placed.row.base.saturating_add(placed.row.silent);
    let taken = fixed.saturating_add(others.taken).saturating_add(own.taken());
    let most = placed.limit.most.saturating_add(placed.row.back);
    let room = most.saturating_sub(taken);
    let room = room.saturating_sub(others.aside(ask.need, own.since));
    if room == 0 || !placed.grants {
        return has;
    }
    let spent = fixed.saturating_add(others.spent).saturating_add(others.held).saturating_add(used);
    let left = most.saturating_sub(spent);
    let ahead = used.saturating_add(left / (2 * u64::from(live)));
    let given = ask.want.min(ahead.max(ask.need)).min(own.taken().saturating_add(room));
    if given < has || given < ask.need { has } else { given }
}

/// Takes the raises of a group back unless each of its asks has got what it needs.
pub(super) fn all_or_none(
    group: &[usize],
    asks: &[ShareAsk],
    booked: &[Booked],
    raised: &mut [u64],
) {
    if seeded::has(Bug::HalfOfPair) {
        return;
    }
    let met = |&at: &usize| {
        let Some(ask) = asks.get(at) else { return true };
        raised[at] >= ask.need
    };
    if !group.iter().all(met) {
        for &at in group.iter().filter(|&&at| at < booked.len()) {
            raised[at] = booked[at].own.granted;
        }
    }
}

/// Writes what was booked.
pub(super) fn keep<R: Rows>(
    visit: &mut Visit<'_, R>,
    ask: &ShareAsk,
    booked: &mut Booked,
) -> Result<(), R::Fault> {
    if !booked.said {
        return Ok(());
    }
    booked.leave(ask, visit.rules.ttl);
    let (holder, Placed { era, row, .. }) = (visit.holder, booked.placed);
    let own = &mut booked.own;
    if own.granted >= ask.need {
        own.need = 0;
    }
    if visit.rows.era(ask.limit, era)? != Some(row) {
        visit.rows.put_era(ask.limit, era, row)?;
    }
    for gone in booked.others.gone.drain(..) {
        visit.rows.drop_share(ask.limit, era, gone)?;
    }
    let empty = own.granted == 0 && own.spent == 0 && own.held == 0 && own.need == 0;
    if empty && (ask.leaves || ask.span.kind().lapses()) {
        visit.rows.drop_share(ask.limit, era, holder)
    } else {
        visit.rows.put_share(ask.limit, era, holder, *own)
    }
}
