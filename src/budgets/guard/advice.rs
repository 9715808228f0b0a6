//! Advice for the model: what is left, and for about how many calls.

use std::sync::atomic::Ordering;

use super::counter::Counter;
use super::matched::Matched;
use super::rule_meter::RuleMeter;
use super::state::Guard;
use crate::accounting::{Meter, Unit, UsageEstimate, Window};
use crate::budgets::policy::{Labels, Mode, Rule, RuleKind};
use crate::ledger::{Error, Heritable};

/// What is left for requests with some labels: the least that any limit leaves. Rates, which free
/// themselves with time, are listed apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// Tokens, `None` where nothing limits them.
    pub tokens: Option<u64>,
    /// Micro-USD, `None` where nothing limits them.
    pub cost_micros_usd: Option<u64>,
    /// Calls, `None` where nothing limits them.
    pub calls: Option<u64>,
    /// Calls of tools, `None` where nothing limits them.
    pub tool_calls: Option<u64>,
    /// Steps of workflows, `None` where nothing limits them.
    pub steps: Option<u64>,
    /// What limiters and rolling windows leave now, with the rule and the unit.
    pub rates: Vec<(String, Unit, u64)>,
    /// How many more calls fit, each like the earlier ones or like the estimate. `None` if that is
    /// not known.
    pub calls_left_estimate: Option<u64>,
    /// Whether the next such call no longer fits beside the amount that is kept back for the final
    /// answer, and that amount is left.
    pub landing: bool,
}

/// Keeps the least of what the limits leave.
fn least(known: &mut Option<u64>, left: u64) {
    *known = Some(known.map_or(left, |one| one.min(left)));
}

impl Guard {
    /// What is left for requests with these labels. Calls are taken to be like `estimate`, or like
    /// the earlier ones.
    pub fn advice(
        &self,
        labels: &Labels<'_>,
        estimate: Option<UsageEstimate>,
    ) -> Result<Advice, Error> {
        let guard = self.here()?;
        guard.ends.run(guard.core.clock());
        let matched = guard.matched(labels)?;
        let priced = |estimate: UsageEstimate| match &matched.price {
            Some(price) => price.estimated(estimate),
            None => estimate,
        };
        let estimate = estimate.map(priced);
        let mut advice = Advice::default();
        for asked in &matched.asked {
            advise(&asked.counter, &matched, estimate.as_ref(), &mut advice)?;
        }
        Ok(advice)
    }
}

fn advise(
    counter: &Counter,
    matched: &Matched,
    estimate: Option<&UsageEstimate>,
    advice: &mut Advice,
) -> Result<(), Error> {
    let granted = counter.granted.load(Ordering::Relaxed);
    let rule_meters = counter.rule_meters();
    counter.account.read(|meters, _| {
        let hard =
            |rule_meter: &RuleMeter| rule_meter.in_force && rule_meter.rule.mode == Mode::Hard;
        let limits =
            meters.iter().zip(rule_meters.iter()).filter(|(_, rule_meter)| hard(rule_meter));
        for (meter, RuleMeter { rule, unit, .. }) in limits.filter(|(m, _)| m.limit().is_some()) {
            if is_rate(meter, rule) {
                advice.rates.push((rule.name.clone(), *unit, meter.room()));
            } else if *unit != Unit::Slots {
                advice.count(meter, usual(meter, granted, matched, estimate));
            }
        }
    })
}

/// Whether the limit frees itself with time.
const fn is_rate(meter: &Meter, rule: &Rule) -> bool {
    matches!(rule.kind, RuleKind::Limiter) || matches!(meter.window(), Window::Sliding(_))
}

/// What the next call takes of a meter: its estimate, or the rounded-up average of the earlier
/// calls. `None` if that is not known or is nothing.
fn usual(
    meter: &Meter,
    granted: u64,
    matched: &Matched,
    estimate: Option<&UsageEstimate>,
) -> Option<u64> {
    match (meter.unit(), estimate) {
        (Unit::Calls, _) => Some(1),
        (Unit::ToolCalls, _) => matched.is_tool.then_some(1),
        (unit, Some(estimate)) if unit != Unit::Steps => estimate.amount(unit),
        _ if granted == 0 => None,
        _ => Some(meter.used().saturating_add(meter.reserved()).div_ceil(granted).max(1)),
    }
}

impl Advice {
    /// Adds what one limit leaves.
    fn count(&mut self, meter: &Meter, usual: Option<u64>) {
        let room = meter.room();
        match meter.unit() {
            Unit::Tokens => least(&mut self.tokens, room),
            Unit::Cost => least(&mut self.cost_micros_usd, room),
            Unit::Calls => least(&mut self.calls, room),
            Unit::ToolCalls => least(&mut self.tool_calls, room),
            Unit::Steps => least(&mut self.steps, room),
            _ => {}
        }
        if let Some(fit) = usual.and_then(|usual| room.checked_div(usual)) {
            least(&mut self.calls_left_estimate, fit);
        }
        let left = meter.remaining().unwrap_or(0);
        let is_kept_back = left > 0 && meter.ceiling() < meter.limit_now().unwrap_or(0);
        self.landing |= is_kept_back && (room == 0 || usual.is_some_and(|usual| usual > room));
    }
}
