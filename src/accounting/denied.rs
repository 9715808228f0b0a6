//! Refusals: values that say what ran out, how much is left, and when to try again.

use std::time::Duration;

use super::clock::Moment;
use super::key::Key;
use super::limit::Unit;
use super::meter::Meter;
use super::provider_limit::ProviderLimit;

/// Which kind of account refuses: the `error` of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// No budget or allowance for this id.
    NotConfigured,
    /// The budget of an agent.
    BudgetExceeded,
    /// The request's own cap.
    RequestBudgetExceeded,
    /// A pool, or its stop threshold.
    ThresholdExceeded,
    /// The workflows of a period, or the steps of a workflow.
    WorkflowQuotaExceeded,
    /// The window of a rate is full.
    RateLimitExceeded,
    /// Jobs, concurrency, model or repo quotas.
    AllowanceExceeded,
}

impl Code {
    /// All codes, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::NotConfigured,
        Self::BudgetExceeded,
        Self::RequestBudgetExceeded,
        Self::ThresholdExceeded,
        Self::WorkflowQuotaExceeded,
        Self::RateLimitExceeded,
        Self::AllowanceExceeded,
    ];

    /// The code as the message carries it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::BudgetExceeded => "budget_exceeded",
            Self::RequestBudgetExceeded => "request_budget_exceeded",
            Self::ThresholdExceeded => "threshold_exceeded",
            Self::WorkflowQuotaExceeded => "workflow_quota_exceeded",
            Self::RateLimitExceeded => "rate_limit_exceeded",
            Self::AllowanceExceeded => "allowance_exceeded",
        }
    }

    pub(super) const fn is_rate(self) -> bool {
        matches!(self, Self::RateLimitExceeded)
    }

    /// The code of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }
}

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

/// Why a request does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cause {
    /// Too much was used, or other requests wait for the same limit.
    #[default]
    Spent,
    /// It would fit once leases that are open have ended.
    Held,
    /// It is more than the limit ever admits.
    TooLarge,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 3] = [Self::Spent, Self::Held, Self::TooLarge];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spent => "spent",
            Self::Held => "held",
            Self::TooLarge => "too_large",
        }
    }

    /// The cause if something else refuses too.
    #[must_use]
    pub const fn unheld(self) -> Self {
        match self {
            Self::Held => Self::Spent,
            other => other,
        }
    }

    /// The cause of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.name() == name)
    }
}

/// A refusal. Nothing was changed. Its message is made only when it is read
/// ([`to_llm_message`](Self::to_llm_message)).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Denied {
    /// Which kind of account refuses.
    pub code: Code,
    /// What ran out.
    pub kind: Kind,
    /// What the numbers count.
    pub unit: Unit,
    /// The id of the agent, workflow or pool, or `None` if the account has none.
    pub id: Option<Key>,
    /// The maximum in the window.
    pub limit: u64,
    /// What was charged in the window.
    pub used: u64,
    /// What open leases hold.
    pub reserved: u64,
    /// What was asked for.
    pub requested: u64,
    /// What could still be admitted.
    pub remaining: u64,
    /// Why it does not fit.
    pub cause: Cause,
    /// The earliest time at which the same request could pass, or `None` if waiting never helps.
    /// For a request that is only held: when enough leases have run out, or `None` if they never
    /// do.
    pub retry_after: Option<Duration>,
    /// The time until the next window, or `None` if there is none.
    pub resets_in: Option<Duration>,
    /// The length of the window, where it has one.
    pub period: Option<Duration>,
    /// A reason in words, if the code and the kind do not say everything.
    pub reason: Option<String>,
    /// More labels of the request.
    pub scope: Vec<(String, String)>,
}

impl Denied {
    /// The refusal of `requested` by `meter`. The caller adds when it could pass.
    pub fn by(
        meter: &Meter,
        code: Code,
        id: Option<Key>,
        requested: u64,
        now: Moment,
    ) -> Box<Self> {
        let cools_down = code == Code::AllowanceExceeded
            && meter.provider().is_some_and(ProviderLimit::is_closed);
        Box::new(Self {
            code,
            kind: if cools_down { Kind::Cooldown } else { Kind::of(code, meter.unit()) },
            unit: meter.unit(),
            id,
            limit: meter.limit_now().unwrap_or(u64::MAX),
            used: meter.used(),
            reserved: meter.reserved(),
            requested,
            remaining: meter.room(),
            cause: Cause::default(),
            retry_after: None,
            resets_in: meter.resets_in(now),
            period: meter.window().period(),
            reason: None,
            scope: Vec::new(),
        })
    }

    /// A refusal without a meter: all numbers are zero.
    pub fn plain(code: Code, kind: Kind, id: Option<Key>) -> Box<Self> {
        Box::new(Self {
            code,
            kind,
            unit: kind.unit(code),
            id,
            limit: 0,
            used: 0,
            reserved: 0,
            requested: 0,
            remaining: 0,
            cause: Cause::default(),
            retry_after: None,
            resets_in: None,
            period: None,
            reason: None,
            scope: Vec::new(),
        })
    }

    /// The refusal for the agent `id` without a budget: fail closed.
    pub fn not_configured(id: &str, requested: u64) -> Box<Self> {
        let mut denied = Self::plain(Code::NotConfigured, Kind::NotConfigured, None);
        denied.requested = requested;
        denied.id = Key::parse("agent_id", id).ok();
        denied
    }

    /// The refusal of a request that asks for more than its own cap.
    pub fn by_request(unit: Unit, cap: u64, asked: u64) -> Box<Self> {
        let code = Code::RequestBudgetExceeded;
        let mut denied = Self::plain(code, Kind::of(code, unit), None);
        denied.unit = unit;
        denied.limit = cap;
        denied.remaining = cap;
        denied.requested = asked;
        denied
    }

    /// Whether waiting helps. True for requests that are only held, and for rates, concurrency and
    /// cooldowns. False if the budget is spent, or if the request is larger than the whole limit.
    pub const fn retryable(&self) -> bool {
        self.is_held() || self.comes_back() && !self.is_too_large()
    }

    /// Whether the limit that refuses frees itself with time.
    const fn comes_back(&self) -> bool {
        matches!(self.code, Code::RateLimitExceeded)
            || matches!(self.kind, Kind::Rate | Kind::Concurrency | Kind::Cooldown)
    }

    /// Whether it would pass once open leases have ended.
    pub const fn is_held(&self) -> bool {
        matches!(self.cause, Cause::Held)
    }

    /// Whether it asks for more than the whole limit, so that it can never pass. A window admits
    /// any smaller request at some time, unless its limit is zero.
    pub const fn is_too_large(&self) -> bool {
        if !matches!(self.cause, Cause::Spent) {
            return matches!(self.cause, Cause::TooLarge);
        }
        let never = self.requested > self.limit || self.period.is_some();
        self.comes_back() && never && self.retry_after.is_none()
    }
}
