//! Eras: which one an ask is about, when a new one begins, and when an old one is dropped.

use super::visit::Visit;
use crate::accounting::Era;
use crate::seeded::{self, Bug};
use crate::store::message::{Edges, ShareAsk, WhichEra, WindowSpan};
use crate::store::rows::{EraRow, LimitRow, Rows, after};

/// The last part of an era, in which shares of the next one are granted.
const LAST: u64 = 1_000_000;

/// Where an ask is booked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) limit: LimitRow,
    pub(super) era: Era,
    pub(super) row: EraRow,
    /// Whether shares of it may grow: it is under way, or begins soon.
    pub(super) grants: bool,
    /// Whether the store still counts it.
    pub(super) known: bool,
}

/// Finds or begins the era that `ask` is about, and keeps what the ask says of its limit.
pub(super) fn place<R: Rows>(visit: &mut Visit<'_, R>, ask: &ShareAsk) -> Result<Placed, R::Fault> {
    let (found, time) = (visit.rows.limit(ask.limit)?, visit.time());
    let mut limit = found.unwrap_or_else(|| begun(ask, time));
    let newer = ask.most_set > limit.most_set;
    if newer || (ask.most_set == limit.most_set && ask.most < limit.most) {
        (limit.most, limit.most_set) = (ask.most, ask.most_set);
    }
    if ask.reset == Some(limit.era.generation) {
        reset(visit, ask, &mut limit)?;
    } else if let Some(edges) = following(ask, &limit, time) {
        (limit.era.begins, limit.ends) = (edges.begins, edges.ends);
    } else if let (WhichEra::This(era), Some(edges)) = (ask.era, ask.edges)
        && era.generation > limit.era.generation
    {
        // The store forgot a reset.
        limit.era = era;
        limit.ends = edges.ends;
    }
    if found != Some(limit) {
        visit.rows.put_limit(ask.limit, limit)?;
    }
    if visit.rows.era(ask.limit, limit.era)?.is_none() {
        open(visit, ask, limit.era, limit.ends)?;
        visit.rows.drop_eras(ask.limit, time.saturating_sub_unsigned(visit.rules.keep))?;
    }
    let (era, ends) = named(ask, &limit);
    if era != limit.era && visit.rows.era(ask.limit, era)?.is_none() && soon(&limit, era, time) {
        open(visit, ask, era, ends)?;
    }
    find_in(visit, ask, limit, era)
}

/// The same without a change.
pub(super) fn find<R: Rows>(visit: &mut Visit<'_, R>, ask: &ShareAsk) -> Result<Placed, R::Fault> {
    let limit = visit.rows.limit(ask.limit)?.unwrap_or_else(|| begun(ask, visit.time()));
    let era = named(ask, &limit).0;
    find_in(visit, ask, limit, era)
}

fn find_in<R: Rows>(
    visit: &mut Visit<'_, R>,
    ask: &ShareAsk,
    limit: LimitRow,
    era: Era,
) -> Result<Placed, R::Fault> {
    let time = visit.time();
    let found = visit.rows.era(ask.limit, era)?;
    let row = found.unwrap_or(EraRow { ends: era.begins, ..EraRow::default() });
    let under_way = era == limit.era && time < limit.ends;
    let grants = found.is_some() && (under_way || soon(&limit, era, time));
    Ok(Placed { limit, era, row, grants, known: found.is_some() })
}

/// A limit that the store has not known.
fn begun(ask: &ShareAsk, time: i64) -> LimitRow {
    let (era, ends) = match (ask.era, ask.edges) {
        (WhichEra::This(era), Some(edges)) => (era, edges.ends),
        (WhichEra::This(era), None) => (era, i64::MAX),
        _ => {
            let edges = first_edges(ask, time);
            (Era { generation: 0, begins: edges.begins }, edges.ends)
        }
    };
    LimitRow { span: ask.span, most: ask.most, most_set: ask.most_set, era, ends }
}

