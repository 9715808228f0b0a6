//! The value classes of Python, and what is read from them.

mod amounts;
mod billing;
mod checks;
mod clock;
mod denial;
mod given;
mod headers;
mod prices;
mod unpriced;

pub(super) use amounts::{PyRemaining, PyRequestBudget, PyUsage, PyUsageEstimate, or_none, usd};
pub(super) use checks::{check_amount, check_id, check_period};
pub(super) use clock::{PyManualClock, PySystemClock, clock};
pub(super) use denial::{PyDenial, restore_denial};
pub(super) use given::{actual, estimate};
pub(super) use headers::read_said;
pub(super) use prices::{PyPriceTable, model_names, price};
pub(super) use unpriced::tell_unpriced;
