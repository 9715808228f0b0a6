//! What ran out.

use super::code::Code;
use crate::accounting::limit::Unit;

/// What ran out, within a [`Code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Tokens.
    Token,
    /// Calls.
    Call,
    /// Money.
    Cost,
    /// Workflows begun in a period.
    WorkflowLimit,
    /// Steps of one workflow.
    StepLimit,
    /// A rate.
    Rate,
    /// Jobs begun.
    Job,
    /// Calls or jobs that are open at the same time.
    Concurrency,
    /// A model that is not allowed.
    Model,
    /// Pull requests or issues of a repository.
    Repo,
    /// A repository is in its cooldown after a failure.
    Cooldown,
    /// Nothing is configured for the id.
    NotConfigured,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::Token,
        Self::Call,
        Self::Cost,
        Self::WorkflowLimit,
        Self::StepLimit,
        Self::Rate,
        Self::Job,
        Self::Concurrency,
        Self::Model,
        Self::Repo,
        Self::Cooldown,
        Self::NotConfigured,
    ];

    /// The kind as an exception's `kind` carries it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Call => "call",
            Self::Cost => "cost",
            Self::WorkflowLimit => "workflow_limit",
            Self::StepLimit => "step_limit",
            Self::Rate => "rate",
            Self::Job => "job",
            Self::Concurrency => "concurrency",
            Self::Model => "model",
            Self::Repo => "repo",
            Self::Cooldown => "cooldown",
            Self::NotConfigured => "not_configured",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind of a refusal by a meter of `unit`.
    pub const fn of(code: Code, unit: Unit) -> Self {
        match (code, unit) {
            (Code::NotConfigured, _) => Self::NotConfigured,
            // An allowance counts in calls the requests to a model in an hour.
            (Code::RateLimitExceeded, _) | (Code::AllowanceExceeded, Unit::Calls) => Self::Rate,
            (
                _,
                Unit::Tokens
                | Unit::InputTokens
                | Unit::OutputTokens
                | Unit::CacheReadTokens
                | Unit::CacheWriteTokens
                | Unit::ReasoningTokens,
            ) => Self::Token,
            (_, Unit::Cost) => Self::Cost,
            (_, Unit::Calls | Unit::ToolCalls) => Self::Call,
            (_, Unit::Steps) => Self::StepLimit,
            (_, Unit::Workflows) => Self::WorkflowLimit,
            (_, Unit::Jobs) => Self::Job,
            (_, Unit::Slots) => Self::Concurrency,
            (_, Unit::Actions) => Self::Repo,
        }
    }

    /// The unit of the numbers in such a refusal, if no meter gives it.
    pub const fn unit(self, code: Code) -> Unit {
        match (self, code) {
            (Self::Call, _) | (Self::Rate, Code::AllowanceExceeded) => Unit::Calls,
            (Self::Token | Self::Rate | Self::Model | Self::NotConfigured, _) => Unit::Tokens,
            (Self::Cost, _) => Unit::Cost,
            (Self::WorkflowLimit, _) => Unit::Workflows,
            (Self::StepLimit, _) => Unit::Steps,
            (Self::Job, _) => Unit::Jobs,
            (Self::Concurrency, _) => Unit::Slots,
            (Self::Repo | Self::Cooldown, _) => Unit::Actions,
        }
    }
}
