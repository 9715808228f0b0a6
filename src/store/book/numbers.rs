//! Numbers and epochs: which messages a store applies, and what it does when it has lost writes.

use super::visit::{Now, StoreRules, Visit};
use crate::seeded::{self, Bug};
use crate::store::message::{Epoch, Message, WhichEra, WindowSpan};
use crate::store::rows::{HolderRow, Rows, ShareRow, StoreRow, after};

/// What is to be done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// It is the next one.
    New,
    /// It says all that its holder has.
    Whole,
    /// It was applied. Its holder has not had the answer yet.
    Again,
    /// A later one was applied.
    Old,
    /// The store does not know what its holder has.
    SayAll,
}

/// A namespace that begins.
pub(super) fn first(now: Now) -> StoreRow {
    let epoch = Epoch { count: 1, id: now.fresh };
    StoreRow { epoch, learns_until: i64::MIN, latest: now.time, swept: now.time }
}

/// The row of the store at this time. `None`: it is empty, and nobody has created it.
pub(super) fn store_of<R: Rows>(
    rows: &mut R,
    rules: &StoreRules,
    now: Now,
    message: &Message,
) -> Result<Option<StoreRow>, R::Fault> {
    let mut row = match rows.store()? {
        Some(row) => row,
        None if rules.strict => return Ok(None),
        None => first(now),
    };
    row.latest = row.latest.max(now.time);
    if has_forgotten(&row, message) && !seeded::has(Bug::NothingSpent) {
        begin_epoch(&mut row, rules, now, message);
    }
    rows.put_store(row)?;
    Ok(Some(row))
}

/// Whether the holder knows of an epoch that this store cannot have had before its present one.
fn has_forgotten(row: &StoreRow, message: &Message) -> bool {
    let known = |epoch: Epoch| {
        epoch.count < row.epoch.count
            || (epoch.count == row.epoch.count && epoch.id == row.epoch.id)
    };
    message.epoch.is_some_and(|epoch| !known(epoch))
}

/// Begins a new epoch: all holders must say what they have, and until then nothing is granted.
fn begin_epoch(row: &mut StoreRow, rules: &StoreRules, now: Now, message: &Message) {
    let known = message.epoch.map_or(0, |epoch| epoch.count);
    let count = row.epoch.count.max(known).saturating_add(1);
    row.epoch = Epoch { count, id: now.fresh };
    row.learns_until = after(row.latest, rules.ttl);
}

/// Decides what is done with the message, and keeps its number.
pub(super) fn admit<R: Rows>(
    visit: &mut Visit<'_, R>,
    now: Now,
    message: &Message,
) -> Result<Admitted, R::Fault> {
    let known = visit.rows.holder(message.holder)?;
    let epoch = visit.store.epoch;
    let unknown = HolderRow { last: 0, epoch, heard: visit.time(), changed: 0 };
    let mut row = known.unwrap_or(unknown);
    let confirmed = row.epoch == epoch && (known.is_some() || message.number == 1);
    let mut admitted = if known.is_some() && message.number < row.last {
        if seeded::has(Bug::AppliedTwice) { Admitted::New } else { Admitted::Old }
    } else if message.whole && message.epoch == Some(epoch) && message.number > row.last {
        Admitted::Whole
    } else if !confirmed && !seeded::has(Bug::NothingSpent) {
        Admitted::SayAll
    } else if known.is_some() && message.number == row.last {
        if seeded::has(Bug::AppliedTwice) { Admitted::New } else { Admitted::Again }
    } else if message.epoch.is_some_and(|known| known != epoch) && !seeded::has(Bug::NothingSpent) {
        Admitted::SayAll
    } else {
        Admitted::New
    };
    if admitted == Admitted::New
        && !seeded::has(Bug::NothingSpent)
        && has_lost_writes(visit, &row, message)?
    {
        begin_epoch(&mut visit.store, visit.rules, now, message);
        visit.rows.put_store(visit.store)?;
        admitted = Admitted::SayAll;
    }
    if admitted == Admitted::Old {
        return Ok(admitted);
    }
    if admitted != Admitted::Again {
        row.changed = 0;
    }
    row.last = row.last.max(message.number);
    row.heard = visit.time();
    row.epoch = match admitted {
        Admitted::New | Admitted::Whole => visit.store.epoch,
        // It has not said all in this epoch.
        _ if known.is_none() || admitted == Admitted::SayAll => Epoch { count: 0, id: 0 },
        _ => row.epoch,
    };
    visit.rows.put_holder(message.holder, row)?;
    visit.row = row;
    Ok(admitted)
}

/// Whether the store has lost writes: there is a gap in the numbers, or the holder has more than the
/// store has granted.
fn has_lost_writes<R: Rows>(
    visit: &mut Visit<'_, R>,
    row: &HolderRow,
    message: &Message,
) -> Result<bool, R::Fault> {
    if message.number > row.last.saturating_add(1) {
        return Ok(true);
    }
    for ask in &message.asks {
        let WhichEra::This(era) = ask.era else { continue };
        if ask.have == 0 {
            continue;
        }
        if visit.rows.era(ask.limit, era)?.is_none() {
            // An era that is long over was dropped; the present one was not.
            let limit = visit.rows.limit(ask.limit)?;
            if limit.is_none_or(|limit| limit.era <= era) {
                return Ok(true);
            }
            continue;
        }
        let own = visit.rows.share(ask.limit, era, message.holder)?.unwrap_or_default();
        if ask.have > own.granted && !has_lapsed(visit, ask.span, &own) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a share has come back to the store because its holder was lost.
pub(super) fn has_lapsed<R>(visit: &Visit<'_, R>, span: WindowSpan, own: &ShareRow) -> bool {
    own.lapses(span, visit.rules.ttl).is_some_and(|at| visit.time() >= at)
}