fn first_edges(ask: &ShareAsk, time: i64) -> Edges {
    match (ask.span, ask.edges) {
        (WindowSpan::Fixed(period), _) => Edges { begins: time, ends: after(time, period) },
        (WindowSpan::Calendar, Some(edges)) if edges.begins <= time && time < edges.ends => edges,
        // Nothing is under way before a holder computes the edges from the answer.
        (WindowSpan::Calendar, _) => Edges { begins: 0, ends: 0 },
        _ => Edges { begins: 0, ends: i64::MAX },
    }
}

/// The era that follows the latest one, if that one is over.
fn following(ask: &ShareAsk, limit: &LimitRow, time: i64) -> Option<Edges> {
    if time < limit.ends {
        return None;
    }
    match (limit.span, ask.edges) {
        (WindowSpan::Fixed(period), _) => {
            let over = u64::try_from(time.saturating_sub(limit.ends)).unwrap_or(0);
            let begins = after(limit.ends, over - over % period.max(1));
            Some(Edges { begins, ends: after(begins, period) })
        }
        (WindowSpan::Calendar, Some(edges)) => {
            let fits = edges.begins >= limit.ends && edges.begins <= time && time < edges.ends;
            fits.then_some(edges)
        }
        _ => None,
    }
}

/// Begins a new generation. What was used before it counts no more.
fn reset<R: Rows>(
    visit: &mut Visit<'_, R>,
    ask: &ShareAsk,
    limit: &mut LimitRow,
) -> Result<(), R::Fault> {
    let (old, time) = (limit.era, visit.time());
    if let Some(mut row) = visit.rows.era(ask.limit, old)?
        && row.ends > time
    {
        row.ends = time;
        visit.rows.put_era(ask.limit, old, row)?;
    }
    let generation = old.generation.saturating_add(1);
    let begins = if limit.ends == i64::MAX { 0 } else { time };
    limit.era = Era { generation, begins };
    if let WindowSpan::Fixed(period) = limit.span {
        limit.ends = after(time, period);
    } else if limit.ends != i64::MAX && limit.ends <= time {
        let edges = first_edges(ask, time);
        (limit.era.begins, limit.ends) = (edges.begins, edges.ends);
    }
    Ok(())
}

/// Begins a new generation of a limit for a fact. The window ends when it was to end, or one period
/// from now.
pub(super) fn begin_again(limit: &mut LimitRow, time: i64) {
    let begins = if limit.ends == i64::MAX { 0 } else { time };
    let generation = limit.era.generation.saturating_add(1);
    limit.era = Era { generation, begins };
    if let WindowSpan::Fixed(period) = limit.span {
        limit.ends = after(time, period);
    }
}

/// The era that an ask names, and when it ends.
fn named(ask: &ShareAsk, limit: &LimitRow) -> (Era, i64) {
    match ask.era {
        WhichEra::This(_) if seeded::has(Bug::RefundIntoNextWindow) => (limit.era, limit.ends),
        WhichEra::Present => (limit.era, limit.ends),
        WhichEra::This(era) => (era, ask.edges.map_or(i64::MAX, |edges| edges.ends)),
        WhichEra::Next(before) if before == limit.era => {
            let edges = match (limit.span, ask.edges) {
                (WindowSpan::Fixed(period), _) => {
                    Edges { begins: limit.ends, ends: after(limit.ends, period) }
                }
                (_, Some(edges)) => edges,
                _ => Edges { begins: limit.ends, ends: limit.ends },
            };
            (Era { begins: edges.begins, ..limit.era }, edges.ends)
        }
        WhichEra::Next(_) => (limit.era, limit.ends),
    }
}

/// Whether `era` follows the latest one, which ends soon.
fn soon(limit: &LimitRow, era: Era, time: i64) -> bool {
    let next = era.generation == limit.era.generation && era.begins == limit.ends;
    next && limit.ends != i64::MAX && after(time, LAST) >= limit.ends
}

fn open<R: Rows>(
    visit: &mut Visit<'_, R>,
    ask: &ShareAsk,
    era: Era,
    ends: i64,
) -> Result<(), R::Fault> {
    visit.rows.put_era(ask.limit, era, EraRow { ends, ..EraRow::default() })
}
