//! Charges, checks and admissions of one account.

use std::sync::Arc;

use super::draw::Drawing;
use super::room::Room;
use crate::accounting::{Terms, Usage};
use crate::ledger::account::Account;
use crate::ledger::account::state::State;
use crate::ledger::account::verdict::Refused;
use crate::ledger::claim::Demand;
use crate::ledger::error::{Error, Stop};

impl Account {
    /// Books `demands` (meter and amount) at once. Either all of them are booked, or it is refused
    /// and nothing changes.
    #[inline]
    pub fn charge(self: &Arc<Self>, demands: &[Demand]) -> Result<(), Error> {
        self.charge_once(|| None, demands, || ())
    }

    /// Books `demands` and then calls `then`, in one step. If `known` returns an answer, nothing is
    /// booked.
    #[inline]
    pub(crate) fn charge_once<R>(
        self: &Arc<Self>,
        known: impl Fn() -> Option<R>,
        demands: &[Demand],
        then: impl Fn() -> R,
    ) -> Result<R, Error> {
        match self.try_charge(|_| false, &known, demands, &then) {
            Ok(done) => Ok(done),
            Err(Stop::Refused(refused)) => Err(refused),
            Err(Stop::Short) => self.draw_and_charge(&known, demands, &then),
        }
    }

    #[cold]
    #[inline(never)]
    fn draw_and_charge<R>(
        self: &Arc<Self>,
        known: &impl Fn() -> Option<R>,
        demands: &[Demand],
        then: &impl Fn() -> R,
    ) -> Result<R, Error> {
        let mut drawing = Drawing::default();
        loop {
            let mut room = drawing.room_of(self, demands, Terms::Plain)?;
            match self.try_charge(|state| ends(&mut room, state), known, demands, then) {
                Ok(done) => return Ok(done),
                Err(Stop::Refused(refused)) => return Err(refused),
                Err(Stop::Short) => {}
            }
        }
    }

    /// Admits a caller that reports its usage later. `demands` are held for one bucket of the
    /// window, or until the next usage is recorded. `refuse` makes the refusal, so that its text is
    /// only made for a caller that reads it.
    #[inline]
    pub(crate) fn take_admission<E>(
        self: &Arc<Self>,
        demands: &[Demand],
        refuse: impl Fn(Refused<'_>) -> E,
    ) -> Result<Result<(), E>, Error> {
        match self.try_admission(|_| false, demands, false, &refuse) {
            Ok(done) => Ok(done),
            Err(Stop::Refused(refused)) => Err(refused),
            Err(Stop::Short) => self.draw_and_admit(demands, &refuse),
        }
    }

    #[cold]
    #[inline(never)]
    fn draw_and_admit<E>(
        self: &Arc<Self>,
        demands: &[Demand],
        refuse: &impl Fn(Refused<'_>) -> E,
    ) -> Result<Result<(), E>, Error> {
        let mut drawing = Drawing::default();
        loop {
            let mut room = drawing.room_of(self, demands, Terms::Gated)?;
            let last = drawing.is_over();
            match self.try_admission(|state| ends(&mut room, state), demands, last, refuse) {
                Ok(done) => return Ok(done),
                Err(Stop::Refused(refused)) => return Err(refused),
                Err(Stop::Short) => {}
            }
        }
    }

    /// Whether `demands` would be admitted. Soft limits are checked as if they were hard.
    pub fn check(self: &Arc<Self>, demands: &[Demand]) -> Result<(), Error> {
        self.check_on(demands, Terms::Strict)
    }

    /// Whether `demands` would be admitted in this mode.
    pub(crate) fn check_on(
        self: &Arc<Self>,
        demands: &[Demand],
        terms: Terms,
    ) -> Result<(), Error> {
        let (mut room, mut drawing) = (None, Drawing::default());
        loop {
            match self.try_check(|state| ends(&mut room, state), demands, terms) {
                Ok(()) => return Ok(()),
                Err(Stop::Refused(refused)) => return Err(refused),
                Err(Stop::Short) => room = drawing.room_of(self, demands, terms)?,
            }
        }
    }

    /// Books `demands` and then calls `then`, in one step, unless a share is too small. If `known`
    /// returns an answer, nothing is booked. If it `is_sure`, nothing is decided.
    #[inline]
    fn try_charge<R>(
        &self,
        is_sure: impl FnOnce(&mut State) -> bool,
        known: impl FnOnce() -> Option<R>,
        demands: &[Demand],
        then: impl FnOnce() -> R,
    ) -> Result<R, Stop> {
        self.locked(|state, step| {
            let sure = is_sure(state);
            if let Some(answer) = known() {
                return Ok(answer);
            }
            let decided = if sure { Ok(()) } else { state.decide(demands, Terms::Plain, step) };
            match decided {
                Ok(()) => {
                    state.charge(demands, step);
                    Ok(then())
                }
                Err(stop) => {
                    if let Stop::Refused(refused) = &stop {
                        step.tell_denied(&state.meters, demands, refused);
                    }
                    Err(stop)
                }
            }
        })?
    }

    /// Admits a caller that reports its usage later. `demands` are held for one bucket of the
    /// window, or until the next usage is recorded. `refuse` makes the refusal, so that its text is
    /// only made for a caller that reads it. It is not called for a share that is too small, unless
    /// this is the `last` time.
    #[inline]
    fn try_admission<E>(
        &self,
        is_sure: impl FnOnce(&mut State) -> bool,
        demands: &[Demand],
        last: bool,
        refuse: impl FnOnce(Refused<'_>) -> E,
    ) -> Result<Result<(), E>, Stop> {
        self.locked(|state, step| {
            let refused = match is_sure(state) {
                true => None,
                false => state.first_refused(demands, Terms::Gated, step),
            };
            match refused {
                None => {
                    state.take_admission(demands, step.now);
                    Ok(Ok(()))
                }
                Some(_) if !last && state.lacks_share(demands, Terms::Gated, step) => {
                    Err(Stop::Short)
                }
                Some(index) => {
                    let (identity, now) = (step.identity, step.now);
                    Ok(Err(refuse(Refused { state, identity, demands, index, now })))
                }
            }
        })?
    }

    /// Whether `demands` would be admitted in this mode. If it `is_sure`, they are.
    fn try_check(
        &self,
        is_sure: impl FnOnce(&mut State) -> bool,
        demands: &[Demand],
        terms: Terms,
    ) -> Result<(), Stop> {
        self.locked(|state, step| match is_sure(state) {
            true => Ok(()),
            false => state.decide(demands, terms, step),
        })?
    }

    /// The sum of all committed usage, with the charges for unsettled leases.
    pub fn committed(&self) -> Result<Usage, Error> {
        self.locked(|state, _| {
            state.entries().map_or(Usage::zero(), |entries| entries.committed.clone())
        })
    }

    /// The sum of the estimates of all open leases.
    pub fn reserved(&self) -> Result<Usage, Error> {
        self.locked(|state, _| {
            let entries = state.entries().into_iter();
            let open = entries.flat_map(|entries| entries.open());
            open.fold(Usage::zero(), |sum, (_, entry)| sum.saturating_add(&entry.estimate))
        })
    }
}

/// Ends the room of a request of one account, under its lock. Whether it was there until now.
#[inline]
fn ends(room: &mut Option<Room>, state: &mut State) -> bool {
    room.as_mut().is_some_and(|room| room.end_alone(state))
}
