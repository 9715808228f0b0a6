//! The rows of one namespace, within one transaction.

mod inspect;

use rusqlite::{Connection, Params, Row, params};

use super::dead::fold;
use super::fault::SqliteFault;
use super::moment::{Boot, Reading};
use super::process::Process;
use super::value::{amount, bytes, columns, epoch, era, eras, id, kept, kept_eras, span};
use crate::accounting::Era;
use crate::store::message::{FactId, HolderId, LimitId};
use crate::store::rows::{EraRow, FactRow, HolderRow, LimitRow, Rows, ShareRow, StoreRow};

pub(super) use inspect::inspect;

/// The rows of one namespace. Its transaction is the business of the caller.
pub(super) struct SqliteRows<'a> {
    file: &'a Connection,
    namespace: &'a str,
    /// Whose messages are applied.
    me: Option<Process>,
    reading: Option<Reading>,
    /// The latest time as it is in the file, and the boot time at which it was seen.
    latest: Option<(i64, Option<Boot>)>,
}

impl<'a> SqliteRows<'a> {
    pub(super) const fn new(file: &'a Connection, namespace: &'a str) -> Self {
        Self { file, namespace, me: None, reading: None, latest: None }
    }

    /// The process that speaks.
    pub(super) const fn spoken_by(mut self, me: Option<Process>) -> Self {
        self.me = me;
        self
    }

    /// The time to apply a message at.
    pub(super) fn time(&mut self, reading: Reading) -> Result<i64, SqliteFault> {
        self.store()?;
        self.reading = Some(reading);
        let (latest, boot) = self.latest.unwrap_or((reading.wall, None));
        Ok(reading.believed(latest, boot))
    }

    /// The latest time that the store has seen, `i64::MIN` for none.
    pub(super) fn latest(&self) -> i64 {
        self.latest.map_or(i64::MIN, |(latest, _)| latest)
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, SqliteFault>,
    ) -> Result<Option<T>, SqliteFault> {
        let mut statement = self.file.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        rows.next()?.map(read).transpose()
    }

    fn run(&self, sql: &str, params: impl Params) -> Result<(), SqliteFault> {
        self.file.prepare_cached(sql)?.execute(params)?;
        Ok(())
    }
}

