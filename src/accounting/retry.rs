//! When a refused request could pass, if nothing else happens: a window ends, buckets leave a
//! sliding window, leases run out.

use std::time::Duration;

use super::clock::{LONGEST, Moment, Tick};
use super::denied::Cause;
use super::limit::Terms;
use super::meter::Meter;
use super::ring::Ring;
use super::window::Window;

/// A hold that lasts this long counts as endless.
const FOR_EVER: Duration = Duration::from_secs(LONGEST.as_secs() / 2);

/// An open lease, as its meter sees it: its deadline and its amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open {
    /// When it runs out.
    pub deadline: Tick,
    /// The amount that it holds of the meter.
    pub amount: u64,
    /// Whether this amount is charged when it runs out, or returned.
    pub charged: bool,
}

impl Meter {
    /// The time until `amount` could pass, or `None` if waiting never helps. `open` returns the
    /// open leases of this meter.
    pub fn retry_in(
        &self,
        amount: u64,
        terms: Terms,
        open: impl Fn() -> Vec<Open>,
        now: Moment,
    ) -> Option<Duration> {
        let free = self.headroom(amount, terms)?;
        let returned = || returned_in(free, self.used(), self.reserved(), sorted(open()), now.tick);
        let opens_at = self.provider_opens_at(amount, terms);
        let wait = match self.window() {
            _ if self.is_shared() => self.shared_retry_in(amount, free, now),
            // Only the limit of the provider refuses it.
            _ if opens_at.is_some() && self.used().saturating_add(self.reserved()) <= free => {
                Some(Duration::ZERO)
            }
            Window::Sliding(ring) if self.reserved() == 0 => Some(ring.falls_to(free, now.tick)),
            Window::Sliding(ring) => slid_in(free, ring, self.reserved(), sorted(open()), now),
            Window::Gauge => returned(),
            _ if self.reserved() == 0 => self.resets_in(now),
            _ => [self.resets_in(now), returned()].into_iter().flatten().min(),
        };
        wait.map(|wait| wait.max(opens_at.map_or(Duration::ZERO, |opens| opens.since(now.tick))))
    }

    /// The same for a limit that several processes share: their leases are not known here. A
    /// sliding window has room after a period.
    fn shared_retry_in(&self, amount: u64, free: u64, now: Moment) -> Option<Duration> {
        if self.used().saturating_add(self.reserved()) <= free {
            return Some(Duration::ZERO);
        }
        let own = self.share_frees_at(amount, free).map(|at| at.since(now.tick));
        match self.window() {
            Window::Sliding(ring) => Some(own.unwrap_or_else(|| ring.period())),
            Window::Gauge => None,
            _ => own,
        }
    }

    /// Why `amount` does not pass.
    pub fn cause(&self, amount: u64, terms: Terms) -> Cause {
        let Some(free) = self.headroom(amount, terms) else { return Cause::TooLarge };
        let held =
            self.reserved() > 0 && self.used() <= free && self.provider_admits(0, amount, terms);
        if held && !self.admits(amount, terms) { Cause::Held } else { Cause::Spent }
    }

    /// The time until `amount`, which is [held](Cause::Held), fits. Either enough `open` leases
    /// have run out and were returned, or enough has left a sliding window. `None` if neither ever
    /// happens. It may fit sooner, because leases can end early.
    pub fn held_for(
        &self,
        amount: u64,
        terms: Terms,
        open: Vec<Open>,
        now: Moment,
    ) -> Option<Duration> {
        let slides = matches!(self.window(), Window::Sliding(_));
        let slid = || self.retry_in(amount, terms, || open.clone(), now);
        let slid = slides.then(slid).flatten();
        let returned = self.returned_at(amount, terms, open.clone(), now);
        returned.into_iter().chain(slid).min()
    }

    fn returned_at(
        &self,
        amount: u64,
        terms: Terms,
        open: Vec<Open>,
        now: Moment,
    ) -> Option<Duration> {
        let mut reserved = self.reserved();
        for lease in sorted(open) {
            reserved = reserved.saturating_sub(lease.amount);
            let admitted = self.provider_admits(reserved, amount, terms);
            if admitted && self.used().saturating_add(reserved) <= self.headroom(amount, terms)? {
                return Some(lease.deadline.since(now.tick)).filter(|wait| *wait < FOR_EVER);
            }
        }
        None
    }

    /// When time alone lets `amount` pass, which does not pass now, if no lease ends. This is the
    /// next moment to serve waits. `None` if only others can make room. A late caller gets a moment
    /// before `now`.
    pub fn frees_at(&self, amount: u64, terms: Terms, now: Moment) -> Option<Tick> {
        let free = self.headroom(amount, terms)?;
        let opens_at = self.provider_opens_at(amount, terms);
        let own = match self.window() {
            _ if self.is_shared() => self.share_frees_at(amount, free),
            _ if self.used().saturating_add(self.reserved()) <= free => None,
            Window::Sliding(ring) => ring.falls_at(free.checked_sub(self.reserved())?),
            window => Some(window.ends_at(now)?),
        };
        own.max(opens_at)
    }

