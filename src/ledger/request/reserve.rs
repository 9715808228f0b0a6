//! Charges, reservations and checks over several accounts: all or nothing. Everything is decided
//! before anything is written.

use std::sync::Arc;

use super::ask::{Ask, AskPart, distinct, here, merge};
use super::decide::{accounts, decide, open, verdict};
use super::draw::Drawing;
use super::lease::Lease;
use super::locked::{Locked, with_locked};
use super::room::Room;
use crate::accounting::Moment;
use crate::ledger::claim::Request;
use crate::ledger::core::Core;
use crate::ledger::error::{Error, Stop};

/// Books all asks at once, or refuses and changes nothing. An account that is listed twice is
/// charged once.
pub fn charge(asks: &[Ask]) -> Result<(), Error> {
    let merged = merge(asks);
    let asks: Vec<AskPart<'_>> = merged.iter().map(Ask::borrowed).collect();
    decided(&asks, None, |asks, room| {
        with_locked(accounts(asks), |locked, outbox| {
            if !is_sure(room, locked) {
                decide(asks, (true, None), locked, outbox)?;
            }
            for (ask, at) in asks.iter().zip(locked) {
                let (state, mut step) = at.step(outbox);
                step.labels = ask.labels;
                state.charge(ask.demands, &mut step);
            }
            Ok(())
        })?
    })
}

/// Holds all asks in one lease, or refuses and changes nothing. An account that is listed twice is
/// charged once.
pub fn reserve(asks: &[Ask], request: &Request) -> Result<Lease, Error> {
    let merged = distinct(asks)?;
    let asks: Vec<AskPart<'_>> = merged.iter().map(Ask::borrowed).collect();
    reserve_distinct(&asks, request, true, || None, |lease, _| lease)
}

/// [`reserve`] that passes the lease to `then` in the same step. If `known` returns an answer,
/// nothing is reserved. Both run under the locks of the accounts: they must not lock an account or
/// end a lease.
pub(crate) fn reserve_and<R>(
    asks: &[Ask],
    request: &Request,
    known: impl Fn() -> Option<R>,
    then: impl Fn(Lease, Moment) -> R,
) -> Result<R, Error> {
    let merged = distinct(asks)?;
    let asks: Vec<AskPart<'_>> = merged.iter().map(Ask::borrowed).collect();
    reserve_distinct(&asks, request, true, known, then)
}

/// Whether all asks would be admitted now. Changes nothing.
pub fn check(asks: &[Ask]) -> Result<(), Error> {
    let merged = merge(asks);
    let asks: Vec<AskPart<'_>> = merged.iter().map(Ask::borrowed).collect();
    decided(&asks, None, |asks, room| {
        with_locked(accounts(asks), |locked, outbox| {
            let sure = is_sure(room, locked);
            if sure { Ok(()) } else { verdict(asks, None, locked, outbox).map_err(|no| no.0) }
        })?
    })
}

