//! Saves the budgets of a manager to a file, and reads them again in another process.
//!
//! The file is JSON with wall-clock times. It is written completely beside its place and then
//! renamed. So a reader sees the old file or the new one, never a half-written one.

mod atomic_file;
mod continued;
mod regular_file;

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use continued::Continued;

use super::budget_manager::{
    BudgetLimit, BudgetManager, info_of, limits, new_window, window_age_ns,
};
use crate::accounting::{Code, Invalid, Key, LONGEST, Meter, Tick};
use crate::ledger::{Account, Error, Heritable, StoreError, Unsettled};

const FORMAT: &str = "outlay.budget_manager";
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    version: u32,
    agents: Vec<Agent>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Agent {
    agent_id: String,
    // Required in the file: a missing line must not read as "no limit".
    #[serde(deserialize_with = "Option::deserialize")]
    token_budget: Option<u64>,
    #[serde(deserialize_with = "Option::deserialize")]
    calls_budget: Option<u64>,
    /// The length of the window in nanoseconds.
    #[serde(deserialize_with = "Option::deserialize")]
    window_ns: Option<u64>,
    /// When the window began, in nanoseconds since 1970-01-01 UTC.
    window_start_unix_ns: i64,
    tokens_used: u64,
    calls_used: u64,
}

impl BudgetManager {
    /// Writes all budgets to `path` and creates missing folders. The holds of open leases are
    /// written as used, unless unsettled leases are released: it is not known whether they were
    /// spent. What is no regular file is refused, and stays as it is; links are followed.
    pub fn persist(&self, path: &Path) -> Result<(), Error> {
        let agents = self.0.here()?;
        let _whole = agents.persisting.lock();
        let file = self.to_file()?;
        let text = serde_json::to_string_pretty(&file)
            .map_err(|error| StoreError::Unavailable(format!("cannot write budgets: {error}")))?;
        let cannot = |error: std::io::Error| {
            StoreError::Unavailable(format!("cannot write {}: {error}", path.display()))
        };
        regular_file::check_if_present(path).map_err(cannot)?;
        Ok(atomic_file::replace(path, &text).map_err(cannot)?)
    }

    /// Replaces all budgets by those in `path`. Open leases keep what they hold. A missing file
    /// changes nothing and returns false. What is no regular file is refused at once. It also reads
    /// the file of the system that this class continues: `budgets` and `usage`, by agent.
    /// A manager whose counts are kept in a store refuses it.
    pub fn restore(&self, path: &Path) -> Result<bool, Error> {
        let agents = self.0.here()?;
        if agents.store.is_some() {
            return Err(Invalid::sentence(format!(
                "restore({:?}) would replace counts that a store keeps for all processes; give the \
                 manager no store, or leave out restore(): its counts are in the store",
                path.display()
            ))
            .into());
        }
        let text = match regular_file::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(corrupt(path, &error).into());
            }
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                return Err(StoreError::Unavailable(message).into());
            }
        };
        let agents = parse(&text).map_err(|problem| corrupt(path, &problem))?;
        self.replace_all(&agents)?;
        Ok(true)
    }

    fn to_file(&self) -> Result<File, Error> {
        let agents = self.0.here()?;
        let holds_count = agents.core.policy().unsettled == Unsettled::Charge;
        let wall_ns = agents.core.clock().wall_ns();
        let mut accounts = agents.accounts.all();
        accounts.sort_by(|a, b| a.key().cmp(b.key()));
        let to_agent = |account: &Arc<Account>| {
            account.read(|meters, now| {
                let full = info_of(account.key().as_str(), meters, now);
                let age = i64::try_from(window_age_ns(meters, now)).unwrap_or(i64::MAX);
                let used = |meter: &Meter| match holds_count {
                    true => meter.used().saturating_add(meter.reserved()),
                    false => meter.used(),
                };
                Agent {
                    agent_id: full.limit.agent_id,
                    token_budget: full.limit.token_budget,
                    calls_budget: full.limit.calls_budget,
                    window_ns: full.limit.window.map(crate::accounting::nanos),
                    window_start_unix_ns: wall_ns.saturating_sub(age),
                    tokens_used: used(&meters[0]),
                    calls_used: used(&meters[1]),
                }
            })
        };
        let agents = accounts.iter().map(to_agent).collect::<Result<_, _>>()?;
        Ok(File { format: FORMAT.to_owned(), version: VERSION, agents })
    }

    fn replace_all(&self, agents: &[Agent]) -> Result<(), Error> {
        let named: HashSet<&str> = agents.iter().map(|agent| agent.agent_id.as_str()).collect();
        for account in self.0.accounts.all() {
            if !named.contains(account.key().as_str()) {
                self.remove_budget(account.key().as_str())?;
            }
        }
        let (tick, wall_ns) = (self.0.core.clock().tick(), self.0.core.clock().wall_ns());
        for agent in agents {
            let meters = agent.meters(tick, wall_ns)?;
            let key = Key::parse("agent_id", &agent.agent_id)?;
            let account = Account::new(&self.0.core, key, Code::BudgetExceeded, meters.clone());
            let present = self.0.accounts.get_or_insert(Arc::clone(&account));
            if !Arc::ptr_eq(&present, &account) {
                present.replace(meters)?;
            }
        }
        Ok(())
    }
}

