//! What a meter has heard of its provider: what bounds all calls, and what was said of models.

use crate::accounting::clock::Tick;
use crate::accounting::headers::RateHeaders;
use crate::accounting::limit::{Terms, Unit};
use crate::accounting::provider_limit::{Hearing, ProviderLimit};
use crate::accounting::window::Window;

/// What a meter takes from a response that reports a provider's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A meter that all that is said bounds.
    Whole,
    /// The same, beside a meter that counts the requests.
    TokensAlone,
    /// A meter of the calls of all models. What was said of one of them bounds those that do not
    /// [name](Terms::Named) theirs.
    Nameless,
}

/// A meter with this window, unit and limit, as it hears of a provider. Only those that slide do.
pub(super) fn hearing(
    window: &Window,
    (unit, limit): (Unit, u64),
    to: Audience,
) -> Option<Hearing> {
    let Window::Sliding(ring) = window else { return None };
    Some(Hearing {
        period: ring.period(),
        slot: ring.width(),
        limit,
        tokens: unit == Unit::Tokens,
        requests: to != Audience::TokensAlone,
        for_model: to == Audience::Nameless,
    })
}

/// What was heard. Calls that [name their model](Terms::Named) have an account for what was said of
/// it. So here it bounds only those that do not, because they may be calls of any model.
#[derive(Clone, Debug, Default)]
pub(in crate::accounting) struct Heard {
    all: ProviderLimit,
    for_models: Option<ProviderLimit>,
}

impl Heard {
    /// What bounds all calls.
    pub(in crate::accounting) const fn all_mut(&mut self) -> &mut ProviderLimit {
        &mut self.all
    }

    pub(in crate::accounting) fn hear(
        &mut self,
        said: &RateHeaders,
        status: u16,
        by: Hearing,
        now: Tick,
    ) {
        let limit =
            if by.for_model { self.for_models.get_or_insert_default() } else { &mut self.all };
        limit.hear(said, status, by, now);
    }

    /// Those that bound a request.
    fn bounding(&self, terms: Terms) -> impl Iterator<Item = &ProviderLimit> {
        let for_models = self.for_models.iter().filter(move |_| terms != Terms::Named);
        std::iter::once(&self.all).chain(for_models)
    }

    fn each_mut(&mut self) -> impl Iterator<Item = &mut ProviderLimit> {
        std::iter::once(&mut self.all).chain(&mut self.for_models)
    }

    pub(in crate::accounting) fn is_closed(&self) -> bool {
        self.bounding(Terms::Plain).any(ProviderLimit::is_closed)
    }

    pub(in crate::accounting) fn roll(&mut self, now: Tick) {
        self.each_mut().for_each(|one| one.roll(now));
    }

    pub(in crate::accounting) fn may_change_by(&self, at: Tick) -> bool {
        self.bounding(Terms::Plain).any(|one| one.may_change_by(at))
    }

    pub(in crate::accounting) fn silent_from(&self) -> Tick {
        let all = self.bounding(Terms::Plain).map(ProviderLimit::silent_from);
        all.fold(Tick::from_nanos(0), Tick::max)
    }

    pub(in crate::accounting) fn ceiling(&self, max: u64, terms: Terms) -> u64 {
        self.bounding(terms).fold(max, |max, one| one.ceiling(max))
    }

    pub(in crate::accounting) fn room(&self, reserved: u64) -> u64 {
        self.bounding(Terms::Plain).fold(u64::MAX, |room, one| room.min(one.room(reserved)))
    }

    pub(in crate::accounting) fn admits(&self, reserved: u64, amount: u64, terms: Terms) -> bool {
        self.bounding(terms).all(|one| one.admits(reserved, amount))
    }

    pub(in crate::accounting) fn opens_at(
        &self,
        reserved: u64,
        amount: u64,
        terms: Terms,
    ) -> Option<Tick> {
        self.bounding(terms).filter_map(|one| one.opens_at(reserved, amount)).max()
    }

    pub(in crate::accounting) fn charge(&mut self, amount: u64) {
        self.each_mut().for_each(|one| one.charge(amount));
    }

    pub(in crate::accounting) fn start(&mut self, amount: u64) {
        self.each_mut().for_each(|one| one.start(amount));
    }
}
