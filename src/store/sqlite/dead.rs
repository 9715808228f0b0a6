//! Holders whose process is dead: what they held comes back before their time to live is over.

use rusqlite::{Connection, params};

use super::fault::SqliteFault;
use super::process::Process;

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
