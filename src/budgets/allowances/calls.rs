//! The accounts of allowances that a model call of a guard is charged to. A call is no job.

use std::sync::Arc;

use smallvec::SmallVec;

use super::accounts::{COST, REQUESTS, TOKENS};
use super::models::allows_model;
use super::service::AllowanceService;
use crate::accounting::{Code, Denied, Key, Kind, Subject, Unit};
use crate::ledger::{Account, Error, MeterIndex};

/// An account of allowances that a call is charged to.
pub(crate) struct PaidAccount {
    pub(crate) account: Arc<Account>,
    /// What each of its meters counts.
    pub(crate) units: SmallVec<[(MeterIndex, Unit); 4]>,
    /// The name of its table in a policy.
    pub(crate) table: &'static str,
}

impl AllowanceService {
    /// The accounts that a call of `agent` with `model` is charged to: those with limits. A model
    /// that the agent may not use is refused.
    pub(crate) fn accounts_of_call(
        &self,
        agent: Option<&str>,
        model: Option<&str>,
    ) -> Result<Vec<PaidAccount>, Error> {
        let key = |name, id: Option<&str>| id.map(|id| Key::parse(name, id)).transpose();
        let (agent, model) = (key("agent", agent)?, key("model", model)?);
        let mut found = Vec::new();
        if let Some(agent) = agent
            && let Some(allowance) = self.agents.setting(&agent)
        {
            let models = &allowance.model_allowlist;
            if let Some(model) = model.as_ref().map(Key::as_str)
                && !allows_model(models, model)
            {
                let mut denied = Denied::plain(Code::AllowanceExceeded, Kind::Model, None);
                denied.reason = Some("model not in allowlist".to_owned());
                denied.subject = Some(Subject::Model(model.to_owned()));
                (denied.id, denied.show) = (Some(agent), self.showing.get());
                return Err(denied.into());
            }
            let units = SmallVec::from_slice(&[(TOKENS, Unit::Tokens)]);
            let account = self.agents.account(&agent)?;
            found.push(PaidAccount { account, units, table: "allowance" });
        }
        if let Some(model) = model.map(|model| self.models.counted(model)).transpose()?
            && self.models.setting(&model).is_some()
        {
            let units = [(TOKENS, Unit::Tokens), (REQUESTS, Unit::Calls), (COST, Unit::Cost)];
            let (account, units) = (self.models.account(&model)?, units.into_iter().collect());
            found.push(PaidAccount { account, units, table: "model_quota" });
        }
        Ok(found)
    }
}
