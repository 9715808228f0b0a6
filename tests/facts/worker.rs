//! What a peer does: one order a line, one answer a line.

use std::io::stdin;
use std::sync::Arc;
use std::time::Duration;

use outlay::store::{Store, StoreOptions};
use outlay::{
    AgentAllowance, AllowanceOptions, AllowanceService, BudgetLimit, BudgetManager, Error,
    FullBudgetInfo, ManagerOptions, QuotaEvent, RepoLimit, UsageReport, WorkflowOptions,
    WorkflowQuota,
};

use crate::peer::role;

/// The machine may be busy.
const PATIENCE: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3_600);

/// The classes of a peer, on one store.
struct Worker {
    store: Arc<Store>,
    quota: WorkflowQuota,
    manager: BudgetManager,
    service: AllowanceService,
}

#[test]
fn a_peer_does_what_it_is_told() {
    let Some(file) = role() else { return };
    let url = format!("sqlite:///{}", file.display());
    let store =
        Store::open(&url, StoreOptions { timeout: PATIENCE, ..StoreOptions::default() }).unwrap();
    let worker = Worker::new(&store);
    println!("@@ready");
    while let Some(line) = told_now() {
        let words: Vec<&str> = line.split(' ').collect();
        match worker.obey(&words) {
            Ok(said) => println!("@@{said}"),
            Err(Error::Denied(denied)) => println!("@@denied {}", denied),
            Err(Error::Conflict(conflict)) => println!("@@conflict {conflict}"),
            Err(error) => println!("@@error {error}"),
        }
    }
}

/// The next line of the parent, while it lives.
fn told_now() -> Option<String> {
    let mut line = String::new();
    let read = stdin().read_line(&mut line).unwrap();
    (read > 0).then(|| line.trim_end().to_owned())
}

fn number(word: &str) -> u64 {
    word.parse().unwrap()
}

impl Worker {
    fn new(store: &Arc<Store>) -> Self {
        let own = Arc::clone(store);
        let store = Some(Arc::clone(store));
        let options = WorkflowOptions { store: store.clone(), ..WorkflowOptions::default() };
        let manager = ManagerOptions { store: store.clone(), ..ManagerOptions::default() };
        let service = AllowanceOptions { store, ..AllowanceOptions::default() };
        Self {
            store: own,
            quota: WorkflowQuota::with(3, 5, HOUR, options).unwrap(),
            manager: BudgetManager::with(manager).unwrap(),
            service: AllowanceService::with(service).unwrap(),
        }
    }

    fn obey(&self, words: &[&str]) -> Result<String, Error> {
        match words {
            ["begin", id] => self.quota.begin_workflow(id, false).map(|_| "begun".to_owned()),
            ["resume", id] => {
                let token = self.quota.begin_workflow(id, true)?;
                Ok(format!("{} of {}", token.steps_executed()?, token.max_steps()))
            }
            ["step", id, n] => {
                let token = self.quota.begin_workflow(id, true)?;
                token.execute_step(number(n)).map(|()| "stepped".to_owned())
            }
            // With the token that it has, and no question about it.
            ["hold", id] => {
                let token = self.quota.begin_workflow(id, true)?;
                println!("@@holding");
                let steps = number(&told_now().unwrap());
                token.execute_step(steps).map(|()| "stepped".to_owned())
            }
            ["end", id] => self.quota.end_workflow(id).map(|ended| ended.to_string()),
            ["sync"] => self.store.sync().map(|()| "said".to_owned()),
            ["running"] => self.quota.active_count().map(|n| n.to_string()),
            ["period"] => self.quota.period_count().map(|n| n.to_string()),
            [kind, rest @ ..] if kind.starts_with("budget") => self.budget(kind, rest),
            [kind, rest @ ..] => self.allowance(kind, rest),
            [] => unreachable!("a line has a word"),
        }
    }

