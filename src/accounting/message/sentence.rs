//! What a refusal says, in sentences.

use std::time::Duration;

use super::escape::cut;
use crate::accounting::denied::{Code, Denied, Kind, Show, Subject};
use crate::accounting::limit::Unit;

/// How many bytes of JSON a sentence shows of each name.
const NAME_BYTES: usize = 160;
const HOUR: Duration = Duration::from_secs(3600);

impl Denied {
    /// What ran out, in a sentence with all names.
    pub fn message(&self) -> String {
        self.sentence(NAME_BYTES, Show::All)
    }

    /// The `type` of the message. It is the kind, except for hourly workflow quotas.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::WorkflowLimit if self.period == Some(HOUR) => "hourly_limit",
            kind => kind.name(),
        }
    }

    /// What to do now.
    pub const fn suggestion(&self) -> &'static str {
        match (self.code, self.kind) {
            (Code::NotConfigured, _) => "Ask the operator to set a budget for this agent",
            (Code::RequestBudgetExceeded, _) => {
                "Send a smaller request or raise the cap of this request"
            }
            (_, Kind::Model) => "Use one of the models that are allowed",
            (_, Kind::Concurrency) => {
                "Wait until one that is running has ended, then start it again"
            }
            // With a limit of zero no smaller request would pass.
            (code, _) if self.is_too_large() && (self.limit > 0 || code.is_rate()) => {
                "Ask for less: send a smaller request, for it is more than the whole limit"
            }
            _ if self.is_held() => "Wait until a call under way has ended, then send it again",
            (Code::RateLimitExceeded, _) | (_, Kind::Rate) => {
                "Wait for retry_after_seconds, then send it again"
            }
            (_, Kind::Cooldown) => "Wait for retry_after_seconds, then try this repository again",
            (Code::AllowanceExceeded, _) => {
                "Wait for the next period or ask for a larger allowance"
            }
            (Code::WorkflowQuotaExceeded, Kind::StepLimit) => {
                "Finish now with what you have: no further step will be allowed in this workflow"
            }
            (Code::WorkflowQuotaExceeded, _) => {
                "Wait for the next period or continue a workflow that is active"
            }
            (Code::ThresholdExceeded, _) => {
                "Finish with what you have, or send a smaller request that fits what remains"
            }
            (Code::BudgetExceeded, _) if self.resets_in.is_none() || self.is_too_large() => {
                "Finish with what you have or request a higher allocation"
            }
            (Code::BudgetExceeded, _) => "Wait for budget reset or request a higher allocation",
        }
    }

    /// The sentence with all names, whole.
    pub(crate) fn whole_sentence(&self) -> String {
        self.sentence(usize::MAX, Show::All)
    }

    pub(super) fn sentence(&self, id_bytes: usize, show: Show) -> String {
        let mut text = match &self.reason {
            Some(reason) => cut(reason, id_bytes.max(64)),
            None => self.plain_sentence(id_bytes, show),
        };
        let shows = |subject: &&Subject| match subject {
            Subject::Rule(_) => show != Show::Nothing,
            other => show.names(other.kind()),
        };
        if let Some(subject) = self.subject.as_ref().filter(shows) {
            let is_rule = matches!(subject, Subject::Rule(_)) || self.kind == Kind::Model;
            text.push_str(if is_rule { ": " } else { " for: " });
            text.push_str(&cut(subject.name(), id_bytes.max(64)));
        }
        text.push_str(self.remark.as_deref().unwrap_or_default());
        text
    }

    /// What ran out, without what it is about.
    fn plain_sentence(&self, id_bytes: usize, show: Show) -> String {
        let what = self.what();
        match self.code {
            Code::NotConfigured if !show.names("agent") => {
                "No budget configured for this agent".to_owned()
            }
            Code::NotConfigured => {
                let id = self.id.as_ref().map_or("", |id| id.as_str());
                format!("No budget configured for agent {}", cut(id, id_bytes))
            }
            Code::BudgetExceeded => format!("{what} budget exceeded"),
            Code::RequestBudgetExceeded => format!("{what} budget of this request exceeded"),
            Code::ThresholdExceeded => {
                format!("{what} budget exceeded: pool stop threshold reached")
            }
            Code::WorkflowQuotaExceeded | Code::RateLimitExceeded | Code::AllowanceExceeded => {
                format!("{what} limit exceeded")
            }
        }
    }

    /// What ran out, as the first word of a sentence.
    const fn what(&self) -> &'static str {
        match (self.kind, self.unit) {
            (Kind::Token, Unit::InputTokens) => "Input token",
            (Kind::Token, Unit::OutputTokens) => "Output token",
            (Kind::Token, Unit::CacheReadTokens) => "Cache read token",
            (Kind::Token, Unit::CacheWriteTokens) => "Cache write token",
            (Kind::Token, Unit::ReasoningTokens) => "Reasoning token",
            (Kind::Token, _) => "Token",
            (Kind::Call, Unit::ToolCalls) => "Tool call",
            (Kind::Call, _) => "Call",
            (Kind::Cost, _) => "Cost",
            (Kind::WorkflowLimit, _) => "Workflow",
            (Kind::StepLimit, _) => "Step",
            (Kind::Rate, _) => "Rate",
            (Kind::Job, _) => "Job",
            (Kind::Concurrency, _) => "Concurrency",
            (Kind::Model, _) => "Model",
            (Kind::Repo, _) => "Repository",
            (Kind::Cooldown, _) => "Cooldown",
            (Kind::NotConfigured, _) => "Budget",
        }
    }

    /// What the id names.
    pub const fn id_name(&self) -> &'static str {
        match self.code {
            Code::WorkflowQuotaExceeded => "workflow_id",
            _ => "agent_id",
        }
    }
}
