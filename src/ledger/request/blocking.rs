//! A reservation that waits in its thread.

use std::time::Duration;

use super::ask::Ask;
use super::lease::Lease;
use super::reserve::reserve_at_once;
use super::wait::{Grant, Wait};
use crate::accounting::Invalid;
use crate::ledger::claim::Request;
use crate::ledger::error::{Error, Stop};
use crate::ledger::post::mailbox::Mailbox;
use crate::ledger::post::sleeper::Sleeper;

/// Holds all asks in one lease, or waits in this thread until its turn has come.
pub fn reserve_blocking(
    asks: &[Ask],
    request: Request,
    timeout: Option<Duration>,
) -> Result<Lease, Error> {
    match reserve_at_once(asks, &request) {
        Ok(lease) => return Ok(lease),
        Err(Stop::Short | Stop::Refused(Error::Denied(_))) => {}
        Err(Stop::Refused(error)) => return Err(error),
    }
    let sleeper = Sleeper::new();
    let wait = Wait::for_lease(asks, request, timeout, Mailbox::for_thread(&sleeper))?;
    match wait.block(&sleeper)? {
        Grant::Lease(lease) => Ok(lease),
        Grant::Slot(_) => {
            let message = "the wait was for a lease, but it ended with an admission of a limiter";
            Err(Invalid::sentence(message.to_owned()).into())
        }
    }
}
