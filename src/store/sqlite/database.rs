//! One connection to one file, and the transactions on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::fault::SqliteFault;
use super::files;
use super::rows::SqliteRows;
use super::schema::{self, Found};
use crate::accounting::Clock;
use crate::ledger::StoreError;
use crate::store::book::{Now, StoreRules, apply};
use crate::store::message::{Answer, Message};

/// The first SQLite in which a reset of the write-ahead log loses no commit of another connection.
const SAFE: i32 = 3_051_003;

/// The largest file that is checked page by page when it is opened: about 50 ms.
const CHECKED: u64 = 64 << 20;

/// A connection to a file that is ours.
#[derive(Debug)]
pub struct Database {
    file: Connection,
    path: PathBuf,
    /// Which file had the path when it was opened.
    identity: Option<(u64, u64)>,
    full: bool,
}

impl Database {
    /// Opens a file for simulations: its commits do not wait for the disk.
    pub fn open(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        let mut database = Self::open_checked(&files::checked(path)?, patience)?;
        database.set_full(false).map_err(|fault| fault.about(path))?;
        Ok(database)
    }

    /// Opens a file whose path [`files::checked`] has returned, and makes it if it is not there. It
    /// is ours, or nothing was written to it.
    pub(super) fn open_checked(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        if rusqlite::version_number() < SAFE {
            return Err(StoreError::Unavailable(format!(
                "SQLite {} loses commits of several processes; 3.51.3 or later is needed",
                rusqlite::version()
            )));
        }
        let (clock, path) = (Clock::System, path.to_owned());
        let until = clock.precise_tick().plus(patience);
        loop {
            let about = |fault: SqliteFault| fault.about(&path);
            let mut opened = Self::connect(&path, patience).map_err(about)?;
            match opened.prepare()? {
                Ok(()) => {
                    opened.identity = files::identity(&path);
                    return Ok(opened);
                }
                Err(fault) if fault.is_busy() && clock.precise_tick() < until => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(fault) if fault.is_busy() => return Err(about(SqliteFault::Busy(patience))),
                Err(fault) => return Err(about(fault)),
            }
        }
    }

    fn connect(path: &Path, patience: Duration) -> Result<Self, SqliteFault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Connection::open_with_flags(path, flags)?;
        file.busy_timeout(patience)?;
        // Until it is known to be ours, not even its log is written back.
        file.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        file.set_prepared_statement_cache_capacity(64);
        Ok(Self { file, path: path.to_owned(), identity: None, full: true })
    }

    /// Opens a file that is there, to read it. Nothing is written to it.
    pub(super) fn open_to_read(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        let about = |fault: SqliteFault| fault.about(path);
        let file = Self::connect_to_read(path, patience).map_err(about)?;
        let opened = Self { file, path: path.to_owned(), identity: None, full: true };
        let found = opened.begin_reading().and_then(|()| opened.end(schema::found(&opened.file)));
        match found.map_err(about)?.accepted(path)? {
            Found::Empty => {
                Err(StoreError::Unavailable(format!("{} has no store in it yet", path.display())))
            }
            _ => Ok(opened),
        }
    }

    fn connect_to_read(path: &Path, patience: Duration) -> Result<Connection, SqliteFault> {
        let log = PathBuf::from(format!("{}-wal", path.display()));
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Connection::open_with_flags(path, flags)?;
        file.busy_timeout(patience)?;
        file.execute_batch("PRAGMA query_only = ON")?;
        // A log that was there stays there.
        file.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, log.exists())?;
        Ok(file)
    }

    /// Refuses what is not ours, and makes the tables in what is empty.
    fn prepare(&self) -> Result<Result<(), SqliteFault>, StoreError> {
        // One moment of the file: another process may be making the tables.
        let found = self.begin_reading().and_then(|()| self.end(schema::found(&self.file)));
        match found {
            Ok(found) => Ok(self.set_up(found.accepted(&self.path)?)),
            Err(fault) => Ok(Err(fault)),
        }
    }

    fn set_up(&self, found: Found) -> Result<(), SqliteFault> {
        let size = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        if found == Found::Ours && size <= CHECKED {
            let says = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
            let said = self.file.query_row("PRAGMA quick_check(1)", [], says)?;
            if said != "ok" {
                return Err(SqliteFault::Row(said));
            }
        }
        let mode = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
        let mode = self.file.query_row("PRAGMA journal_mode = WAL", [], mode)?;
        if mode != "wal" {
            return Err(SqliteFault::Row(format!("a log in the mode {mode}, where WAL is needed")));
        }
        self.file.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; \
             PRAGMA journal_size_limit = 16777216;",
        )?;
        if found == Found::Empty {
            self.begin()?;
            let made = match schema::found(&self.file) {
                Ok(Found::Empty) => schema::make(&self.file),
                Ok(Found::Ours) => Ok(()),
                Ok(_) => {
                    Err(SqliteFault::Row("tables that another program has just made".to_owned()))
                }
                Err(fault) => Err(fault),
            };
            self.end(made)?;
        }
        self.file.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        self.file.busy_timeout(Duration::ZERO)?;
        Ok(())
    }

    /// Whether the path still names this file: it may have been moved or removed.
    pub(super) fn is_there(&self) -> bool {
        self.identity == files::identity(&self.path)
    }

    /// Another number after each commit of another connection.
    pub(super) fn version(&self) -> Result<i64, SqliteFault> {
        let mut statement = self.file.prepare_cached("PRAGMA data_version")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// The connection.
    pub(super) const fn file(&self) -> &Connection {
        &self.file
    }

    /// Whether commits from now on survive the loss of power.
    pub(super) fn set_full(&mut self, full: bool) -> Result<(), SqliteFault> {
        if self.full != full {
            let level = if full { "FULL" } else { "NORMAL" };
            self.file.pragma_update(None, "synchronous", level)?;
            self.full = full;
        }
        Ok(())
    }

    /// Begins a transaction that may write. Busy if another process has one.
    pub(super) fn begin(&self) -> Result<(), SqliteFault> {
        Ok(self.file.execute_batch("BEGIN IMMEDIATE")?)
    }

    /// Begins a transaction that only reads.
    pub(super) fn begin_reading(&self) -> Result<(), SqliteFault> {
        Ok(self.file.execute_batch("BEGIN")?)
    }

    /// Commits what was `done`, or takes all of it back.
    pub(super) fn end<T>(&self, done: Result<T, SqliteFault>) -> Result<T, SqliteFault> {
        let ended = done.and_then(|value| {
            self.file.execute_batch("COMMIT")?;
            Ok(value)
        });
        if ended.is_err() && !self.file.is_autocommit() {
            // What caused it matters, not whether this fails as well: then the connection is broken.
            let _ = self.file.execute_batch("ROLLBACK");
        }
        ended
    }

    /// Closes it without writing its log back, which the next connection does.
    pub(super) fn close_quickly(self) {
        let _ = self.file.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }

    /// Applies one message at a given time, for simulations. No process is known to be dead.
    pub fn apply(
        &mut self,
        namespace: &str,
        rules: &StoreRules,
        now: Now,
        message: &Message,
    ) -> Result<Answer, StoreError> {
        let applied = self.begin().and_then(|()| {
            let mut rows = SqliteRows::new(&self.file, namespace);
            self.end(apply(&mut rows, rules, now, message))
        });
        applied.map_err(|fault| fault.about(&self.path))
    }
}
