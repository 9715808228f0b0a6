//! Random histories of requests, parts and updates on a guard and on a naive book: no difference.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "guard_model/naive.rs"]
mod naive;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use naive::{ALL, CALLS, EACH, Naive, State, TTL};
use outlay::{
    Allotment, Clock, Error, Guard, GuardPolicy, Lease, LeaseError, ManualClock, PartOf, Usage,
};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestRunner};

const AGENTS: [&str; 2] = ["a", "b"];
const NAMES: [&str; 3] = ["all", "each", "calls"];
const HISTORIES: u32 = 3_000;

#[derive(Clone, Debug)]
enum Op {
    /// Agent, tokens.
    Reserve(usize, u64),
    /// Part, tokens.
    ReserveIn(usize, u64),
    /// Lease, tokens.
    Commit(usize, u64),
    Release(usize),
    Drop(usize),
    /// Agent, tokens.
    Allot(usize, u64),
    /// Part, tokens.
    AllotIn(usize, u64),
    Close(usize),
    /// Seconds.
    Advance(u64),
    /// The limits; `None` where there is no such rule.
    Update([Option<u64>; 3]),
}

fn limits() -> impl Strategy<Value = [Option<u64>; 3]> {
    let all = prop_oneof![Just(None), Just(Some(60)), Just(Some(120)), Just(Some(400))];
    let each = prop_oneof![Just(None), Just(Some(40)), Just(Some(90)), Just(Some(300))];
    let calls = prop_oneof![Just(None), Just(Some(2)), Just(Some(20))];
    (all, each, calls).prop_map(|(all, each, calls)| [all, each, calls])
}

fn op() -> impl Strategy<Value = Op> {
    let seconds = prop_oneof![0..60_u64, 300..700_u64, 3_500..3_700_u64, 7_000..20_000_u64];
    prop_oneof![
        6 => (0..2_usize, 0..50_u64).prop_map(|(agent, n)| Op::Reserve(agent, n)),
        6 => (0..8_usize, 0..40_u64).prop_map(|(part, n)| Op::ReserveIn(part, n)),
        7 => (0..8_usize, 0..70_u64).prop_map(|(lease, n)| Op::Commit(lease, n)),
        3 => (0..8_usize).prop_map(Op::Release),
        2 => (0..8_usize).prop_map(Op::Drop),
        2 => (0..2_usize, 0..60_u64).prop_map(|(agent, n)| Op::Allot(agent, n)),
        2 => (0..8_usize, 0..40_u64).prop_map(|(part, n)| Op::AllotIn(part, n)),
        2 => (0..8_usize).prop_map(Op::Close),
        3 => seconds.prop_map(Op::Advance),
        1 => limits().prop_map(Op::Update),
    ]
}

fn policy(limits: [Option<u64>; 3]) -> GuardPolicy {
    let more =
        ["", "scope = { agent = \"*\" }", "scope = { agent = \"*\" }\nwindow = \"fixed:1h\""];
    let mut text = format!("[store]\nlease_ttl = \"{TTL}s\"\n");
    for (rule, limit) in limits.into_iter().enumerate() {
        let Some(limit) = limit else { continue };
        let unit = if rule == CALLS { "calls" } else { "tokens" };
        let (name, more) = (NAMES[rule], more[rule]);
        let of = format!("limit = {{ {unit} = {limit} }}");
        text.push_str(&format!("[[budget]]\nname = \"{name}\"\n{of}\n{more}\n"));
    }
    GuardPolicy::from_toml("policy", &text).unwrap()
}

#[derive(Default)]
struct Tally(Mutex<BTreeMap<&'static str, u64>>);

impl Tally {
    fn count(&self, what: &'static str, times: u64) {
        *self.0.lock().unwrap().entry(what).or_default() += times;
    }
}

struct Driver<'a> {
    clock: Arc<ManualClock>,
    guard: Arc<Guard>,
    naive: Naive,
    /// By the numbers of the naive ones.
    leases: Vec<Option<Lease>>,
    parts: Vec<Option<Allotment>>,
    tally: &'a Tally,
}

/// The number of one of those that are there.
fn pick<T>(all: &[Option<T>], index: usize) -> Option<usize> {
    let there: Vec<usize> = (0..all.len()).filter(|number| all[*number].is_some()).collect();
    (!there.is_empty()).then(|| there[index % there.len()])
}

fn asks(tokens: u64) -> outlay::GuardRequest {
    Usage::tokens(tokens).into()
}

const fn part_of(tokens: u64) -> PartOf {
    PartOf { tokens: Some(tokens), cost_micros_usd: None, calls: None }
}

impl<'a> Driver<'a> {
    fn new(limits: [Option<u64>; 3], tally: &'a Tally) -> Self {
        let clock = Arc::new(ManualClock::new());
        let guard = Guard::new(policy(limits), Clock::Manual(Arc::clone(&clock))).unwrap();
        let mut naive = Naive::default();
        naive.update(limits);
        let (guard, leases, parts) = (Arc::new(guard), Vec::new(), Vec::new());
        Self { clock, guard, naive, leases, parts, tally }
    }

