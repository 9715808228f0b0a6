//! Random histories with a wall clock that is wrong for a while, runs that are forgotten, a required
//! label, a landing and dated names, on a guard and on a naive book: no difference.

#[path = "../ledger/model/time.rs"]
#[expect(dead_code, reason = "the book of the ledger asks for more")]
mod time;

mod naive;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use outlay::{Clock, Error, Guard, GuardPolicy, GuardRequest, Lease, ManualClock, Usage};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use self::naive::Naive;
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

struct Driver {
    clock: Arc<ManualClock>,
    guard: Guard,
    naive: Naive,
    leases: Vec<Option<Lease>>,
    start: i64,
    tally: BTreeMap<&'static str, u64>,
}

impl Driver {
    fn new() -> Self {
        let (clock, start) = (Arc::new(ManualClock::new()), nanos("2026-06-15T09:30:00Z"));
        clock.set_wall(start);
        let policy = GuardPolicy::from_toml("policy", POLICY).unwrap();
        let guard = Guard::new(policy, Clock::Manual(Arc::clone(&clock))).unwrap();
        let (walls, counts, leases) = (Walls::new(start), BTreeMap::new(), Vec::new());
        let naive = Naive { now: 0, walls, counts, leases, forgotten: 0 };
        let (leases, tally) = (Vec::new(), BTreeMap::new());
        let mut driver = Self { clock, guard, naive, leases, start, tally };
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
            self.count("requests without the required label");
            prop_assert!(matches!(lease, Err(Error::Invalid(_))), "{lease:?}");
            return Ok(());
        }
        let lands = landing && !self.naive.passes(run, model, tokens, false);
        let passes = self.naive.reserve(run, model, tokens, landing);
        self.count(if passes { "granted" } else { "refused" });
        if passes && lands {
            self.count("granted by landing alone");
        }
        if passes && (1..4).contains(&model) {
            self.count("granted under another name of the model");
        }
        if let Err(Error::Denied(denied)) = &lease {
            let wait = denied.retry_after.unwrap_or_default();
            prop_assert!(wait <= Duration::from_secs(86_400), "{wait:?}");
        }
        prop_assert_eq!(lease.is_ok(), passes, "{:?}", lease);
        self.leases.extend(lease.ok().map(Some));
        Ok(())
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
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
            Op::Wrong(offset) => {
                self.count("wrong clocks");
                self.set_wall(offset);
            }
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
    let all = Mutex::new(BTreeMap::<&str, u64>::new());
    let agree = runner.run(&prop::collection::vec(op(), 1..70), |operations| {
        let mut driver = Driver::new();
        operations.iter().try_for_each(|op| driver.run(op))?;
        driver.tally.insert("runs that were forgotten", driver.naive.forgotten);
        let mut all = all.lock().unwrap();
        driver.tally.into_iter().for_each(|(what, times)| *all.entry(what).or_default() += times);
        Ok(())
    });
    agree.unwrap();
    // Histories in which nothing happened would agree too.
    let all = all.into_inner().unwrap();
    assert_eq!(all.len(), 7, "{all:?}");
    for (what, times) in all {
        println!("{what}: {times}");
        assert!(times > u64::from(cases) / 10, "{what}: only {times} times");
    }
}