    fn budget(&self, kind: &str, words: &[&str]) -> Result<String, Error> {
        match (kind, words) {
            ("budget-set", [agent, tokens, calls]) => {
                let most = |word: &str| (word != "none").then(|| number(word));
                self.manager.set_budget(&BudgetLimit {
                    agent_id: (*agent).to_owned(),
                    token_budget: most(tokens),
                    calls_budget: most(calls),
                    window: Some(HOUR),
                })?;
                Ok("set".to_owned())
            }
            ("budget-remove", [agent]) => Ok(self.manager.remove_budget(agent)?.to_string()),
            ("budget-use", [agent, n]) => {
                self.manager.reserve(agent, number(n)).map(|()| "used".to_owned())
            }
            ("budget-release", [agent, n]) => {
                self.manager.release(agent, number(n)).map(|()| "released".to_owned())
            }
            ("budget-info", [agent]) => {
                Ok(self.manager.full_info(agent)?.map_or("none".to_owned(), |info| told(&info)))
            }
            ("budget-all", []) => {
                let all = self.manager.all_full_info()?;
                Ok(all.iter().map(told).collect::<Vec<_>>().join(", "))
            }
            _ => unreachable!("{kind} {words:?}"),
        }
    }

    fn allowance(&self, kind: &str, words: &[&str]) -> Result<String, Error> {
        match (kind, words) {
            ("allow", [agent, tokens, jobs, slots, seconds]) => {
                self.service.set_allowance(AgentAllowance {
                    agent_id: (*agent).to_owned(),
                    daily_token_limit: number(tokens),
                    daily_job_limit: number(jobs),
                    concurrent_jobs: number(slots),
                    max_job_duration: Duration::from_millis(number(seconds) * 1_000),
                    model_allowlist: Vec::new(),
                })?;
                Ok("set".to_owned())
            }
            ("allowed", [agent]) => {
                let set = self.service.allowance(agent)?;
                Ok(set.map_or("none".to_owned(), |set| set.daily_token_limit.to_string()))
            }
            ("cool", [repo, seconds]) => {
                self.service.set_repo_limit(RepoLimit {
                    repo: (*repo).to_owned(),
                    cooldown_after_failure: Duration::from_secs(number(seconds)),
                    ..RepoLimit::default()
                })?;
                Ok("set".to_owned())
            }
            ("failed", [repo]) => self.service.record_failure(repo).map(|()| "cools".to_owned()),
            ("start", [agent, job, tokens]) => {
                self.service.start_job(agent, job, "", None, number(tokens))?;
                Ok("started".to_owned())
            }
            ("start-in", [agent, job, repo]) => {
                self.service.start_job(agent, job, "", Some(repo), 0)?;
                Ok("started".to_owned())
            }
            ("report", [agent, job, event, tokens]) => {
                let event = QuotaEvent::parse(&format!("job_{event}")).unwrap();
                let recorded = self.service.record(&UsageReport {
                    agent_id: (*agent).to_owned(),
                    job_id: (*job).to_owned(),
                    event,
                    model: String::new(),
                    tokens_in: number(tokens),
                    tokens_out: 0,
                    cost_micros_usd: 0,
                })?;
                Ok(recorded.to_string())
            }
            ("usage", [agent]) => {
                let usage = self.service.usage(agent)?;
                let (tokens, jobs) = (usage.tokens_used, usage.jobs_started);
                Ok(format!("{tokens} tokens, {jobs} jobs, {} run", usage.active_jobs))
            }
            ("overdue", []) => {
                let jobs = self.service.overdue()?;
                Ok(jobs.iter().map(|job| job.job_id.as_str()).collect::<Vec<_>>().join(", "))
            }
            _ => unreachable!("{kind} {words:?}"),
        }
    }
}

fn told(info: &FullBudgetInfo) -> String {
    let limit = info.limit.token_budget.map_or("none".to_owned(), |most| most.to_string());
    format!("{}: {} of {limit}", info.limit.agent_id, info.tokens_used)
}
