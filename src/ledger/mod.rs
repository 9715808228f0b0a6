//! Accounts under locks, leases that end exactly once, expiry, waiting and events.
//!
//! All accounts that a request touches are locked in one order. The request is decided and booked
//! under these locks, so a refusal changes nothing anywhere. No lock is held while other code is
//! called.
//!
//! The rooms, from the lowest to the highest. Each imports only from rooms below it:
//!
//! | room | what is in it |
//! | --- | --- |
//! | `sync`, `error`, `fork`, `account_id` | the ground: locks, errors, forks, the address of an account |
//! | `patience` | how a thread waits for a store, or does not |
//! | `supply` | what an account asks of whoever shares its limits with other processes |
//! | `core` | what accounts share: clock, policy, listeners, the sweep |
//! | `claim`, `ending` | what is asked of one account; how a lease can end |
//! | `post` | what is sent once the locks are free |
//! | `queue` | the waits on an account, oldest first |
//! | `account`, `accounts` | one account; many of them by id |
//! | `shared_account` | what an account of a store is to its supply, and to forked children |
//! | `request` | what spans accounts: requests, leases, waits |

mod account;
mod account_id;
mod accounts;
mod claim;
mod core;
mod ending;
mod error;
mod fork;
mod patience;
mod post;
mod queue;
mod request;
mod shared_account;
mod supply;
mod sync;

pub use account::Account;
pub(crate) use account::METERS_MAX;
pub(crate) use account::idle::{Idle, Silent};
pub(crate) use account::naming::Naming;
#[cfg(feature = "python")]
pub(crate) use account_id::AccountId;
pub(crate) use accounts::Accounts;
pub use claim::{AskPlace, Demand, Demands, MeterIndex, Request};
pub use core::Core;
pub(crate) use core::event::event_labels;
pub use core::event::{Decided, Event, EventFigures, EventKind, EventLabels, EventRule};
pub use core::policy::{OnError, Policy, Unsettled};
#[cfg(feature = "python")]
pub(crate) use ending::ActualRef;
pub use ending::{Abandoned, Actual, LeaseState};
pub use error::{Error, LeaseError, StoreError};
pub use fork::after_fork_in_child;
pub(crate) use fork::gate::Gate;
pub(crate) use fork::generation as fork_generation;
pub(crate) use fork::heir::{Heir, Heritable};
pub(crate) use fork::{
    Inherited, after_fork_in_parent as after_fork_in_parent_of_ledger,
    before_fork as before_fork_of_ledger, no_fork,
};
pub(crate) use patience::sleep_for_store;
pub use patience::{HostSleep, set_host_sleep, without_store};
pub use post::{Mailbox, Sleeper};
pub use request::{
    Ask, AskPart, Carried, Decides, Grant, Kept, Lease, Wait, charge, check, reserve,
    reserve_blocking, reserve_one,
};
pub(crate) use request::{reserve_and, reserve_quietly};
pub use supply::{Lack, Supply, SupplyMember, View};
