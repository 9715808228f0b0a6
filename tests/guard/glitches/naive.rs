//! What a guard must say under a wall clock that is wrong for a while, by plain arithmetic over lists.

use std::collections::BTreeMap;

use outlay::CalendarUnit;

use super::time::{Shown, Walls};
use super::{IS_LARGE, KEEP, LANDING, LIMITS, SECOND_NS, TTL};

/// A rule, and the run that is counted (0 for the other rules).
pub(super) type Place = (usize, u64);

/// What was booked in a place: in which window, and how much.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    booked: Vec<(i64, u64)>,
    pub(super) asked: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Held {
    place: Place,
    window: i64,
    amount: u64,
    /// Whether it was charged when it ran out.
    ran_out: bool,
}

pub(super) struct Naive {
    pub(super) now: u64,
    pub(super) walls: Walls,
    pub(super) counts: BTreeMap<Place, Count>,
    pub(super) leases: Vec<(bool, u64, Vec<Held>)>,
    pub(super) forgotten: u64,
}

impl Naive {
    fn shown(&self, rule: usize, at: u64) -> Option<Shown> {
        let unit = [Some(CalendarUnit::Day), Some(CalendarUnit::Hour), None, None][rule]?;
        Some(self.walls.shown(unit, at))
    }

    fn window(&self, rule: usize, at: u64) -> i64 {
        self.shown(rule, at).map_or(0, |shown| shown.window())
    }

    fn canonical(&self, rule: usize, window: i64, at: u64) -> i64 {
        self.shown(rule, at).map_or(window, |shown| shown.canonical(window))
    }

    pub(super) fn used(&self, place: Place) -> u64 {
        let window = self.window(place.0, self.now);
        let booked = self.counts.get(&place).into_iter().flat_map(|count| &count.booked);
        let mine = booked.filter(|(of, _)| self.canonical(place.0, *of, self.now) == window);
        mine.map(|(_, amount)| amount).sum()
    }

    pub(super) fn reserved(&self, place: Place) -> u64 {
        let window = self.window(place.0, self.now);
        let open = self.leases.iter().filter(|lease| lease.0).flat_map(|lease| &lease.2);
        let mine = open.filter(|held| {
            held.place == place && self.canonical(place.0, held.window, self.now) == window
        });
        mine.map(|held| held.amount).sum()
    }

    fn places(run: u64, model: usize) -> Vec<Place> {
        let rules = (0..4).filter(|rule| *rule < 3 || IS_LARGE[model]);
        rules.map(|rule| (rule, if rule == 2 { run } else { 0 })).collect()
    }

    pub(super) fn passes(&self, run: u64, model: usize, tokens: u64, landing: bool) -> bool {
        Self::places(run, model).into_iter().all(|place| {
            let kept_back = if place.0 == 0 && !landing { LANDING } else { 0 };
            let taken = self.used(place) + self.reserved(place);
            tokens == 0 || taken + tokens <= LIMITS[place.0].1 - kept_back
        })
    }

    pub(super) fn reserve(&mut self, run: u64, model: usize, tokens: u64, landing: bool) -> bool {
        let places = Self::places(run, model);
        for place in &places {
            self.counts.entry(*place).or_default().asked = self.now;
        }
        if !self.passes(run, model, tokens, landing) {
            return false;
        }
        let held = |place: &Place| {
            let window = self.window(place.0, self.now);
            Held { place: *place, window, amount: tokens, ran_out: false }
        };
        let held = places.iter().map(held).collect();
        self.leases.push((true, self.now + TTL * SECOND_NS, held));
        true
    }

    fn book(&mut self, place: Place, window: i64, amount: u64) {
        self.counts.entry(place).or_default().booked.push((window, amount));
    }

    /// Charges the estimates: it has run out.
    pub(super) fn run_out(&mut self, lease: usize, at: u64) {
        self.leases[lease].0 = false;
        for index in 0..self.leases[lease].2.len() {
            let held = self.leases[lease].2[index].clone();
            self.book(held.place, self.canonical(held.place.0, held.window, at), held.amount);
            self.leases[lease].2[index].ran_out = true;
        }
    }

    pub(super) fn commit(&mut self, lease: usize, tokens: u64) {
        self.leases[lease].0 = false;
        for held in self.leases[lease].2.clone() {
            let now = self.window(held.place.0, self.now);
            let own = self.canonical(held.place.0, held.window, self.now);
            if held.ran_out && own == now {
                // What was charged is replaced.
                let at = self.counts[&held.place].booked.iter().position(|(window, amount)| {
                    let window = self.canonical(held.place.0, *window, self.now);
                    (window, *amount) == (now, held.amount)
                });
                let booked = &mut self.counts.get_mut(&held.place).unwrap().booked;
                booked.remove(at.unwrap());
                booked.push((now, tokens));
            } else if held.ran_out {
                self.book(held.place, now, tokens.saturating_sub(held.amount));
            } else {
                self.book(held.place, own, tokens.min(held.amount));
                let above = tokens.saturating_sub(held.amount);
                self.book(held.place, if own == now { own } else { now }, above);
            }
        }
    }

    pub(super) fn advance(&mut self, to: u64) {
        let mut due: Vec<(u64, usize)> = self
            .leases
            .iter()
            .enumerate()
            .filter(|(_, lease)| lease.0 && lease.1 <= to)
            .map(|(n, lease)| (lease.1, n))
            .collect();
        due.sort_unstable();
        due.into_iter().for_each(|(at, lease)| self.run_out(lease, at));
        self.now = to;
    }

    /// When a reading of the clock may change a window.
    pub(super) fn next_change(&self) -> Option<u64> {
        let units = [CalendarUnit::Day, CalendarUnit::Hour];
        let next = |unit| {
            let wall = self.walls.at(self.now);
            self.walls.shown(unit, self.now).changes(unit, self.now, wall)
        };
        units.into_iter().map(next).filter(|next| *next > self.now).min()
    }

    /// Runs that nobody has asked for long, and of which nobody has a lease.
    pub(super) fn forget(&mut self, has_handle: impl Fn(usize) -> bool) {
        let runs: Vec<Place> = self.counts.keys().filter(|place| place.0 == 2).copied().collect();
        for place in runs {
            let is_held = self.leases.iter().enumerate().any(|(number, lease)| {
                has_handle(number) && lease.2.iter().any(|held| held.place == place)
            });
            if !is_held && self.counts[&place].asked + KEEP * SECOND_NS <= self.now {
                self.counts.remove(&place);
                self.forgotten += 1;
            }
        }
    }
}
