//! A rule of a policy: which requests it matches, what it limits, and in which window.

use std::time::Duration;

use super::scope::Scope;
use crate::accounting::{BUCKETS, CalendarUnit, Clock, Code, Invalid, Limit, Show, Unit, Window};
use crate::store::OnDown;

/// The table of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// `[[budget]]`
    Budget,
    /// `[[workflow]]`
    Workflow,
    /// `step` of a workflow.
    Step,
    /// `limit` of a `[[pool]]`
    Pool,
    /// `max_concurrent` of a `[[pool]]`
    Slots,
    /// `[[limiter]]`
    Limiter,
    /// `[[tool]]`
    Tool,
    /// `guard.allot`
    Allotment,
}

impl RuleKind {
    /// The name of its table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Workflow => "workflow",
            Self::Step => "step",
            Self::Pool | Self::Slots => "pool",
            Self::Limiter => "limiter",
            Self::Tool => "tool",
            Self::Allotment => "allotment",
        }
    }

    /// The code of its refusals.
    pub const fn code(self) -> Code {
        match self {
            Self::Budget | Self::Tool | Self::Allotment => Code::BudgetExceeded,
            Self::Workflow | Self::Step => Code::WorkflowQuotaExceeded,
            Self::Pool => Code::ThresholdExceeded,
            Self::Slots => Code::AllowanceExceeded,
            Self::Limiter => Code::RateLimitExceeded,
        }
    }

    /// Whether every request is expected to match a rule of this kind, if the policy has one.
    pub const fn is_of_budgets(self) -> bool {
        matches!(self, Self::Budget | Self::Workflow | Self::Step)
    }

    /// Whether it only applies to calls of models, unless its scope names tools.
    pub const fn is_of_models(self) -> bool {
        matches!(self, Self::Pool | Self::Slots | Self::Limiter)
    }
}

/// When usage is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// Never.
    Lifetime,
    /// With the run. Each value of the label `run` has its own counter.
    Run,
    /// At whole periods after the first use.
    Fixed(Duration),
    /// Continuously.
    Rolling(Duration),
    /// At the edges of the calendar, in a time zone.
    Calendar(CalendarUnit, String),
    /// At once.
    Gauge,
}

impl Span {
    /// A window that begins now.
    pub fn window(&self, clock: &Clock) -> Result<Window, Invalid> {
        match self {
            Self::Lifetime | Self::Run => Ok(Window::Lifetime),
            Self::Fixed(period) => Window::fixed(*period, clock.tick()),
            Self::Rolling(period) => Window::sliding(*period, BUCKETS, clock.tick()),
            Self::Calendar(unit, zone) => Window::calendar(*unit, zone, clock.now(true)),
            Self::Gauge => Ok(Window::Gauge),
        }
    }

    /// Whether an amount of it can be set aside for a sub-agent.
    pub const fn can_be_allotted(&self) -> bool {
        !matches!(self, Self::Rolling(_) | Self::Gauge)
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lifetime => f.write_str("lifetime"),
            Self::Run => f.write_str("run"),
            Self::Fixed(period) => write!(f, "fixed:{}s", period.as_secs_f64()),
            Self::Rolling(period) => write!(f, "rolling:{}s", period.as_secs_f64()),
            Self::Gauge => f.write_str("concurrent"),
            Self::Calendar(unit, zone) => {
                let unit = match unit {
                    CalendarUnit::Hour => "hour",
                    CalendarUnit::Day => "day",
                    CalendarUnit::Week => "week",
                    CalendarUnit::Month => "month",
                };
                write!(f, "calendar:{unit} {zone}")
            }
        }
    }
}

/// What happens at the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Requests above it are refused.
    #[default]
    Hard,
    /// They pass, and the operator is warned.
    Soft,
    /// They pass, and what would have been refused is reported.
    Shadow,
}

impl Mode {
    /// Its word in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
            Self::Shadow => "shadow",
        }
    }
}

/// The limit of one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleLimit {
    /// What is counted.
    pub unit: Unit,
    /// The maximum, or `None` if it is only counted.
    pub max: Option<u64>,
    /// The amount kept back for the final answer, or a pool's stop threshold.
    pub kept_back: u64,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name. Table and name together are unique.
    pub name: String,
    /// The table that it comes from.
    pub kind: RuleKind,
    /// The requests that it matches.
    pub scope: Scope,
    /// Its limits, one for each unit.
    pub limits: Vec<RuleLimit>,
    /// The window in which it counts.
    pub span: Span,
    /// What happens at the limit.
    pub mode: Mode,
    /// Shares of the limit, in millionths, at which a warning is due.
    pub warn_at: Vec<u64>,
    /// How long a waiting request waits for it.
    pub wait: Option<Duration>,
    /// Whether the headers of the provider lower it.
    pub adaptive: bool,
    /// What passes while the store is away. `None`: as the store says.
    pub on_down: Option<OnDown>,
    /// What the model that is refused reads of names and totals.
    pub show: Show,
    /// Its place in the policy. Of all rules that refuse, the first is named.
    pub place: u32,
}

impl Rule {
    /// Whether two rules count the same thing, whatever their limits.
    pub fn counts_like(&self, other: &Self) -> bool {
        self.counted() == other.counted()
    }

    /// The key of what it counts. Rules with different keys count different things.
    pub(crate) const fn counted(&self) -> (RuleKind, &String, &Scope, &Span) {
        (self.kind, &self.name, &self.scope, &self.span)
    }

    /// The workflow and the step that it limits, if it is the rule of a step.
    pub fn step(&self) -> Option<(String, &str)> {
        if self.kind != RuleKind::Step {
            return None;
        }
        let workflow = self.scope.0.iter().find(|(label, _)| label == "workflow")?.1.to_string();
        let step = self.name.strip_prefix(workflow.as_str())?.strip_prefix(".step.")?;
        Some((workflow, step))
    }

    /// Whether each run has its own counter.
    pub fn is_per_run(&self) -> bool {
        self.span == Span::Run
    }

    /// The limit of a meter of that unit. It is unlimited if the rule does not name the unit.
    pub fn limit(&self, unit: Unit) -> Limit {
        let Some(rule) = self.limits.iter().find(|limit| limit.unit == unit) else {
            return Limit::new(unit, None);
        };
        let mut limit = Limit::new(unit, rule.max).hard(self.mode == Mode::Hard).spares_zero();
        if let Some(max) = rule.max {
            let kept_back = rule.kept_back.min(max);
            let lands = self.kind == RuleKind::Budget;
            limit = if lands { limit.landing(kept_back) } else { limit.stop(kept_back) };
            for share in &self.warn_at {
                limit = limit.warn_at(share_of(max, *share));
            }
        }
        limit
    }
}

/// The least usage that reaches a share, in millionths, of a limit.
fn share_of(max: u64, share: u64) -> u64 {
    let mark = (u128::from(max) * u128::from(share)).div_ceil(1_000_000);
    u64::try_from(mark).unwrap_or(u64::MAX)
}
