//! What goes wrong with a file, and how it is said.

use std::path::Path;
use std::time::Duration;

use rusqlite::ErrorCode;

use crate::ledger::StoreError;

/// Why a step on the file failed. It changed nothing.
#[derive(Debug)]
pub(super) enum SqliteFault {
    /// SQLite says so.
    Sqlite(rusqlite::Error),
    /// A row is not what outlay writes.
    Row(String),
    /// Another process has held the file for so long.
    Busy(Duration),
}

impl From<rusqlite::Error> for SqliteFault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl SqliteFault {
    pub(super) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            Self::Row(_) | Self::Busy(_) => None,
        }
    }

    /// Whether another connection has the file, so that the same may pass a moment later.
    pub(super) fn is_busy(&self) -> bool {
        self.code() == Some(ErrorCode::DatabaseBusy)
    }

    /// Whether the file itself is broken.
    pub(super) fn is_corrupt(&self) -> bool {
        let code = self.code();
        matches!(self, Self::Row(_))
            || matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    }

    /// The error that the user sees.
    pub(super) fn about(self, path: &Path) -> StoreError {
        let path = path.display();
        let error = match self {
            Self::Row(problem) => {
                return StoreError::Corrupt(format!(
                    "{path} holds what outlay never writes: {problem}; {ASIDE}"
                ));
            }
            Self::Busy(time) => {
                return StoreError::Unavailable(format!(
                    "{path} is locked: another process has written to it for {time:?}; nothing was changed"
                ));
            }
            Self::Sqlite(error) => error,
        };
        let unavailable = |text: &str| StoreError::Unavailable(format!("{text}: {error}"));
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt) => StoreError::Corrupt(format!(
                "{path} is damaged: {error}; nothing was written; {ASIDE}"
            )),
            Some(ErrorCode::NotADatabase) => StoreError::Corrupt(format!(
                "{path} is not a SQLite database: {error}; nothing was written; name another file"
            )),
            Some(ErrorCode::DiskFull) => unavailable(&format!(
                "cannot write {path}: the disk is full, or a file may not grow; nothing was \
                 granted; outlay goes on by itself once there is room"
            )),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                unavailable(&format!("cannot write {path}: it is read-only for this process"))
            }
            Some(ErrorCode::CannotOpen) => unavailable(&format!("cannot open {path}")),
            _ => unavailable(&format!("cannot read or write {path}")),
        }
    }
}

const ASIDE: &str = "move it aside, with its -wal and -shm files, and outlay begins a new one";
