//! Random histories of jobs on the service and on a naive book: zero differences.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use outlay::{
    AgentAllowance, AllowanceService, Clock, Error, ManualClock, ModelQuota, QuotaEvent,
    UsageReport,
};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestRunner};

use super::naive::{Naive, Report, SECOND};

const AGENTS: [&str; 2] = ["a", "b"];
const MODELS: [&str; 3] = ["", "m", "n"];
const HISTORIES: u32 = 2_000;

#[derive(Clone, Debug)]
enum Op {
    /// Agent, job, model, tokens.
    Start(usize, usize, usize, u64),
    Report(Report),
    /// Seconds.
    Advance(u64),
    Reset(usize),
    /// Agent; tokens, jobs, slots, seconds that a job may run.
    Allow(usize, [u64; 4]),
    /// Model; tokens, requests, cost.
    Quota(usize, [u64; 3]),
}

fn op() -> impl Strategy<Value = Op> {
    let seconds = prop_oneof![0..90_u64, 1_000..9_000_u64, Just(43_200), 86_399..90_000_u64];
    let longest = prop_oneof![Just(0), Just(60), Just(5_000), Just(90_000)];
    let report = (0..2_usize, 0..6_usize, 0..4_usize, 0..3_usize, 0..12_u64, 0..4_u64);
    let start = (0..2_usize, 0..6_usize, 0..3_usize, 0..12_u64);
    let allow = (0..2_usize, 0..40_u64, 0..5_u64, 0..3_u64, longest);
    let quota = (1..3_usize, 0..40_u64, 0..4_u64, 0..9_u64);
    prop_oneof![
        6 => start.prop_map(|(agent, job, model, n)| Op::Start(agent, job, model, n)),
        8 => report.prop_map(|(agent, job, event, model, tokens, cost)| {
            Op::Report(Report { agent, job, event: QuotaEvent::ALL[event], model, tokens, cost })
        }),
        3 => seconds.prop_map(Op::Advance),
        1 => (0..2_usize).prop_map(Op::Reset),
        1 => allow.prop_map(|(agent, tokens, jobs, slots, longest)| {
            Op::Allow(agent, [tokens, jobs, slots, longest])
        }),
        1 => quota.prop_map(|(model, tokens, rate, cost)| Op::Quota(model, [tokens, rate, cost])),
    ]
}

struct Driver {
    clock: Arc<ManualClock>,
    service: AllowanceService,
    naive: Naive,
}

