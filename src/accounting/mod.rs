//! Pure rules: they take a state and the time, and return a verdict and the new state.
//!
//! No code here takes a lock or does I/O, and only [`clock`] reads a clock.

mod calendar;
mod clock;
mod denied;
mod headers;
mod invalid;
mod key;
mod limit;
mod message;
mod meter;
mod money;
mod price;
mod provider_limit;
mod retry;
mod ring;
mod share;
mod usage;
mod window;

pub use calendar::{Calendar, CalendarUnit, Counts, Rolled};
pub use clock::{Clock, Follower, ManualClock, Moment, SystemClock, Tick};
pub(crate) use clock::{LONGEST, nanos};
pub use denied::{Cause, Code, Denied, Kind, Show, Subject};
pub use headers::{RateHeaders, ReportedLimit, ReportedUnit};
pub use invalid::{Invalid, InvalidKind};
pub use key::Key;
pub use limit::{Limit, Terms, Unit};
pub use message::MESSAGE_BYTES_MAX;
pub use meter::holds::{Expired, Hold};
pub use meter::shared::Changes;
pub(crate) use meter::shared::News;
pub use meter::{Audience, Meter};
pub use money::MicroUsd;
pub use price::{CallPrice, CostSource, Price, PriceTable, Rates, TellUnpriced};
pub(crate) use price::{model_names, undated};
pub use provider_limit::ProviderLimit;
pub use retry::Open;
pub use ring::Ring;
pub(crate) use share::taken;
pub use share::{Era, Fit, NextShare, Others, PastEra, Share, ShareKind};
pub use usage::{Billing, RequestBudget, Usage, UsageEstimate};
pub(crate) use window::BUCKETS;
pub use window::Window;
