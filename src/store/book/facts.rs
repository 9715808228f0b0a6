//! Facts: a change is made if its holder has seen the version in force.

use super::eras;
use super::visit::Visit;
use crate::accounting::Era;
use crate::store::message::{Change, Fact, FactGiven, LimitId, Moved, MovedEra};
use crate::store::rows::{EraRow, FactRow, LimitRow, Rows, after};

/// Makes the change of a fact, with all amounts that move with it, or nothing of it.
pub(super) fn apply<R: Rows>(visit: &mut Visit<'_, R>, fact: &Fact) -> Result<FactGiven, R::Fault> {
    let row = standing(visit, fact)?;
    let until = after(visit.time(), fact.keep);
    let (value, moved) = match &fact.change {
        Change::Read => return keep(visit, fact, row, until),
        Change::Put(value, moved) => (value.clone(), moved),
        Change::Remove(moved) => (Vec::new(), moved),
    };
    if !is_seen(fact, &row) || visit.learns() {
        return Ok(given(row, false));
    }
    let moves = match fitting(visit, moved, &row)? {
        Ok(moves) => moves,
        Err(at) => return Ok(FactGiven { lacks: Some(at), ..given(row, false) }),
    };
    for step in &moves {
        let MoveStep { limit, limit_row, over, era, era_row } = *step;
        if let Some(limit_row) = limit_row {
            visit.rows.put_limit(limit, limit_row)?;
        }
        if let (Some((old, row)), Some(new)) = (over, limit_row) {
            visit.rows.put_era(limit, old, row)?;
            let begun = EraRow { ends: new.ends, ..EraRow::default() };
            visit.rows.put_era(limit, new.era, begun)?;
        }
        if let Some(era_row) = era_row {
            visit.rows.put_era(limit, era, era_row)?;
        }
    }
    let eras = if value.is_empty() { Vec::new() } else { eras_of(row.eras, &moves, moved) };
    let row = FactRow { version: row.version.saturating_add(1), value, until, eras };
    visit.rows.put_fact(fact.id, row.clone())?;
    Ok(given(row, true))
}

/// What stands of a fact, for a message that was applied before and has `changed` it or not.
pub(super) fn read<R: Rows>(
    visit: &mut Visit<'_, R>,
    fact: &Fact,
    changed: bool,
) -> Result<FactGiven, R::Fault> {
    Ok(given(standing(visit, fact)?, changed))
}

fn standing<R: Rows>(visit: &mut Visit<'_, R>, fact: &Fact) -> Result<FactRow, R::Fault> {
    let mut row = visit.rows.fact(fact.id)?.unwrap_or_default();
    if row.until < visit.time() {
        // It need not be kept any more, and is forgotten at the next sweep.
        row.value.clear();
    }
    Ok(row)
}

/// Reads a fact, and keeps it for longer.
fn keep<R: Rows>(
    visit: &mut Visit<'_, R>,
    fact: &Fact,
    mut row: FactRow,
    until: i64,
) -> Result<FactGiven, R::Fault> {
    if !row.value.is_empty() && until > row.until {
        row.until = until;
        visit.rows.put_fact(fact.id, row.clone())?;
    }
    Ok(given(row, false))
}

/// Whether the holder knows what it changes. A fact that was removed is none.
fn is_seen(fact: &Fact, row: &FactRow) -> bool {
    let stands = !row.value.is_empty();
    match (&fact.change, fact.seen) {
        (Change::Remove(_), Fact::ANY) => stands,
        (_, Fact::ANY) => true,
        (_, Fact::NONE) => !stands,
        (_, seen) => seen == row.version,
    }
}

fn given(row: FactRow, changed: bool) -> FactGiven {
    FactGiven { changed, version: row.version, value: row.value, lacks: None }
}

/// The rows of a limit after an amount has moved. `None`: they stay as they are.
#[derive(Clone, Copy, Debug)]
struct MoveStep {
    limit: LimitId,
    limit_row: Option<LimitRow>,
    /// The era that a reset ends.
    over: Option<(Era, EraRow)>,
    era: Era,
    era_row: Option<EraRow>,
}

/// The eras in which a fact holds something after it has moved amounts.
fn eras_of(
    mut eras: Vec<(LimitId, Era)>,
    moves: &[MoveStep],
    moved: &[Moved],
) -> Vec<(LimitId, Era)> {
    for (step, moved) in moves.iter().zip(moved) {
        let is_known = eras.iter().any(|(limit, _)| *limit == step.limit);
        if moved.add > 0 && step.era_row.is_some() && !is_known {
            eras.push((step.limit, step.era));
        }
    }
    eras
}