impl Driver {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        let service = AllowanceService::new(Clock::Manual(Arc::clone(&clock)));
        let driver = Self { clock, service, naive: Naive::default() };
        (0..2).for_each(|agent| driver.allow(agent, [0; 4]));
        driver
    }

    fn allow(&self, agent: usize, limits: [u64; 4]) {
        let [daily_token_limit, daily_job_limit, concurrent_jobs, longest] = limits;
        let allowance = AgentAllowance {
            agent_id: AGENTS[agent].into(),
            daily_token_limit,
            daily_job_limit,
            concurrent_jobs,
            max_job_duration: Duration::from_secs(longest),
            model_allowlist: Vec::new(),
        };
        self.service.set_allowance(allowance).unwrap();
    }

    /// What happened, in a word.
    fn run(&mut self, op: &Op) -> String {
        match op {
            Op::Start(agent, job, model, tokens) => self.start([*agent, *job, *model], *tokens),
            Op::Report(report) => {
                let told = UsageReport {
                    agent_id: AGENTS[report.agent].into(),
                    job_id: report.job.to_string(),
                    event: report.event,
                    model: MODELS[report.model].into(),
                    tokens_in: report.tokens / 2,
                    tokens_out: report.tokens - report.tokens / 2,
                    cost_micros_usd: report.cost,
                };
                let preview = self.service.preview(&told).unwrap();
                let counts = self.naive.report(report);
                assert_eq!(self.service.record(&told), Ok(counts));
                assert_eq!(preview.is_some(), counts, "{preview:?}");
                format!("{} {counts}", report.event.name())
            }
            Op::Advance(seconds) => {
                self.clock.advance(Duration::from_secs(*seconds));
                self.naive.now += seconds;
                "advance".into()
            }
            Op::Reset(agent) => {
                self.service.reset_agent(AGENTS[*agent]).unwrap();
                self.naive.reset(*agent);
                "reset".into()
            }
            Op::Allow(agent, limits) => {
                self.allow(*agent, *limits);
                self.naive.allowed[*agent] = *limits;
                "allow".into()
            }
            Op::Quota(model, limits) => {
                let [daily_token_budget, hourly_rate_limit, cost_ceiling_micros_usd] = *limits;
                let model_name = MODELS[*model].into();
                self.naive.quotas[*model] = *limits;
                let quota = ModelQuota {
                    model: model_name,
                    daily_token_budget,
                    hourly_rate_limit,
                    cost_ceiling_micros_usd,
                };
                self.service.set_model_quota(quota).unwrap();
                "quota".into()
            }
        }
    }

    fn start(&mut self, [agent, job, model]: [usize; 3], tokens: u64) -> String {
        let (service, name) = (&self.service, job.to_string());
        let refused = self.naive.refuses(agent, model, tokens);
        let begun = service.start_job(AGENTS[agent], &name, MODELS[model], None, tokens);
        match begun {
            Ok(_) => {
                assert_eq!(refused, None);
                assert!(self.naive.begin((agent, job), model, tokens));
                "begun".into()
            }
            Err(Error::Denied(denied)) => {
                let reason = refused.unwrap_or("none");
                assert!(denied.message().starts_with(reason), "{denied:?}: {reason}");
                reason.into()
            }
            Err(Error::Conflict(_)) => {
                // Nothing changes where it is known.
                assert!(!self.naive.begin((agent, job), model, tokens));
                "conflict".into()
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    fn compare(&self) {
        for (agent, id) in AGENTS.into_iter().enumerate() {
            let [tokens, jobs, held, slots] = self.naive.of_agent(agent);
            let record = self.service.usage(id).unwrap();
            let told = [record.tokens_used, record.jobs_started, record.active_jobs];
            assert_eq!(told, [tokens, jobs, slots], "agent {id}");
            assert_eq!(record.period_start_ns as u64, self.naive.now / 86_400 * 86_400 * SECOND);
            for (model, name) in MODELS.into_iter().enumerate() {
                let check = self.service.check(id, name, None).unwrap();
                let refused = self.naive.refuses(agent, model, 1);
                assert!(check.reason.starts_with(refused.unwrap_or("")), "{check:?}: {refused:?}");
                assert_eq!(check.allowed, refused.is_none());
                let left = self.naive.allowed[agent][0].saturating_sub(tokens + held);
                let left = (self.naive.allowed[agent][0] > 0).then_some(left);
                assert_eq!(check.remaining_tokens, left);
            }
        }
        for (model, name) in MODELS.into_iter().enumerate().skip(1) {
            assert_eq!(self.service.model_usage(name), Ok(self.naive.of_model(model)[0]), "{name}");
        }
        let late = self.service.overdue().unwrap();
        let late: Vec<_> = late.iter().map(|j| (j.agent_id.as_str(), j.job_id.as_str())).collect();
        let expected = self.naive.overdue();
        let expected: Vec<_> = expected.iter().map(|(a, j)| (AGENTS[*a], j.to_string())).collect();
        assert_eq!(late, expected.iter().map(|(a, j)| (*a, j.as_str())).collect::<Vec<_>>());
    }
}

#[test]
fn random_histories_of_jobs_agree_with_the_naive_book() {
    let file = "tests/allowances/histories.proptest-regressions";
    let mut runner = TestRunner::new(ProptestConfig {
        cases: HISTORIES,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(file))),
        ..ProptestConfig::default()
    });
    let happened = Mutex::new(BTreeMap::<String, u32>::new());
    let agree = runner.run(&prop::collection::vec(op(), 1..60), |history| {
        let mut driver = Driver::new();
        for op in &history {
            let what = driver.run(op);
            *happened.lock().unwrap().entry(what).or_default() += 1;
            driver.compare();
        }
        Ok(())
    });
    if let Err(difference) = agree {
        panic!("{difference}");
    }
    // Histories in which nothing happened would agree too.
    let happened = happened.into_inner().unwrap();
    println!("{happened:?}");
    assert_eq!(happened.len(), 20, "{happened:?}");
    assert!(happened.values().all(|times| *times > HISTORIES / 20), "{happened:?}");
}
