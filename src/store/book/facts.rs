//! Facts: a change is made if its holder has seen the version in force.

use super::visit::Visit;
use crate::store::message::{Change, Fact, FactGiven, LimitId, Moved};
use crate::store::rows::{EraRow, FactRow, Rows};

/// Makes the change of a fact, with all amounts that move with it, or nothing of it.
pub(super) fn apply<R: Rows>(visit: &mut Visit<'_, R>, fact: &Fact) -> Result<FactGiven, R::Fault> {
    let row = visit.rows.fact(fact.id)?.unwrap_or_default();
    let (value, moved) = match &fact.change {
        Change::Read => return Ok(given(row, false)),
        Change::Put(value, moved) => (value.clone(), moved),
        Change::Remove(moved) => (Vec::new(), moved),
    };
    if row.version != fact.seen || visit.learns() {
        return Ok(given(row, false));
    }
    let Some(moves) = fitting(visit, moved)? else { return Ok(given(row, false)) };
    for (moved, era) in moves {
        visit.rows.put_era(moved.limit, moved.era, era)?;
    }
    let row = FactRow { version: row.version.saturating_add(1), value };
    visit.rows.put_fact(fact.id, row.clone())?;
    Ok(given(row, true))
}

/// What stands of a fact, for a message that was applied before and has `changed` it or not.
pub(super) fn read<R: Rows>(
    visit: &mut Visit<'_, R>,
    fact: &Fact,
    changed: bool,
) -> Result<FactGiven, R::Fault> {
    Ok(given(visit.rows.fact(fact.id)?.unwrap_or_default(), changed))
}

fn given(row: FactRow, changed: bool) -> FactGiven {
    FactGiven { changed, version: row.version, value: row.value }
}

/// Amounts that move, each with the row of its era after it.
type Moves<'a> = Vec<(&'a Moved, EraRow)>;

/// The eras after all moves, or nothing if one of them does not fit.
fn fitting<'a, R: Rows>(
    visit: &mut Visit<'_, R>,
    moved: &'a [Moved],
) -> Result<Option<Moves<'a>>, R::Fault> {
    let mut moves: Moves<'_> = Vec::with_capacity(moved.len());
    for each in moved {
        let before = moves.iter().rev().find(|(other, _)| is_same(other, each));
        let row = match before {
            Some((_, row)) => Some(*row),
            None => visit.rows.era(each.limit, each.era)?,
        };
        let Some(mut row) = row else { return Ok(None) };
        row.base = row.base.saturating_sub(each.take_off).saturating_add(each.add);
        if each.add > 0 && !fits(visit, each.limit, each, row)? {
            return Ok(None);
        }
        moves.push((each, row));
    }
    Ok(Some(moves))
}

fn is_same(one: &Moved, other: &Moved) -> bool {
    one.limit == other.limit && one.era == other.era
}

/// Whether all that is taken fits the limit, with the new row of its era.
fn fits<R: Rows>(
    visit: &mut Visit<'_, R>,
    limit: LimitId,
    moved: &Moved,
    row: EraRow,
) -> Result<bool, R::Fault> {
    let Some(limit_row) = visit.rows.limit(limit)? else { return Ok(false) };
    let (time, ttl) = (visit.time(), visit.rules.ttl);
    let mut taken = row.base.saturating_add(row.silent);
    visit.rows.shares(limit, moved.era, &mut |_, share| {
        if share.lapses(limit_row.span, ttl).is_none_or(|at| time < at) {
            taken = taken.saturating_add(share.taken());
        }
    })?;
    Ok(taken <= limit_row.most)
}
