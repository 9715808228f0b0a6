//! Random histories of requests, parts and updates on a guard and on a naive book: no difference.
//! `OUTLAY_HISTORIES=10000 cargo test --test guard histories` runs so many.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use outlay::{
    Allotment, AllotmentSize, Clock, Error, Guard, GuardPolicy, GuardRequest, Lease, LeaseError,
    ManualClock, Usage,
};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestRunner};

use super::model::naive::{Amounts, Naive, OF_AGENTS, Place, RULES, State, TTL};
use super::model::ops::{Limits, Of, Op, histories, limits, op};

const AGENTS: [&str; 2] = ["a", "b"];

fn policy(limits: Limits, returns: bool) -> GuardPolicy {
    let mut text =
        format!("[store]\nlease_ttl = \"{TTL}s\"\n[defaults]\non_unknown_price = \"zero\"\n");
    if returns {
        text.push_str("on_missing_usage = \"release\"\n");
    }
    for (rule, limit) in limits.into_iter().enumerate() {
        let Some(limit) = limit else { continue };
        let limit = match RULES[rule] {
            "calls" => format!("calls = {limit}"),
            "money" => format!("usd = \"0.{limit:06}\""),
            _ => format!("tokens = {limit}"),
        };
        let scope = if OF_AGENTS[rule] { "scope = { agent = \"*\" }\n" } else { "" };
        let window = if RULES[rule] == "calls" { "window = \"fixed:1h\"\n" } else { "" };
        let name = RULES[rule];
        text.push_str(&format!(
            "[[budget]]\nname = \"{name}\"\nlimit = {{ {limit} }}\n{scope}{window}"
        ));
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

fn usage([tokens, cost, _]: Amounts) -> Usage {
    Usage::priced(tokens, cost)
}

fn asks(of: Amounts, ttl: Option<u64>) -> GuardRequest {
    GuardRequest { ttl: ttl.map(Duration::from_secs), ..usage(of).into() }
}

const fn part_of([tokens, cost_micros_usd, calls]: Of) -> AllotmentSize {
    AllotmentSize { tokens, cost_micros_usd, calls }
}

impl<'a> Driver<'a> {
    fn new(limits: Limits, returns: bool, tally: &'a Tally) -> Self {
        let clock = Arc::new(ManualClock::new());
        let policy = policy(limits, returns);
        let guard = Guard::new(policy, Clock::Manual(Arc::clone(&clock))).unwrap();
        let mut naive = Naive::default();
        naive.returns = returns;
        naive.update(limits);
        let (guard, leases, parts) = (Arc::new(guard), Vec::new(), Vec::new());
        Self { clock, guard, naive, leases, parts, tally }
    }

    fn run(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match *op {
            Op::Reserve(agent, of, ttl) => {
                let lease = self.guard.reserve(&[("agent", AGENTS[agent])], asks(of, ttl));
                let passes = self.naive.reserve(agent, None, of, ttl);
                self.reserved(lease, passes)?;
            }
            Op::ReserveIn(part, of, ttl) => {
                let Some(part) = pick(&self.parts, part) else { return Ok(()) };
                let lease = self.parts[part].as_ref().unwrap().reserve(&[], asks(of, ttl));
                let agent = self.naive.parts[part].agent;
                let passes = self.naive.reserve(agent, Some(part), of, ttl);
                self.reserved(lease, passes)?;
            }
            Op::Allot(agent, of, ttl) => {
                let ends = ttl.map(Duration::from_secs);
                let part = self.guard.allot(&[("agent", AGENTS[agent])], part_of(of), ends);
                let passes = self.naive.allot(agent, None, of, ttl);
                self.allotted(part, passes)?;
            }
            Op::AllotIn(parent, of, ttl) => {
                let Some(parent) = pick(&self.parts, parent) else { return Ok(()) };
                let ends = ttl.map(Duration::from_secs);
                let outer = self.parts[parent].as_ref().unwrap();
                let part = outer.allot(&[], part_of(of), ends);
                let agent = self.naive.parts[parent].agent;
                let passes = self.naive.allot(agent, Some(parent), of, ttl);
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
                self.guard.update(policy(limits, self.naive.returns)).unwrap();
            }
            Op::Commit(lease, _) | Op::Release(lease) | Op::Drop(lease) | Op::Extend(lease, _) => {
                let Some(lease) = pick(&self.leases, lease) else { return Ok(()) };
                self.end(op, lease)?;
            }
        }
        self.compare()?;
        self.naive.forget(|lease| self.leases[lease].is_some());
        Ok(())
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
        let expired = Err(Error::Lease(LeaseError::Expired));
        match *op {
            Op::Commit(_, used) => {
                self.tally.count(if late { "late commits" } else { "commits" }, 1);
                self.naive.commit(number, used);
                prop_assert_eq!(lease.commit(usage(used).into()), Ok(()));
            }
            Op::Release(_) if self.naive.release(number) => {
                prop_assert_eq!(lease.release(), Ok(()));
            }
            Op::Release(_) => {
                prop_assert_eq!(lease.release(), expired);
                self.leases[number] = Some(lease);
            }
            Op::Extend(_, ttl) => {
                let done = if self.naive.extend(number, ttl) { Ok(()) } else { expired };
                prop_assert_eq!(lease.extend(Duration::from_secs(ttl)), done);
                self.leases[number] = Some(lease);
            }
            _ => self.naive.drop_lease(number),
        }
        Ok(())
    }

    /// Used and reserved of all counters, and what is left of the parts.
    fn compare(&self) -> Result<(), TestCaseError> {
        let mut counted: BTreeMap<Place, (u64, u64)> = BTreeMap::new();
        for counter in self.guard.snapshot().unwrap() {
            let rule = RULES.iter().position(|name| *name == counter.name).unwrap();
            let value = counter.values.first().map(|(_, value)| value.as_str());
            let agent = AGENTS.iter().position(|agent| Some(*agent) == value).unwrap_or(0);
            let figures = &counter.figures[0];
            prop_assert_eq!(figures.limit, self.naive.limits[rule]);
            counted.insert(Place::Rule(rule, agent), (figures.used, figures.reserved));
        }
        for rule in (0..RULES.len()).filter(|rule| self.naive.limits[*rule].is_some()) {
            for agent in if OF_AGENTS[rule] { 0..2 } else { 0..1 } {
                let place = Place::Rule(rule, agent);
                let naive = (self.naive.used(place), self.naive.reserved(place));
                let counted = counted.get(&place).copied().unwrap_or_default();
                prop_assert_eq!(counted, naive, "{} of {}", RULES[rule], AGENTS[agent]);
            }
        }
        for (number, part) in self.parts.iter().enumerate() {
            let Some(part) = part else { continue };
            let left = part.remaining().unwrap();
            let naive = [0, 1, 2].map(|unit| self.naive.left(number, unit));
            prop_assert_eq!(
                [left.tokens, left.cost_micros_usd, left.calls],
                naive,
                "part {}",
                number
            );
        }
        Ok(())
    }
}

#[test]
fn random_histories_agree_with_the_naive_book() {
    let file = "tests/guard/histories.proptest-regressions";
    let cases = histories();
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(file))),
        ..ProptestConfig::default()
    });
    let tally = Tally::default();
    let history = (limits(), any::<bool>(), prop::collection::vec(op(), 1..90));
    let agree = runner.run(&history, |(limits, returns, operations)| {
        let mut driver = Driver::new(limits, returns, &tally);
        operations.iter().try_for_each(|op| driver.run(op))?;
        tally.count("overruns of parts", driver.naive.overruns);
        tally.count("parts that a lease kept", driver.naive.late_ends);
        tally.count("counters that were forgotten", driver.naive.forgotten);
        Ok(())
    });
    if let Err(difference) = agree {
        panic!("{difference}");
    }
    // Histories in which nothing happened would agree too.
    let tally = tally.0.into_inner().unwrap();
    assert_eq!(tally.len(), 9, "{tally:?}");
    for (what, times) in tally {
        println!("{what}: {times}");
        assert!(times > u64::from(cases) / 30, "{what}: only {times} times");
    }
}
