//! The errors of the ledger: a refusal by a limit, or a fault.

use std::fmt;

use crate::accounting::{Denied, Invalid};

/// Why an operation failed. It changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A limit refuses. The value says what to do next.
    Denied(Box<Denied>),
    /// A wait for capacity took too long. This is the refusal at its end.
    TimedOut(Box<Denied>),
    /// The lease is not in a state that allows this.
    Lease(LeaseError),
    /// Bad input.
    Invalid(Box<Invalid>),
    /// An id that is taken, or a value that is not allowed now.
    Conflict(String),
    /// A file could not be read or written.
    Store(Box<StoreError>),
    /// The account was made before this process was forked.
    Forked,
    /// The store has to be asked first, and this thread [may not wait](super::without_store) for it.
    Short,
}

/// The lease is not in a state that allows this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseError {
    /// It has run out. It can still be committed once, but not released or extended.
    Expired,
    /// It has ended in another way.
    Finalized,
    /// It is not a lease of this pool.
    Unknown,
}

/// A store failed, or what it holds cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// It could not be reached, read or written.
    Unavailable(String),
    /// Its contents are not what was written there.
    Corrupt(String),
}

/// Why a request does not pass at once.
pub(crate) enum Stop {
    /// The limits are known to leave it, and this process has too small a share of them.
    Short,
    /// It is refused.
    Refused(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Error {
    /// The refusal, if a limit refuses.
    pub(crate) fn denied(&self) -> Option<&Denied> {
        match self {
            Self::Denied(denied) | Self::TimedOut(denied) => Some(denied),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denied) | Self::TimedOut(denied) => denied.fmt(f),
            Self::Lease(error) => error.fmt(f),
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::Conflict(message) => f.write_str(message),
            Self::Store(error) => error.fmt(f),
            Self::Short => f.write_str(
                "this process has too small a share of the limit, and the call may not wait for the \
                 store here",
            ),
            Self::Forked => f.write_str(
                "this account was made before the process was forked: it would be a copy here, so \
                 that each child has the whole limit again; so has one that is made anew in each \
                 child; give them a store in common, or let one process ask for all",
            ),
        }
    }
}

impl fmt::Display for LeaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => {
                "the lease has run out: commit() still books what was used, once; it can not be \
                 released or extended"
            }
            Self::Finalized => "the lease has already ended in another way: it ends exactly once",
            Self::Unknown => "the lease is not a lease of this pool",
        })
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(message) | Self::Corrupt(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}
impl std::error::Error for LeaseError {}
impl std::error::Error for StoreError {}

impl From<Box<Denied>> for Error {
    fn from(denied: Box<Denied>) -> Self {
        Self::Denied(denied)
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(Box::new(invalid))
    }
}

impl From<LeaseError> for Error {
    fn from(error: LeaseError) -> Self {
        Self::Lease(error)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}
