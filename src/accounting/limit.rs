//! What a meter allows, and in which unit.

use smallvec::SmallVec;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Unit {
    /// Tokens (times the operation's cost, where an account has operation costs).
    Tokens,
    /// Tokens of the prompt, cache included.
    InputTokens,
    /// Generated tokens, reasoning included.
    OutputTokens,
    /// Tokens read from a cache.
    CacheReadTokens,
    /// Tokens written to a cache.
    CacheWriteTokens,
    /// Tokens of reasoning.
    ReasoningTokens,
    /// Micro-USD.
    Cost,
    /// Calls.
    Calls,
    /// Calls of tools.
    ToolCalls,
    /// Steps of a workflow.
    Steps,
    /// Workflows begun.
    Workflows,
    /// Jobs begun.
    Jobs,
    /// What is open at the same time.
    Slots,
    /// Pull requests and issues of a repository.
    Actions,
}

impl Unit {
    /// All units.
    pub const ALL: [Self; 14] = [
        Self::Tokens,
        Self::InputTokens,
        Self::OutputTokens,
        Self::CacheReadTokens,
        Self::CacheWriteTokens,
        Self::ReasoningTokens,
        Self::Cost,
        Self::Calls,
        Self::ToolCalls,
        Self::Steps,
        Self::Workflows,
        Self::Jobs,
        Self::Slots,
        Self::Actions,
    ];

    /// Whether it counts what was done and not what came of it: a request that failed counts.
    pub const fn counts_requests(self) -> bool {
        matches!(
            self,
            Self::Calls
                | Self::ToolCalls
                | Self::Steps
                | Self::Workflows
                | Self::Jobs
                | Self::Actions
        )
    }

    /// The unit of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == name)
    }

    /// The unit's name in a message for the model.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::CacheReadTokens => "cache_read_tokens",
            Self::CacheWriteTokens => "cache_write_tokens",
            Self::ReasoningTokens => "reasoning_tokens",
            Self::Cost => "micro_usd",
            Self::Calls => "calls",
            Self::ToolCalls => "tool_calls",
            Self::Steps => "steps",
            Self::Workflows => "workflows",
            Self::Jobs => "jobs",
            Self::Slots => "slots",
            Self::Actions => "actions",
        }
    }
}

/// How much of a unit may be used in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is counted.
    pub unit: Unit,
    /// The maximum, `None` for no limit (what is used is counted all the same).
    pub max: Option<u64>,
    /// False: never refuses, counts above the maximum.
    pub hard: bool,
    /// The part at the top that is not given out: a stop threshold.
    pub stop: u64,
    /// A warning is due once `used` reaches each of these.
    pub warn_at: SmallVec<[u64; 1]>,
    /// Whether [landing](Terms::Landing) requests may use the part that is not given out.
    pub lands: bool,
    /// [Gated](Terms::Gated) requests pass only while less than this is used and reserved.
    pub gate: Option<u64>,
    /// A lease charges what it asks for when it is opened, however it ends.
    pub at_start: bool,
}

/// How a request is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Terms {
    /// As the limits say: soft ones never refuse.
    #[default]
    Plain,
    /// Soft limits refuse as if they were hard.
    Strict,
    /// Hard limits admit it only below their gate, whatever it asks for.
    Gated,
    /// Also the last part is given out, which is kept back from the others: for a final answer.
    Landing,
    /// It has happened already: admitted always, also past those who wait.
    Recorded,
}

impl Limit {
    /// At most `max`, `None` for unlimited.
    pub fn new(unit: Unit, max: Option<u64>) -> Self {
        Self {
            unit,
            max,
            hard: true,
            stop: 0,
            lands: false,
            warn_at: SmallVec::new(),
            gate: None,
            at_start: false,
        }
    }

    /// The same limit that counts and never refuses, unless `hard`.
    #[must_use]
    pub fn hard(mut self, hard: bool) -> Self {
        self.hard = hard;
        self
    }

    /// The same limit, of which the last `stop` are not given out.
    #[must_use]
    pub fn stop(mut self, stop: u64) -> Self {
        self.stop = stop;
        self
    }

    /// The same limit, whose last part is for [landing](Terms::Landing) requests.
    #[must_use]
    pub fn landing(mut self, kept_back: u64) -> Self {
        (self.stop, self.lands) = (kept_back, true);
        self
    }

    /// The same limit with a warning once `used` reaches `warn_at`, beside those it has.
    #[must_use]
    pub fn warn_at(mut self, warn_at: u64) -> Self {
        self.warn_at.push(warn_at);
        self
    }

    /// The same limit, where [gated](Terms::Gated) requests pass only while less than `gate` is
    /// used and reserved.
    #[must_use]
    pub fn gate(mut self, gate: u64) -> Self {
        self.gate = Some(gate);
        self
    }

    /// The same limit on what is begun: a lease charges it when it is opened, and its end changes
    /// nothing. So it counts in the window in which it began.
    #[must_use]
    pub fn at_start(mut self) -> Self {
        self.at_start = true;
        self
    }
}