impl From<Continued> for Agent {
    /// A window that is longer than any that we have never ends; one without a start begins now.
    fn from(agent: Continued) -> Self {
        let window = agent.window_secs.filter(|secs| *secs <= LONGEST.as_secs());
        Self {
            agent_id: agent.agent_id,
            token_budget: agent.token_budget,
            calls_budget: agent.calls_budget,
            window_ns: window.map(|secs| crate::accounting::nanos(Duration::from_secs(secs))),
            window_start_unix_ns: agent.window_start_unix_ns.unwrap_or(i64::MAX),
            tokens_used: agent.tokens_used,
            calls_used: agent.calls_used,
        }
    }
}

impl Agent {
    fn limit(&self) -> BudgetLimit {
        BudgetLimit {
            agent_id: self.agent_id.clone(),
            token_budget: self.token_budget,
            calls_budget: self.calls_budget,
            window: self.window_ns.map(Duration::from_nanos),
        }
    }

    /// The meters as they are now. If the wall clock was set back since, the window is longer,
    /// never shorter: it refills nothing.
    fn meters(&self, tick: Tick, wall_ns: i64) -> Result<[Meter; 2], Error> {
        let age = wall_ns.saturating_sub(self.window_start_unix_ns);
        let age = Duration::from_nanos(u64::try_from(age).unwrap_or(0));
        let window = new_window(self.window_ns.map(Duration::from_nanos), tick.minus(age))?;
        let mut meters = limits(&self.limit()).map(|limit| Meter::new(limit, window.clone()));
        meters[0].restore_used(self.tokens_used);
        meters[1].restore_used(self.calls_used);
        Ok(meters)
    }
}

fn parse(text: &str) -> Result<Vec<Agent>, String> {
    let agents = match continued::read(text) {
        Some(continued) => continued?.into_iter().map(Agent::from).collect(),
        None => parse_own(text)?,
    };
    let mut seen = HashSet::new();
    for agent in &agents {
        Key::parse("agent_id", &agent.agent_id).map_err(|error| error.message)?;
        if !seen.insert(agent.agent_id.as_str()) {
            return Err(format!("agent_id {:?} stands twice", agent.agent_id));
        }
        if agent.window_ns.is_some_and(|ns| ns == 0 || Duration::from_nanos(ns) > LONGEST) {
            return Err(format!("window_ns of {:?} is not allowed", agent.agent_id));
        }
    }
    Ok(agents)
}

fn parse_own(text: &str) -> Result<Vec<Agent>, String> {
    let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if file.format != FORMAT || file.version != VERSION {
        return Err(format!("format {:?} version {} is not known", file.format, file.version));
    }
    Ok(file.agents)
}

fn corrupt(path: &Path, problem: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("{} is not a file of budgets: {problem}", path.display()))
}