    /// From when on nothing counts that it has counted, at the earliest. A time that is over if that
    /// is so now, and `None` for never.
    pub fn silent_from(&self, now: Moment) -> Option<Tick> {
        let provider = match self.provider() {
            Some(provider) => provider.silent_from(),
            None => now.tick,
        };
        let own = match self.window() {
            _ if self.is_shared() => self.share_silent_from(now.tick)?,
            Window::Sliding(ring) if self.reserved() == 0 => ring.falls_at(0).unwrap_or(now.tick),
            Window::Calendar(calendar) => calendar.silent_from(now, self.used(), self.reserved()),
            _ if self.used() == 0 && self.reserved() == 0 => now.tick,
            window => window.ends_at(now)?,
        };
        Some(own.max(provider))
    }

    /// Whether time alone may change what it admits between `now` and `at`.
    pub fn may_change_by(&self, at: Tick, now: Moment) -> bool {
        let own = self.changes_at(now).is_some_and(|changes| changes <= at);
        own || self.provider().is_some_and(|provider| provider.may_change_by(at))
    }

    /// The time until the next window, or `None` if there is none.
    pub fn resets_in(&self, now: Moment) -> Option<Duration> {
        self.ends_at(now).map(|end| end.since(now.tick))
    }

    /// What could still be admitted: the `remaining` of a refusal.
    pub fn room(&self) -> u64 {
        let room = self.ceiling().saturating_sub(self.used()).saturating_sub(self.reserved());
        self.provider().map_or(room, |provider| room.min(provider.room(self.reserved())))
    }

    /// The limit, or the limit of the provider behind it if that is lower. `None` for unlimited.
    pub fn limit_now(&self) -> Option<u64> {
        let limit = self.limit()?;
        Some(self.provider().map_or(limit, |provider| provider.ceiling(limit, Terms::Plain)))
    }

    /// limit - used - reserved, never below zero. `None` for unlimited.
    pub fn remaining(&self) -> Option<u64> {
        Some(self.limit()?.saturating_sub(self.used()).saturating_sub(self.reserved()))
    }

    /// When the provider behind it may pass what it refuses now.
    fn provider_opens_at(&self, amount: u64, terms: Terms) -> Option<Tick> {
        self.provider().and_then(|provider| provider.opens_at(self.reserved(), amount, terms))
    }
}

fn sorted(mut open: Vec<Open>) -> Vec<Open> {
    open.sort_unstable();
    open
}

/// When enough leases have run out and were returned.
fn returned_in(
    free: u64,
    used: u64,
    mut reserved: u64,
    open: Vec<Open>,
    now: Tick,
) -> Option<Duration> {
    let room = free.checked_sub(used)?;
    for lease in open {
        if lease.charged {
            continue;
        }
        reserved = reserved.saturating_sub(lease.amount);
        if reserved <= room {
            return Some(lease.deadline.since(now));
        }
    }
    None
}

/// When enough has left the window, or was returned to it.
fn slid_in(
    free: u64,
    ring: &Ring,
    mut reserved: u64,
    open: Vec<Open>,
    now: Moment,
) -> Option<Duration> {
    let mut ring = ring.clone();
    let mut at = now.tick;
    let mut open = open.into_iter().peekable();
    loop {
        let fits = free.checked_sub(reserved).map(|left| at.plus(ring.falls_to(left, at)));
        match (fits, open.next()) {
            (Some(fits), None) => return Some(fits.since(now.tick)),
            (Some(fits), Some(next)) if fits <= next.deadline => return Some(fits.since(now.tick)),
            (_, Some(next)) => {
                at = next.deadline.max(at);
                reserved = reserved.saturating_sub(next.amount);
                ring.advance(at);
                if next.charged {
                    ring.add(next.amount);
                }
            }
            (None, None) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounting::{CalendarUnit, Limit, Unit};

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_moment_of_room_is_the_same_however_late_one_looks() {
        let at = |seconds: u64| {
            let nanos = seconds * 1_000_000_000;
            Moment { tick: Tick::from_nanos(nanos), wall_ns: nanos.cast_signed() }
        };
        let windows = [
            Window::fixed(MINUTE, at(0).tick).unwrap(),
            Window::sliding(MINUTE, 60, at(0).tick).unwrap(),
            Window::calendar(CalendarUnit::Hour, "UTC", at(0)).unwrap(),
        ];
        for window in windows {
            let mut meter = Meter::new(Limit::new(Unit::Tokens, Some(5)), window);
            meter.charge(5);
            let frees = meter.frees_at(1, Terms::Plain, at(0));
            assert!(frees > Some(at(0).tick));
            for look in [59, 60, 61, 3600, 9999] {
                assert_eq!(meter.frees_at(1, Terms::Plain, at(look)), frees, "{look}: {meter:?}");
            }
        }
    }
}
