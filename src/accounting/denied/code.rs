//! Which kind of account refuses.

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

    pub(crate) const fn is_rate(self) -> bool {
        matches!(self, Self::RateLimitExceeded)
    }

    /// The code of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }
}