    fn run(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match *op {
            Op::Reserve(agent, tokens) => {
                let labels = [("agent", AGENTS[agent])];
                let lease = self.guard.reserve(&labels, asks(tokens));
                let passes = self.naive.reserve(agent, None, tokens);
                self.reserved(lease, passes)?;
            }
            Op::ReserveIn(part, tokens) => {
                let Some(part) = pick(&self.parts, part) else { return Ok(()) };
                let lease = self.parts[part].as_ref().unwrap().reserve(&[], asks(tokens));
                let agent = self.naive.agent_of(part);
                let passes = self.naive.reserve(agent, Some(part), tokens);
                self.reserved(lease, passes)?;
            }
            Op::Allot(agent, tokens) => {
                let labels = [("agent", AGENTS[agent])];
                let part = self.guard.allot(&labels, part_of(tokens), None);
                let passes = self.naive.allot(agent, None, tokens);
                self.allotted(part, passes)?;
            }
            Op::AllotIn(parent, tokens) => {
                let Some(parent) = pick(&self.parts, parent) else { return Ok(()) };
                let outer = self.parts[parent].as_ref().unwrap();
                let part = outer.allot(&[], part_of(tokens), None);
                let agent = self.naive.agent_of(parent);
                let passes = self.naive.allot(agent, Some(parent), tokens);
                self.allotted(part, passes)?;
            }
            Op::Close(part) => {
                let Some(part) = pick(&self.parts, part) else { return Ok(()) };
                self.naive.close(part);
                self.parts[part].take().unwrap().close();
            }
            Op::Advance(seconds) => {
                self.naive.advance(seconds);
                self.clock.advance(Duration::from_secs(seconds));
            }
            Op::Update(limits) => {
                self.naive.update(limits);
                self.guard.update(policy(limits)).unwrap();
            }
            Op::Commit(lease, _) | Op::Release(lease) | Op::Drop(lease) => {
                let Some(lease) = pick(&self.leases, lease) else { return Ok(()) };
                self.end(op, lease)?;
            }
        }
        self.compare()
    }

    fn reserved(&mut self, lease: Result<Lease, Error>, passes: bool) -> Result<(), TestCaseError> {
        prop_assert_eq!(lease.is_ok(), passes, "{:?}", lease);
        self.tally.count(if passes { "granted" } else { "refused" }, 1);
        self.leases.extend(lease.ok().map(Some));
        Ok(())
    }

    fn allotted(
        &mut self,
        part: Result<Allotment, Error>,
        passes: bool,
    ) -> Result<(), TestCaseError> {
        prop_assert_eq!(part.is_ok(), passes, "{:?}", part);
        self.tally.count(if passes { "allotted" } else { "not allotted" }, 1);
        self.parts.extend(part.ok().map(Some));
        Ok(())
    }

    fn end(&mut self, op: &Op, number: usize) -> Result<(), TestCaseError> {
        let late = self.naive.leases[number].state == State::Expired;
        let lease = self.leases[number].take().unwrap();
        match *op {
            Op::Commit(_, tokens) => {
                self.tally.count(if late { "late commits" } else { "commits" }, 1);
                self.naive.commit(number, tokens);
                prop_assert_eq!(lease.commit(Usage::tokens(tokens).into()), Ok(()));
            }
            Op::Release(_) if self.naive.release(number) => {
                prop_assert_eq!(lease.release(), Ok(()));
            }
            Op::Release(_) => {
                prop_assert_eq!(lease.release(), Err(Error::Lease(LeaseError::Expired)));
                self.leases[number] = Some(lease);
            }
            _ => self.naive.drop_lease(number),
        }
        Ok(())
    }

    /// Used and reserved of all counters, and what is left of the parts.
    fn compare(&self) -> Result<(), TestCaseError> {
        let mut counted: BTreeMap<(usize, usize), (u64, u64)> = BTreeMap::new();
        for counter in self.guard.snapshot().unwrap() {
            let rule = NAMES.iter().position(|name| *name == counter.name).unwrap();
            let value = counter.values.first().map(|(_, value)| value.as_str());
            let agent = AGENTS.iter().position(|agent| Some(*agent) == value).unwrap_or(0);
            let figures = &counter.figures[0];
            prop_assert_eq!(figures.limit, self.naive.limits[rule]);
            counted.insert((rule, agent), (figures.used, figures.reserved));
        }
        for counter in [(ALL, 0), (EACH, 0), (EACH, 1), (CALLS, 0), (CALLS, 1)] {
            if self.naive.limits[counter.0].is_some() {
                let naive = (self.naive.used(counter), self.naive.reserved(counter));
                let counted = counted.get(&counter).copied().unwrap_or_default();
                prop_assert_eq!(counted, naive, "{} of {}", NAMES[counter.0], AGENTS[counter.1]);
            }
        }
        for (number, part) in self.parts.iter().enumerate() {
            let Some(part) = part else { continue };
            let left = part.remaining().unwrap().tokens;
            prop_assert_eq!(left, Some(self.naive.left(number)), "part {}", number);
        }
        Ok(())
    }
}

#[test]
fn three_thousand_histories_agree_with_the_naive_book() {
    let file = "tests/guard_model.proptest-regressions";
    let mut runner = TestRunner::new(ProptestConfig {
        cases: HISTORIES,
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(file))),
        ..ProptestConfig::default()
    });
    let tally = Tally::default();
    let history = (limits(), prop::collection::vec(op(), 1..60));
    let agree = runner.run(&history, |(limits, operations)| {
        let mut driver = Driver::new(limits, &tally);
        operations.iter().try_for_each(|op| driver.run(op))?;
        tally.count("overruns of parts", driver.naive.overruns);
        Ok(())
    });
    if let Err(difference) = agree {
        panic!("{difference}");
    }
    // Histories in which nothing happened would agree too.
    let tally = tally.0.into_inner().unwrap();
    assert_eq!(tally.len(), 7, "{tally:?}");
    for (what, times) in tally {
        println!("{what}: {times}");
        assert!(times > u64::from(HISTORIES) / 10, "{what}: only {times} times");
    }
}
