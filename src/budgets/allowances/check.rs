//! Checks of jobs, and the actions and cooldowns of repositories.

use super::accounts::{COOLDOWN, JOBS, TOKENS};
use super::service::AllowanceService;
use super::settings::{AllowanceStatus, QuotaCheckResult, RepoAction};
use crate::accounting::{Code, Key, Meter, Terms};
use crate::ledger::{Demand, Error, Heritable, check};

impl AllowanceService {
    /// Whether a job of the agent that uses one token would pass. An empty `model` means none. An
    /// agent without an allowance is refused.
    pub fn check(
        &self,
        agent_id: &str,
        model: &str,
        repo: Option<&str>,
    ) -> Result<QuotaCheckResult, Error> {
        let service = self.here()?;
        let start = service.start(agent_id, model, repo, 1)?;
        service.hear_allowance(&start.agent, true)?;
        let verdict = service.allows(&start).and_then(|()| match &service.store {
            Some(store) => service.check_kept(store, &start),
            None => service.with_repo(&start, service.asks(&start, Terms::Gated), check),
        });
        let reason = reason_of(verdict)?;
        let agent = service.agents.account(&start.agent)?;
        let (left, mut high) = agent.read(|meters, _| {
            let both = [TOKENS, JOBS].map(|n| &meters[usize::from(n)]);
            (both.map(Meter::remaining), both.into_iter().any(is_high))
        })?;
        if let Some(model) = start.counted.and_then(|model| service.models.find(&model)) {
            high |= model.read(|meters, _| is_high(&meters[usize::from(TOKENS)]))?;
        }
        Ok(result(reason, high, left))
    }

    /// Whether a repository takes one more action.
    pub fn check_repo(&self, repo: &str, action: RepoAction) -> Result<QuotaCheckResult, Error> {
        let service = self.here()?;
        let repo = Key::parse("repo", repo)?;
        service.hear_repo_state(&repo)?;
        let Some(account) = service.repos.known(&repo)? else {
            return Ok(result(None, false, [None; 2]));
        };
        let reason = reason_of(account.check(&demands(action)))?;
        let (left, high) = account.read(|meters, _| {
            let meter = &meters[usize::from(action.meter())];
            (meter.remaining(), is_high(meter))
        })?;
        Ok(result(reason, high, [left, None]))
    }

    /// Counts one action of a repository, or refuses it.
    pub fn charge_repo(&self, repo: &str, action: RepoAction) -> Result<(), Error> {
        let service = self.here()?;
        let key = Key::parse("repo", repo)?;
        service.hear_repo_state(&key)?;
        let account = service.repos.account(&key)?;
        account.charge(&demands(action)).map_err(|error| {
            let Error::Denied(mut denied) = error else { return error };
            denied.id = None;
            denied.scope = vec![("repo".to_owned(), repo.to_owned())];
            Error::Denied(denied)
        })
    }

    /// Records a failure in a repository. Its cooldown begins now.
    pub fn record_failure(&self, repo: &str) -> Result<(), Error> {
        let service = self.here()?;
        service.start_cooldown(&Key::parse("repo", repo)?)
    }

    pub(super) fn start_cooldown(&self, repo: &Key) -> Result<(), Error> {
        if let Some(store) = &self.store {
            return self.keep_cooldown(store, repo);
        }
        let Some(cooldown) = self.repos.setting(repo).map(|limit| limit.cooldown_after_failure)
        else {
            return Ok(());
        };
        if cooldown.is_zero() {
            return Ok(());
        }
        self.repos.account(repo)?.adjust(|meters, now| {
            meters[usize::from(COOLDOWN)].provider_mut().close(now.tick.plus(cooldown));
        })
    }
}

/// The demands of one action on a repository: no cooldown, and room.
fn demands(action: RepoAction) -> [Demand; 2] {
    [Demand::new(COOLDOWN, 0), Demand::new(action.meter(), 1)]
}

/// The reason of a refusal, if it is refused. A missing allowance stays an error.
fn reason_of(verdict: Result<(), Error>) -> Result<Option<String>, Error> {
    match verdict {
        Err(Error::Denied(denied)) if denied.code != Code::NotConfigured => {
            Ok(Some(denied.whole_sentence()))
        }
        other => other.map(|()| None),
    }
}

fn result(reason: Option<String>, high: bool, left: [Option<u64>; 2]) -> QuotaCheckResult {
    let status = match (&reason, high) {
        (Some(_), _) => AllowanceStatus::Exceeded,
        (None, true) => AllowanceStatus::Warning,
        (None, false) => AllowanceStatus::Ok,
    };
    let [remaining_tokens, remaining_jobs] = left;
    QuotaCheckResult {
        allowed: reason.is_none(),
        status,
        remaining_tokens,
        remaining_jobs,
        reason: reason.unwrap_or_default(),
    }
}

/// Whether 80 % of the limit are used or held.
fn is_high(meter: &Meter) -> bool {
    let taken = u128::from(meter.used()) + u128::from(meter.reserved());
    meter.limit().is_some_and(|limit| taken * 5 >= u128::from(limit) * 4)
}
