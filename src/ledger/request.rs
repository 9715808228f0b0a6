//! Requests over several accounts: what they ask, their leases and their waits.

mod ask;
mod blocking;
mod carried;
mod charging;
mod decide;
mod draw;
mod end_cell;
mod finish;
mod handles;
mod lease;
mod locked;
mod places;
mod reserve;
mod room;
mod wait;

pub use ask::{Ask, AskPart};
pub use blocking::reserve_blocking;
pub use carried::{Carried, Decides, Kept};
pub use lease::Lease;
pub use reserve::{charge, check, reserve, reserve_one};
pub(crate) use reserve::{reserve_and, reserve_quietly};
pub use wait::{Grant, Wait};
