//! Whether a request over several accounts passes, and what it opens then. Everything is decided
//! before anything is written.

use std::sync::Arc;

use smallvec::SmallVec;

use super::ask::{AskPart, ttl};
use super::handles::join_entries;
use super::locked::Locked;
use super::places::{Place, Places};
use crate::accounting::{Cause, Code};
use crate::ledger::account::Account;
use crate::ledger::account::held::{Held, Verdict};
use crate::ledger::account::leasing::NewLease;
use crate::ledger::claim::Request;
use crate::ledger::error::{Error, Stop};
use crate::ledger::post::outbox::Outbox;
use crate::ledger::queue::turn::NO_TICKET;

/// Opens a lease for asks that passed, under the locks of all accounts. Returns its number and its
/// places.
#[inline]
pub(crate) fn open(
    asks: &[AskPart<'_>],
    request: &Request,
    locked: &mut [Locked<'_>],
    outbox: &mut Outbox,
) -> (u64, Places) {
    if let ([ask], [at]) = (asks, &mut *locked) {
        let (state, mut step) = at.step(outbox);
        let account = || ask.account.as_swept();
        let (id, entry) = state.open_alone(ask.claim(), request, account, &mut step);
        return (id, Places::One(Place { account: Arc::clone(ask.account), entry }));
    }
    let id = locked[0].state.entries_mut().number();
    let mut places: SmallVec<[Place; 4]> = SmallVec::new();
    // All accounts use one time to live, so that no entry runs out before another.
    let ttl = ttl(asks.iter().map(|ask| ask.account), request);
    for (ask, at) in asks.iter().zip(locked.iter_mut()) {
        let (state, mut step) = at.step(outbox);
        let (lease, account) = (NewLease { id, ttl, request }, || ask.account.as_swept());
        let entry = state.open(ask.claim(), &lease, account, &mut step);
        places.push(Place { account: Arc::clone(ask.account), entry });
    }
    let places = Places::many(places);
    join_entries(&places, locked);
    (id, places)
}

/// Decides. `opens` is the request if it opens a lease; `tells` whether listeners hear of a refusal.
#[inline]
pub(super) fn decide(
    asks: &[AskPart<'_>],
    (tells, opens): (bool, Option<&Request>),
    locked: &mut [Locked<'_>],
    outbox: &mut Outbox,
) -> Result<(), Stop> {
    verdict(asks, opens, locked, outbox).map_err(|(stop, index)| {
        if let Stop::Refused(refused) = &stop
            && tells
        {
            let (state, mut step) = locked[index].step(outbox);
            step.labels = asks[index].labels;
            step.tell_denied(&state.meters, asks[index].demands, refused);
        }
        stop
    })
}

/// Why it does not pass, if it does not, and the index of the refused ask.
#[inline]
pub(super) fn verdict(
    asks: &[AskPart<'_>],
    opens: Option<&Request>,
    locked: &mut [Locked<'_>],
    outbox: &mut Outbox,
) -> Result<(), (Stop, usize)> {
    let shared = locked.iter().any(|at| at.state.supplied().is_some());
    if passes(asks, locked) && !(shared && is_short(asks, opens, locked)) {
        return Ok(());
    }
    match verdict_precisely(asks, locked, outbox) {
        _ if shared && is_short(asks, opens, locked) => Err((Stop::Short, 0)),
        verdict => verdict.map_err(|(refused, index)| (Stop::Refused(refused), index)),
    }
}

/// Whether it lacks shares, and nothing else.
#[cold]
fn is_short(asks: &[AskPart<'_>], opens: Option<&Request>, locked: &[Locked<'_>]) -> bool {
    let lasts = opens.map(|request| ttl(asks.iter().map(|ask| ask.account), request));
    let mut short = false;
    for (ask, at) in asks.iter().zip(locked) {
        let (until, id) = (lasts.map(|lasts| at.now.tick.plus(lasts)), at.identity().id());
        match at.state.verdict(ask.demands, ask.terms, NO_TICKET, until, id) {
            Verdict::Passes => {}
            Verdict::Short(_) => short = true,
            Verdict::Refused(_) => return false,
        }
    }
    short
}

/// The refusal by the precise clock, if there is one, and the index of the refused ask.
#[cold]
pub(crate) fn verdict_precisely(
    asks: &[AskPart<'_>],
    locked: &mut [Locked<'_>],
    outbox: &mut Outbox,
) -> Result<(), (Error, usize)> {
    // A refusal by a clock that lags is checked again by the precise clock.
    locked.iter_mut().for_each(|at| at.use_precise_clock(outbox));
    let Some((index, demand)) = first_refused(asks, locked) else { return Ok(()) };
    let (ask, at) = (&asks[index], &locked[index]);
    let refused = at.state.refusal(at.identity(), ask.demands, demand, at.now, ask.terms);
    Err((with_wait(refused, asks, locked), index))
}

/// Whether all asks pass.
#[inline]
fn passes(asks: &[AskPart<'_>], locked: &[Locked<'_>]) -> bool {
    let passes = |(ask, at): (&AskPart<'_>, &Locked<'_>)| {
        at.state.refuses(ask.demands, ask.terms, NO_TICKET).is_none()
    };
    asks.iter().zip(locked).all(passes)
}

/// Of all demands that do not pass, the first: by the budget in a list, then by the place of its
/// rule in the policy. Returns the index of the ask and that of the demand in it.
#[cold]
fn first_refused(asks: &[AskPart<'_>], locked: &[Locked<'_>]) -> Option<(usize, usize)> {
    let shared = locked.iter().any(|at| at.state.supplied().is_some());
    let by_a_limit = shared.then(|| first_that(asks, locked, true)).flatten();
    by_a_limit.or_else(|| first_that(asks, locked, false))
}

/// The same. Unless `by_a_limit`, it may also be one that only lacks a share.
fn first_that(
    asks: &[AskPart<'_>],
    locked: &[Locked<'_>],
    by_a_limit: bool,
) -> Option<(usize, usize)> {
    let mut first: Option<((u32, u32), (usize, usize))> = None;
    for (number, (ask, at)) in asks.iter().zip(locked).enumerate() {
        for (index, demand) in ask.demands.iter().enumerate() {
            let state = &at.state;
            let only_lacks_a_share = || {
                if !by_a_limit {
                    return false;
                }
                let one = &ask.demands[index..=index];
                let verdict = state.verdict(one, ask.terms, NO_TICKET, None, at.identity().id());
                matches!(verdict, Verdict::Short(_))
            };
            if state.passes(ask.demands, index, ask.terms, NO_TICKET) || only_lacks_a_share() {
                continue;
            }
            let entry = at.identity().place(demand.meter);
            let place = (ask.place.budget, entry.unwrap_or(ask.place.entry));
            if first.is_none_or(|(earlier, _)| place < earlier) {
                first = Some((place, (number, index)));
            }
            if entry.is_none() {
                break; // All demands on an account without rules have one place.
            }
        }
    }
    first.map(|(_, found)| found)
}

/// Completes the refusal by one of several accounts: the request can pass when all of them admit
/// it.
#[cold]
fn with_wait(refused: Error, asks: &[AskPart<'_>], locked: &[Locked<'_>]) -> Error {
    let Error::Denied(mut denied) = refused else { return refused };
    if denied.code != Code::NotConfigured && asks.len() > 1 {
        let held = asks
            .iter()
            .zip(locked)
            .map(|(ask, at)| at.state.held(at.identity(), ask.demands, at.now, ask.terms));
        if let Held::For(wait) = held.fold(Held::Not(false), Held::and) {
            (denied.cause, denied.retry_after) = (Cause::Held, wait);
            return Error::Denied(denied);
        }
        denied.cause = denied.cause.unheld();
        let waits = asks.iter().zip(locked);
        let waits =
            waits.map(|(ask, at)| at.state.wait(at.identity(), ask.demands, at.now, ask.terms));
        denied.retry_after = waits.collect::<Option<Vec<_>>>().and_then(|w| w.into_iter().max());
    }
    Error::Denied(denied)
}

#[inline]
pub(super) fn accounts<'a>(asks: &'a [AskPart<'a>]) -> impl ExactSizeIterator<Item = &'a Account> {
    asks.iter().map(|ask| &**ask.account)
}