/// The rows after all moves, or the first of them that does not fit.
fn fitting<R: Rows>(
    visit: &mut Visit<'_, R>,
    moved: &[Moved],
    fact: &FactRow,
) -> Result<Result<Vec<MoveStep>, u32>, R::Fault> {
    let mut moves: Vec<MoveStep> = Vec::with_capacity(moved.len());
    for (each, at) in moved.iter().zip(0..) {
        match step(visit, each, &moves, fact)? {
            Some(step) => moves.push(step),
            None => return Ok(Err(at)),
        }
    }
    Ok(Ok(moves))
}

/// What one move does after those before it, or nothing if it does not fit.
fn step<R: Rows>(
    visit: &mut Visit<'_, R>,
    each: &Moved,
    before: &[MoveStep],
    fact: &FactRow,
) -> Result<Option<MoveStep>, R::Fault> {
    let same = |step: &&MoveStep| step.limit == each.limit;
    let known = before.iter().rev().filter(same).find_map(|step| step.limit_row);
    let mut limit = if known.is_some() { known } else { visit.rows.limit(each.limit)? };
    let (mut set, mut over) = (None, None);
    if let (Some(row), Some(most)) = (&mut limit, each.most) {
        (row.most, row.most_set) = (most, visit.time().max(row.most_set.saturating_add(1)));
        set = Some(*row);
    }
    if let (Some(row), true) = (&mut limit, each.reset) {
        let old = visit.rows.era(each.limit, row.era)?.unwrap_or_default();
        over = Some((row.era, EraRow { ends: old.ends.min(visit.time()), ..old }));
        eras::begin_again(row, visit.time());
        set = Some(*row);
    }
    let held = fact.eras.iter().find(|(limit, _)| *limit == each.limit).map(|(_, era)| *era);
    let present = limit.filter(|row| visit.time() < row.ends).map(|row| row.era);
    let (era, late) = match each.era {
        MovedEra::This(era) => (Some(era), false),
        MovedEra::Present => (present, false),
        MovedEra::Held => (held, true),
    };
    let none = MoveStep { limit: each.limit, limit_row: set, over, era: NO_ERA, era_row: None };
    if each.add == 0 && each.take_off == 0 {
        return Ok(Some(none));
    }
    let Some(era) = era else { return Ok(late.then_some(none)) };
    let same = |step: &&MoveStep| step.limit == each.limit && step.era == era;
    let known = before.iter().rev().filter(same).find_map(|step| step.era_row);
    let row = if known.is_some() { known } else { visit.rows.era(each.limit, era)? };
    let Some(mut row) = row else { return Ok(late.then_some(none)) };
    let surplus = each.take_off.saturating_sub(row.base);
    row.base = row.base.saturating_sub(each.take_off).saturating_add(each.add);
    if surplus > 0 && !late {
        row.back = given_back(visit, each.limit, era, &row)?.min(row.back.saturating_add(surplus));
    }
    let step = MoveStep { era, era_row: Some(row), ..none };
    if each.add > 0 && !each.anyway {
        let Some(limit) = limit else { return Ok(None) };
        return Ok(fits(visit, (each.limit, &limit), era, row)?.then_some(step));
    }
    Ok(Some(step))
}

/// The most that can be given back of an era: what was used of it.
fn given_back<R: Rows>(
    visit: &mut Visit<'_, R>,
    limit: LimitId,
    era: Era,
    row: &EraRow,
) -> Result<u64, R::Fault> {
    let mut used = row.base;
    visit.rows.shares(limit, era, &mut |_, share| used = used.saturating_add(share.taken()))?;
    Ok(used)
}

const NO_ERA: Era = Era { generation: 0, begins: 0 };

/// Whether all that is taken fits the limit, with the new row of its era.
fn fits<R: Rows>(
    visit: &mut Visit<'_, R>,
    (limit, limit_row): (LimitId, &LimitRow),
    era: Era,
    row: EraRow,
) -> Result<bool, R::Fault> {
    let (time, ttl) = (visit.time(), visit.rules.ttl);
    let mut taken = row.base.saturating_add(row.silent);
    visit.rows.shares(limit, era, &mut |_, share| {
        if share.lapses(limit_row.span, ttl).is_none_or(|at| time < at) {
            taken = taken.saturating_add(share.taken());
        }
    })?;
    Ok(taken <= limit_row.most.saturating_add(row.back))
}
