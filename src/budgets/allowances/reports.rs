//! What is reported of a job, what it comes to, and what is answered.

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

    /// What a job comes to that ended so and used `tokens`, or its `estimate` where it says none.
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

/// What an ended job comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) total: u64,
    pub(super) returned: u64,
}

impl Settled {
    /// What is charged.
    pub(super) const fn net(self) -> u64 {
        self.total - self.returned
    }
}

/// What is told of a job. Reports may come twice, late or out of order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageReport {
    /// The agent.
    pub agent_id: String,
    /// The job: a name of the agent's own.
    pub job_id: String,
    /// What happened.
    pub event: QuotaEvent,
    /// The model, empty for none.
    pub model: String,
    /// Tokens sent; of a job that begins, what it may send.
    pub tokens_in: u64,
    /// Tokens received; of a job that begins, what it may receive.
    pub tokens_out: u64,
    /// What it has cost in all, at its end. It is never given back.
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
    /// Jobs that it counts: 1 for a beginning, else 0.
    pub jobs: u64,
    /// What an end charges before anything comes back.
    pub tokens_total: u64,
    /// What of it comes back.
    pub tokens_returned: u64,
    /// Whether a job that was known to run ends (its slot may be free already: it is overdue).
    pub frees_slot: bool,
    /// The model it is counted for, empty for none.
    pub model: String,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobRef {
    /// When it has run for too long, in nanoseconds since 1970 UTC; `None` for never.
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
