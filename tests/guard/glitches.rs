//! Random histories with a wall clock that is wrong for a while, runs that are forgotten, a required
//! label, a landing and dated names, on a guard and on a naive book: no difference.

#[path = "../ledger/model/time.rs"]
#[expect(dead_code, reason = "the book of the ledger asks for more")]
mod time;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use outlay::{
    CalendarUnit, Clock, Error, Guard, GuardPolicy, GuardRequest, Lease, ManualClock, Usage,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use self::time::Walls;
use crate::kit::nanos;

const TTL: u64 = 600;
const KEEP: u64 = 7_200;
const SECOND_NS: u64 = 1_000_000_000;
const POLICY: &str = r#"
    [store]
    lease_ttl = "600s"
    [defaults]
    require = ["agent"]
    keep_runs = "2h"
    [[budget]]
    name = "day"
    limit = { tokens = 300 }
    landing = { tokens = 60 }
    window = "calendar:day"
    [[budget]]
    name = "hour"
    limit = { tokens = 150 }
    window = "calendar:hour"
    [[budget]]
    name = "run"
    limit = { tokens = 120 }
    window = "run"
    [[budget]]
    name = "model"
    scope = { model = "m-large" }
    limit = { tokens = 900 }
"#;
const MODELS: [&str; 6] =
    ["m-large", "m-large-2026-01-31", "openai/m-large", "eu.m-large@5", "m-large-mini", "m-larger"];
/// The names that are one model's.
const IS_LARGE: [bool; 6] = [true, true, true, true, false, false];
const LIMITS: [(&str, u64); 4] = [("day", 300), ("hour", 150), ("run", 120), ("model", 900)];
const LANDING: u64 = 60;

#[derive(Clone, Debug)]
enum Op {
    Reserve {
        agent: bool,
        run: u64,
        model: usize,
        tokens: u64,
        landing: bool,
    },
    Commit(usize, u64),
    Release(usize),
    Drop(usize),
    Advance(u64),
    /// The wall clock is this far from the true time, until it is right again.
    Wrong(i64),
    Right,
}

fn op() -> impl Strategy<Value = Op> {
    let seconds = prop_oneof![0..60_u64, 500..700_u64, 3_000..4_000_u64, 7_000..90_000_u64];
    let wrong = prop_oneof![-200_000_i64..200_000, -4_000_i64..4_000, Just(300_000_000_i64)];
    let reserve = (prop::bool::weighted(0.9), 0..3_u64, 0..6_usize, 0..70_u64, any::<bool>());
    prop_oneof![
        10 => reserve.prop_map(|(agent, run, model, tokens, landing)| {
            Op::Reserve { agent, run, model, tokens, landing }
        }),
        7 => (0..8_usize, 0..90_u64).prop_map(|(lease, tokens)| Op::Commit(lease, tokens)),
        1 => (0..8_usize).prop_map(Op::Release),
        1 => (0..8_usize).prop_map(Op::Drop),
        4 => seconds.prop_map(Op::Advance),
        2 => wrong.prop_map(Op::Wrong),
        2 => Just(Op::Right),
    ]
}

/// A rule, and the run that is counted (0 for the other rules).
type Place = (usize, u64);

/// What was booked in a place: in which window, and how much.
#[derive(Clone, Debug, Default)]
struct Count {
    booked: Vec<(i64, u64)>,
    asked: u64,
}

#[derive(Clone, Debug)]
struct Held {
    place: Place,
    window: i64,
    amount: u64,
    /// Whether it was charged when it ran out.
    ran_out: bool,
}

struct Naive {
    now: u64,
    walls: Walls,
    counts: BTreeMap<Place, Count>,
    leases: Vec<(bool, u64, Vec<Held>)>,
    forgotten: u64,
}

impl Naive {
    fn shown(&self, rule: usize, at: u64) -> Option<time::Shown> {
        let unit = [Some(CalendarUnit::Day), Some(CalendarUnit::Hour), None, None][rule]?;
        Some(self.walls.shown(unit, at))
    }

    fn window(&self, rule: usize, at: u64) -> i64 {
        self.shown(rule, at).map_or(0, |shown| shown.window())
    }