/// Holds the asks of distinct accounts in one lease, or refuses and changes nothing. Listeners are
/// not notified of a refusal.
#[inline]
pub(crate) fn reserve_quietly(asks: &[AskPart<'_>], request: &Request) -> Result<Lease, Error> {
    reserve_distinct(asks, request, false, || None, |lease, _| lease)
}

/// Holds one ask in a lease, or refuses and changes nothing.
#[inline]
pub fn reserve_one(ask: AskPart<'_>, request: &Request) -> Result<Lease, Error> {
    reserve_distinct(&[ask], request, true, || None, |lease, _| lease)
}

#[inline]
fn reserve_distinct<R>(
    asks: &[AskPart<'_>],
    request: &Request,
    tells: bool,
    known: impl Fn() -> Option<R>,
    then: impl Fn(Lease, Moment) -> R,
) -> Result<R, Error> {
    decided(asks, Some(request), |asks, room| {
        try_reserve(asks, (tells, request), room, &known, &then)
    })
}

/// Holds all asks in one lease, unless a share is too small.
pub(super) fn reserve_at_once(asks: &[Ask], request: &Request) -> Result<Lease, Stop> {
    let merged = here(distinct(asks)?)?;
    let asks: Vec<AskPart<'_>> = merged.iter().map(Ask::borrowed).collect();
    try_reserve(&asks, (true, request), &mut None, &|| None, &|lease, _| lease)
}

/// Decides a request, which may have room that is held for it.
type Attempt<'a, R> = &'a dyn Fn(&[AskPart<'_>], &mut Option<Room>) -> Result<R, Stop>;

/// What `attempt` returns. If a share is too small, it is asked again when the store has given more,
/// with room that is held for it.
#[inline(always)] // `attempt` is in the path of each reservation
fn decided<R>(
    asks: &[AskPart<'_>],
    request: Option<&Request>,
    attempt: impl Fn(&[AskPart<'_>], &mut Option<Room>) -> Result<R, Stop>,
) -> Result<R, Error> {
    match attempt(asks, &mut None) {
        Ok(done) => Ok(done),
        Err(Stop::Refused(Error::Forked)) => decided_by_heirs(asks, request, &attempt),
        Err(Stop::Refused(refused)) => Err(refused),
        Err(Stop::Short) => decided_with_room(asks, request, &attempt),
    }
}

/// The same in a forked child, by the heirs of the accounts of its parent.
#[cold]
#[inline(never)]
fn decided_by_heirs<R>(
    asks: &[AskPart<'_>],
    request: Option<&Request>,
    attempt: Attempt<'_, R>,
) -> Result<R, Error> {
    let owned = here(asks.iter().map(AskPart::owned).collect())?;
    let asks: Vec<AskPart<'_>> = owned.iter().map(Ask::borrowed).collect();
    match attempt(&asks, &mut None) {
        Ok(done) => Ok(done),
        Err(Stop::Refused(refused)) => Err(refused),
        Err(Stop::Short) => decided_with_room(&asks, request, attempt),
    }
}

/// The same for a request that lacks shares.
#[cold]
#[inline(never)]
fn decided_with_room<R>(
    asks: &[AskPart<'_>],
    request: Option<&Request>,
    attempt: Attempt<'_, R>,
) -> Result<R, Error> {
    let mut drawing = Drawing::default();
    loop {
        let mut room = drawing.room(asks, request)?;
        match attempt(asks, &mut room) {
            Ok(done) => return Ok(done),
            Err(Stop::Refused(refused)) => return Err(refused),
            Err(Stop::Short) => {}
        }
    }
}

/// Ends the room that was held for a request. Whether it was there until now, so that the request
/// passes.
#[inline]
fn is_sure(room: &mut Option<Room>, locked: &mut [Locked<'_>]) -> bool {
    room.as_mut().is_some_and(|room| room.end_in(locked))
}

#[inline]
fn try_reserve<R>(
    asks: &[AskPart<'_>],
    (tells, request): (bool, &Request),
    room: &mut Option<Room>,
    known: &impl Fn() -> Option<R>,
    then: &impl Fn(Lease, Moment) -> R,
) -> Result<R, Stop> {
    let done = with_locked(accounts(asks), |locked, outbox| {
        let sure = is_sure(room, locked);
        if let Some(answer) = known() {
            return Ok((answer, locked[0].now.tick));
        }
        if !sure {
            decide(asks, (tells, Some(request)), locked, outbox)?;
        }
        // From here on the reservation succeeds.
        let (id, places) = open(asks, request, locked, outbox);
        let lease = Lease::new(id, request.estimate.clone(), &request.request_budget, places);
        Ok::<_, Stop>((then(lease, locked[0].now), locked[0].now.tick))
    });
    let (answer, tick) = done??;
    match asks {
        [ask] => ask.account.core().sweep.run(tick),
        _ => sweep_each(asks),
    }
    Ok(answer)
}

/// Sweeps the core of each account. Neighbours with the same core are swept once.
fn sweep_each(asks: &[AskPart<'_>]) {
    let mut last: *const Core = std::ptr::null();
    for account in accounts(asks) {
        let core = Arc::as_ptr(account.core());
        if core != last {
            account.core().sweep.run(account.core().clock().tick());
        }
        last = core;
    }
}
