//! Requests over several accounts: what they ask, their leases and their waits.

mod ask;
mod carried;
mod draw;
mod end_cell;
mod finish;
mod handles;
mod lease;
mod locked;
mod places;
mod reserve;
mod wait;

pub use ask::{Ask, AskPart};
pub use carried::{Carried, Decides, Kept};
pub use lease::Lease;
pub use reserve::{charge, check, reserve, reserve_one};
pub(crate) use reserve::{reserve_and, reserve_quietly};
pub use wait::{Grant, Wait, reserve_blocking};
