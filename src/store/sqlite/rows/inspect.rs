//! All limits of a namespace, for people. It only reads.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use crate::accounting::taken;
use crate::store::inspected::{Inspected, InspectedShare};
use crate::store::message::WindowSpan;
use crate::store::sqlite::fault::SqliteFault;
use crate::store::sqlite::value::{amount, id, span};

/// The limits of a namespace in their present era, each with the shares of all holders. A holder
/// lives that was heard of within `ttl`.
pub(in crate::store::sqlite) fn inspect(
    file: &Connection,
    namespace: &str,
    ttl: u64,
) -> Result<Vec<Inspected>, SqliteFault> {
    let mut limits = limits(file, namespace)?;
    let mut statement = file.prepare_cached(
        "SELECT shares.bound, shares.holder, granted, spent, held, shares.heard, holders.pid, \
         coalesce(holders.heard > latest - ?2, 0) \
         FROM limits JOIN stores ON stores.namespace = limits.namespace \
         JOIN shares ON shares.namespace = limits.namespace AND shares.bound = limits.id \
         AND shares.generation = limits.generation AND shares.begins = limits.begins \
         LEFT JOIN holders ON holders.namespace = limits.namespace AND holders.id = shares.holder \
         WHERE limits.namespace = ?1 ORDER BY shares.holder",
    )?;
    let ttl = i64::try_from(ttl).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![namespace, ttl])?;
    while let Some(row) = rows.next()? {
        let Some(limit) = limits.get_mut(&id(row, 0)?) else { continue };
        let share = InspectedShare {
            holder: id(row, 1)?,
            granted: amount(row, 2)?,
            spent: amount(row, 3)?,
            held: amount(row, 4)?,
            heard: row.get(5)?,
            pid: row.get(6)?,
            live: row.get(7)?,
        };
        let unspent = taken(share.granted, share.spent, share.held).saturating_sub(share.spent);
        limit.used = limit.used.saturating_add(share.spent);
        limit.out = limit.out.saturating_add(unspent);
        let amounts = !matches!(limit.span, WindowSpan::Sliding(_) | WindowSpan::Gauge);
        if !share.live && amounts {
            limit.written_off = limit.written_off.saturating_add(unspent);
        }
        limit.holders.push(share);
    }
    let mut limits: Vec<Inspected> = limits.into_values().collect();
    limits.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
    Ok(limits)
}

fn limits(file: &Connection, namespace: &str) -> Result<BTreeMap<u128, Inspected>, SqliteFault> {
    let mut statement = file.prepare_cached(
        "SELECT limits.id, name, limits.span, limits.period, most, limits.ends, \
         coalesce(base, 0), coalesce(lost, 0), coalesce(silent, 0) \
         FROM limits LEFT JOIN names ON names.namespace = limits.namespace AND names.id = limits.id \
         LEFT JOIN eras ON eras.namespace = limits.namespace AND eras.bound = limits.id \
         AND eras.generation = limits.generation AND eras.begins = limits.begins \
         WHERE limits.namespace = ?1",
    )?;
    let mut rows = statement.query([namespace])?;
    let mut limits = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (number, ends): (u128, i64) = (id(row, 0)?, row.get(5)?);
        let limit = Inspected {
            id: number,
            name: row.get(1)?,
            span: span(row, 2)?,
            most: amount(row, 4)?,
            ends: (ends != i64::MAX).then_some(ends),
            used: amount(row, 6)?,
            out: amount(row, 8)?,
            written_off: amount(row, 7)?,
            holders: Vec::new(),
        };
        limits.insert(number, limit);
    }
    Ok(limits)
}
