//! The budget of one agent, and the limits that it means.

use std::time::Duration;

use crate::accounting::{Limit, Tick, Unit, Window};
use crate::ledger::{Account, Error};

/// The budget of one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetLimit {
    /// The agent.
    pub agent_id: String,
    /// Tokens in a window, `None` for no limit.
    pub token_budget: Option<u64>,
    /// Calls in a window, `None` for no limit.
    pub calls_budget: Option<u64>,
    /// The length of a window, or `None` if it never ends.
    pub window: Option<Duration>,
}

pub(in crate::budgets) fn limits(limit: &BudgetLimit) -> [Limit; 2] {
    [Limit::new(Unit::Tokens, limit.token_budget), Limit::new(Unit::Calls, limit.calls_budget)]
}

pub(in crate::budgets) fn new_window(
    period: Option<Duration>,
    start: Tick,
) -> Result<Window, Error> {
    Ok(match period {
        Some(period) => Window::fixed(period, start)?,
        None => Window::Lifetime,
    })
}

/// Sets both meters of an agent in one step. Usage stays, and so does the start of the window.
pub(super) fn change(account: &Account, limit: &BudgetLimit, window: &Window) -> Result<(), Error> {
    account.adjust(|meters, now| {
        for (meter, limit) in meters.iter_mut().zip(&limits(limit)) {
            meter.learn_limit(limit);
        }
        for meter in meters {
            match (meter.window_mut(), window) {
                (Window::Fixed { period_ns, .. }, Window::Fixed { period_ns: new, .. }) => {
                    *period_ns = *new;
                }
                (present, new) => *present = new.clone(),
            }
            // A shorter window may be over by now. The usage stays even then.
            meter.window_mut().roll(now.tick);
        }
    })
}
