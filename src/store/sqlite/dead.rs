//! Holders whose process is dead: what they held comes back before their time to live is over.

use rusqlite::{Connection, params};

use super::fault::SqliteFault;
use super::process::Process;
use super::value::{amount, kept};
use crate::accounting::taken;

/// Treats the dead holders of a namespace as silent since `ttl` before `time`: slots come back at
/// once, a part of a sliding window after one window. What they may have spent stays counted.
pub(super) fn bury(
    file: &Connection,
    namespace: &str,
    me: &Process,
    (time, ttl): (i64, u64),
) -> Result<(), SqliteFault> {
    let heard = time.saturating_sub_unsigned(ttl);
    for id in dead(file, namespace, me)? {
        file.prepare_cached(
            "UPDATE shares SET heard = min(heard, ?3), until = min(until, ?4), need = 0 \
             WHERE namespace = ?1 AND holder = ?2",
        )?
        .execute(params![namespace, id, heard, time])?;
        file.prepare_cached(
            "UPDATE holders SET heard = min(heard, ?3), pid = NULL WHERE namespace = ?1 AND id = ?2",
        )?
        .execute(params![namespace, id, heard])?;
    }
    Ok(())
}

fn dead(file: &Connection, namespace: &str, me: &Process) -> Result<Vec<[u8; 16]>, SqliteFault> {
    let mut statement = file.prepare_cached(
        "SELECT id, boot, space, pid, started FROM holders WHERE namespace = ?1 AND pid IS NOT NULL",
    )?;
    let mut rows = statement.query([namespace])?;
    let mut dead = Vec::new();
    while let Some(row) = rows.next()? {
        let space: i64 = row.get(2)?;
        let started: i64 = row.get(4)?;
        let (space, started) = (space.cast_unsigned(), started.cast_unsigned());
        let process = Process { boot: row.get(1)?, space, pid: row.get(3)?, started };
        if process.is_dead(me) {
            dead.push(row.get(0)?);
        }
    }
    Ok(dead)
}

/// Counts the amounts of holders that are gone as used for no holder, with what of them may not have
/// been used, and drops their shares. They are dead, or were last heard of before `time`.
pub(super) fn fold(file: &Connection, namespace: &str, time: i64) -> Result<(), SqliteFault> {
    let mut statement = file.prepare_cached(
        "SELECT shares.bound, shares.generation, shares.begins, shares.holder, granted, spent, held \
         FROM holders, shares, limits WHERE holders.namespace = ?1 AND shares.namespace = ?1 AND \
         limits.namespace = ?1 AND shares.holder = holders.id AND limits.id = shares.bound AND \
         limits.span < 3 AND (holders.heard < ?2 OR (holders.pid IS NULL AND holders.boot IS NOT NULL))",
    )?;
    let mut gone = statement.query(params![namespace, time])?;
    let mut shares = Vec::new();
    while let Some(row) = gone.next()? {
        let key: ([u8; 16], u32, i64, [u8; 16]) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let (granted, spent, held) = (amount(row, 4)?, amount(row, 5)?, amount(row, 6)?);
        shares.push((key, taken(granted, spent, held), spent));
    }
    for ((limit, generation, begins, holder), all, spent) in shares {
        let lost = kept(all.saturating_sub(spent));
        file.prepare_cached(
            "UPDATE eras SET base = min(base, 9223372036854775807 - ?5) + ?5, \
             lost = min(lost, 9223372036854775807 - ?6) + ?6 \
             WHERE namespace = ?1 AND bound = ?2 AND generation = ?3 AND begins = ?4",
        )?
        .execute(params![namespace, limit, generation, begins, kept(all), lost])?;
        file.prepare_cached(
            "DELETE FROM shares WHERE namespace = ?1 AND bound = ?2 AND generation = ?3 AND \
             begins = ?4 AND holder = ?5",
        )?
        .execute(params![namespace, limit, generation, begins, holder])?;
    }
    Ok(())
}
