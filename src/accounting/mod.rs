//! The pure rules: state and the current moment come in, a verdict and the new state go out.
//!
//! Nothing here takes a lock or does I/O, and only [`clock`] reads a clock.

pub mod calendar;
pub mod clock;
pub mod denied;
pub mod headers;
pub mod invalid;
pub mod key;
pub mod limit;
pub mod message;
pub mod meter;
pub mod money;
pub mod price;
pub mod provider_limit;
pub mod retry;
pub mod ring;
pub mod usage;
pub mod window;

pub use calendar::{Calendar, CalendarUnit};
pub(crate) use clock::nanos;
pub use clock::{Clock, Follower, LONGEST, ManualClock, Moment, SystemClock, Tick};
pub use denied::{Cause, Code, Denied, Kind};
pub use headers::{Left, RateHeaders};
pub use invalid::{Invalid, InvalidKind};
pub use key::Key;
pub use limit::{Limit, Terms, Unit};
pub use message::MESSAGE_BYTES_MAX;
pub use meter::{Expired, Hold, Meter};
pub use money::MicroUsd;
pub use price::{Price, PriceTable, Rates};
pub use provider_limit::ProviderLimit;
pub use retry::Open;
pub use ring::Ring;
pub use usage::{RequestBudget, Usage, UsageEstimate};
pub use window::{BUCKETS, Window};
