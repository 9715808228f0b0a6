//! One naive meter: every event it ever saw, and sums over them.

use std::collections::BTreeMap;

use outlay::{CalendarUnit, Unit};

use super::time::{Walls, window_start};

/// The window kinds, with times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lifetime,
    Fixed(u64),
    Calendar(CalendarUnit),
    Sliding { width: u64, slots: u16 },
    Gauge,
}

/// Which window: how many resets came before, and its number since.
pub(crate) type Window = (u32, i64);

/// What happened to a meter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Charge {
        window: Window,
        at: u64,
        amount: u64,
    },
    GiveBack {
        window: Window,
        amount: u64,
    },
    Commit {
        opened: Window,
        window: Window,
        at: u64,
        held: u64,
        actual: u64,
    },
    /// Ran out in `window`, charged or not. `lease` finds it again.
    Expire {
        opened: Window,
        window: Window,
        at: u64,
        held: u64,
        charged: bool,
        lease: u64,
    },
    /// A commit after `Expire` of the same lease.
    Recommit {
        window: Window,
        at: u64,
        actual: u64,
        lease: u64,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Meter {
    pub(crate) unit: Unit,
    pub(crate) max: Option<u64>,
    pub(crate) hard: bool,
    pub(crate) stop: u64,
    pub(crate) warn_at: Option<u64>,
    pub(crate) kind: Kind,
    pub(crate) events: Vec<Event>,
    /// The windows in which a warning was told.
    pub(crate) warned: Vec<Window>,
    pub(crate) resets: u32,
    anchor: u64,
}

impl Meter {
    pub(crate) fn new(unit: Unit, max: Option<u64>, kind: Kind) -> Self {
        let (events, warned) = (Vec::new(), Vec::new());
        let (hard, stop, warn_at, resets, anchor) = (true, 0, None, 0, 0);
        Self { unit, max, hard, stop, warn_at, kind, events, warned, resets, anchor }
    }

    pub(crate) fn reset(&mut self, at: u64) {
        self.resets += 1;
        self.anchor = at;
    }

    /// The window at a time (not before the last event).
    pub(crate) fn window(&self, at: u64, walls: &Walls) -> Window {
        let number = match self.kind {
            Kind::Lifetime | Kind::Gauge | Kind::Sliding { .. } => 0,
            Kind::Fixed(period) => i64::try_from((at - self.anchor) / period).unwrap_or(i64::MAX),
            Kind::Calendar(unit) => walls.latest_window(unit, at),
        };
        (self.resets, number)
    }

    /// The time from `at` until the next window.
    pub(crate) fn ends_in(&self, at: u64, walls: &Walls) -> Option<u64> {
        match self.kind {
            Kind::Lifetime | Kind::Gauge | Kind::Sliding { .. } => None,
            Kind::Fixed(period) => Some(period - (at - self.anchor) % period),
            Kind::Calendar(unit) => {
                let end = window_start(unit, walls.latest_window(unit, at) + 1);
                Some(u64::try_from(end - walls.at(at)).unwrap_or(0))
            }
        }
    }

    /// What the window at `at` has counted.
    pub(crate) fn used(&self, at: u64, walls: &Walls) -> u64 {
        match self.kind {
            Kind::Gauge => 0,
            Kind::Sliding { width, slots } => self.sliding(at, width, slots),
            _ => {
                let sums = self.by_window();
                sums.get(&self.window(at, walls)).copied().unwrap_or(0)
            }
        }
    }

    /// What each window has counted in all.
    pub(crate) fn by_window(&self) -> BTreeMap<Window, u64> {
        let mut sums: BTreeMap<Window, u64> = BTreeMap::new();
        // What an expiry really added: a sum that is full to the brim takes no more.
        let mut expired: BTreeMap<u64, u64> = BTreeMap::new();
        for event in &self.events {
            let mut add = |window, amount: u64| {
                let sum = sums.entry(window).or_default();
                *sum = sum.saturating_add(amount);
            };
            match *event {
                Event::Charge { window, amount, .. } => add(window, amount),
                Event::Commit { opened, window, actual, .. } if opened == window => {
                    add(window, actual);
                }
                // What was held belongs to the window of the reservation; no spend is lost.
                Event::Commit { opened, window, held, actual, .. } => {
                    add(opened, actual.min(held));
                    add(window, actual.saturating_sub(held));
                }
                Event::Expire { opened, held, charged: true, lease, .. } => {
                    let before = sums.get(&opened).copied().unwrap_or(0);
                    expired.insert(lease, held.min(u64::MAX - before));
                    sums.insert(opened, before.saturating_add(held));
                }
                Event::Expire { .. } => {}
                Event::GiveBack { window, amount } => {
                    let sum = sums.entry(window).or_default();
                    *sum = sum.saturating_sub(amount);
                }
                Event::Recommit { window, actual, lease, .. } => {
                    let (opened, covered, charged) = self.expiry(lease);
                    let sum = sums.entry(window).or_default();
                    if opened == window && charged {
                        let booked = expired.get(&lease).copied().unwrap_or(0);
                        *sum = sum.saturating_sub(booked).saturating_add(actual);
                    } else {
                        *sum = sum.saturating_add(actual.saturating_sub(covered));
                    }
                }
            }
        }
        sums
    }

    /// Where a lease that ran out was opened, and what its own window has counted for good:
    /// what the expiry charged, or all that it held where that window was over before.
    fn expiry(&self, id: u64) -> (Window, u64, bool) {
        let found = self.events.iter().find_map(|event| match *event {
            Event::Expire { opened, window, held, charged, lease, .. } if lease == id => {
                let covered = if charged || opened != window { held } else { 0 };
                Some((opened, covered, charged))
            }
            _ => None,
        });
        found.unwrap_or_default()
    }

    fn sliding(&self, now: u64, width: u64, slots: u16) -> u64 {
        let counts = |at: u64, now: u64| at / width + u64::from(slots) + 1 > now / width;
        let mut log: Vec<(u64, u64, Option<u64>)> = Vec::new();
        let here = |window: Window| window.0 == self.resets;
        for event in &self.events {
            match *event {
                Event::Charge { window, at, amount } if here(window) => {
                    log.push((at, amount, None));
                }
                Event::Commit { opened, window, at, held, actual } if here(window) => {
                    let booked =
                        if opened == window { actual } else { actual.saturating_sub(held) };
                    log.push((at, booked, None));
                }
                Event::Expire { opened, at, held, charged: true, lease, .. } if here(opened) => {
                    log.push((at, held, Some(lease)));
                }
                Event::Recommit { window, at, actual, lease } if here(window) => {
                    let (opened, covered, charged) = self.expiry(lease);
                    let known = log.iter().position(|entry| entry.2 == Some(lease));
                    let still_counts = known.is_some_and(|index| counts(log[index].0, at));
                    if charged && opened == window && still_counts {
                        log.retain(|entry| entry.2 != Some(lease));
                        log.push((at, actual, None));
                    } else {
                        // Nothing was charged, or the charge is out of reach: the rest is booked.
                        log.push((at, actual.saturating_sub(covered), None));
                    }
                }
                _ => {}
            }
        }
        let counted = log.iter().filter(|entry| counts(entry.0, now));
        let sum: u128 = counted.map(|entry| u128::from(entry.1)).sum();
        u64::try_from(sum).unwrap_or(u64::MAX)
    }

    /// When what is booked now, or at `at`, leaves a sliding window.
    pub(crate) fn leaves_at(&self, at: u64) -> Option<u64> {
        match self.kind {
            Kind::Sliding { width, slots } => {
                (at / width + u64::from(slots) + 1).checked_mul(width)
            }
            _ => None,
        }
    }

    /// All times at which something was booked.
    pub(crate) fn booked_at(&self) -> impl Iterator<Item = u64> + '_ {
        self.events.iter().filter_map(|event| match *event {
            Event::Charge { at, .. }
            | Event::Commit { at, .. }
            | Event::Expire { at, .. }
            | Event::Recommit { at, .. } => Some(at),
            Event::GiveBack { .. } => None,
        })
    }
}