impl Rows for SqliteRows<'_> {
    type Fault = SqliteFault;

    fn store(&mut self) -> Result<Option<StoreRow>, SqliteFault> {
        const SQL: &str = "SELECT epoch_count, epoch_id, learns_until, latest, swept, boot, boot_at \
                           FROM stores WHERE namespace = ?1";
        let found = self.one(SQL, [self.namespace], |row| {
            let (epoch, latest) = (epoch(row, 0)?, row.get(3)?);
            let boot: Option<[u8; 16]> = row.get(5)?;
            let at: Option<i64> = row.get(6)?;
            let boot = boot.zip(at).map(|(id, at)| Boot { id, at });
            let store = StoreRow { epoch, learns_until: row.get(2)?, latest, swept: row.get(4)? };
            Ok((store, boot))
        })?;
        self.latest = found.map(|(store, boot)| (store.latest, boot));
        Ok(found.map(|(store, _)| store))
    }

    fn put_store(&mut self, row: StoreRow) -> Result<(), SqliteFault> {
        let StoreRow { epoch, learns_until, latest, swept } = row;
        let known = self.latest.filter(|(kept, _)| *kept == latest);
        let now = self.reading.and_then(|reading| reading.boot);
        let boot = known.map_or(now, |(_, boot)| boot);
        self.latest = Some((latest, boot));
        let (boot, at) = (boot.map(|boot| boot.id), boot.map(|boot| boot.at));
        self.run(
            "INSERT OR REPLACE INTO stores (namespace, epoch_count, epoch_id, learns_until, latest, \
             swept, boot, boot_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                self.namespace,
                kept(epoch.count),
                bytes(epoch.id),
                learns_until,
                latest,
                swept,
                boot,
                at
            ],
        )
    }

    fn holder(&mut self, holder: HolderId) -> Result<Option<HolderRow>, SqliteFault> {
        const SQL: &str = "SELECT last, epoch_count, epoch_id, heard, changed FROM holders \
                           WHERE namespace = ?1 AND id = ?2";
        self.one(SQL, params![self.namespace, bytes(holder.0)], |row| {
            let changed: i64 = row.get(4)?;
            let (last, epoch) = (amount(row, 0)?, epoch(row, 1)?);
            Ok(HolderRow { last, epoch, heard: row.get(3)?, changed: changed.cast_unsigned() })
        })
    }

    fn put_holder(&mut self, holder: HolderId, row: HolderRow) -> Result<(), SqliteFault> {
        let HolderRow { last, epoch, heard, changed } = row;
        let me = self.me;
        self.run(
            "INSERT OR REPLACE INTO holders (namespace, id, last, epoch_count, epoch_id, heard, \
             changed, boot, space, pid, started) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                self.namespace,
                bytes(holder.0),
                kept(last),
                kept(epoch.count),
                bytes(epoch.id),
                heard,
                changed.cast_signed(),
                me.map(|me| me.boot),
                me.map(|me| me.space.cast_signed()),
                me.map(|me| me.pid),
                me.map(|me| me.started.cast_signed()),
            ],
        )
    }

    fn live(&mut self, time: i64) -> Result<u32, SqliteFault> {
        const SQL: &str = "SELECT count(*) FROM holders WHERE namespace = ?1 AND heard > ?2";
        let live = self.one(SQL, params![self.namespace, time], |row| Ok(row.get(0)?))?;
        Ok(live.unwrap_or(0))
    }

    fn drop_holders(&mut self, time: i64) -> Result<(), SqliteFault> {
        self.run(
            "DELETE FROM holders WHERE namespace = ?1 AND heard < ?2 AND NOT EXISTS (SELECT 1 FROM \
             shares WHERE shares.namespace = ?1 AND shares.holder = holders.id)",
            params![self.namespace, time],
        )
    }

    fn limit(&mut self, limit: LimitId) -> Result<Option<LimitRow>, SqliteFault> {
        const SQL: &str = "SELECT span, period, most, most_set, generation, begins, ends FROM limits \
                           WHERE namespace = ?1 AND id = ?2";
        self.one(SQL, params![self.namespace, bytes(limit.0)], |row| {
            let (span, most, era) = (span(row, 0)?, amount(row, 2)?, era(row, 4)?);
            Ok(LimitRow { span, most, most_set: row.get(3)?, era, ends: row.get(6)? })
        })
    }

    fn put_limit(&mut self, limit: LimitId, row: LimitRow) -> Result<(), SqliteFault> {
        let LimitRow { span, most, most_set, era, ends } = row;
        let (span, period) = columns(span);
        self.run(
            "INSERT OR REPLACE INTO limits (namespace, id, span, period, most, most_set, generation, \
             begins, ends) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                self.namespace,
                bytes(limit.0),
                span,
                period,
                kept(most),
                most_set,
                era.generation,
                era.begins,
                ends
            ],
        )
    }

    fn era(&mut self, limit: LimitId, era: Era) -> Result<Option<EraRow>, SqliteFault> {
        const SQL: &str = "SELECT ends, base, heard, silent, silent_until, lost, back FROM eras WHERE \
                           namespace = ?1 AND bound = ?2 AND generation = ?3 AND begins = ?4";
        let key = params![self.namespace, bytes(limit.0), era.generation, era.begins];
        self.one(SQL, key, |row| {
            let (base, heard, silent) = (amount(row, 1)?, amount(row, 2)?, amount(row, 3)?);
            let (ends, silent_until, lost) = (row.get(0)?, row.get(4)?, amount(row, 5)?);
            let back = amount(row, 6)?;
            Ok(EraRow { ends, base, back, heard, silent, silent_until, lost })
        })
    }

    fn put_era(&mut self, limit: LimitId, era: Era, row: EraRow) -> Result<(), SqliteFault> {
        let EraRow { ends, base, back, heard, silent, silent_until, lost } = row;
        self.run(
            "INSERT OR REPLACE INTO eras (namespace, bound, generation, begins, ends, base, heard, \
             silent, silent_until, lost, back) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                self.namespace,
                bytes(limit.0),
                era.generation,
                era.begins,
                ends,
                kept(base),
                kept(heard),
                kept(silent),
                silent_until,
                kept(lost),
                kept(back)
            ],
        )
    }

    fn drop_eras(&mut self, limit: LimitId, time: i64) -> Result<(), SqliteFault> {
        let key = params![self.namespace, bytes(limit.0), time];
        self.run(
            "DELETE FROM shares WHERE namespace = ?1 AND bound = ?2 AND (generation, begins) IN \
             (SELECT generation, begins FROM eras WHERE namespace = ?1 AND bound = ?2 AND ends < ?3)",
            key,
        )?;
        self.run("DELETE FROM eras WHERE namespace = ?1 AND bound = ?2 AND ends < ?3", key)
    }

    fn shares(
        &mut self,
        limit: LimitId,
        era: Era,
        each: &mut dyn FnMut(HolderId, &ShareRow),
    ) -> Result<(), SqliteFault> {
        const SQL: &str = "SELECT granted, spent, held, until, heard, need, since, holder FROM \
                           shares WHERE namespace = ?1 AND bound = ?2 AND generation = ?3 AND begins = ?4";
        let mut statement = self.file.prepare_cached(SQL)?;
        let key = params![self.namespace, bytes(limit.0), era.generation, era.begins];
        let mut rows = statement.query(key)?;
        while let Some(row) = rows.next()? {
            each(HolderId(id(row, 7)?), &share(row)?);
        }
        Ok(())
    }

    fn share(
        &mut self,
        limit: LimitId,
        era: Era,
        holder: HolderId,
    ) -> Result<Option<ShareRow>, SqliteFault> {
        const SQL: &str = "SELECT granted, spent, held, until, heard, need, since FROM shares WHERE \
                           namespace = ?1 AND bound = ?2 AND generation = ?3 AND begins = ?4 AND \
                           holder = ?5";
        let (limit, holder) = (bytes(limit.0), bytes(holder.0));
        self.one(SQL, params![self.namespace, limit, era.generation, era.begins, holder], share)
    }

    fn put_share(
        &mut self,
        limit: LimitId,
        era: Era,
        holder: HolderId,
        row: ShareRow,
    ) -> Result<(), SqliteFault> {
        let ShareRow { granted, spent, held, until, heard, need, since } = row;
        self.run(
            "INSERT OR REPLACE INTO shares (namespace, bound, generation, begins, holder, granted, \
             spent, held, until, heard, need, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, \
             ?11, ?12)",
            params![
                self.namespace,
                bytes(limit.0),
                era.generation,
                era.begins,
                bytes(holder.0),
                kept(granted),
                kept(spent),
                kept(held),
                until,
                heard,
                kept(need),
                since
            ],
        )
    }

    fn drop_share(
        &mut self,
        limit: LimitId,
        era: Era,
        holder: HolderId,
    ) -> Result<(), SqliteFault> {
        let (limit, holder) = (bytes(limit.0), bytes(holder.0));
        self.run(
            "DELETE FROM shares WHERE namespace = ?1 AND bound = ?2 AND generation = ?3 AND \
             begins = ?4 AND holder = ?5",
            params![self.namespace, limit, era.generation, era.begins, holder],
        )
    }

    fn fold(&mut self, time: i64) -> Result<(), SqliteFault> {
        fold(self.file, self.namespace, time)
    }

    fn name(&mut self, limit: LimitId) -> Result<Option<String>, SqliteFault> {
        const SQL: &str = "SELECT name FROM names WHERE namespace = ?1 AND id = ?2";
        self.one(SQL, params![self.namespace, bytes(limit.0)], |row| Ok(row.get(0)?))
    }

    fn put_name(&mut self, limit: LimitId, name: &str) -> Result<(), SqliteFault> {
        self.run(
            "INSERT OR REPLACE INTO names (namespace, id, name) VALUES (?1, ?2, ?3)",
            params![self.namespace, bytes(limit.0), name],
        )
    }

    fn fact(&mut self, fact: FactId) -> Result<Option<FactRow>, SqliteFault> {
        const SQL: &str =
            "SELECT version, value, until, eras FROM facts WHERE namespace = ?1 AND id = ?2";
        self.one(SQL, params![self.namespace, bytes(fact.0)], fact_row)
    }

    fn put_fact(&mut self, fact: FactId, row: FactRow) -> Result<(), SqliteFault> {
        let FactRow { version, value, until, eras } = row;
        self.run(
            "INSERT OR REPLACE INTO facts (namespace, id, version, value, until, eras) VALUES (?1, \
             ?2, ?3, ?4, ?5, ?6)",
            params![self.namespace, bytes(fact.0), kept(version), value, until, kept_eras(&eras)],
        )
    }

    fn facts(
        &mut self,
        id: FactId,
        each: &mut dyn FnMut(FactId, FactRow),
    ) -> Result<(), SqliteFault> {
        let (first, last) = id.group();
        let mut statement = self.file.prepare_cached(
            "SELECT version, value, until, eras, id FROM facts WHERE namespace = ?1 AND id BETWEEN \
             ?2 AND ?3 AND length(value) > 0 ORDER BY id",
        )?;
        let mut rows = statement.query(params![self.namespace, bytes(first.0), bytes(last.0)])?;
        while let Some(row) = rows.next()? {
            each(FactId(super::value::id(row, 4)?), fact_row(row)?);
        }
        Ok(())
    }

    fn drop_facts(&mut self, time: i64) -> Result<(), SqliteFault> {
        let key = params![self.namespace, time];
        self.run("DELETE FROM facts WHERE namespace = ?1 AND until < ?2", key)
    }
}

fn fact_row(row: &Row<'_>) -> Result<FactRow, SqliteFault> {
    let (version, value, until) = (amount(row, 0)?, row.get(1)?, row.get(2)?);
    Ok(FactRow { version, value, until, eras: eras(row, 3)? })
}

fn share(row: &Row<'_>) -> Result<ShareRow, SqliteFault> {
    let (granted, spent, held) = (amount(row, 0)?, amount(row, 1)?, amount(row, 2)?);
    let (until, heard, need) = (row.get(3)?, row.get(4)?, amount(row, 5)?);
    Ok(ShareRow { granted, spent, held, until, heard, need, since: row.get(6)? })
}
