//! Refusals: values that say what ran out, how much is left, and when to try again.

mod cause;
mod code;
mod kind;
mod show;

use std::time::Duration;

pub use self::cause::Cause;
pub use self::code::Code;
pub use self::kind::Kind;
pub use self::show::{Show, Subject};
use super::clock::Moment;
use super::key::Key;
use super::limit::Unit;
use super::meter::Meter;
use super::meter::heard::Heard;

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
    /// What it is about: the rule, model or repository whose limit refuses.
    pub subject: Option<Subject>,
    /// What the sentence says at its end.
    pub remark: Option<String>,
    /// More labels of the request. If a rule refuses, its name comes first.
    pub scope: Vec<(String, String)>,
    /// What the model reads of names and totals.
    pub show: Show,
    /// Whether others use the same counter, so that its totals say something of them.
    pub shared: bool,
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
        let cools_down =
            code == Code::AllowanceExceeded && meter.provider().is_some_and(Heard::is_closed);
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
            subject: None,
            remark: None,
            scope: Vec::new(),
            show: Show::default(),
            shared: false,
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
            subject: None,
            remark: None,
            scope: Vec::new(),
            show: Show::default(),
            shared: false,
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
