//! Advice for the model: what is left, and for how many calls that may do.

use std::sync::atomic::Ordering;

use super::Guard;
use super::counter::{Counter, Metered};
use crate::accounting::{Meter, Unit};
use crate::budgets::policy::{Labels, Mode};
use crate::ledger::Error;

/// What is left for requests with some labels: the least that any limit leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// Tokens, `None` where nothing limits them.
    pub tokens: Option<u64>,
    /// Micro-USD, `None` where nothing limits them.
    pub cost_micros_usd: Option<u64>,
    /// Calls, `None` where nothing limits them.
    pub calls: Option<u64>,
    /// For how many calls like those before that may do, `None` where nobody knows.
    pub calls_left_estimate: Option<u64>,
    /// Whether ordinary requests have nothing left, and only what is kept back for the final
    /// answer is there.
    pub landing: bool,
}

/// Adds `more` to the least of what is known.
fn least(known: &mut Option<u64>, more: Option<u64>) {
    *known = match (*known, more) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
}

impl Guard {
    /// What is left for requests with these labels.
    pub fn advice(&self, labels: &Labels<'_>) -> Result<Advice, Error> {
        self.core.same_process()?;
        let mut advice = Advice::default();
        for asked in &self.matched(labels)?.asked {
            advise(&asked.counter, &mut advice)?;
        }
        Ok(advice)
    }
}

fn advise(counter: &Counter, advice: &mut Advice) -> Result<(), Error> {
    let granted = counter.granted.load(Ordering::Relaxed);
    let metered = counter.metered();
    counter.account.read(|meters, _| {
        let hard = |metered: &Metered| metered.in_force && metered.rule.mode == Mode::Hard;
        let limits = meters.iter().zip(&metered).filter(|(_, metered)| hard(metered));
        for meter in limits.map(|(meter, _)| meter).filter(|meter| meter.limit().is_some()) {
            let (room, taken) = (meter.room(), meter.used().saturating_add(meter.reserved()));
            match meter.unit() {
                Unit::Tokens => least(&mut advice.tokens, Some(room)),
                Unit::Cost => least(&mut advice.cost_micros_usd, Some(room)),
                Unit::Calls => {
                    least(&mut advice.calls, Some(room));
                    least(&mut advice.calls_left_estimate, Some(room));
                    advice.landing |= lands(meter);
                    continue;
                }
                Unit::Slots => continue,
                _ => {}
            }
            advice.landing |= lands(meter);
            // What a call took so far, rounded up.
            if granted > 0 {
                least(&mut advice.calls_left_estimate, Some(room / taken.div_ceil(granted).max(1)));
            }
        }
    })
}

/// Whether only what is kept back is left.
fn lands(meter: &Meter) -> bool {
    meter.room() == 0 && meter.remaining().is_some_and(|left| left > 0)
}