    fn canonical(&self, rule: usize, window: i64, at: u64) -> i64 {
        self.shown(rule, at).map_or(window, |shown| shown.canonical(window))
    }

    fn used(&self, place: Place) -> u64 {
        let window = self.window(place.0, self.now);
        let booked = self.counts.get(&place).into_iter().flat_map(|count| &count.booked);
        let mine = booked.filter(|(of, _)| self.canonical(place.0, *of, self.now) == window);
        mine.map(|(_, amount)| amount).sum()
    }

    fn reserved(&self, place: Place) -> u64 {
        let window = self.window(place.0, self.now);
        let open = self.leases.iter().filter(|lease| lease.0).flat_map(|lease| &lease.2);
        let mine = open.filter(|held| {
            held.place == place && self.canonical(place.0, held.window, self.now) == window
        });
        mine.map(|held| held.amount).sum()
    }

    fn reserve(&mut self, run: u64, model: usize, tokens: u64, landing: bool) -> bool {
        let places: Vec<Place> = (0..4)
            .filter(|rule| *rule < 3 || IS_LARGE[model])
            .map(|r| (r, if r == 2 { run } else { 0 }))
            .collect();
        for place in &places {
            self.counts.entry(*place).or_default().asked = self.now;
        }
        let fits = |place: &&Place| {
            let kept_back = if place.0 == 0 && !landing { LANDING } else { 0 };
            let taken = self.used(**place) + self.reserved(**place);
            tokens == 0 || taken + tokens <= LIMITS[place.0].1 - kept_back
        };
        if !places.iter().all(|place| fits(&place)) {
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
    fn run_out(&mut self, lease: usize, at: u64) {
        self.leases[lease].0 = false;
        for index in 0..self.leases[lease].2.len() {
            let held = self.leases[lease].2[index].clone();
            self.book(held.place, self.canonical(held.place.0, held.window, at), held.amount);
            self.leases[lease].2[index].ran_out = true;
        }
    }

    fn commit(&mut self, lease: usize, tokens: u64) {
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

    fn advance(&mut self, to: u64) {
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
    fn next_change(&self) -> Option<u64> {
        let units = [CalendarUnit::Day, CalendarUnit::Hour];
        let next = |unit| {
            let wall = self.walls.at(self.now);
            self.walls.shown(unit, self.now).changes(unit, self.now, wall)
        };
        units.into_iter().map(next).filter(|next| *next > self.now).min()
    }

    /// Runs that nobody has asked for long, and of which nobody has a lease.
    fn forget(&mut self, has_handle: impl Fn(usize) -> bool) {
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

struct Driver {
    clock: Arc<ManualClock>,
    guard: Guard,
    naive: Naive,
    leases: Vec<Option<Lease>>,
    start: i64,
}

impl Driver {
    fn new() -> Self {
        let (clock, start) = (Arc::new(ManualClock::new()), nanos("2026-06-15T09:30:00Z"));
        clock.set_wall(start);
        let policy = GuardPolicy::from_toml("policy", POLICY).unwrap();
        let guard = Guard::new(policy, Clock::Manual(Arc::clone(&clock))).unwrap();
        let (walls, counts, leases) = (Walls::new(start), BTreeMap::new(), Vec::new());
        let naive = Naive { now: 0, walls, counts, leases, forgotten: 0 };
        let mut driver = Self { clock, guard, naive, leases: Vec::new(), start };
        // The windows of all begin now.
        driver.reserve(true, 0, 0, 0, false).unwrap();
        driver
    }

    fn reserve(
        &mut self,
        agent: bool,
        run: u64,
        model: usize,
        tokens: u64,
        landing: bool,
    ) -> Result<(), TestCaseError> {
        let run_name = format!("r-{run}");
        let mut labels = vec![("run", run_name.as_str()), ("model", MODELS[model])];
        labels.extend(agent.then_some(("agent", "a")));
        let request = GuardRequest { landing, ..Usage::tokens(tokens).into() };
        let lease = self.guard.reserve(&labels, request);
        if !agent {
            prop_assert!(matches!(lease, Err(Error::Invalid(_))), "{lease:?}");
            return Ok(());
        }
        let passes = self.naive.reserve(run, model, tokens, landing);
        if let Err(Error::Denied(denied)) = &lease {
            let wait = denied.retry_after.unwrap_or_default();
            prop_assert!(wait <= Duration::from_secs(86_400), "{wait:?}");
        }
        prop_assert_eq!(lease.is_ok(), passes, "{:?}", lease);
        self.leases.extend(lease.ok().map(Some));
        Ok(())
    }

    fn advance(&mut self, to: u64) {
        self.clock.advance(Duration::from_nanos(to - self.naive.now));
        self.naive.advance(to);
    }

    fn set_wall(&mut self, offset: i64) {
        let true_wall = self.start + i64::try_from(self.naive.now).unwrap();
        let wall = true_wall + offset * 1_000_000_000;
        self.clock.set_wall(wall);
        self.naive.walls.step(self.naive.now, wall);
    }

    fn pick(&self, index: usize) -> Option<usize> {
        let there: Vec<usize> =
            (0..self.leases.len()).filter(|number| self.leases[*number].is_some()).collect();
        (!there.is_empty()).then(|| there[index % there.len()])
    }

    fn run(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match *op {
            Op::Reserve { agent, run, model, tokens, landing } => {
                self.reserve(agent, run, model, tokens, landing)?;
            }
            Op::Commit(lease, tokens) => {
                let Some(lease) = self.pick(lease) else { return Ok(()) };
                self.naive.commit(lease, tokens);
                let done = self.leases[lease].take().unwrap().commit(Usage::tokens(tokens).into());
                prop_assert_eq!(done, Ok(()));
            }
            Op::Release(lease) => {
                let Some(lease) = self.pick(lease) else { return Ok(()) };
                if self.naive.leases[lease].0 {
                    self.naive.leases[lease].0 = false;
                    prop_assert_eq!(self.leases[lease].take().unwrap().release(), Ok(()));
                }
            }
            Op::Drop(lease) => {
                let Some(lease) = self.pick(lease) else { return Ok(()) };
                if self.naive.leases[lease].0 {
                    self.naive.run_out(lease, self.naive.now);
                }
                self.leases[lease] = None;
            }
            Op::Advance(seconds) => {
                let to = self.naive.now + seconds * SECOND_NS;
                // A window before which the clock stands ends when somebody reads it.
                while let Some(next) = self.naive.next_change().filter(|next| *next < to) {
                    self.advance(next);
                    self.guard.snapshot().unwrap();
                }
                self.advance(to);
            }
            Op::Wrong(offset) => self.set_wall(offset),
            Op::Right => self.set_wall(0),
        }
        self.compare()?;
        self.naive.forget(|lease| self.leases[lease].is_some());
        Ok(())
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        let mut counted = BTreeMap::new();
        for counter in self.guard.snapshot().unwrap() {
            let rule = LIMITS.iter().position(|(name, _)| *name == counter.name).unwrap();
            let run = counter.values.first().map_or(0, |(_, run)| run[2..].parse().unwrap());
            let figures = &counter.figures[0];
            counted.insert((rule, run), (figures.used, figures.reserved));
            prop_assert!(counter.resets_in.unwrap_or_default() <= Duration::from_secs(86_400));
        }
        for place in self.naive.counts.keys() {
            let naive = (self.naive.used(*place), self.naive.reserved(*place));
            let counted = counted.get(place).copied().unwrap_or_default();
            let forgotten =
                place.0 == 2 && self.naive.counts[place].asked + KEEP * SECOND_NS <= self.naive.now;
            prop_assert!(
                counted == naive || (forgotten && counted == (0, 0)),
                "{place:?}: {counted:?} {naive:?}"
            );
        }
        Ok(())
    }
}

#[test]
fn histories() {
    let cases = crate::model::ops::histories();
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let forgotten = AtomicU64::new(0);
    let agree = runner.run(&prop::collection::vec(op(), 1..70), |operations| {
        let mut driver = Driver::new();
        operations.iter().try_for_each(|op| driver.run(op))?;
        forgotten.fetch_add(driver.naive.forgotten, Ordering::Relaxed);
        Ok(())
    });
    agree.unwrap();
    assert!(forgotten.into_inner() > u64::from(cases));
}
