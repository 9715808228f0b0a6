//! The tables of a file, and which files are ours.

use std::path::Path;

use rusqlite::Connection;

use super::fault::SqliteFault;
use crate::ledger::StoreError;

/// "outl", in the header of each file of ours.
const APPLICATION: i64 = 0x6f75_746c;
/// The version of the tables.
const VERSION: i64 = 1;
/// The oldest outlay that can use a file that this one makes.
const MIN_READER: i64 = 1;

/// What a file is, before anything is written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing is in it.
    Empty,
    /// It is ours.
    Ours,
    /// It has another application's number, so many tables, or no number.
    Foreign { application: i64, tables: i64 },
    /// A later outlay made it, and needs at least that version.
    Newer { version: i64, reader: i64 },
}

pub(super) fn found(file: &Connection) -> Result<Found, SqliteFault> {
    let number = |sql| file.query_row(sql, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if (application, version, tables) == (0, 0, 0) {
        return Ok(Found::Empty);
    }
    if application != APPLICATION {
        return Ok(Found::Foreign { application, tables });
    }
    if version > VERSION {
        let reader = number("SELECT min_reader FROM about").unwrap_or(version);
        if reader > VERSION {
            return Ok(Found::Newer { version, reader });
        }
    }
    Ok(Found::Ours)
}

impl Found {
    /// Refuses a file that is not ours.
    pub(super) fn accepted(self, path: &Path) -> Result<Self, StoreError> {
        let path = path.display();
        match self {
            Self::Empty | Self::Ours => Ok(self),
            Self::Foreign { application, tables } => Err(StoreError::Corrupt(format!(
                "{path} is a database of another program: its application_id is {application:#x}, \
                 not {APPLICATION:#x}, and it has {tables} tables and indexes; nothing was written; \
                 name another file"
            ))),
            Self::Newer { version, reader } => Err(StoreError::Corrupt(format!(
                "{path} was made by a later outlay: its tables have version {version} and need \
                 {reader}, this one knows {VERSION}; nothing was written; update outlay here"
            ))),
        }
    }
}

/// Makes the tables in an empty file, within a transaction.
pub(super) fn make(file: &Connection) -> Result<(), SqliteFault> {
    file.execute_batch(TABLES)?;
    file.execute("INSERT INTO about (min_reader) VALUES (?1)", [MIN_READER])?;
    file.pragma_update(None, "application_id", APPLICATION)?;
    file.pragma_update(None, "user_version", VERSION)?;
    Ok(())
}

/// Amounts are never negative; `i64::MAX` and more is kept as `i64::MAX`, and read as no limit.
const TABLES: &str = "
CREATE TABLE about (min_reader INTEGER NOT NULL CHECK (min_reader > 0)) STRICT;
CREATE TABLE stores (
    namespace TEXT NOT NULL PRIMARY KEY,
    epoch_count INTEGER NOT NULL CHECK (epoch_count >= 0),
    epoch_id BLOB NOT NULL CHECK (length(epoch_id) = 16),
    learns_until INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    swept INTEGER NOT NULL,
    boot BLOB CHECK (length(boot) = 16),
    boot_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE holders (
    namespace TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    last INTEGER NOT NULL CHECK (last >= 0),
    epoch_count INTEGER NOT NULL CHECK (epoch_count >= 0),
    epoch_id BLOB NOT NULL CHECK (length(epoch_id) = 16),
    heard INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    boot BLOB CHECK (length(boot) = 16),
    space INTEGER,
    pid INTEGER CHECK (pid > 0),
    started INTEGER,
    PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX holders_pid ON holders (namespace, pid) WHERE pid IS NOT NULL;
CREATE TABLE limits (
    namespace TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    span INTEGER NOT NULL CHECK (span BETWEEN 0 AND 4),
    period INTEGER NOT NULL CHECK (period >= 0),
    most INTEGER NOT NULL CHECK (most >= 0),
    most_set INTEGER NOT NULL,
    generation INTEGER NOT NULL CHECK (generation BETWEEN 0 AND 4294967295),
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE names (
    namespace TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    name TEXT NOT NULL,
    PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE eras (
    namespace TEXT NOT NULL,
    bound BLOB NOT NULL CHECK (length(bound) = 16),
    generation INTEGER NOT NULL CHECK (generation BETWEEN 0 AND 4294967295),
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    base INTEGER NOT NULL CHECK (base >= 0),
    heard INTEGER NOT NULL CHECK (heard >= 0),
    silent INTEGER NOT NULL CHECK (silent >= 0),
    silent_until INTEGER NOT NULL,
    lost INTEGER NOT NULL CHECK (lost >= 0),
    back INTEGER NOT NULL CHECK (back >= 0),
    PRIMARY KEY (namespace, bound, generation, begins)
) STRICT, WITHOUT ROWID;
CREATE TABLE shares (
    namespace TEXT NOT NULL,
    bound BLOB NOT NULL CHECK (length(bound) = 16),
    generation INTEGER NOT NULL CHECK (generation BETWEEN 0 AND 4294967295),
    begins INTEGER NOT NULL,
    holder BLOB NOT NULL CHECK (length(holder) = 16),
    granted INTEGER NOT NULL CHECK (granted >= 0),
    spent INTEGER NOT NULL CHECK (spent >= 0),
    held INTEGER NOT NULL CHECK (held >= 0),
    until INTEGER NOT NULL,
    heard INTEGER NOT NULL,
    need INTEGER NOT NULL CHECK (need >= 0),
    since INTEGER NOT NULL,
    PRIMARY KEY (namespace, bound, generation, begins, holder)
) STRICT, WITHOUT ROWID;
CREATE INDEX shares_holder ON shares (namespace, holder);
CREATE INDEX shares_need ON shares (namespace, bound, holder, heard) WHERE need > 0;
CREATE TABLE facts (
    namespace TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    version INTEGER NOT NULL CHECK (version >= 0),
    value BLOB NOT NULL,
    until INTEGER NOT NULL,
    eras BLOB NOT NULL CHECK (length(eras) % 28 = 0),
    PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX facts_until ON facts (namespace, until);
";
