//! Reports of jobs, and the results of a job.

/// What happened to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuotaEvent {
    /// It began.
    JobStarted,
    /// It ended well: its tokens are charged.
    JobCompleted,
    /// It failed: half of its tokens come back.
    JobFailed,
    /// It was cancelled: all of its tokens come back.
    JobCancelled,
}

impl QuotaEvent {
    /// All events.
    pub const ALL: [Self; 4] =
        [Self::JobStarted, Self::JobCompleted, Self::JobFailed, Self::JobCancelled];

    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JobStarted => "job_started",
            Self::JobCompleted => "job_completed",
            Self::JobFailed => "job_failed",
            Self::JobCancelled => "job_cancelled",
        }
    }

    /// The event of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }

    /// What is charged for a job that ended so and used `tokens`. If it reports none, its
    /// `estimate` counts.
    pub(super) const fn settles(self, tokens: u64, estimate: u64) -> Settled {
        let total = if tokens == 0 { estimate } else { tokens };
        let returned = match self {
            Self::JobStarted | Self::JobCompleted => 0,
            Self::JobFailed => total / 2,
            Self::JobCancelled => total,
        };
        Settled { total, returned }
    }
}

/// The charge for an ended job, and how much comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) total: u64,
    pub(super) returned: u64,
}

impl Settled {
    /// The charge after what comes back.
    pub(super) const fn net(self) -> u64 {
        self.total - self.returned
    }
}

/// A report of a job. Reports may come twice, late or out of order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageReport {
    /// The agent.
    pub agent_id: String,
    /// The job. The name belongs to the agent.
    pub job_id: String,
    /// What happened.
    pub event: QuotaEvent,
    /// The model, empty for none.
    pub model: String,
    /// Tokens sent. For a job that begins: what it may send.
    pub tokens_in: u64,
    /// Tokens received. For a job that begins: what it may receive.
    pub tokens_out: u64,
    /// Its total cost, at its end. Cost is never given back.
    pub cost_micros_usd: u64,
}

impl UsageReport {
    /// Tokens sent and received.
    pub(super) const fn tokens(&self) -> u64 {
        self.tokens_in.saturating_add(self.tokens_out)
    }
}

/// What a report would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportPreview {
    /// The jobs that it counts: 1 for a beginning, else 0.
    pub jobs: u64,
    /// What an end charges, before some of it comes back.
    pub tokens_total: u64,
    /// How much of it comes back.
    pub tokens_returned: u64,
    /// Whether it ends a running job. If that job is overdue, its slot may be free already.
    pub frees_slot: bool,
    /// The model for which it counts, empty for none.
    pub model: String,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobRef {
    /// When it has run for too long, in nanoseconds since 1970 UTC. `None` for never.
    pub deadline_ns: Option<i64>,
    /// The agent.
    pub agent_id: String,
    /// The job.
    pub job_id: String,
    /// The model, empty for none.
    pub model: String,
    /// The repository it works on.
    pub repo: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_failed_job_comes_back_rounded_down_and_all_of_a_cancelled_one() {
        let net = |event: QuotaEvent, tokens| event.settles(tokens, 0).net();
        for (tokens, failed) in
            [(0, 0), (1, 1), (3, 2), (7, 4), (8, 4), (u64::MAX, u64::MAX / 2 + 1)]
        {
            assert_eq!(net(QuotaEvent::JobCompleted, tokens), tokens);
            assert_eq!(net(QuotaEvent::JobFailed, tokens), failed, "{tokens}");
            assert_eq!(net(QuotaEvent::JobCancelled, tokens), 0);
        }
    }

    #[test]
    fn where_no_tokens_are_told_the_estimate_counts() {
        assert_eq!(QuotaEvent::JobFailed.settles(0, 7), Settled { total: 7, returned: 3 });
        assert_eq!(QuotaEvent::JobFailed.settles(2, 7), Settled { total: 2, returned: 1 });
        assert_eq!(QuotaEvent::parse("job_failed"), Some(QuotaEvent::JobFailed));
        assert_eq!(QuotaEvent::parse("failed"), None);
    }
}
