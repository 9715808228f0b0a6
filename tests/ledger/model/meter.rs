//! One naive meter: every event it ever saw, and sums over them.

use std::collections::BTreeMap;

use outlay::{CalendarUnit, Unit};

use super::time::Walls;

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
        at: u64,
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

impl Event {
    fn at(&self) -> u64 {
        match *self {
            Self::Charge { at, .. }
            | Self::GiveBack { at, .. }
            | Self::Commit { at, .. }
            | Self::Expire { at, .. }
            | Self::Recommit { at, .. } => at,
        }
    }
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
            Kind::Calendar(unit) => walls.shown(unit, at).window(),
        };
        (self.resets, number)
    }

    /// The time from `at` until the next window.
    pub(crate) fn ends_in(&self, at: u64, walls: &Walls) -> Option<u64> {
        match self.kind {
            Kind::Lifetime | Kind::Gauge | Kind::Sliding { .. } => None,
            Kind::Fixed(period) => Some(period - (at - self.anchor) % period),
            Kind::Calendar(unit) => Some(walls.shown(unit, at).ends_in(unit, at, walls.at(at))),
        }
    }

    /// Whether its window lies in the future.
    pub(crate) fn is_ahead(&self, at: u64, walls: &Walls) -> bool {
        let Kind::Calendar(unit) = self.kind else { return false };
        walls.shown(unit, at).is_ahead_of(unit, walls.at(at))
    }

    /// The window at `at` to which an earlier one belongs.
    pub(crate) fn canonical(&self, window: Window, at: u64, walls: &Walls) -> Window {
        match self.kind {
            Kind::Calendar(unit) => (window.0, walls.shown(unit, at).canonical(window.1)),
            _ => window,
        }
    }

    /// Whether a window has ended by `at`, when `now` counts, and cannot come back.
    fn is_gone(&self, window: Window, now: Window, at: u64, walls: &Walls) -> bool {
        match self.kind {
            Kind::Calendar(unit) if window.0 == now.0 => walls.shown(unit, at).is_gone(window.1),
            _ => window != now,
        }
    }

    /// What the window at `at` has counted.
    pub(crate) fn used(&self, at: u64, walls: &Walls) -> u64 {
        match self.kind {
            Kind::Gauge => 0,
            Kind::Sliding { width, slots } => self.sliding(at, width, slots, walls),
            _ => {
                let sums = self.by_window(at, walls);
                sums.get(&self.window(at, walls)).copied().unwrap_or(0)
            }
        }
    }

    /// What each window has counted in all.
    pub(crate) fn by_window(&self, now: u64, walls: &Walls) -> BTreeMap<Window, u64> {
        let mut sums: BTreeMap<Window, u64> = BTreeMap::new();
        // What an expiry really added: a sum that is full to the brim takes no more.
        let mut expired: BTreeMap<u64, u64> = BTreeMap::new();
        for event in &self.events {
            self.join(&mut sums, event.at(), walls);
            // A clock that steps back in the same moment joins the windows of the event, too.
            let mine = |window| self.canonical(window, event.at(), walls);
            let mut add = |window, amount: u64| {
                let window = mine(window);
                let sum = sums.entry(window).or_default();
                *sum = sum.saturating_add(amount);
            };
            match *event {
                Event::Charge { window, amount, .. } => add(window, amount),
                Event::Commit { opened, window, actual, .. } if mine(opened) == mine(window) => {
                    add(window, actual);
                }
                // What was held belongs to the window of the reservation; no spend is lost.
                Event::Commit { opened, window, held, actual, .. } => {
                    add(opened, actual.min(held));
                    add(window, actual.saturating_sub(held));
                }
                Event::Expire { opened, held, charged: true, lease, .. } => {
                    let before = sums.get(&mine(opened)).copied().unwrap_or(0);
                    expired.insert(lease, held.min(u64::MAX - before));
                    sums.insert(mine(opened), before.saturating_add(held));
                }
                Event::Expire { .. } => {}
                Event::GiveBack { window, amount, .. } => {
                    let sum = sums.entry(mine(window)).or_default();
                    *sum = sum.saturating_sub(amount);
                }
                Event::Recommit { window, actual, lease, .. } => {
                    let (opened, covered, charged) = self.expiry(lease, walls);
                    let sum = sums.entry(mine(window)).or_default();
                    if mine(opened) == mine(window) && charged {
                        let booked = expired.get(&lease).copied().unwrap_or(0);
                        *sum = sum.saturating_sub(booked).saturating_add(actual);
                    } else {
                        *sum = sum.saturating_add(actual.saturating_sub(covered));
                    }
                }
            }
        }
        self.join(&mut sums, now, walls);
        sums
    }

    /// Adds up the windows that are one at `at`.
    fn join(&self, sums: &mut BTreeMap<Window, u64>, at: u64, walls: &Walls) {
        if !matches!(self.kind, Kind::Calendar(_)) {
            return;
        }
        for (window, sum) in std::mem::take(sums) {
            let all = sums.entry(self.canonical(window, at, walls)).or_default();
            *all = all.saturating_add(sum);
        }
    }

    /// Where a lease that ran out was opened, and what its own window has counted for good:
    /// what the expiry charged, or all that it held where that window was over before.
    fn expiry(&self, id: u64, walls: &Walls) -> (Window, u64, bool) {
        let found = self.events.iter().find_map(|event| match *event {
            Event::Expire { opened, window, at, held, charged, lease } if lease == id => {
                let gone = self.is_gone(opened, window, at, walls);
                let covered = if charged || gone { held } else { 0 };
                Some((opened, covered, charged))
            }
            _ => None,
        });
        found.unwrap_or_default()
    }

    fn sliding(&self, now: u64, width: u64, slots: u16, walls: &Walls) -> u64 {
        let log = self.log(width, slots, walls);
        u64::try_from(log.sum(now)).unwrap_or(u64::MAX)
    }

    fn log(&self, width: u64, slots: u16, walls: &Walls) -> Log {
        let mut log = Log { entries: Vec::new(), anchor: 0, width, slots };
        let here = |window: Window| window.0 == self.resets;
        for event in &self.events {
            match *event {
                Event::Charge { window, at, amount } if here(window) => {
                    log.book(at, amount, None);
                }
                Event::Commit { opened, window, at, held, actual } if here(window) => {
                    let booked =
                        if opened == window { actual } else { actual.saturating_sub(held) };
                    log.book(at, booked, None);
                }
                Event::Expire { opened, at, held, charged: true, lease, .. } if here(opened) => {
                    log.book(at, held, Some(lease));
                }
                Event::Recommit { window, at, actual, lease } if here(window) => {
                    let (opened, covered, charged) = self.expiry(lease, walls);
                    let known = log.entries.iter().find(|entry| entry.lease == Some(lease));
                    let still_counts = known.is_some_and(|entry| entry.leaves > at);
                    if charged && opened == window && still_counts {
                        log.entries.retain(|entry| entry.lease != Some(lease));
                        log.book(at, actual, None);
                    } else {
                        // Nothing was charged, or the charge is out of reach: the rest is booked.
                        log.book(at, actual.saturating_sub(covered), None);
                    }
                }
                _ => {}
            }
        }
        log
    }

    /// When what was booked leaves a sliding window, and what may be booked at `later` times.
    pub(crate) fn leaving(&self, later: &[u64], walls: &Walls) -> Vec<u64> {
        let Kind::Sliding { width, slots } = self.kind else { return Vec::new() };
        let log = self.log(width, slots, walls);
        let mut times: Vec<u64> = log.entries.iter().map(|entry| entry.leaves).collect();
        for &anchor in later.iter().chain([&log.anchor]) {
            let after = later.iter().filter(|at| **at >= anchor && **at < 1 << 60);
            times.extend(after.map(|&at| Log { entries: Vec::new(), anchor, ..log }.leaves(at)));
        }
        times
    }
}

/// What a sliding window has booked.
struct Log {
    entries: Vec<Entry>,
    /// A slot ends here, and so on by whole slots: where something was booked in an empty window.
    anchor: u64,
    width: u64,
    slots: u16,
}

struct Entry {
    leaves: u64,
    amount: u64,
    lease: Option<u64>,
}

impl Log {
    fn book(&mut self, at: u64, amount: u64, lease: Option<u64>) {
        if self.sum(at) == 0 {
            self.anchor = at;
        }
        self.entries.push(Entry { leaves: self.leaves(at), amount, lease });
    }

    /// A period after the end of its slot.
    fn leaves(&self, at: u64) -> u64 {
        let slot = (at - self.anchor).div_ceil(self.width);
        self.anchor + (slot + u64::from(self.slots)) * self.width
    }

    fn sum(&self, now: u64) -> u128 {
        let counted = self.entries.iter().filter(|entry| entry.leaves > now);
        counted.map(|entry| u128::from(entry.amount)).sum()
    }
}
