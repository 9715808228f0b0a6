//! Many meters at once: locked accounts, leases that end once, expiry, events.
//!
//! Whatever a request touches is decided and applied under the locks of its accounts, taken in
//! one order, so that a refusal changes nothing anywhere. No lock is held across a call out.

pub mod account;
mod account_id;
pub mod accounts;
mod claim;
pub mod core;
mod end_cell;
pub mod error;
pub mod event;
pub mod fork;
mod handles;
mod held;
mod identity;
mod idle;
pub mod lease;
mod lease_book;
mod lease_end;
mod lease_more;
mod leasing;
mod locked;
pub mod mailbox;
mod naming;
mod outbox;
mod passing;
mod places;
mod policy;
mod queue;
mod reserve;
mod retry;
mod serve;
pub mod sleeper;
mod slots;
mod state;
mod sweep;
mod sync;
mod telling;
mod turn;
mod verdict;
mod visit;
pub mod wait;

/// Requests over several accounts.
pub mod group {
    pub use super::reserve::{charge, check, reserve, reserve_one};
    pub(crate) use super::reserve::{reserve_and, reserve_parts};
    pub use super::wait::reserve_blocking;
}

pub use account::Account;
pub(crate) use account::METERS_MAX;
pub use accounts::Accounts;
pub use claim::{Demands, Request};
pub use core::Core;
pub use error::{Error, LeaseError, StoreError};
pub use event::{Event, EventKind};
pub use fork::after_fork_in_child;
pub(crate) use idle::Idle;
pub use lease::Lease;
pub use lease_end::{Abandoned, Actual, LeaseState};
pub use lease_more::{Carried, Kept, Passed};
pub use mailbox::Mailbox;
pub(crate) use naming::Naming;
pub use policy::{OnError, Policy, Unsettled};
pub use reserve::{Ask, AskPart, charge, check, reserve, reserve_one};
pub use sleeper::Sleeper;
pub use wait::{Grant, Wait, reserve_blocking};
