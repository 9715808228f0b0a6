//! What a job that shall begin asks of the accounts of its agent, its model and its repository.

use std::sync::Arc;

use smallvec::smallvec;

use super::accounts::{COOLDOWN, COST, ISSUES, JOBS, PULL_REQUESTS, REQUESTS, SLOTS, TOKENS};
use super::job::JobId;
use super::models::allows_model;
use super::service::AllowanceService;
use crate::accounting::{Code, Denied, Key, Kind, LONGEST, Subject, Terms};
use crate::ledger::{Account, Ask, Demand, Demands, Error, MeterIndex};

/// The agent, model, repository and tokens of a job that shall begin.
pub(super) struct Start {
    pub(super) agent: Key,
    pub(super) model: Option<Key>,
    /// The model as it is counted.
    pub(super) counted: Option<Key>,
    pub(super) repo: Option<Key>,
    pub(super) tokens: u64,
}

/// A model by its name. An empty name means no model.
pub(super) fn model_key(name: &str) -> Result<Option<Key>, Error> {
    Ok((!name.is_empty()).then(|| Key::parse("model", name)).transpose()?)
}

impl Start {
    /// The refusal of this job. It names the agent, whichever account refuses.
    pub(super) fn refused(&self, error: Error, id: &JobId) -> Error {
        let Error::Denied(mut denied) = error else { return error };
        denied.id = Some(self.agent.clone());
        let names = [("model", self.model.as_ref()), ("repo", self.repo.as_ref())];
        let given = names.into_iter().chain([("job_id", Some(&id.job))]);
        let pair = |(name, key): (&str, Option<&Key>)| Some((name.to_owned(), key?.to_string()));
        denied.scope = given.filter_map(pair).collect();
        // A job without a maximum duration ends when its end is reported, not in a hundred years.
        denied.retry_after.take_if(|wait| *wait > LONGEST / 2);
        Error::Denied(denied)
    }
}

impl AllowanceService {
    /// The arguments of a job that shall begin.
    pub(super) fn start(
        &self,
        agent_id: &str,
        model: &str,
        repo: Option<&str>,
        tokens: u64,
    ) -> Result<Start, Error> {
        let model = model_key(model)?;
        self.hear_quotas()?;
        Ok(Start {
            agent: Key::parse("agent_id", agent_id)?,
            counted: model.clone().map(|model| self.models.counted(model)).transpose()?,
            model,
            repo: repo.map(|repo| Key::parse("repo", repo)).transpose()?,
            tokens,
        })
    }

    /// Whether the agent is configured and may use the model.
    pub(super) fn allows(&self, start: &Start) -> Result<(), Error> {
        let Some(allowance) = self.agents.setting(&start.agent) else {
            let mut denied = Denied::not_configured(start.agent.as_str(), start.tokens);
            denied.show = self.showing.get();
            return Err(denied.into());
        };
        let models = &allowance.model_allowlist;
        match &start.model {
            Some(model) if !allows_model(models, model.as_str()) => {
                let mut denied = Denied::plain(Code::AllowanceExceeded, Kind::Model, None);
                denied.requested = start.tokens;
                denied.reason = Some("model not in allowlist".to_owned());
                denied.subject = Some(Subject::Model(model.as_str().to_owned()));
                denied.show = self.showing.get();
                Err(denied.into())
            }
            _ => Ok(()),
        }
    }

    /// Makes the accounts that a job is counted in.
    pub(super) fn keep(&self, start: &Start) -> Result<(), Error> {
        self.agents.account(&start.agent)?;
        start.counted.as_ref().map_or(Ok(()), |model| self.models.account(model).map(drop))
    }

    /// The asks of a job on its agent and its model, if they have accounts.
    pub(super) fn asks(&self, start: &Start, terms: Terms) -> Vec<Ask> {
        let agent_demands: Demands = smallvec![
            Demand::new(TOKENS, start.tokens),
            Demand::new(JOBS, 1),
            Demand::new(SLOTS, 1)
        ];
        let model_demands: Demands = smallvec![
            Demand::new(TOKENS, start.tokens),
            Demand::new(REQUESTS, 1),
            Demand::new(COST, 0)
        ];
        let agent = self.agents.find(&start.agent).map(|account| (account, agent_demands));
        let model = start.counted.as_ref().and_then(|model| self.models.find(model));
        let asked = agent.into_iter().chain(model.map(|account| (account, model_demands)));
        asked.map(|(account, demands)| Ask { terms, ..Ask::new(&account, demands) }).collect()
    }

    /// Calls `ask` for a job, together with its repository: the repository must have no cooldown,
    /// and one of its limited actions must have room. The actions are tried in turn. Within a day
    /// they only fill up, so if the last one has no room, none has.
    pub(super) fn with_repo<R>(
        &self,
        start: &Start,
        mut asks: Vec<Ask>,
        ask: impl Fn(&[Ask]) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let repo = start.repo.as_ref().map(|repo| self.repos.known(repo)).transpose()?;
        let Some(account) = repo.flatten() else { return ask(&asks) };
        let mut refused: Option<Box<Denied>> = None;
        for demands in ways(&account)? {
            asks.push(Ask { terms: Terms::Gated, ..Ask::new(&account, demands) });
            match ask(&asks) {
                Err(Error::Denied(denied))
                    if matches!(denied.kind, Kind::Repo | Kind::Cooldown) =>
                {
                    // One action is enough: the job may begin when the first of them has room.
                    let sooner = |best: &Denied| denied.retry_after < best.retry_after;
                    if refused.as_deref().is_none_or(sooner) {
                        refused = Some(denied);
                    }
                }
                other => return other,
            }
            asks.pop();
        }
        refused.map_or_else(|| ask(&asks), |denied| Err(denied.into()))
    }
}

/// The demands on a repository for a job, any one of which is enough. They take nothing.
fn ways(repo: &Arc<Account>) -> Result<Vec<Demands>, Error> {
    let actions = [PULL_REQUESTS, ISSUES].into_iter();
    let limited: Vec<MeterIndex> = repo.read(|meters, _| {
        actions.filter(|action| meters[usize::from(*action)].limit().is_some()).collect()
    })?;
    if limited.is_empty() {
        return Ok(vec![smallvec![Demand::new(COOLDOWN, 0)]]);
    }
    Ok(limited
        .into_iter()
        .map(|action| smallvec![Demand::new(COOLDOWN, 0), Demand::new(action, 0)])
        .collect())
}
