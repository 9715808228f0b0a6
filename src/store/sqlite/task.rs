//! What is done on a file for one store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::params;

use super::database::Database;
use super::dead::bury;
use super::fault::SqliteFault;
use super::moment::{self, Reading};
use super::options::SqliteOptions;
use super::process::Process;
use super::rows::{SqliteRows, inspect};
use super::value::{bytes, id};
use super::writer::WriterTask;
use crate::accounting::{Clock, Tick};
use crate::ledger::{Error, StoreError};
use crate::store::book::{self, Now, StoreRules, apply};
use crate::store::fresh::fresh;
use crate::store::inspected::Inspected;
use crate::store::message::{Answer, FactGiven, FactId, HolderId, LimitId, Message};
use crate::store::rows::{FactRow, Rows};

/// How often it is looked for holders that are dead.
const LOOK: Duration = Duration::from_secs(1);
/// How often while somebody waits in vain.
const SOON: Duration = Duration::from_millis(50);

/// A namespace of a file, as this process uses it.
#[derive(Debug)]
pub(super) struct Space {
    namespace: String,
    rules: StoreRules,
    clock: Clock,
    boot: Option<[u8; 16]>,
    me: Option<Process>,
    /// When dead holders were last looked for.
    buried: Mutex<Option<Tick>>,
    /// Whether the last message has not got what its waiter needs.
    unmet: AtomicBool,
    leapt: AtomicBool,
    /// What `PRAGMA data_version` was at the last look.
    version: Mutex<Option<i64>>,
}

impl Space {
    pub(super) fn new(options: &SqliteOptions) -> Self {
        Self {
            namespace: options.namespace.clone(),
            rules: options.rules(),
            clock: options.clock.clone(),
            boot: moment::boot(),
            me: Process::me(),
            buried: Mutex::new(None),
            unmet: AtomicBool::new(false),
            leapt: AtomicBool::new(false),
            version: Mutex::new(None),
        }
    }

    fn now(&self, rows: &mut SqliteRows<'_>) -> Result<Now, SqliteFault> {
        let reading = Reading::of(&self.clock, self.boot);
        let time = rows.time(reading)?;
        self.leapt.store(time < reading.wall, Ordering::Relaxed);
        let fresh = fresh().map_err(|error| SqliteFault::Row(error.to_string()))?;
        Ok(Now { time, fresh })
    }

    pub(super) fn apply(
        &self,
        database: &Database,
        message: &Message,
    ) -> Result<Answer, SqliteFault> {
        let file = database.file();
        let mut rows = SqliteRows::new(file, &self.namespace).spoken_by(self.me);
        let now = self.now(&mut rows)?;
        if let Some(me) = &self.me
            && self.looks_for_dead()
        {
            bury(file, &self.namespace, me, (now.time.max(rows.latest()), self.rules.ttl))?;
        }
        let answer = apply(&mut rows, &self.rules, now, message)?;
        let unmet = message.asks.iter().zip(&answer.given).any(|(ask, own)| own.granted < ask.need);
        self.unmet.store(unmet, Ordering::Relaxed);
        Ok(answer)
    }

    /// The facts of a group that stand.
    pub(super) fn facts(
        &self,
        database: &Database,
        group: FactId,
    ) -> Result<Vec<(FactId, FactGiven)>, SqliteFault> {
        let mut rows = SqliteRows::new(database.file(), &self.namespace);
        let now = self.now(&mut rows)?;
        let mut found = Vec::new();
        rows.facts(group, &mut |id, row| {
            if row.until >= now.time {
                let FactRow { version, value, .. } = row;
                found.push((id, FactGiven { changed: false, version, value, lacks: None }));
            }
        })?;
        Ok(found)
    }

    /// Whether it is time to look for holders that are dead.
    fn looks_for_dead(&self) -> bool {
        let now = Clock::System.precise_tick();
        let pause = if self.unmet.load(Ordering::Relaxed) { SOON } else { LOOK };
        let mut buried = self.buried.lock();
        let due = buried.is_none_or(|last| now.since(last) >= pause);
        if due {
            *buried = Some(now);
        }
        due
    }

    pub(super) fn create(&self, database: &Database) -> Result<(), SqliteFault> {
        let mut rows = SqliteRows::new(database.file(), &self.namespace);
        let now = self.now(&mut rows)?;
        book::create(&mut rows, now)
    }

    pub(super) fn inspect(&self, database: &Database) -> Result<Vec<Inspected>, SqliteFault> {
        inspect(database.file(), &self.namespace, self.rules.ttl)
    }

    pub(super) fn has_leapt(&self) -> bool {
        self.leapt.load(Ordering::Relaxed)
    }

    pub(super) fn waited_for(
        &self,
        database: &Database,
        holder: HolderId,
    ) -> Result<Vec<LimitId>, SqliteFault> {
        let version = database.version()?;
        if *self.version.lock() == Some(version) {
            return Ok(Vec::new());
        }
        let mut statement = database.file().prepare_cached(
            "SELECT DISTINCT bound FROM shares, stores WHERE shares.namespace = ?1 AND \
             stores.namespace = ?1 AND need > 0 AND holder <> ?2 AND shares.heard > stores.latest - ?3",
        )?;
        let ttl = i64::try_from(self.rules.ttl).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![self.namespace, bytes(holder.0), ttl])?;
        let mut limits = Vec::new();
        while let Some(row) = rows.next()? {
            limits.push(LimitId(id(row, 0)?));
        }
        *self.version.lock() = Some(version);
        Ok(limits)
    }
}

/// Something to do on a file, and who wants to know.
pub(super) struct Task<T, A, D> {
    durable: Option<bool>,
    act: A,
    got: Option<T>,
    done: D,
}

impl<T, A, D> Task<T, A, D> {
    pub(super) const fn new(durable: Option<bool>, act: A, done: D) -> Self {
        Self { durable, act, got: None, done }
    }
}

impl<T, A, D> WriterTask for Task<T, A, D>
where
    T: Send,
    A: FnMut(&Database) -> Result<T, SqliteFault> + Send,
    D: FnOnce(Result<T, Error>) + Send,
{
    fn durable(&self) -> Option<bool> {
        self.durable
    }

    fn run(&mut self, database: &Database) -> Result<(), SqliteFault> {
        self.got = Some((self.act)(database)?);
        Ok(())
    }

    fn end(self: Box<Self>, outcome: Result<(), Error>) {
        let not_run = || StoreError::Unavailable("it was not tried".to_owned()).into();
        let Self { got, done, .. } = *self;
        done(outcome.and_then(|()| got.ok_or_else(not_run)));
    }
}
