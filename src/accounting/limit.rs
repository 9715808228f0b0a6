//! Limits: how much of a unit a meter allows, and the modes of requests.

use smallvec::SmallVec;

use super::window::Window;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Unit {
    /// Tokens (times the cost of the operation, if the account has operation costs).
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
    /// Calls or jobs that are open at the same time.
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

    /// Whether it counts requests and not their results. Then a request that failed counts too.
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

    /// Whether it counts what a call uses: tokens or money.
    pub const fn is_of_usage(self) -> bool {
        matches!(
            self,
            Self::Tokens
                | Self::InputTokens
                | Self::OutputTokens
                | Self::CacheReadTokens
                | Self::CacheWriteTokens
                | Self::ReasoningTokens
                | Self::Cost
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
    /// The maximum, `None` for no limit. Usage is counted in both cases.
    pub max: Option<u64>,
    /// False: it never refuses and counts above the maximum.
    pub hard: bool,
    /// The last amount below the maximum, which is kept back: a stop threshold.
    pub stop: u64,
    /// A warning is due when `used` reaches one of these.
    pub warn_at: SmallVec<[u64; 1]>,
    /// Whether [landing](Terms::Landing) requests may use the amount that is kept back.
    pub lands: bool,
    /// [Gated](Terms::Gated) requests pass only while less than this is used and reserved.
    pub gate: Option<u64>,
    /// A lease charges its amount when it opens, however it ends.
    pub at_start: bool,
    /// Whether requests for nothing of it always pass: a call that costs nothing is admitted even
    /// if the budget is overspent. Rates and slots are always asked.
    pub spares_zero: bool,
}

/// The mode of a request: how limits apply to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Terms {
    /// Limits apply as they are: soft ones never refuse.
    #[default]
    Plain,
    /// As they are, for a call that names its model: what was said of other models does not bound it.
    Named,
    /// Soft limits refuse as if they were hard.
    Strict,
    /// Hard limits admit it only below their gate, whatever amount it asks for.
    Gated,
    /// For a final answer: it may also use the amount that is kept back from other requests.
    Landing,
    /// It has happened already. It is always admitted, even before requests that wait.
    Recorded,
}

/// What a limit refuses. One byte for both questions keeps a meter in its cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hardness {
    Soft,
    Hard,
    /// The same two, which never refuse a request for nothing.
    SoftSparing,
    HardSparing,
}

impl Hardness {
    pub(super) const fn is_hard(self) -> bool {
        matches!(self, Self::Hard | Self::HardSparing)
    }

    pub(super) const fn spares(self, amount: u64) -> bool {
        amount == 0 && matches!(self, Self::SoftSparing | Self::HardSparing)
    }
}

impl Limit {
    /// What it refuses. A window that frees itself with time is asked for nothing too.
    pub(super) const fn hardness(&self, window: &Window) -> Hardness {
        let frees_itself = matches!(window, Window::Sliding(_) | Window::Gauge);
        let spares = self.spares_zero && self.unit.is_of_usage() && !frees_itself;
        match (self.hard, spares) {
            (false, false) => Hardness::Soft,
            (true, false) => Hardness::Hard,
            (false, true) => Hardness::SoftSparing,
            (true, true) => Hardness::HardSparing,
        }
    }

    /// A limit of `max`, or `None` for no limit.
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
            spares_zero: false,
        }
    }

    /// The same limit. Unless `hard`, it counts and never refuses.
    #[must_use]
    pub fn hard(mut self, hard: bool) -> Self {
        self.hard = hard;
        self
    }

    /// The same limit. Requests for nothing of it always pass.
    #[must_use]
    pub fn spares_zero(mut self) -> Self {
        self.spares_zero = true;
        self
    }

    /// The same limit, with the last `stop` kept back.
    #[must_use]
    pub fn stop(mut self, stop: u64) -> Self {
        self.stop = stop;
        self
    }

    /// The same limit, with the last `kept_back` for [landing](Terms::Landing) requests.
    #[must_use]
    pub fn landing(mut self, kept_back: u64) -> Self {
        (self.stop, self.lands) = (kept_back, true);
        self
    }

    /// The same limit with one more warning, due when `used` reaches `warn_at`.
    #[must_use]
    pub fn warn_at(mut self, warn_at: u64) -> Self {
        self.warn_at.push(warn_at);
        self
    }

    /// The same limit. [Gated](Terms::Gated) requests pass only while less than `gate` is used and
    /// reserved.
    #[must_use]
    pub fn gate(mut self, gate: u64) -> Self {
        self.gate = Some(gate);
        self
    }

    /// The same limit for work that is counted when it begins. A lease charges it when it opens,
    /// and its end changes nothing.
    #[must_use]
    pub fn at_start(mut self) -> Self {
        self.at_start = true;
        self
    }
}
