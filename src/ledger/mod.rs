//! Many meters at once: locked accounts, leases that end once, expiry, events.
//!
//! Whatever a request touches is decided and applied under the locks of its accounts, taken in
//! one order, so that a refusal changes nothing anywhere. No lock is held across a call out.

mod account;
mod accounts;
mod core;
mod end_cell;
mod error;
mod event;
mod fork;
mod group;
mod held;
mod idle;
mod lease;
mod lease_book;
mod lease_end;
mod lease_more;
mod locked;
mod mailbox;
mod naming;
mod passing;
mod policy;
mod queue;
mod retry;
mod serve;
mod sleeper;
mod slots;
mod spent;
mod state;
mod sweep;
mod sync;
mod telling;
mod turn;
mod verdict;
mod wait;

pub use account::Account;
pub(crate) use account::METERS_MAX;
pub(crate) use accounts::Accounts;
pub use core::Core;
pub use error::{Error, LeaseError, StoreError};
pub use event::{Event, EventKind};
pub use fork::after_fork_in_child;
pub use group::{
    Ask, AskPart, Demands, Request, charge, check, reserve, reserve_blocking, reserve_one,
};
pub(crate) use group::{reserve_and, reserve_parts};
pub(crate) use idle::Idle;
pub use lease::Lease;
pub use lease_end::{Abandoned, Actual, LeaseState};
pub use lease_more::{Carried, Kept, Passed};
pub use mailbox::Mailbox;
pub(crate) use naming::Naming;
pub use policy::{OnError, Policy, Unsettled};
pub use sleeper::Sleeper;
pub use turn::Grant;
pub use wait::Wait;
